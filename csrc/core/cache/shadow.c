#include "cache/shadow.h"

#include "common/mem.h"

const uint16_t uc__shadow_share[UC_SHADOWS] = {10, 100, 300, 550, 800, 990};

enum {
    ROOM_LEAST = 16,
    ROOM_MOST = 512,
    PERIOD = 256,       /* accesses from one comparison to the next */
    DECAY = 8,          /* part of the score that a period forgets */
    POINTS = 256,       /* for a hit: the decay needs more than units */
    AHEAD = 64,         /* part of its score that a new leader has more, */
    AHEAD_ROOM = 16,    /* and hits, as a part of the room */
    ABSENT = UC_QUEUES, /* in no queue of that shadow */
};

/* One key; it may be in several of the shadows. */
struct uc_shadow_node {
    uint32_t hash;
    uint16_t hnext;
    uint8_t in; /* in how many of the shadows */
    uint8_t queue[UC_SHADOWS];
    uint16_t prev[UC_SHADOWS], next[UC_SHADOWS];
};

/* --- memory --------------------------------------------------------------- */

static uint32_t node_count(uint32_t room)
{
    return UC_SHADOWS * room + 2;
}

static uint32_t bucket_count(uint32_t room)
{
    uint32_t n = 64;

    while (n < node_count(room) / 2)
        n *= 2;
    return n;
}

static uint64_t bytes_for(uint32_t room)
{
    return (uint64_t)node_count(room) * sizeof(uc_shadow_node) +
           bucket_count(room) * sizeof(uint16_t);
}

uint64_t uc__shadow_bytes(const uc_shadow *sh)
{
    return bytes_for(sh->most);
}

static void reset(uc_shadow *sh)
{
    uint32_t n = node_count(sh->most);

    memset(sh->one, 0, sizeof sh->one);
    memset(sh->buckets, 0, (sh->buckets_mask + 1) * sizeof *sh->buckets);
    for (uint32_t i = 1; i < n; i++)
        sh->nodes[i].hnext = (uint16_t)(i + 1 < n ? i + 1 : 0);
    sh->spare = 1;
    sh->accesses = 0;
}

bool uc__shadow_init(uc_shadow *sh, uint64_t bytes)
{
    *sh = (uc_shadow){.most = ROOM_MOST};
    while (sh->most > ROOM_LEAST && bytes_for(sh->most) > bytes)
        sh->most /= 2;
    sh->buckets_mask = bucket_count(sh->most) - 1;
    sh->nodes = uc_calloc(node_count(sh->most), sizeof *sh->nodes);
    sh->buckets = uc_calloc(sh->buckets_mask + 1, sizeof *sh->buckets);
    if (sh->nodes == NULL || sh->buckets == NULL) {
        uc__shadow_fini(sh);
        return false;
    }
    reset(sh);
    return true;
}

void uc__shadow_fini(uc_shadow *sh)
{
    uc_free(sh->nodes);
    uc_free(sh->buckets);
    sh->nodes = NULL;
    sh->buckets = NULL;
}

void uc__shadow_resize(uc_shadow *sh, uint64_t entries)
{
    uint32_t sampled = sh->sampled;

    if (entries >> sampled == sh->room)
        return;
    while (entries >> sampled > sh->most)
        sampled++;
    while (sampled > 0 && entries >> sampled < sh->most / 4)
        sampled--;
    if (sampled != sh->sampled) {
        sh->sampled = sampled;
        reset(sh);
    }
    sh->room = (uint16_t)(entries >> sampled > 2 ? entries >> sampled : 2);
    for (int k = 0; k < UC_SHADOWS; k++) {
        uc_shadow_one *one = &sh->one[k];

        one->window = (uint16_t)(sh->room * uc__shadow_share[k] / 1000);
        if (one->window == 0)
            one->window = 1;
        one->guarded = (uint16_t)((sh->room - one->window) * 4 / 5);
    }
}

/* --- queues --------------------------------------------------------------- */

static void push(uc_shadow *sh, int k, uint16_t i, unsigned queue)
{
    uc_shadow_list *q = &sh->one[k].queue[queue];
    uc_shadow_node *n = &sh->nodes[i];

    n->queue[k] = (uint8_t)queue;
    n->prev[k] = 0;
    n->next[k] = q->first;
    if (q->first != 0)
        sh->nodes[q->first].prev[k] = i;
    else
        q->last = i;
    q->first = i;
    q->count++;
}

static void pull(uc_shadow *sh, int k, uint16_t i)
{
    uc_shadow_node *n = &sh->nodes[i];
    uc_shadow_list *q = &sh->one[k].queue[n->queue[k]];

    if (n->prev[k] != 0)
        sh->nodes[n->prev[k]].next[k] = n->next[k];
    else
        q->first = n->next[k];
    if (n->next[k] != 0)
        sh->nodes[n->next[k]].prev[k] = n->prev[k];
    else
        q->last = n->prev[k];
    q->count--;
}

static void forget(uc_shadow *sh, uint16_t i)
{
    uc_shadow_node *n = &sh->nodes[i];
    uint16_t *at = &sh->buckets[uc__remix(n->hash) & sh->buckets_mask];

    while (*at != i)
        at = &sh->nodes[*at].hnext;
    *at = n->hnext;
    n->hnext = sh->spare;
    sh->spare = i;
}

static void lose(uc_shadow *sh, int k, uint16_t i)
{
    uc_shadow_node *n = &sh->nodes[i];

    pull(sh, k, i);
    n->queue[k] = ABSENT;
    if (--n->in == 0)
        forget(sh, i);
}

static unsigned count_of(const uc_shadow *sh, const uc_index *x,
                         const uc_blocks *b, uint16_t i)
{
    uint32_t hash = sh->nodes[i].hash;

    return uc__sketch_count(&uc__line_of(x, b, hash)->counters, hash);
}

/* The same decisions as the policy's, with every entry of the same size. */
static void shrink(uc_shadow *sh, const uc_index *x, const uc_blocks *b, int k)
{
    uc_shadow_one *one = &sh->one[k];
    uc_shadow_list *q = one->queue;
    uint16_t victim = q[UC_PROBATION].last;

    if (victim == 0)
        victim = q[UC_PROTECTED].last;
    if (q[UC_WINDOW].count > one->window || victim == 0) {
        uint16_t candidate = q[UC_WINDOW].last;

        if (victim == 0 || !uc__sketch_beats(count_of(sh, x, b, candidate),
                                             count_of(sh, x, b, victim))) {
            lose(sh, k, candidate);
            return;
        }
        pull(sh, k, candidate);
        push(sh, k, candidate, UC_PROBATION);
    }
    lose(sh, k, victim);
}

static void enter(uc_shadow *sh, const uc_index *x, const uc_blocks *b, int k,
                  uint16_t i)
{
    uc_shadow_one *one = &sh->one[k];
    uc_shadow_list *q = one->queue;

    push(sh, k, i, UC_WINDOW);
    sh->nodes[i].in++;
    while (q[0].count + q[1].count + q[2].count > sh->room)
        shrink(sh, x, b, k);
    while (q[UC_WINDOW].count > one->window) {
        uint16_t last = q[UC_WINDOW].last;

        pull(sh, k, last);
        push(sh, k, last, UC_PROBATION);
    }
}

static void used(uc_shadow *sh, int k, uint16_t i)
{
    uc_shadow_one *one = &sh->one[k];
    unsigned queue = sh->nodes[i].queue[k];

    one->hits++;
    if (one->queue[queue].first == i && queue != UC_PROBATION)
        return;
    pull(sh, k, i);
    push(sh, k, i, queue == UC_WINDOW ? UC_WINDOW : UC_PROTECTED);
    if (one->queue[UC_PROTECTED].count > one->guarded) {
        uint16_t last = one->queue[UC_PROTECTED].last;

        pull(sh, k, last);
        push(sh, k, last, UC_PROBATION);
    }
}

/* --- accesses ------------------------------------------------------------- */

static uint16_t find_or_make(uc_shadow *sh, uint32_t hash)
{
    uint16_t *bucket = &sh->buckets[uc__remix(hash) & sh->buckets_mask];
    uc_shadow_node *n;
    uint16_t i;

    for (i = *bucket; i != 0; i = sh->nodes[i].hnext) {
        if (sh->nodes[i].hash == hash)
            return i;
    }
    i = sh->spare;
    n = &sh->nodes[i];
    sh->spare = n->hnext;
    n->hash = hash;
    n->in = 0;
    memset(n->queue, ABSENT, sizeof n->queue);
    n->hnext = *bucket;
    *bucket = i;
    return i;
}

/* At the end of a period; whether another one leads now. A change costs hits,
 * so the new one has to be clearly ahead. */
static bool compare(uc_shadow *sh)
{
    uint64_t most = 0, needed;
    uint32_t best = sh->best;

    for (uint32_t k = 0; k < UC_SHADOWS; k++) {
        uc_shadow_one *one = &sh->one[k];

        one->score -= one->score / DECAY;
        one->score += (uint64_t)one->hits * POINTS;
        one->hits = 0;
        if (one->score > most) {
            most = one->score;
            best = k;
        }
    }
    sh->accesses = 0;
    needed = most / AHEAD + (uint64_t)sh->room * POINTS / AHEAD_ROOM;
    if (most <= sh->one[sh->best].score + needed)
        return false;
    sh->best = best;
    return true;
}

bool uc__shadow_asked(uc_shadow *sh, const uc_index *x, const uc_blocks *b,
                      uint32_t hash)
{
    uint16_t i;

    /* Neither the bits of the line nor those of the counters. */
    if ((uc__remix(~hash) >> 8 & ((1u << sh->sampled) - 1)) != 0)
        return false;
    i = find_or_make(sh, hash);
    for (int k = 0; k < UC_SHADOWS; k++) {
        if (sh->nodes[i].queue[k] != ABSENT)
            used(sh, k, i);
        else
            enter(sh, x, b, k, i);
    }
    return ++sh->accesses >= PERIOD && compare(sh);
}
