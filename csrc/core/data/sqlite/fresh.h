#ifndef UC_CORE_DATA_SQLITE_FRESH_H
#define UC_CORE_DATA_SQLITE_FRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/thread.h"

/*
 * What is known of the file's state: up to which commit the board has heard of
 * all that changed, by whomever. See fresh.c.
 */
enum { SQ_INDEX_WORDS = 12 };

typedef struct sq_index {
    uint32_t w[SQ_INDEX_WORDS];
} sq_index;

struct sq_db;
struct sq_conn;

typedef struct sq_fresh {
    _Atomic bool wanted; /* somebody asks for moments */
    uint64_t epoch;      /* a random number of this core's */
    bool told_any;       /* wconn_mu: sq_others_wrote has been asked, */
    uint64_t told;       /* and said so much */
    uc_mutex mu;         /* a leaf; what follows: */
    const volatile uint32_t *index; /* NULL: not mapped (yet) */
    sq_index known;  /* the state up to which everything is known, */
    bool sure;       /* if this is set */
    uint64_t others; /* times that others have been found to have written */
    uint32_t schema; /* the number of main's schema then, 0: not known */
} sq_fresh;

/* A moment before a snapshot. All of it is in the data that is read after it.
 */
typedef struct sq_moment {
    uint64_t gen;    /* of the board, 0: there is no moment */
    uint64_t others; /* sq_fresh.others */
    uint32_t schema;
} sq_moment;

void sq_fresh_init(struct sq_db *db);
void sq_fresh_fini(struct sq_db *db);
/* From here on moments are asked for. */
void sq_fresh_want(struct sq_db *db);
/* The moment now; before a snapshot is taken that it is to stand for. Nothing
 * is known before somebody wants it. Takes the board's mu. */
void sq_fresh_at(struct sq_db *db, sq_moment *m);
/* Whether all commits so far are in the generations and numbers that a moment
 * has now. False also where that cannot be told without waiting. */
bool sq_fresh_is_sure(struct sq_db *db);
/* The number of main's schema, as in a moment, as the connection sees it now;
 * 0: it cannot be read. */
uint32_t sq_schema_number(struct sq_conn *c);
/* wconn_mu held: the writer has committed, and the board knows of it. */
void sq_fresh_committed(struct sq_db *db);
/* Has another process written to the file since the last time this was asked?
 * wconn_mu. */
bool sq_others_wrote(struct sq_db *db);

#endif
