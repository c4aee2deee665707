#ifndef UC_CORE_CACHE_WHEEL_H
#define UC_CORE_CACHE_WHEEL_H

#include "cache/entry.h"

/*
 * What expires when: a hierarchical timing wheel (Varghese and Lauck, SOSP
 * 1987) of six levels of 64 slots; a slot of the lowest is 134 ms long. It says
 * when memory can be taken back; whether an entry has expired is read from the
 * entry. Everything it does can stop after any entry and go on later.
 */
enum {
    UC_WHEEL_LEVELS = 6,
    UC_WHEEL_SLOTS = 64,
    UC_WHEEL_TICK = 27, /* log2 of the nanoseconds of the lowest slot */
};

/* In uc_times.wprev of the first of a slot; numbers of blocks are below it. */
#define UC_WHEEL_SLOT ((uint32_t)1 << 31)

typedef struct uc_wheel {
    uint32_t slot[UC_WHEEL_LEVELS * UC_WHEEL_SLOTS];
    uint64_t busy[UC_WHEEL_LEVELS]; /* a bit for each slot with something */
    int64_t at;                     /* the last tick that is done */
    uint32_t count;
} uc_wheel;

/* due: when the memory can be taken back. The entry has UC_ENTRY_TIMED and is
 * not in the wheel. */
void uc__wheel_add(uc_wheel *w, const uc_blocks *b, uint32_t block, int64_t due,
                   int64_t now);
void uc__wheel_drop(uc_wheel *w, const uc_blocks *b, uint32_t block);

/*
 * The next entry that is due, taken out of the wheel; 0 when there is none.
 * *budget is what may be done, a step or an entry each; when it has run out
 * there may be more.
 */
uint32_t uc__wheel_next(uc_wheel *w, const uc_blocks *b, int64_t now,
                        int *budget);
/* When to look again; 0 when the wheel is empty. */
int64_t uc__wheel_wake(const uc_wheel *w);

#endif
