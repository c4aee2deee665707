#ifndef UC_CORE_CACHE_ENTRY_H
#define UC_CORE_CACHE_ENTRY_H

#include "cache/blocks.h"
#include "common/view.h"

/*
 * What lies in the blocks. An entry is a stream of bytes over one or more runs:
 *
 *   head | times | windows | idle | domains | key | value
 *
 * of which only the head is always there (see the flags). Each run after the
 * first begins with a uc_rest. A domain has a block to itself. All of them
 * begin alike, so that a run tells what it is.
 */
enum {
    UC_ENTRY_TIMED = 1,   /* uc_times follows: it is in the wheel */
    UC_ENTRY_WINDOWS = 2, /* i64 stale, i64 error: lengths after expiry */
    UC_ENTRY_IDLE = 4,    /* i64 length, i64 last access */
    UC_ENTRY_TIED = 8,
};

/* `klen` of what is no entry. */
enum { UC_IS_DOMAIN = 0, UC_IS_REST = 0xffff };

typedef enum uc_queue {
    UC_WINDOW,
    UC_PROBATION,
    UC_PROTECTED,
    UC_QUEUES
} uc_queue;

typedef struct uc_head {
    uint32_t more;  /* first block of the next run, 0: none */
    uint16_t run;   /* blocks of this run */
    uint16_t klen;  /* bytes of the key, or what this is instead */
    uint32_t hash;  /* of the key */
    uint32_t hnext; /* in the bucket of the index */
    uint32_t prev;  /* in its queue, towards the one used last */
    uint32_t next;
    uint32_t vlen;
    uint8_t ndomains;
    uint8_t flags;
    uint8_t queue; /* uc_queue */
    uint8_t spare;
    uint64_t version;
} uc_head;

/* Behind the head, still in the first block. */
typedef struct uc_times {
    int64_t expires; /* 0: never; there are other reasons to be timed */
    uint32_t wprev;  /* in the wheel; UC_WHEEL_SLOT | slot for the first */
    uint32_t wnext;
} uc_times;

typedef struct uc_rest {
    uint32_t more;
    uint16_t run;
    uint16_t klen; /* UC_IS_REST */
    uint32_t head; /* the block with the entry's head */
} uc_rest;

_Static_assert(sizeof(uc_head) == 40, "the head's size is in the figures");
_Static_assert(sizeof(uc_head) + sizeof(uc_times) <= UC_BLOCK,
               "head and times are read in place");

static inline uc_head *uc__head(const uc_blocks *b, uint32_t block)
{
    return uc__block(b, block);
}

static inline uint32_t uc__run_bytes(uint16_t run)
{
    return (uint32_t)run * (uint32_t)UC_BLOCK;
}

/* Of an entry with UC_ENTRY_TIMED. */
static inline uc_times *uc__times(uc_head *e)
{
    return (uc_times *)(void *)(e + 1);
}

/* Where the parts begin in the stream. */
static inline uint32_t uc__at_windows(unsigned flags)
{
    return (uint32_t)sizeof(uc_head) +
           (flags & UC_ENTRY_TIMED ? (uint32_t)sizeof(uc_times) : 0);
}

static inline uint32_t uc__at_idle(unsigned flags)
{
    return uc__at_windows(flags) + (flags & UC_ENTRY_WINDOWS ? 16 : 0);
}

static inline uint32_t uc__at_domains(unsigned flags)
{
    return uc__at_idle(flags) + (flags & UC_ENTRY_IDLE ? 16 : 0);
}

static inline uint32_t uc__at_key(const uc_head *e)
{
    return uc__at_domains(e->flags) + e->ndomains * 8u;
}

static inline uint32_t uc__at_value(const uc_head *e)
{
    return uc__at_key(e) + e->klen;
}

/* Blocks that the entry would take in one run: its weight for the policy. */
static inline uint32_t uc__entry_blocks(const uc_head *e)
{
    return (uint32_t)(((uint64_t)uc__at_value(e) + e->vlen + UC_BLOCK - 1) /
                      UC_BLOCK);
}

/* A place in the stream. */
typedef struct uc_cursor {
    const uc_blocks *b;
    uint8_t *p;
    uint32_t left; /* bytes of this run from p on */
    uint32_t more; /* the run after it */
} uc_cursor;

uc_cursor uc__cursor(const uc_blocks *b, uint32_t block, uint32_t at);
void uc__cursor_write(uc_cursor *c, const void *p, uint64_t n);
void uc__cursor_read(uc_cursor *c, void *p, uint64_t n);
bool uc__cursor_is(uc_cursor *c, const void *p, uint64_t n);
/* From one stream to another. */
void uc__cursor_copy(uc_cursor *to, uc_cursor *from, uint64_t n);

static inline bool uc__key_is(const uc_blocks *b, uint32_t block, uc_view key)
{
    const uc_head *e = uc__head(b, block);
    uint32_t at = uc__at_key(e);
    uc_cursor c;

    if (e->klen != key.len)
        return false;
    if (at + key.len <= uc__run_bytes(e->run))
        return memcmp((const uint8_t *)e + at, key.p, key.len) == 0;
    c = uc__cursor(b, block, at);
    return uc__cursor_is(&c, key.p, key.len);
}

/* The i64 of a part, by its place in the stream. */
int64_t uc__entry_get(const uc_blocks *b, uint32_t block, uint32_t at);
void uc__entry_set(const uc_blocks *b, uint32_t block, uint32_t at, int64_t v);

/* A time and a length that may have no end. */
static inline int64_t uc__later(int64_t t, int64_t by)
{
    return t > INT64_MAX - by ? INT64_MAX : t + by;
}

/* When the entry, which has UC_ENTRY_TIMED, can be done away with: past its TTL
 * and stale windows, or past its idle time. */
int64_t uc__entry_due(const uc_blocks *b, uint32_t block);

/* Gives all runs back. */
void uc__entry_free(uc_blocks *b, uint32_t block);

#endif
