#include "desk/lease.h"

#include "data/engine.h"
#include "desk/finish.h"
#include "desk/session.h"

/* The life of what lives over several calls; what it holds is the engine's. */

static void free_all(uc_engine *e, uc_lease *l)
{
    while (l != NULL) {
        uc_lease *next = l->next;

        e->ops->lease_free(e, l);
        l = next;
    }
}

void uc__lease_init(uc_lease *l, uc_session *s, uc_lease_kind kind)
{
    l->kind = kind;
    l->session = s;
    l->born = l->used = uc_now();
    l->busy = true; /* the call that makes it */
}

void uc__lease_link(uc_engine *e, uc_lease *l)
{
    uc_lock(&e->mu);
    l->id = ++e->next_id;
    l->next = e->leases;
    e->leases = l;
    if (l->host != NULL)
        l->host->guests++;
    uc__deadline(e, l->used + e->opt.tx_ms * UC_MS);
    uc_unlock(&e->mu);
}

bool uc__lease_unlink(uc_engine *e, uc_lease *l)
{
    for (uc_lease **q = &e->leases; *q != NULL; q = &(*q)->next) {
        if (*q == l) {
            *q = l->next;
            if (l->host != NULL)
                l->host->guests--;
            return true;
        }
    }
    return false;
}

static uc_lease *find(uc_engine *e, const uc_session *s, uint64_t id)
{
    for (uc_lease *l = e->leases; l != NULL; l = l->next) {
        if (l->id == id && l->session == s)
            return l;
    }
    return NULL;
}

static void remember_expired(uc_engine *e, const uc_lease *l)
{
    e->expired_leases[e->expired_n++ % 16] = l->id;
}

bool uc__lease_gone(uc_engine *e, uint64_t id, uc_error *err)
{
    for (unsigned i = 0; i < 16; i++) {
        if (e->expired_leases[i] == id && id != 0)
            return uc_fail(err, UC_CURSOR_EXPIRED,
                           "the cursor or snapshot was ended: it was idle "
                           "for longer than transactionTimeoutMs, or the WAL "
                           "reached walCapBytes while it was the oldest");
    }
    return uc_fail(err, UC_CLOSED, "the cursor or snapshot has ended");
}

uc_lease *uc__lease_of(uc_engine *e, uc_call *c, uc_error *err)
{
    uc_reader r = c->args;
    uint64_t id = c->snap;
    uc_lease *l;

    if (c->op->lane == UC_LANE_PIN && !uc_read_u64(&r, &id)) {
        uc_fail(err, UC_FRAME, "%s: the first argument is a number",
                c->op->name);
        return NULL;
    }
    if (c->op->lane != UC_LANE_PIN && c->op->lane != UC_LANE_STMT) {
        uc_fail(err, UC_SQL_READONLY, "%s is not possible in a snapshot",
                c->op->name);
        return NULL;
    }
    l = find(e, c->session, id);
    if (l == NULL || l->dead) {
        uc__lease_gone(e, id, err);
        return NULL;
    }
    return l->host != NULL ? l->host : l;
}

uc_lease *uc__lease_named(uc_engine *e, uc_lease *on, uc_call *c, uc_error *err)
{
    uc_reader r = c->args;
    uint64_t id = 0;
    uc_lease *l = NULL;

    if (uc_read_u64(&r, &id)) {
        uc_lock(&e->mu);
        l = find(e, c->session, id);
        uc_unlock(&e->mu);
    }
    if (l == NULL || l->dead || (l != on && l->host != on)) {
        uc__lease_gone(e, id, err);
        return NULL;
    }
    return l;
}

/* A cursor's operations are not for a snapshot, and the other way round. */
bool uc__lease_fits(const uc_lease *l, const uc_call *c, uc_error *err)
{
    static const char *const names[] = {"cursor", "snapshot", "backup"};
    uc_lease_kind wanted;

    switch (c->op->num) {
    case UC_OP_cursor_next:
    case UC_OP_cursor_close:
        wanted = UC_LEASE_CURSOR;
        break;
    case UC_OP_backup_step:
    case UC_OP_backup_end:
        wanted = UC_LEASE_BACKUP;
        break;
    default: /* snap_end, and the reads that name one in meta s */
        wanted = UC_LEASE_SNAPSHOT;
    }
    return l->kind == wanted ||
           uc_fail(err, UC_FRAME, "%s: number %llu is a %s, not a %s",
                   c->op->name, (unsigned long long)l->id, names[l->kind],
                   names[wanted]);
}

/* Takes the guests of a snapshot off the list, in front of *freed. Under mu. */
static void take_guests(uc_engine *e, uc_lease *host, uc_lease **freed)
{
    uc_lease **q = &e->leases;

    while (*q != NULL) {
        uc_lease *l = *q;

        if (l->host == host) {
            *q = l->next;
            host->guests--;
            l->next = *freed;
            *freed = l;
        } else {
            q = &l->next;
        }
    }
}

void uc__lease_end_guests(uc_engine *e, uc_lease *host)
{
    uc_lease *guests = NULL;

    uc_lock(&e->mu);
    take_guests(e, host, &guests);
    uc_unlock(&e->mu);
    free_all(e, guests);
}

void uc__lease_done(uc_engine *e, uc_lease *l)
{
    uc_lease *guests = NULL;
    uc_calls left = {0};
    bool release = false;
    uc_call *c;

    uc_lock(&e->mu);
    l->busy = false;
    l->used = uc_now();
    if (l->dead) {
        release = uc__lease_unlink(e, l);
        left = l->queue;
        l->queue = (uc_calls){0};
        if (release && l->why != NULL)
            remember_expired(e, l);
        take_guests(e, l, &guests);
    } else {
        uc__lease_next(e, l);
    }
    uc_unlock(&e->mu);
    while ((c = uc_calls_pop(&left)) != NULL) {
        uc_error err = {0};

        c->lease = NULL;
        uc__lease_gone(e, l->id, &err);
        uc__refuse(c, &err);
    }
    free_all(e, guests);
    if (release)
        e->ops->lease_free(e, l);
}

static bool is_meant(const uc_engine *e, const uc_lease *l,
                     uc_leases_which which, const uc_session *s,
                     const uc_lease *oldest)
{
    switch (which) {
    case UC_LEASES_OF:
        return l->session == s;
    case UC_LEASES_OLDEST:
        return l == oldest;
    case UC_LEASES_IDLE:
        return !l->busy && uc_now() - l->used > e->opt.tx_ms * UC_MS;
    default:
        return true;
    }
}

uint32_t uc__leases_end(uc_engine *e, uc_leases_which which, uc_session *s,
                        const char *why)
{
    uc_lease *freed = NULL, *oldest;
    uint32_t n = 0;
    uc_lease **q;

    uc_lock(&e->mu);
    oldest = uc__leases_oldest(e);
    for (q = &e->leases; *q != NULL;) {
        uc_lease *l = *q;
        /* The call that was to run on it, and then to free it, has been taken
         * off its queue. */
        bool left = l->dead && !l->busy;

        /* Guests go with their host. */
        if (l->host != NULL ||
            (!left && (l->dead || !is_meant(e, l, which, s, oldest)))) {
            q = &l->next;
            continue;
        }
        n++;
        l->dead = true;
        if (!left)
            l->why = why;
        if (l->busy) {
            q = &l->next; /* who runs on it frees it */
            continue;
        }
        *q = l->next;
        if (l->why != NULL)
            remember_expired(e, l);
        l->next = freed;
        freed = l;
        if (l->guests > 0) {
            /* In front of their host, whose connection they have statements
             * on. */
            take_guests(e, l, &freed);
            q = &e->leases;
        }
    }
    uc_unlock(&e->mu);
    free_all(e, freed);
    return n;
}

uc_lease *uc__leases_oldest(uc_engine *e)
{
    uc_lease *oldest = NULL;

    for (uc_lease *l = e->leases; l != NULL; l = l->next) {
        if (l->holds && l->host == NULL && !l->dead &&
            (oldest == NULL || l->born < oldest->born))
            oldest = l;
    }
    return oldest;
}
