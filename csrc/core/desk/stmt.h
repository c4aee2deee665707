#ifndef UC_CORE_DESK_STMT_H
#define UC_CORE_DESK_STMT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/thread.h"

/*
 * Statements by their text: each is there once a database, with what is known
 * of it. An engine says what its class is and keeps what it has prepared under
 * `slot`.
 */

/* What a statement may do, and so where it may run. */
typedef enum uc_class {
    UC_CLASS_UNKNOWN,
    UC_CLASS_READ,      /* wherever reads run */
    UC_CLASS_READ_HERE, /* reads, but needs the connection that writes */
    UC_CLASS_WRITE,     /* with others in one transaction */
    UC_CLASS_ALONE,     /* not in a transaction: VACUUM, ... */
    UC_CLASS_CONTROL    /* BEGIN, COMMIT, ...: never run as they are */
} uc_class;

/* What one connection measured of one statement. Written by the thread that
 * has the connection, read by `stats`: plain stores of atomics. Histogram:
 * bucket i counts executions of [2^(i/2), 2^((i+1)/2)) * 256 ns roughly. */
enum { UC_BUCKETS = 48 };
typedef struct uc_stat {
    _Atomic uint64_t count, errors, rows, ns;
    _Atomic uint32_t hist[UC_BUCKETS];
} uc_stat;

/* An interned SQL text; its slot indexes each connection's prepared
 * statements. Referenced by sessions (their numbers) and by calls. */
typedef struct uc_stmt {
    struct uc_stmt *hnext;         /* hash chain */
    struct uc_stmt *older, *newer; /* least recently defined first */
    uint64_t hash;
    uint32_t slot;
    uint32_t gen; /* of the slot: tells a reused slot from the old text */
    _Atomic uint32_t refs;
    _Atomic int cls;         /* uc_class */
    _Atomic unsigned traits; /* the engine's */
    _Atomic uint32_t ns;     /* running mean of one execution, 0 = never ran */
    uc_stat cursors;         /* of those that have ended, from any thread */
    size_t len;
    char text[];
} uc_stmt;

/* The statements of a batch. */
typedef struct uc_parts {
    uint32_t n;
    uc_stmt *sql[]; /* referenced */
} uc_parts;

/* All statements of a database. mu is a leaf. */
typedef struct uc_stmts {
    uc_mutex mu;
    uc_stmt **buckets;
    uint32_t nbuckets, n;
    size_t bytes;
    int64_t most; /* of them are kept unused; set before the first is made */
    uc_stmt *oldest, *newest;
    uint32_t *free_slots;
    uint32_t nfree, nslots;
    uint32_t next_gen;
} uc_stmts;

void uc__stmts_init(uc_stmts *t, int64_t most);
void uc__stmts_fini(uc_stmts *t);
/* Interns a text and references it, NULL when memory ran out. Any thread. */
uc_stmt *uc__stmt_get(uc_stmts *t, const char *text, size_t len);
/* What is known of all classes is not so any more. */
void uc__stmts_forget(uc_stmts *t);
/* Of texts that are trusted: fast rather than strong. */
uint64_t uc__stmt_hash(const void *p, size_t n);

static inline void uc__stmt_ref(uc_stmt *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

/* s may be NULL. It stays until there are too many of them. */
static inline void uc__stmt_unref(uc_stmt *s)
{
    if (s != NULL)
        atomic_fetch_sub_explicit(&s->refs, 1, memory_order_release);
}

static inline bool uc__class_reads(int cls)
{
    return cls == UC_CLASS_READ || cls == UC_CLASS_READ_HERE;
}

#endif
