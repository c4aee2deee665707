#ifndef UC_CORE_DATA_PG_FEED_H
#define UC_CORE_DATA_PG_FEED_H

#include "data/pg/work.h"

/*
 * What changes in the database, whoever changes it: for the cache's entries
 * that belong to tables and rows, and for `watch`. Two connections outside of
 * the pool:
 *
 *   ear   asks, listens and notifies (ear.c)
 *   feed  logical decoding by pgoutput (decode.h): which tables and keys each
 *         commit has changed, in the order of the commits (feed.c)
 *
 *   commit ──> feed ──> news ──(visible)──> cache, board
 *     └──> own write: its reply waits in a gate ──(news are there)──> client
 *
 * Exact: with wal_level=logical, the right REPLICATION and a publication named
 * undercroft FOR ALL TABLES, which the operator makes: UPDATE and DELETE of a
 * table without a primary key fail from then on, so it is not made by itself.
 *
 *  1. An own write puts a mark into its transaction (pg_logical_emit_message).
 *     Its reply waits until the mark's commit has come on the feed, at most
 *     GATE_MS; after that everything that is tied is dropped, and it goes out.
 *  2. The feed may be ahead of what others can see: a commit is decoded when it
 *     is flushed, and visible a moment later. What is loaded in between would
 *     be old and stay. So news are told when their transaction is visible: an
 *     own one when the server has answered it, another's when a snapshot
 *     (txid_current_snapshot) has it. Another's are dropped when they come,
 *     too.
 *  3. Each BEAT_MS the ear asks how far the WAL is flushed, and the feed has to
 *     say that it has come there. Without that for SILENT_MS, and until it
 *     says so again, nothing that is tied is there or is stored.
 *
 * Otherwise, the weaker form: each own write drops all that is tied and tells
 * others by NOTIFY that they do so, too. Changes by others than daemons and
 * processes with a cache in use are not seen.
 *
 * All of it is of the thread of the database but where it says otherwise.
 */

typedef enum pg_feed_state {
    PG_FEED_NONE, /* nobody has asked for it */
    PG_FEED_WEAK, /* as `why` says */
    PG_FEED_BEGINS,
    PG_FEED_LIVE,
    PG_FEED_SILENT /* there, but too far behind */
} pg_feed_state;

enum { PG_NEWS_TABLES = 64, PG_NEWS_ROWS = 256 };

/* What a transaction has changed. */
typedef struct pg_news {
    struct pg_news *next;
    uint64_t mark; /* of an own one, 0: another's */
    uint32_t xid;
    bool all;   /* more than has room, or it is not known what */
    bool asked; /* a snapshot is on its way that is younger */
    uint32_t ntables, nrows;
    struct {
        uint32_t table; /* of the board */
        bool vague;     /* any of its rows */
    } tables[PG_NEWS_TABLES];
    struct {
        uint32_t table;
        int64_t key;
    } rows[PG_NEWS_ROWS];
} pg_news;

/* A table as the feed names it. */
typedef struct pg_relation {
    uint32_t oid;
    int64_t table; /* of the board; -1: no room; -2: not of the user's */
    int key;       /* the column of its primary key, if that is one; or -1 */
} pg_relation;

/* Own writes that are committed, and wait for the feed. */
typedef struct pg_gate {
    struct pg_gate *next;
    uint64_t mark;
    bool whole;  /* there were others before it, whose marks are not known */
    bool passed; /* the feed has */
    bool told;   /* and so have the cache and the board been */
    uint64_t ticket;       /* of the cache: what its reply waits for besides */
    const uc_session *own; /* compared, never followed; NULL: several */
    int64_t until;
    pg_flight *first;
    uc_buf held; /* their replies */
} pg_gate;

struct pg_feed {
    _Atomic int state; /* pg_feed_state */
    char why[200];     /* it is weak; e.mu */
    char id[20];       /* of this process's marks */
    uint64_t marks;    /* given */
    _Atomic bool wanted;
    pg_conn *conn, *ear;
    int64_t dial_at, ear_at; /* the next try of each */
    unsigned at;             /* what the feed has been asked (feed.c) */

    pg_news now;            /* what is coming */
    bool inside;            /* a transaction */
    uint64_t ticket;        /* of the cache: of the last change of those told */
    pg_news *first, **last; /* not visible so far, in order */
    uint32_t nnews;
    pg_gate *gates;
    pg_relation *relations;
    uint32_t nrelations;

    uint64_t received; /* all before it has come */
    uint64_t target;   /* and what it has to reach */
    int64_t target_at; /* that was asked then; 0: none */
    int64_t proved;    /* it was there with all that was so then */
    int64_t beat_at;   /* the next question */
    uint64_t commits, dropped, late; /* for stats() */
    uint64_t drops;

    /* The ear's. */
    unsigned asking; /* what it is at */
    bool probed, listening;
    bool wants_snapshot, wants_notify;
    char channel[UC_CHANNEL + 1]; /* that it is asked for */
    int64_t asked_at;
    int64_t probe_at; /* whether it may be exact by now */
    struct {
        bool logical, replicates, published, able, standby, pooled, durable;
        bool exists;
    } facts;
};

/* ---- feed.c ---- */
bool pg_feed_init(pg_db *db);
void pg_feed_fini(pg_db *db);
/* Before pg_feed_turn: whether one of its connections is to be begun, and then
 * the one that was (NULL: it could not be). */
bool pg_feed_wants(pg_db *db, int64_t now, pg_role *role);
void pg_feed_takes(pg_db *db, pg_role role, pg_conn *c);
/* Once a turn. Returns when to look again, 0: when something happens. */
int64_t pg_feed_turn(pg_db *db, int64_t now);
/* A connection of these two is ready, says something, or is lost. */
void pg_feed_joined(pg_conn *c);
bool pg_feed_answer(pg_conn *c, const pg_msg *m, uc_error *e);
void pg_feed_lost(pg_conn *c);
/* Asks the feed to say how far it is. */
void pg_feed_ask(pg_db *db);
/* The server says that it may be exact, or why not. */
void pg_feed_decide(pg_db *db);
void pg_feed_weak(pg_db *db, const char *why);
/* One is to be expected: until it is there nothing tied is stored. */
void pg_feed_expect(pg_db *db);
/* Whether it is not decided so far, or about to be. */
bool pg_feed_begins(const pg_db *db);
static inline bool pg_feed_is(const pg_db *db, pg_feed_state s)
{
    return atomic_load(&db->feed->state) == (int)s;
}
void pg_feed_stats(pg_db *db, uc_buf *out);

/* ---- news.c ---- */
/* Everything may have changed. */
void pg_news_all(pg_db *db);
/* What is tied is dropped: what has changed is told later. */
void pg_news_untie(pg_db *db);
/* What is coming. */
void pg_news_row(pg_db *db, uint32_t table, bool known, int64_t key);
void pg_news_begin(pg_db *db, uint32_t xid);
/* It is committed. */
void pg_news_end(pg_db *db);
/* The server has a snapshot: "xmin:xmax:xip,…" */
void pg_news_snapshot(pg_db *db, uc_view text);
/* Those of a mark have been told; false: they have not come. */
bool pg_news_told(pg_db *db, uint64_t mark, const uc_session *own);
/* Forgets what has not been told. */
void pg_news_drop(pg_db *db);

/* ---- gate.c: see work.h ---- */
/* A mark has come. */
void pg_gate_passed(pg_db *db, uint64_t mark);
/* Whether a reply waits for that mark. */
bool pg_gate_waits(const pg_db *db, uint64_t mark);
/* All are let go: everything tied has been dropped. */
void pg_gates_open(pg_db *db);
int64_t pg_gates_turn(pg_db *db, int64_t now);

/* ---- ear.c ---- */
void pg_ear_joined(pg_conn *c);
bool pg_ear_answer(pg_conn *c, const pg_msg *m, uc_error *e);
void pg_ear_lost(pg_db *db);
/* Asks what there is to be asked, unless it is at something. */
void pg_ear_ask(pg_db *db);

#endif
