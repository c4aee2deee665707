#include "cache/wheel.h"

#define LEVEL_BITS 6
#define SLOT_MASK (UC_WHEEL_SLOTS - 1)

static uc_times *times(const uc_blocks *b, uint32_t block)
{
    return uc__times(uc__head(b, block));
}

static void push(uc_wheel *w, const uc_blocks *b, uint32_t block, uint32_t slot)
{
    uc_times *t = times(b, block);

    t->wprev = UC_WHEEL_SLOT | slot;
    t->wnext = w->slot[slot];
    if (t->wnext != 0)
        times(b, t->wnext)->wprev = block;
    w->slot[slot] = block;
    w->busy[slot / UC_WHEEL_SLOTS] |= (uint64_t)1 << (slot & SLOT_MASK);
}

void uc__wheel_drop(uc_wheel *w, const uc_blocks *b, uint32_t block)
{
    uc_times *t = times(b, block);

    if (t->wnext != 0)
        times(b, t->wnext)->wprev = t->wprev;
    if ((t->wprev & UC_WHEEL_SLOT) == 0) {
        times(b, t->wprev)->wnext = t->wnext;
    } else {
        uint32_t slot = t->wprev & ~UC_WHEEL_SLOT;

        w->slot[slot] = t->wnext;
        if (t->wnext == 0)
            w->busy[slot / UC_WHEEL_SLOTS] &=
                ~((uint64_t)1 << (slot & SLOT_MASK));
    }
    w->count--;
}

/* The slot that lies within 64 of the present one on the lowest level where
 * there is such a one: never the one that is being emptied. */
static void place(uc_wheel *w, const uc_blocks *b, uint32_t block, int64_t tick,
                  int64_t from)
{
    uint32_t level = 0;

    if (tick < from)
        tick = from;
    while (level < UC_WHEEL_LEVELS - 1 &&
           (tick >> (LEVEL_BITS * level)) - (from >> (LEVEL_BITS * level)) >=
               UC_WHEEL_SLOTS)
        level++;
    push(w, b, block,
         level * UC_WHEEL_SLOTS +
             ((uint32_t)(tick >> (LEVEL_BITS * level)) & SLOT_MASK));
}

static int64_t tick_of(int64_t due)
{
    int64_t tick = due >> UC_WHEEL_TICK;

    return tick + (due != tick << UC_WHEEL_TICK); /* not before it is due */
}

void uc__wheel_add(uc_wheel *w, const uc_blocks *b, uint32_t block, int64_t due,
                   int64_t now)
{
    if (w->count++ == 0 && now >> UC_WHEEL_TICK > w->at)
        w->at = now >> UC_WHEEL_TICK;
    place(w, b, block, tick_of(due), w->at + 1);
}

/* The tick after `at` where something is to be done, `last` at most: the next
 * full slot of the lowest level, or the next one that empties a higher slot. */
static int64_t next_step(const uc_wheel *w, int64_t last)
{
    int64_t t = w->at + 1;

    while (t <= last) {
        uint64_t ahead = w->busy[0] >> (t & SLOT_MASK);

        if ((t & SLOT_MASK) == 0 || (ahead & 1) != 0)
            return t;
        t = ahead != 0 ? t + __builtin_ctzll(ahead) : (t | SLOT_MASK) + 1;
    }
    return last + 1;
}

/* Moves one entry of the higher slots that tick t opens to a lower level. */
static bool cascade(uc_wheel *w, const uc_blocks *b, int64_t t)
{
    for (uint32_t level = 1; level < UC_WHEEL_LEVELS; level++) {
        int bits = LEVEL_BITS * (int)level;
        uint32_t slot, block;

        if ((t & (((int64_t)1 << bits) - 1)) != 0)
            break;
        slot = level * UC_WHEEL_SLOTS + ((uint32_t)(t >> bits) & SLOT_MASK);
        block = w->slot[slot];
        if (block == 0)
            continue;
        uc__wheel_drop(w, b, block);
        w->count++;
        place(w, b, block, tick_of(uc__entry_due(b, block)), t);
        return true;
    }
    return false;
}

uint32_t uc__wheel_next(uc_wheel *w, const uc_blocks *b, int64_t now,
                        int *budget)
{
    int64_t last = now >> UC_WHEEL_TICK;

    while (w->count > 0 && w->at<last && * budget> 0) {
        int64_t t = next_step(w, last);
        uint32_t block;

        if (t > last) {
            w->at = last;
            break;
        }
        w->at = t - 1;
        --*budget;
        if (cascade(w, b, t))
            continue;
        block = w->slot[t & SLOT_MASK];
        if (block != 0) {
            uc__wheel_drop(w, b, block);
            return block;
        }
        w->at = t;
    }
    return 0;
}

int64_t uc__wheel_wake(const uc_wheel *w)
{
    if (w->count == 0)
        return 0;
    return next_step(w, w->at + UC_WHEEL_SLOTS) << UC_WHEEL_TICK;
}
