#ifndef UC_CORE_CACHE_CACHE_H
#define UC_CORE_CACHE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/thread.h"
#include "desk/call.h"
#include "desk/session.h"

/*
 * The cache of one database: entries (store.h), who is to load what is absent
 * (fill.c), and what clients keep in memory of their own (holder.c). It knows
 * no SQL: an engine tells it which tables a commit has changed.
 *
 * One mutex guards all of it, inside the engine's and outside of session.mu.
 * It is never held for longer than memory is copied. Calls that cannot be
 * answered yet are over all the same, so that neither their batch nor a closing
 * session waits for them: only their id and their session stay, which
 * uc_cache_session_end forgets.
 */

/* max_value: bytes, 0: a quarter of bytes; max_reply: of one reply. NULL when
 * memory ran out; else a reference of the caller's. */
uc_cache *uc_cache_new(uint64_t bytes, uint64_t max_value, uint64_t max_reply);
uc_cache *uc_cache_ref(uc_cache *c);
/* c may be NULL. */
void uc_cache_unref(uc_cache *c);

/* How an op is called. BLOCK: from a thread that may sleep, but not for
 * somebody else's load. */
typedef enum uc_cache_mode { UC_CACHE_STAND, UC_CACHE_BLOCK } uc_cache_mode;

/*
 * Runs one op of the lane CACHE and appends its reply frame, which may be an
 * error's; the call is not finished. Any thread. False: nothing was appended.
 * With STAND the reply will be published to the session; with BLOCK the op
 * would have to wait for a load, and nothing has happened.
 */
bool uc_cache_call(uc_cache *c, uc_call *call, uc_cache_mode mode, uc_buf *out);

/* How a table is called in a list of changes; name: "schema.name" outside of
 * main. */
uint64_t uc_cache_table(const char *name);

/*
 * After a COMMIT and before anybody is told of it: these tables (their domains)
 * have changed, or with all any may have. own: the session that wrote, when it
 * was one alone; compared, never followed. Returns a ticket for uc_cache_wait,
 * 0 when there is nobody to wait for. Without a lock while nothing depends on
 * tables.
 */
uint64_t uc_cache_tables_changed(uc_cache *c, const uc_session *own,
                                 const uint64_t *domains, uint32_t n, bool all);

/*
 * Sleeps until everybody who keeps what changed up to the ticket has confirmed
 * that it is forgotten, or may not be trusting it any more: 100 ms at most
 * after the change. The own session is a special case, because it gets the news
 * before its reply: for a session whose thread is blocked nothing is to be
 * waited for, for another one that the news are on their way.
 */
void uc_cache_wait(uc_cache *c, uint64_t ticket, const uc_session *own,
                   bool blocked);

/* Whether uc_cache_wait would return at once, for a session that is not
 * blocked. */
bool uc_cache_is_confirmed(uc_cache *c, uint64_t ticket, const uc_session *own);

/*
 * Rows, for entries that belong to a few of a table. A commit names the rows
 * that it has changed, or else the table's rows, of which each may have. Any
 * thread, no lock.
 */
/* A row in a list of changes, and the rows of a table. 0: no entry belongs to
 * it, because the name is too long. */
uint64_t uc_cache_row(const char *table, int64_t rowid);
uint64_t uc_cache_rows(const char *table);
/* Rows were named lately: it is worth while to look which ones change. */
bool uc_cache_wants_rows(const uc_cache *c);
/* Something that a row's change drops may be there. */
bool uc_cache_has_rows(const uc_cache *c);

/*
 * A transaction that is open for its session's calls, one at a time a cache,
 * has written to these tables: uc_cache_table and uc_cache_rows of each, or
 * with all any. Until it ends, no value of that session which belongs to one of
 * them is stored. To be called before the session hears of what was written;
 * own is compared, never followed.
 */
void uc_cache_unsure(uc_cache *c, const uc_session *own,
                     const uint64_t *domains, uint32_t n, bool all);
/* The same for those whose engine does not know which tables: one has ended
 * without a commit, and what its session is loading is not stored. */
void uc_cache_undone(uc_cache *c, const uc_session *own);
/* Whether entries may belong to tables: without, none of these is there or is
 * stored. */
void uc_cache_ties(uc_cache *c, bool may);
/* It has ended, and with committed the tables have been dropped already. What
 * its session is loading is not stored after a rollback either. */
void uc_cache_sure(uc_cache *c, bool committed);

/* Something that a table's change drops may be there. Any thread, no lock. */
bool uc_cache_is_tied(const uc_cache *c);

/* Ends a standing call of the session with UC_ABORTED, or UC_TIMEOUT. */
void uc_cache_cancel(uc_cache *c, uc_session *s, uint32_t id, bool timed_out);
/* The session is not to be answered any more; with say its standing calls end
 * with UC_CLOSED. What it was to load is another's. May be repeated. */
void uc_cache_session_end(uc_cache *c, uc_session *s, bool say);

/*
 * Time. Some thread calls uc_cache_tick when uc_cache_due says so (uc_now()'s
 * terms, 0: not so far) and promises that before it goes to sleep; 0: awake.
 * Calls on the cache may make it due earlier: whoever has made one looks
 * whether it is impatient, and wakes that thread then. Any thread, no lock.
 */
int64_t uc_cache_due(const uc_cache *c);
void uc_cache_promise(uc_cache *c, int64_t at);
bool uc_cache_is_impatient(const uc_cache *c);
/* What is due: deadlines, leases, expired entries. One thread at a time. */
void uc_cache_tick(uc_cache *c, int64_t now);

#endif
