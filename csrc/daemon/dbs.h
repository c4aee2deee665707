#ifndef UD_DBS_H
#define UD_DBS_H

#include "config.h"
#include "uc.h"

/*
 * The databases that this daemon serves, by name. Each is held open by a
 * session of the daemon's own: it says whether the file can be opened at all,
 * and closes it, checkpoint included, at the end.
 */
typedef struct ud_db ud_db;
typedef struct ud_dbs ud_dbs;

/*
 * Opens all of them and waits for it. NULL when one cannot be opened: why has
 * been said, *code is the exit code for it, and what was open is closed again.
 */
ud_dbs *ud_dbs_open(const ud_config *config, int *code);

/* Closes them in order, within `ms`; what is not closed then is left as a
 * crash would leave it. */
void ud_dbs_close(ud_dbs *dbs, int64_t ms);

/* The one of clients that name none; by name, NULL if there is none; the i-th,
 * NULL past the end. */
const ud_db *ud_dbs_first(const ud_dbs *dbs);
const ud_db *ud_dbs_find(const ud_dbs *dbs, const char *name, size_t len);
const ud_db *ud_dbs_at(const ud_dbs *dbs, unsigned i);

const char *ud_db_name(const ud_db *db);
/* Of its file, or the address of its server without a password. */
const char *ud_db_path(const ud_db *db);

/* A session for a client; the caller's. NULL when memory ran out. */
uc_session *ud_db_session(const ud_db *db, bool readonly, uc_wake_fn *wake,
                          void *arg);

#endif
