#ifndef UC_CORE_COMMON_ERR_H
#define UC_CORE_COMMON_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The one list of the core's own error codes: X(code, kind, retryable).
 * `kind` is the same word over all engines. Codes are for ever; the engine's
 * own codes (SQLITE_*, PG_*) pass through beside these. The client's table is
 * made from this one (.ci/tables.js).
 */
#define UC_CODE_MAP(X)                         \
    X(UC_TIMEOUT, "timeout", true)             \
    X(UC_ABORTED, "abort", false)              \
    X(UC_BUSY, "busy", true)                   \
    X(UC_CLOSED, "closed", false)              \
    X(UC_SQL_EMPTY, "usage", false)            \
    X(UC_SQL_MULTI, "usage", false)            \
    X(UC_SQL_TRANSACTION, "usage", false)      \
    X(UC_SQL_CONNECTION, "usage", false)       \
    X(UC_SQL_READONLY, "readonly", false)      \
    X(UC_SQL_NO_ROWS, "usage", false)          \
    X(UC_ONCE_CONFLICT, "usage", false)        \
    X(UC_PARAM_COUNT, "usage", false)          \
    X(UC_PARAM_NAME, "usage", false)           \
    X(UC_PARAM_TYPE, "usage", false)           \
    X(UC_REPLY_TOO_LARGE, "too-big", false)    \
    X(UC_TX_SELF, "usage", false)              \
    X(UC_TX_EXPIRED, "timeout", true)          \
    X(UC_TX_CLOSED, "usage", false)            \
    X(UC_TX_OPEN, "busy", true)                \
    X(UC_CURSOR_EXPIRED, "timeout", true)      \
    X(UC_CURSORS, "busy", true)                \
    X(UC_WAL_FULL, "full", true)               \
    X(UC_OPTION, "usage", false)               \
    X(UC_OPTIONS_CONFLICT, "usage", false)     \
    X(UC_ENGINE, "internal", false)            \
    X(UC_FRAME, "internal", false)             \
    X(UC_OP, "internal", false)                \
    X(UC_MIGRATION_FILE, "usage", false)       \
    X(UC_MIGRATION_ORDER, "usage", false)      \
    X(UC_BACKUP, "io", false)                  \
    X(UC_NOT_REPEATED, "usage", false)         \
    X(UC_VERSION, "usage", false)              \
    X(UC_NO_DB, "usage", false)                \
    X(UC_NOT_HERE, "usage", false)             \
    X(UC_ACCESS, "permission", false)          \
    X(UC_CONNECT, "connection", true)          \
    X(UC_CONNECTION_LOST, "connection", false) \
    X(UC_NO_CACHE, "usage", false)             \
    X(UC_CACHE_KEY, "usage", false)            \
    X(UC_CACHE_VALUE, "too-big", false)        \
    X(UC_CACHE_TYPE, "usage", false)           \
    X(UC_CACHE_LOAD, "load", false)            \
    X(UC_NO_LOG, "usage", false)               \
    X(UC_LOG_IO, "io", false)                  \
    X(UC_ROUTE, "usage", false)                \
    X(UC_MEMORY, "memory", true)               \
    X(UC_INTERNAL, "internal", false)

typedef enum uc_code {
#define X(code, kind, retryable) code,
    UC_CODE_MAP(X)
#undef X
        UC_CODE_COUNT
} uc_code;

/* What is known of one failure. Lives with the call, never with a connection.
 */
typedef struct uc_error {
    const char *code;    /* static; NULL = no error */
    const char *kind;    /* static */
    const char *outcome; /* static: NULL, "not-run" or "unknown" */
    int native;          /* the engine's number, 0 if not the engine's */
    int offset;          /* byte offset into the SQL text, -1 if unknown */
    int64_t index;       /* of the row or statement at fault, -1 if none */
    bool retryable;
    char param[64];  /* name or number of the parameter at fault, or "" */
    char column[64]; /* "" if none, as those below */
    char sqlstate[6];
    char table[64], constraint[64];
    char detail[256], hint[256];
    char message[512];
} uc_error;

/* An error not yet made. Its other fields have no value until `code` is set:
 * clearing all of it costs as much as the rest of a point read's overhead. */
static inline void uc_error_init(uc_error *e)
{
    e->code = NULL;
}

/* Makes *e an engine's own: code and kind are static, its message is empty, and
 * nothing else is known. */
void uc_error_own(uc_error *e, const char *code, const char *kind,
                  bool retryable);

const char *uc_code_name(uc_code code);
const char *uc_code_kind(uc_code code);
bool uc_code_retryable(uc_code code);

/* Fills *e; returns false, so that `return uc_fail(...)` reads well. */
__attribute__((format(printf, 3, 4))) bool uc_fail(uc_error *e, uc_code code,
                                                   const char *fmt, ...);

#endif
