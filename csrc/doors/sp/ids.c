#include "doors/sp/ids.h"

#include <stddef.h>

#include "common/mem.h"

enum { FIRST_SLOTS = 64 };

/* Clients count their ids up, so the low bits are as good as any hash; what a
 * client gains by choosing them badly is a slower connection of its own. */
static uint32_t home(const ud_ids *t, uint32_t id)
{
    return id & t->mask;
}

void ud_ids_fini(ud_ids *t)
{
    uc_free(t->slots);
    *t = (ud_ids){0};
}

static void put(ud_ids *t, ud_id entry)
{
    uint32_t i = home(t, entry.id);

    while (t->slots[i].id != 0)
        i = (i + 1) & t->mask;
    t->slots[i] = entry;
}

static bool grow(ud_ids *t)
{
    ud_ids wider = {.n = t->n};
    uint32_t slots = t->slots == NULL ? FIRST_SLOTS : (t->mask + 1) * 2;

    wider.slots = uc_calloc(slots, sizeof *wider.slots);
    if (wider.slots == NULL)
        return false;
    wider.mask = slots - 1;
    for (uint32_t i = 0; t->slots != NULL && i <= t->mask; i++) {
        if (t->slots[i].id != 0)
            put(&wider, t->slots[i]);
    }
    uc_free(t->slots);
    *t = wider;
    return true;
}

ud_ids_added ud_ids_add(ud_ids *t, uint32_t id, uint32_t sp, uint32_t op)
{
    uint32_t i;

    if ((t->slots == NULL || t->n > t->mask / 2) && !grow(t))
        return UD_IDS_MEMORY;
    for (i = home(t, id); t->slots[i].id != 0; i = (i + 1) & t->mask) {
        if (t->slots[i].id == id)
            return UD_IDS_TWICE;
    }
    t->slots[i] = (ud_id){id, sp, op};
    t->n++;
    return UD_IDS_OK;
}

/* Closes the gap at i: what was pushed past it by a collision moves up. */
static void close_gap(ud_ids *t, uint32_t i)
{
    for (uint32_t j = (i + 1) & t->mask; t->slots[j].id != 0;
         j = (j + 1) & t->mask) {
        uint32_t h = home(t, t->slots[j].id);

        if (((j - h) & t->mask) >= ((j - i) & t->mask)) {
            t->slots[i] = t->slots[j];
            i = j;
        }
    }
    t->slots[i].id = 0;
}

bool ud_ids_take(ud_ids *t, uint32_t id, ud_id *out)
{
    if (t->n == 0 || id == 0)
        return false;
    for (uint32_t i = home(t, id); t->slots[i].id != 0; i = (i + 1) & t->mask) {
        if (t->slots[i].id == id) {
            *out = t->slots[i];
            close_gap(t, i);
            t->n--;
            return true;
        }
    }
    return false;
}
