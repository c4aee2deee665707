#include "data/sqlite/errcode.h"

#include <sqlite3.h>
#include <stddef.h>

/* X(code, kind, retryable) */
#define CODES(X)                                          \
    X(SQLITE_ERROR, "syntax", false)                      \
    X(SQLITE_ERROR_MISSING_COLLSEQ, "schema", false)      \
    X(SQLITE_ERROR_RETRY, "schema", true)                 \
    X(SQLITE_ERROR_SNAPSHOT, "busy", true)                \
    X(SQLITE_INTERNAL, "internal", false)                 \
    X(SQLITE_PERM, "permission", false)                   \
    X(SQLITE_ABORT, "abort", true)                        \
    X(SQLITE_ABORT_ROLLBACK, "abort", true)               \
    X(SQLITE_BUSY, "busy", true)                          \
    X(SQLITE_BUSY_RECOVERY, "busy", true)                 \
    X(SQLITE_BUSY_SNAPSHOT, "busy", true)                 \
    X(SQLITE_BUSY_TIMEOUT, "busy", true)                  \
    X(SQLITE_LOCKED, "busy", true)                        \
    X(SQLITE_LOCKED_SHAREDCACHE, "busy", true)            \
    X(SQLITE_LOCKED_VTAB, "busy", true)                   \
    X(SQLITE_NOMEM, "memory", true)                       \
    X(SQLITE_READONLY, "readonly", false)                 \
    X(SQLITE_READONLY_CANTINIT, "readonly", false)        \
    X(SQLITE_READONLY_CANTLOCK, "readonly", false)        \
    X(SQLITE_READONLY_DBMOVED, "readonly", false)         \
    X(SQLITE_READONLY_DIRECTORY, "readonly", false)       \
    X(SQLITE_READONLY_RECOVERY, "readonly", false)        \
    X(SQLITE_READONLY_ROLLBACK, "readonly", false)        \
    X(SQLITE_INTERRUPT, "abort", true)                    \
    X(SQLITE_IOERR, "io", false)                          \
    X(SQLITE_IOERR_ACCESS, "io", false)                   \
    X(SQLITE_IOERR_BEGIN_ATOMIC, "io", false)             \
    X(SQLITE_IOERR_CHECKRESERVEDLOCK, "io", false)        \
    X(SQLITE_IOERR_CLOSE, "io", false)                    \
    X(SQLITE_IOERR_COMMIT_ATOMIC, "io", false)            \
    X(SQLITE_IOERR_CORRUPTFS, "corrupt", false)           \
    X(SQLITE_IOERR_DATA, "corrupt", false)                \
    X(SQLITE_IOERR_DELETE, "io", false)                   \
    X(SQLITE_IOERR_DELETE_NOENT, "io", false)             \
    X(SQLITE_IOERR_DIR_FSYNC, "io", false)                \
    X(SQLITE_IOERR_FSTAT, "io", false)                    \
    X(SQLITE_IOERR_FSYNC, "io", false)                    \
    X(SQLITE_IOERR_GETTEMPPATH, "io", false)              \
    X(SQLITE_IOERR_LOCK, "io", false)                     \
    X(SQLITE_IOERR_MMAP, "io", false)                     \
    X(SQLITE_IOERR_NOMEM, "memory", true)                 \
    X(SQLITE_IOERR_RDLOCK, "io", false)                   \
    X(SQLITE_IOERR_READ, "io", false)                     \
    X(SQLITE_IOERR_SEEK, "io", false)                     \
    X(SQLITE_IOERR_SHMLOCK, "io", false)                  \
    X(SQLITE_IOERR_SHMMAP, "io", false)                   \
    X(SQLITE_IOERR_SHMOPEN, "io", false)                  \
    X(SQLITE_IOERR_SHMSIZE, "io", false)                  \
    X(SQLITE_IOERR_SHORT_READ, "io", false)               \
    X(SQLITE_IOERR_TRUNCATE, "io", false)                 \
    X(SQLITE_IOERR_UNLOCK, "io", false)                   \
    X(SQLITE_IOERR_VNODE, "io", false)                    \
    X(SQLITE_IOERR_WRITE, "io", false)                    \
    X(SQLITE_CORRUPT, "corrupt", false)                   \
    X(SQLITE_CORRUPT_INDEX, "corrupt", false)             \
    X(SQLITE_CORRUPT_SEQUENCE, "corrupt", false)          \
    X(SQLITE_CORRUPT_VTAB, "corrupt", false)              \
    X(SQLITE_NOTFOUND, "not-found", false)                \
    X(SQLITE_FULL, "full", true)                          \
    X(SQLITE_CANTOPEN, "cant-open", false)                \
    X(SQLITE_CANTOPEN_CONVPATH, "cant-open", false)       \
    X(SQLITE_CANTOPEN_DIRTYWAL, "cant-open", false)       \
    X(SQLITE_CANTOPEN_FULLPATH, "cant-open", false)       \
    X(SQLITE_CANTOPEN_ISDIR, "cant-open", false)          \
    X(SQLITE_CANTOPEN_NOTEMPDIR, "cant-open", false)      \
    X(SQLITE_CANTOPEN_SYMLINK, "cant-open", false)        \
    X(SQLITE_PROTOCOL, "busy", true)                      \
    X(SQLITE_SCHEMA, "schema", true)                      \
    X(SQLITE_TOOBIG, "too-big", false)                    \
    X(SQLITE_CONSTRAINT, "constraint", false)             \
    X(SQLITE_CONSTRAINT_CHECK, "check", false)            \
    X(SQLITE_CONSTRAINT_COMMITHOOK, "constraint", false)  \
    X(SQLITE_CONSTRAINT_DATATYPE, "constraint", false)    \
    X(SQLITE_CONSTRAINT_FOREIGNKEY, "foreign-key", false) \
    X(SQLITE_CONSTRAINT_FUNCTION, "constraint", false)    \
    X(SQLITE_CONSTRAINT_NOTNULL, "not-null", false)       \
    X(SQLITE_CONSTRAINT_PINNED, "constraint", false)      \
    X(SQLITE_CONSTRAINT_PRIMARYKEY, "unique", false)      \
    X(SQLITE_CONSTRAINT_ROWID, "unique", false)           \
    X(SQLITE_CONSTRAINT_TRIGGER, "constraint", false)     \
    X(SQLITE_CONSTRAINT_UNIQUE, "unique", false)          \
    X(SQLITE_CONSTRAINT_VTAB, "constraint", false)        \
    X(SQLITE_MISMATCH, "constraint", false)               \
    X(SQLITE_MISUSE, "internal", false)                   \
    X(SQLITE_NOLFS, "too-big", false)                     \
    X(SQLITE_AUTH, "permission", false)                   \
    X(SQLITE_AUTH_USER, "permission", false)              \
    X(SQLITE_RANGE, "usage", false)                       \
    X(SQLITE_NOTADB, "corrupt", false)

static const struct {
    int rc;
    const char *name, *kind;
    bool retryable;
} codes[] = {
#define X(rc, kind, retryable) {rc, #rc, kind, retryable},
    CODES(X)
#undef X
};

const char *sq_errcode(int rc, const char **kind, bool *retryable)
{
    for (int pass = 0; pass < 2; pass++, rc &= 0xff) {
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
            if (codes[i].rc == rc) {
                *kind = codes[i].kind;
                *retryable = codes[i].retryable;
                return codes[i].name;
            }
        }
    }
    *kind = "internal";
    *retryable = false;
    return "SQLITE_ERROR";
}

void sq_error(uc_error *e, int rc)
{
    const char *kind;
    bool retryable;
    const char *code = sq_errcode(rc, &kind, &retryable);

    uc_error_own(e, code, kind, retryable);
    e->native = rc;
}
