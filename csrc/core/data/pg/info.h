#ifndef UC_CORE_DATA_PG_INFO_H
#define UC_CORE_DATA_PG_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/view.h"

/*
 * Where a database is and who asks for it, as libpq finds it out (chapter 34.1
 * of PostgreSQL's manual): the address, then a service file, then the
 * environment, then what is usual; passwords also from a password file.
 */

/* X(key, name, variable of the environment or NULL, what is usual or NULL) */
#define PG_KEY_MAP(X)                                                         \
    X(HOST, "host", "PGHOST", NULL)                                           \
    X(HOSTADDR, "hostaddr", "PGHOSTADDR", NULL)                               \
    X(PORT, "port", "PGPORT", "5432")                                         \
    X(DBNAME, "dbname", "PGDATABASE", NULL)                                   \
    X(USER, "user", "PGUSER", NULL)                                           \
    X(PASSWORD, "password", "PGPASSWORD", NULL)                               \
    X(PASSFILE, "passfile", "PGPASSFILE", NULL)                               \
    X(SERVICE, "service", "PGSERVICE", NULL)                                  \
    X(CONNECT_TIMEOUT, "connect_timeout", "PGCONNECT_TIMEOUT", "10")          \
    X(TARGET, "target_session_attrs", "PGTARGETSESSIONATTRS", "any")          \
    X(BALANCE, "load_balance_hosts", "PGLOADBALANCEHOSTS", "disable")         \
    X(SSLMODE, "sslmode", "PGSSLMODE", "prefer")                              \
    X(SSLROOTCERT, "sslrootcert", "PGSSLROOTCERT", NULL)                      \
    X(SSLCERT, "sslcert", "PGSSLCERT", NULL)                                  \
    X(SSLKEY, "sslkey", "PGSSLKEY", NULL)                                     \
    X(SSLPASSWORD, "sslpassword", NULL, NULL)                                 \
    X(SSLCRL, "sslcrl", "PGSSLCRL", NULL)                                     \
    X(SSLCRLDIR, "sslcrldir", "PGSSLCRLDIR", NULL)                            \
    X(SSLCOMPRESSION, "sslcompression", "PGSSLCOMPRESSION", NULL)             \
    X(SSL_LEAST, "ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", NULL) \
    X(SSL_MOST, "ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", NULL)  \
    X(GSSENCMODE, "gssencmode", "PGGSSENCMODE", "prefer")                     \
    X(KRBSRVNAME, "krbsrvname", "PGKRBSRVNAME", NULL)                         \
    X(GSSLIB, "gsslib", "PGGSSLIB", NULL)                                     \
    X(ENCODING, "client_encoding", "PGCLIENTENCODING", NULL)                  \
    X(SSLSNI, "sslsni", "PGSSLSNI", "1")                                      \
    X(BINDING, "channel_binding", "PGCHANNELBINDING", "prefer")               \
    X(REQUIREPEER, "requirepeer", "PGREQUIREPEER", NULL)                      \
    X(OPTIONS, "options", "PGOPTIONS", NULL)                                  \
    X(APPLICATION, "application_name", "PGAPPNAME", NULL)                     \
    X(FALLBACK, "fallback_application_name", NULL, "undercroft")              \
    X(KEEPALIVES, "keepalives", NULL, "1")                                    \
    X(KEEPALIVES_IDLE, "keepalives_idle", NULL, "30")                         \
    X(KEEPALIVES_INTERVAL, "keepalives_interval", NULL, "10")                 \
    X(KEEPALIVES_COUNT, "keepalives_count", NULL, "3")                        \
    X(TCP_USER_TIMEOUT, "tcp_user_timeout", NULL, "30000")

typedef enum pg_key {
#define X(key, name, env, usual) PG_##key,
    PG_KEY_MAP(X)
#undef X
        PG_KEYS
} pg_key;

typedef enum pg_sslmode {
    PG_SSL_DISABLE,
    PG_SSL_ALLOW,
    PG_SSL_PREFER,
    PG_SSL_REQUIRE,
    PG_SSL_VERIFY_CA,
    PG_SSL_VERIFY_FULL
} pg_sslmode;

typedef enum pg_target {
    PG_TARGET_ANY,
    PG_TARGET_READ_WRITE,
    PG_TARGET_READ_ONLY,
    PG_TARGET_PRIMARY,
    PG_TARGET_STANDBY,
    PG_TARGET_PREFER_STANDBY
} pg_target;

typedef enum pg_wish { PG_NEVER, PG_PREFERRED, PG_REQUIRED } pg_wish;

enum { PG_HOSTS = 32 };

/* One of the servers that may have the database. */
typedef struct pg_host {
    uc_view name; /* "" where only its address is given; a path: its socket */
    uc_view addr; /* "" : the name has to be resolved */
    uint16_t port;
    bool local;       /* a socket of the machine: name is its folder */
    uc_view password; /* p NULL: none is known */
} pg_host;

/* Views live in mem, and have a NUL behind their ends. */
typedef struct pg_info {
    uc_arena mem;
    uc_view values[PG_KEYS]; /* p NULL: not given */
    pg_host hosts[PG_HOSTS];
    uint32_t nhosts;
    pg_sslmode sslmode;
    pg_target target;
    pg_wish binding;
    bool balances; /* hosts in any order */
    int64_t connect_ms;
} pg_info;

/* Whether a target is an address of PostgreSQL. */
bool pg_info_takes(const char *target);
/*
 * Reads the address and what else there is. Reads the environment and files: on
 * the thread of who opens. False with *e (UC_OPTION, UC_MEMORY), whose message
 * has no password; pg_info_fini in any case.
 */
bool pg_info_read(pg_info *info, const char *target, uc_error *e);
void pg_info_fini(pg_info *info);
/* What tells databases and users apart, a hash of the password with it; NULL:
 * no memory. For uc_free. */
char *pg_info_key(const pg_info *info);

/* Of a value that is a number, as pg_info_read has found it. */
int pg_info_number(const pg_info *info, pg_key key);
/* The address without a password, for a person; NULL: no memory. For uc_free.
 */
char *pg_info_label(const pg_info *info);

/* ---- inside ---- */

/* The key of a name, PG_KEYS: there is none. */
pg_key pg_key_named(uc_view name);
const char *pg_key_name(pg_key key);
/* p NULL with mem failed: no memory. */
static inline uc_view pg_info_copy(pg_info *info, uc_view v)
{
    return uc_arena_copy(&info->mem, v);
}

/* Splits an address into values. */
bool pg_uri_read(pg_info *info, const char *text, uc_error *e);
/* A section of a service file; where there is none, *e. */
bool pg_service_read(pg_info *info, uc_error *e);
/* Of each host that has none, from the password file, if it is one. */
void pg_passwords_read(pg_info *info);
/* A file as a whole, at most 1 MiB, in mem; p NULL: it cannot be read. */
uc_view pg_file_read(pg_info *info, const char *path);
/* A path in the home of the user; "" where there is none. */
uc_view pg_home_path(pg_info *info, const char *name);

#endif
