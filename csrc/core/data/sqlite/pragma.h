#ifndef UC_CORE_DATA_SQLITE_PRAGMA_H
#define UC_CORE_DATA_SQLITE_PRAGMA_H

#include "data/sqlite/conn.h"

/* What a client may change. */

/* The class of a pragma, or false and the error that refuses it by name. */
bool sq_pragma_class(const sq_db *db, const sq_auth *a, uc_class *cls,
                     uc_error *e);
/* SQLITE_OK, SQLITE_IGNORE or SQLITE_DENY for pragma defer_foreign_keys on a
 * connection that is about to prepare it for good. */
int sq_defer(sq_conn *c);
/* The unit that deferred is over: foreign keys are checked as before. Forgets
 * what is still violated: look before. */
void sq_defer_end(sq_conn *c);
/* Whether what the statement makes in the TEMP schema, which all clients share,
 * leaves the others' statements as they are. */
bool sq_temp_allowed(sq_conn *w, const sq_auth *a, uc_error *e);

/* True for a pragma that is accepted and must not act: value NULL asks. */
bool sq_pragma_ignored(const char *name, const char *value);

/* Remembers a table of which SQLite did not say the database. */
void sq_auth_table(sq_auth *a, const char *name);

/* One of those is a temporary table or view, or may be. With the writer's
 * connection held. */
bool sq_auth_temp(sq_conn *writer, const sq_auth *a);

#endif
