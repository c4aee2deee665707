#include "log/record.h"

#include "common/mem.h"

#define SLOTS ((size_t)2 * UC_RING_CLIENTS) /* of the index; a power of two */

/* The last number that the head has got to; which slot has it, or -1. */
static uint64_t effective(const uc_ring_client *c, uint64_t head, int *slot)
{
    uint64_t best = 0;

    *slot = -1;
    for (int i = 0; i < 2; i++) {
        uint64_t seq = atomic_load(&c->slots[i].seq);

        if (atomic_load(&c->slots[i].pos) > head || seq < best)
            continue;
        if (seq == 0 && *slot >= 0)
            continue;
        best = seq;
        *slot = i;
    }
    return best;
}

static uint32_t home(const uint8_t id[16])
{
    return (uint32_t)(uc_fold(uc_load8(id) ^ UC_MIX_1,
                              uc_load8(id + 8) ^ UC_MIX_2) %
                      SLOTS);
}

static void enter(uc_ring *r, uint32_t client)
{
    uint32_t i = home(r->clients[client].id);

    while (r->index[i] != 0)
        i = (uint32_t)((i + 1) % SLOTS);
    r->index[i] = (uint16_t)(client + 1);
}

/* The table is the file's, which may hold anything: the index does not. */
static bool make_index(uc_ring *r)
{
    if (r->index == NULL)
        r->index = uc_calloc(SLOTS, sizeof *r->index);
    if (r->index == NULL)
        return false;
    memset(r->index, 0, sizeof *r->index * SLOTS);
    for (uint32_t i = 0; i < UC_RING_CLIENTS; i++)
        if (atomic_load(&r->clients[i].used) != 0)
            enter(r, i);
    return true;
}

static uc_ring_client *find(uc_ring *r, const uint8_t id[16])
{
    uint32_t i = home(id);

    if (r->index == NULL && !make_index(r))
        return NULL;
    for (; r->index[i] != 0; i = (uint32_t)((i + 1) % SLOTS))
        if (memcmp(r->clients[r->index[i] - 1].id, id, 16) == 0)
            return &r->clients[r->index[i] - 1];
    return NULL;
}

/* A free place, or that of who has been silent for longest. */
static uc_ring_client *place_for(uc_ring *r, const uint8_t id[16])
{
    uc_ring_client *c = &r->clients[0];
    bool was_used;

    for (uint32_t i = 1; i < UC_RING_CLIENTS; i++)
        if (atomic_load(&r->clients[i].used) < atomic_load(&c->used))
            c = &r->clients[i];
    was_used = atomic_load(&c->used) != 0;
    for (int i = 0; i < 2; i++) {
        atomic_store(&c->slots[i].pos, UINT64_MAX);
        atomic_store(&c->slots[i].seq, 0);
    }
    memcpy(c->id, id, 16);
    atomic_store(&c->used, atomic_fetch_add(&r->page->uses, 1) + 1);
    if (was_used)
        make_index(r);
    else
        enter(r, (uint32_t)(c - r->clients));
    return c;
}

uint64_t uc_ring_seen(uc_ring *r, const uint8_t client[16])
{
    const uc_ring_client *c = find(r, client);
    int slot;

    return c == NULL ? 0 : effective(c, r->head, &slot);
}

bool uc_ring_put_from(uc_ring *r, const uint8_t *p, uint32_t len,
                      const uint8_t client[16], uint64_t seq)
{
    uint64_t end = uc__record_room(r, len);
    uc_ring_client *c;
    int slot;

    if (end == 0)
        return false;
    c = find(r, client);
    if (c == NULL && r->index == NULL)
        return false; /* out of memory: as if there were no room */
    if (c == NULL)
        c = place_for(r, client);
    effective(c, r->head, &slot);
    slot = slot == 0;
    atomic_store(&c->slots[slot].pos, UINT64_MAX);
    atomic_store(&c->slots[slot].seq, seq);
    atomic_store(&c->slots[slot].pos, end);
    atomic_store(&c->used, atomic_fetch_add(&r->page->uses, 1) + 1);
    uc__record_put(r, p, len);
    return true;
}

void uc__clients_copy(uc_ring *to, const uc_ring *from)
{
    int slot;

    atomic_store(&to->page->uses, atomic_load(&from->page->uses));
    for (uint32_t i = 0; i < UC_RING_CLIENTS; i++) {
        const uc_ring_client *c = &from->clients[i];
        uc_ring_client *mine = &to->clients[i];

        memcpy(mine->id, c->id, sizeof mine->id);
        atomic_store(&mine->used, atomic_load(&c->used));
        atomic_store(&mine->slots[0].seq, effective(c, from->head, &slot));
        atomic_store(&mine->slots[0].pos, 0);
        atomic_store(&mine->slots[1].seq, 0);
        atomic_store(&mine->slots[1].pos, UINT64_MAX);
    }
}

void uc__clients_take_up(uc_ring *r)
{
    for (uint32_t i = 0; i < UC_RING_CLIENTS; i++)
        for (int j = 0; j < 2; j++)
            if (atomic_load(&r->clients[i].slots[j].pos) > r->head)
                atomic_store(&r->clients[i].slots[j].pos, UINT64_MAX);
}
