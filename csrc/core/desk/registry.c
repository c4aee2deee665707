#include "desk/registry.h"

#include <string.h>

static uc_mutex registry_mu = UC_MUTEX_INIT;
static uc_engine *registry;

void uc__registry_lock(void)
{
    uc_lock(&registry_mu);
}

void uc__registry_unlock(void)
{
    uc_unlock(&registry_mu);
}

uc_engine *uc__registry_find(const char *key, bool readonly)
{
    for (uc_engine *e = registry; e != NULL; e = e->next) {
        if (e->key != NULL && strcmp(e->key, key) == 0 &&
            (readonly || !e->opt.readonly))
            return e;
    }
    return NULL;
}

void uc__registry_add(uc_engine *e)
{
    e->listed = true;
    e->next = registry;
    registry = e;
}

void uc__registry_remove(uc_engine *e)
{
    uc_engine **q = &registry;

    if (!e->listed)
        return;
    while (*q != e)
        q = &(*q)->next;
    *q = e->next;
    e->listed = false;
}

bool uc__registry_clashes(const uc_engine_ops *ops, const char *target,
                          const char *key, uc_error *err)
{
    for (uc_engine *e = registry; ops->is_same != NULL && e != NULL;
         e = e->next) {
        if (e->ops == ops && strcmp(e->key, key) != 0 &&
            ops->is_same(target, e, err))
            return true;
    }
    return false;
}
