#include "cache/policy.h"

#include "cache/inner.h"

enum {
    SAMPLE = 12,     /* counted for each entry until all is halved */
    LEAST = 16,      /* entries that make a sample */
    HALVE_STEP = 16, /* lines, whenever something is counted */
    CHALLENGED = 8,  /* entries that one candidate can send away */
};

static uc_head *head(const uc_store *s, uint32_t block)
{
    return uc__head(&s->blocks, block);
}

uint32_t uc__policy_weight(const uc_store *s, uint32_t block)
{
    return s->max_entries > 0 ? 1 : uc__entry_blocks(head(s, block));
}

static void share_out(uc_store *s)
{
    uc_policy *p = &s->policy;

    p->window = p->room * uc__policy_share(s) / 1000;
    if (p->window == 0)
        p->window = 1;
    p->guarded = (p->room - p->window) * 4 / 5;
}

/* What fits into the cache may change: with the index, and with the size of
 * entries where it is their number that counts. */
static void set_room(uc_store *s, uint64_t room)
{
    if (room < 1)
        room = 1;
    if (room == s->policy.room)
        return;
    s->policy.room = room;
    share_out(s);
}

bool uc__policy_init(uc_store *s, uint64_t bytes)
{
    s->policy = (uc_policy){0};
    if (!uc__shadow_init(&s->policy.shadow, bytes))
        return false;
    set_room(s,
             s->max_entries > 0 ? s->max_entries : uc__blocks_room(&s->blocks));
    if (s->max_entries > 0)
        uc__shadow_resize(&s->policy.shadow, s->max_entries);
    return true;
}

void uc__policy_fini(uc_store *s)
{
    uc__shadow_fini(&s->policy.shadow);
}

uint32_t uc__policy_share(const uc_store *s)
{
    return uc__shadow_share[s->policy.shadow.best];
}

/* --- queues --------------------------------------------------------------- */

static void push(uc_store *s, uint32_t block, unsigned queue)
{
    uc_list *q = &s->policy.queue[queue];
    uc_head *e = head(s, block);

    e->queue = (uint8_t)queue;
    e->prev = 0;
    e->next = q->first;
    if (q->first != 0)
        head(s, q->first)->prev = block;
    else
        q->last = block;
    q->first = block;
    q->weight += uc__policy_weight(s, block);
}

static void pull(uc_store *s, uint32_t block)
{
    const uc_head *e = head(s, block);
    uc_list *q = &s->policy.queue[e->queue];

    if (e->prev != 0)
        head(s, e->prev)->next = e->next;
    else
        q->first = e->next;
    if (e->next != 0)
        head(s, e->next)->prev = e->prev;
    else
        q->last = e->prev;
    q->weight -= uc__policy_weight(s, block);
}

static void last_to_probation(uc_store *s, unsigned queue)
{
    uint32_t block = s->policy.queue[queue].last;

    pull(s, block);
    push(s, block, UC_PROBATION);
}

static void promote(uc_store *s, uint32_t block)
{
    uc_policy *p = &s->policy;
    unsigned queue = head(s, block)->queue;

    if (p->queue[queue].first == block && queue != UC_PROBATION)
        return;
    pull(s, block);
    push(s, block, queue == UC_WINDOW ? UC_WINDOW : UC_PROTECTED);
    if (queue != UC_PROBATION)
        return;
    for (int i = 0;
         i < CHALLENGED && p->queue[UC_PROTECTED].weight > p->guarded &&
         p->queue[UC_PROTECTED].last != block;
         i++)
        last_to_probation(s, UC_PROTECTED);
}

/* Before anything else is done to the queues. */
static void catch_up(uc_store *s)
{
    uint32_t n = s->policy.nlate;

    s->policy.nlate = 0;
    for (uint32_t i = 0; i < n; i++)
        promote(s, s->policy.late[i]);
}

void uc__policy_used(uc_store *s, uint32_t block)
{
    uc_policy *p = &s->policy;
    const uc_head *e = head(s, block);

    __builtin_prefetch(head(s, e->prev), 1);
    __builtin_prefetch(head(s, e->next), 1);
    p->late[p->nlate++] = block;
    if (p->nlate == UC_POLICY_LATE)
        catch_up(s);
}

void uc__policy_enter(uc_store *s, uint32_t block)
{
    uc_policy *p = &s->policy;

    catch_up(s);
    push(s, block, UC_WINDOW);
    /* Step by step: when the share has become smaller the window may be far
     * too large. */
    for (int i = 0; i < CHALLENGED && p->queue[UC_WINDOW].weight > p->window &&
                    p->queue[UC_WINDOW].last != block;
         i++)
        last_to_probation(s, UC_WINDOW);
}

void uc__policy_leave(uc_store *s, uint32_t block)
{
    catch_up(s);
    pull(s, block);
}

void uc__policy_replace(uc_store *s, uint32_t from, uint32_t to)
{
    unsigned queue;

    catch_up(s);
    queue = head(s, from)->queue;
    pull(s, from);
    push(s, to, queue);
}

/* --- frequency ------------------------------------------------------------ */

static unsigned count_of(const uc_store *s, uint32_t block)
{
    uint32_t hash = head(s, block)->hash;

    return uc__sketch_count(&uc__line_of(&s->index, &s->blocks, hash)->counters,
                            hash);
}

/* Halves all counters once so much has been counted. Soon, but not at once:
 * there may be many lines. */
static void grow_older(uc_store *s)
{
    uc_policy *p = &s->policy;
    uint64_t entries = s->max_entries > 0 ? p->room : s->entries;

    if (++p->counted >= SAMPLE * (entries > LEAST ? entries : LEAST)) {
        p->counted /= 2;
        p->halving = s->index.lines;
    }
    for (int i = 0; i < HALVE_STEP && p->halving > 0; i++, p->halving--)
        uc__index_age(&s->index, &s->blocks);
}

void uc__policy_asked(uc_store *s, uint32_t hash)
{
    uc_policy *p = &s->policy;
    uc_line *line = uc__line_of(&s->index, &s->blocks, hash);

    if (uc__sketch_add(&line->counters, hash))
        grow_older(s);
    /* As long as there is room it does not matter who would be sent away. */
    if ((p->full || s->max_entries > 0) &&
        uc__shadow_asked(&p->shadow, &s->index, &s->blocks, hash))
        share_out(s);
}

/* --- who goes ------------------------------------------------------------- */

/* Whether the candidate was asked for more often than any of those that would
 * have to go for it, the last ones of the probation queue. */
static bool admit(const uc_store *s, uint32_t candidate, uint32_t victim)
{
    uint32_t weight = uc__policy_weight(s, candidate), freed = 0;
    unsigned count = count_of(s, candidate);

    for (int i = 0; i < CHALLENGED && victim != 0 && freed < weight; i++) {
        if (!uc__sketch_beats(count, count_of(s, victim)))
            return false;
        freed += uc__policy_weight(s, victim);
        victim = head(s, victim)->prev;
    }
    return true;
}

uint32_t uc__policy_victim(uc_store *s, uint32_t weight, bool by_bytes)
{
    uc_policy *p = &s->policy;
    uint32_t candidate, victim;

    catch_up(s);
    candidate = p->queue[UC_WINDOW].last;
    victim = p->queue[UC_PROBATION].last;
    p->full = true;
    if (s->max_entries == 0)
        set_room(s, uc__blocks_room(&s->blocks));
    else
        set_room(s, by_bytes ? s->entries : s->max_entries);
    uc__shadow_resize(&p->shadow, s->max_entries > 0 ? p->room : s->entries);
    if (victim == 0)
        victim = p->queue[UC_PROTECTED].last;
    if (candidate == 0 || victim == 0)
        return candidate != 0 ? candidate : victim;
    if (p->queue[UC_WINDOW].weight + weight <= p->window)
        return victim;
    if (!admit(s, candidate, victim))
        return candidate;
    pull(s, candidate);
    push(s, candidate, UC_PROBATION);
    return victim;
}
