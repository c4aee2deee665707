#ifndef UC_CORE_DESK_BOARD_H
#define UC_CORE_DESK_BOARD_H

#include "desk/call.h"
#include "desk/peer.h"

/*
 * Which tables have changed, and when, and who waits for that. A generation is
 * the number of a commit that changed something; each table remembers the last
 * one that changed it. An engine says so after a commit and before anybody is
 * told that it happened. Commits of others are not seen.
 */
typedef struct uc_table {
    char *name; /* as in the schema; "schema.name" outside of the main one */
    uint64_t hash;
    /* Outside of the main schema: its name without the schema, within `name`,
     * with its hash; and whether SQL may call it so, of the last commit. */
    const char *bare;
    uint64_t bare_hash;
    bool is_bare;
    uint64_t gen; /* of its last change, 0: not seen yet */
} uc_table;

typedef struct uc_watcher uc_watcher;

/* mu: inside the engine's and uc_engine.mu, outside of session.mu. Tables are
 * added, and is_bare is set, under it and by one thread at a time. */
typedef struct uc_board {
    uc_mutex mu;
    uc_table *tables;
    uint32_t ntables;
    uint64_t first;   /* generations of this core begin behind it */
    uint64_t gen;     /* of the last commit */
    uint64_t all_gen; /* of the last one that may have changed everything */
    uc_watcher *watchers;
} uc_board;

enum { UC_TABLES = 4096 }; /* beyond them a change counts as one of all */

struct uc_engine;

void uc__board_init(uc_board *b);
void uc__board_fini(uc_board *b);
/* The number of a table, -1 if it was never given. schema: NULL or "main", or
 * another one. Names are the same in upper and lower case. */
int64_t uc__board_find(const uc_board *b, const char *schema, const char *name);
/* The same, given when it is first seen; -1 when there is no room for it. */
int64_t uc__board_table(uc_board *b, const char *schema, const char *name);
void uc__board_bare(uc_board *b, uint32_t table, bool is_bare);
/* A commit has changed these tables, or with all any: a generation is made of
 * it and who watches is answered. Takes board.mu and session.mu. */
void uc__board_changed(uc_board *b, const uint32_t *tables, uint32_t n,
                       bool all);

/* The op `watch`: answers the call or keeps what it asks, and finishes it. */
void uc__watch(uc_peer *p, uc_call *call);
/* Ends a standing watch of the session with UC_ABORTED. */
void uc__watch_cancel(struct uc_engine *e, struct uc_session *s, uint32_t id);
/* Ends all of the session's, with UC_CLOSED or without a word. */
void uc__watch_end(struct uc_engine *e, struct uc_session *s, bool tell);

#endif
