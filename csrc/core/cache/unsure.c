#include <string.h>

#include "cache/work.h"

/*
 * What an open transaction has written is not so yet: others do not see it in
 * the database, and it may be rolled back. A value that the same session stores
 * meanwhile, and that belongs to one of these tables, may have been made from
 * it. One transaction at a time writes to a file.
 */

void uc_cache_unsure(uc_cache *c, const uc_session *own,
                     const uint64_t *domains, uint32_t n, bool all)
{
    uc_lock(&c->mu);
    c->unsure.own = own;
    if (all || n > UC_UNSURE - c->unsure.n) {
        c->unsure.all = true;
    } else {
        memcpy(c->unsure.domains + c->unsure.n, domains, n * sizeof *domains);
        c->unsure.n += n;
    }
    uc_unlock(&c->mu);
}

/* What the session is loading may have been made from what it has rolled
 * back. */
static void fills_unsure(uc_cache *c, const uc_session *s)
{
    for (unsigned i = 0; c->nfills > 0 && i < UC_FILL_BUCKETS; i++) {
        for (uc_fill *f = c->fills[i]; f != NULL; f = f->next)
            f->unsure = f->unsure || f->session == s;
    }
}

void uc_cache_sure(uc_cache *c, bool committed)
{
    uc_lock(&c->mu);
    /* A commit has dropped the tables, which a load that began before finds
     * out by itself. */
    if (!committed && c->unsure.own != NULL)
        fills_unsure(c, c->unsure.own);
    c->unsure.own = NULL;
    c->unsure.all = false;
    c->unsure.n = 0;
    uc_unlock(&c->mu);
}

void uc_cache_undone(uc_cache *c, const uc_session *own)
{
    uc_lock(&c->mu);
    fills_unsure(c, own);
    uc_unlock(&c->mu);
}

bool uc__is_unsure(const uc_cache *c, const uc_session *s, const uc_put *p)
{
    if (!p->tied)
        return false;
    if (c->no_ties)
        return true;
    if (c->unsure.at_work == s)
        return true;
    if (c->unsure.own != s)
        return false;
    for (uint32_t i = 0; !c->unsure.all && i < c->unsure.n; i++) {
        for (uint32_t k = 0; k < p->ndomains; k++) {
            if (p->domains[k] == c->unsure.domains[i])
                return true;
        }
    }
    return c->unsure.all;
}
