#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/version.h"
#include "doors/sp/inner.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* What our own client keeps unanswered; other clients may go up to the limit
 * max-in-flight. */
enum { WINDOW = 256 };

static void text(uc_buf *b, const char *key, const char *value)
{
    uc_pack_str(b, key);
    uc_pack_str(b, value);
}

static void number(uc_buf *b, const char *key, int64_t value)
{
    uc_pack_str(b, key);
    uc_pack_int(b, value);
}

static uint32_t count(const ud_dbs *dbs)
{
    uint32_t n = 0;

    while (ud_dbs_at(dbs, n) != NULL)
        n++;
    return n;
}

/* ---- hello ---- */

typedef struct hello {
    uint64_t lo, hi; /* versions that the client speaks */
    uc_view db;
    bool has_db, readonly;
} hello;

static bool read_hello(const sp_request *q, uc_view frame, hello *h)
{
    uc_reader r = {q->p, frame.p + frame.len};
    uc_value v;
    uc_view key;
    uint32_t n;

    *h = (hello){.lo = UC_PROTOCOL, .hi = UC_PROTOCOL};
    if (q->args != 1 || !uc_read(&r, &v) || v.type != UC_T_MAP)
        return false;
    for (uint32_t i = v.n; i > 0; i--) {
        if (!uc_read_str(&r, &key))
            return false;
        if (uc_view_is(key, "v")) {
            if (!uc_read_array(&r, &n) || n != 2 || !uc_read_u64(&r, &h->lo) ||
                !uc_read_u64(&r, &h->hi))
                return false;
        } else if (uc_view_is(key, "db")) {
            if (!uc_read(&r, &v) || (v.type != UC_T_STR && v.type != UC_T_NIL))
                return false;
            h->has_db = v.type == UC_T_STR;
            if (h->has_db)
                h->db = v.s;
        } else if (uc_view_is(key, "readonly")) {
            if (!uc_read_bool(&r, &h->readonly))
                return false;
        } else if (!uc_read_skip(&r)) {
            return false;
        }
    }
    return true;
}

static bool no_such_db(const ud_conn *c, uc_view name, uc_error *e)
{
    char known[300];
    size_t n = 0;
    const ud_db *db;

    for (unsigned i = 0; (db = ud_dbs_at(c->sv->dbs, i)) != NULL; i++) {
        int more = snprintf(known + n, sizeof known - n, "%s%s",
                            i > 0 ? ", " : "", ud_db_name(db));

        if (more < 0 || (size_t)more >= sizeof known - n)
            break;
        n += (size_t)more;
    }
    known[n] = '\0';
    return uc_fail(e, UC_NO_DB,
                   "this daemon has no database %.*s; it serves %s",
                   (int)(name.len < 64 ? name.len : 64), name.p, known);
}

static bool greet(ud_conn *c, const sp_request *q, uc_view frame, uc_error *e)
{
    const ud_db *db = ud_dbs_first(c->sv->dbs);
    hello h;

    if (!read_hello(q, frame, &h))
        return uc_fail(e, UC_FRAME,
                       "hello takes a map such as {v: [1, 1], db: 'name'}");
    if (h.lo > UC_PROTOCOL || h.hi < UC_PROTOCOL)
        return uc_fail(e, UC_VERSION,
                       "this daemon (%s) speaks version %d of the protocol, "
                       "the client %" PRIu64 " to %" PRIu64 ": update %s",
                       UD_SERVER, UC_PROTOCOL, h.lo, h.hi,
                       h.lo > UC_PROTOCOL ? "the daemon" : "the client");
    if (h.has_db)
        db = ud_dbs_find(c->sv->dbs, (const char *)h.db.p, h.db.len);
    if (db == NULL)
        return no_such_db(c, h.db, e);
    if (ud_sp_of(c)->spoken)
        return uc_fail(e, UC_FRAME,
                       "hello has to be the first request of a connection");
    return ud_conn_bind(c, db, h.readonly, e);
}

void ud_sp_hello(ud_conn *c, uint32_t sp, const sp_request *q, uc_view frame)
{
    const ud_limits *limits = &c->sv->config->limits;
    uc_buf *b = &c->own;
    uc_error e;
    size_t at;

    uc_error_init(&e);
    if (!greet(c, q, frame, &e)) {
        e.outcome = "not-run";
        if (q->id != 0)
            ud_sp_error(c, sp, q->id, &e);
        if (q->id == 0 || strcmp(e.code, uc_code_name(UC_VERSION)) == 0)
            ud_conn_fault(c, &e);
        return;
    }
    ud_sp_of(c)->spoken = true;
    at = ud_sp_open(c);
    uc_reply_begin(b, q->id, UC_REPLY_VALUE, 3);
    uc_pack_map(b, 9);
    number(b, "v", UC_PROTOCOL);
    text(b, "server", UD_SERVER);
    text(b, "sqlite", uc_sqlite_version());
    text(b, "db", ud_db_name(c->db));
    text(b, "engine", uc_session_engine(c->session));
    uc_pack_str(b, "dbs");
    uc_pack_array(b, count(c->sv->dbs));
    for (unsigned i = 0; ud_dbs_at(c->sv->dbs, i) != NULL; i++)
        uc_pack_str(b, ud_db_name(ud_dbs_at(c->sv->dbs, i)));
    number(b, "pid", getpid());
    number(b, "window",
           limits->max_in_flight < WINDOW ? limits->max_in_flight : WINDOW);
    number(b, "max_request", limits->max_request_bytes);
    ud_sp_close(c, at, sp);
}

/* ---- door ---- */

static int64_t resident(void)
{
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*s %lld", &pages) != 1) /* NOLINT(cert-err34-c) */
        pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

void ud_sp_stats(ud_conn *c, uint32_t sp, const sp_request *q)
{
    ud_server *sv = c->sv;
    uc_buf *b = &c->own;
    size_t at = ud_sp_open(c);
    const ud_db *db;

    uc_reply_begin(b, q->id, UC_REPLY_VALUE, 3);
    uc_pack_map(b, 13);
    text(b, "door", c->door->name);
    number(b, "pid", getpid());
    text(b, "version", uc_version());
    number(b, "uptimeMs", (uc_now() - sv->started) / UC_MS);
    number(b, "connections", (int64_t)atomic_load(&sv->open));
    number(b, "accepted", (int64_t)atomic_load(&sv->accepted));
    number(b, "refused", (int64_t)atomic_load(&sv->refused));
    number(b, "faults", (int64_t)atomic_load(&sv->faults));
    number(b, "requests", (int64_t)atomic_load(&sv->requests));
    number(b, "bytesIn", (int64_t)atomic_load(&sv->bytes_in));
    number(b, "bytesOut", (int64_t)atomic_load(&sv->bytes_out));
    number(b, "rssBytes", resident());
    uc_pack_str(b, "dbs");
    uc_pack_array(b, count(sv->dbs));
    for (unsigned i = 0; (db = ud_dbs_at(sv->dbs, i)) != NULL; i++) {
        uc_pack_map(b, 2);
        text(b, "name", ud_db_name(db));
        text(b, "path", ud_db_path(db));
    }
    ud_sp_close(c, at, sp);
}
