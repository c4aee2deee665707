#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "data/sqlite/rows.h"
#include "wire/writer.h"

/* Cursors: a statement whose rows are handed out page by page. */

/* Rows from where the statement stands, up to about a page. */
static bool page_of(sq_pin *p, sq_conn *c, uint32_t id, uint32_t known,
                    uc_buf *out, bool *more, uc_error *e)
{
    int ncols, rc = SQLITE_ROW;
    size_t at = out->len, max = out->max;
    bool any = false;
    uc_rows r;

    *more = false;
    if (!p->row_ready)
        rc = sqlite3_step(p->stmt);
    /* After the step, which may have prepared it anew. */
    ncols = sqlite3_column_count(p->stmt);
    if (p->shape == NULL || p->shape->ncols != (uint32_t)ncols) {
        sq_shape_unref(p->shape);
        p->shape = ncols > 0 ? sq_shape_of(c->db, p->stmt) : NULL;
    }
    out->max = at + (size_t)c->db->e.opt.max_bytes;
    sq_rows_begin(&r, out, &c->text, id, p->shape, known,
                  (size_t)c->db->e.opt.page_bytes, true);
    while (rc == SQLITE_ROW && !out->failed) {
        if (any && out->len + c->text.len - at >= p->page_bytes) {
            *more = true;
            break;
        }
        any = true; /* however small a page may be, it gets on */
        sq_rows_add(&r, p->stmt, ncols, c->utf8);
        p->nrows++;
        rc = sqlite3_step(p->stmt);
    }
    p->row_ready = *more;
    uc_rows_end(&r, *more ? (uint32_t)p->l.id : 0);
    out->max = max;
    if (out->failed && !out->full)
        return uc_fail(e, UC_MEMORY, "no memory for a page of rows");
    if (out->failed)
        return uc_fail(e, UC_REPLY_TOO_LARGE,
                       "a row is larger than %lld bytes (option "
                       "maxReplyBytes)",
                       (long long)c->db->e.opt.max_bytes);
    if (!*more && rc != SQLITE_DONE)
        return sq_fail(c, rc, e);
    return true;
}

static bool page(sq_pin *p, sq_conn *c, uint32_t id, uint32_t known,
                 uc_buf *out, bool *more, uc_error *e)
{
    int64_t start = uc_now();
    bool ok = page_of(p, c, id, known, out, more, e);

    p->run_ns += uc_now() - start;
    p->failed = !ok;
    return ok;
}

static bool cursor_start(sq_pin *p, sq_conn *c, uc_reader *args,
                         uint32_t *known, uc_error *e)
{
    uc_reader params;

    if (!uc_read_u32(args, known))
        return uc_fail(e, UC_FRAME, "cursor_open takes a shape");
    params = *args;
    if (!uc_read_skip(args) || !uc_read_u64(args, &p->page_bytes))
        return uc_fail(e, UC_FRAME, "cursor_open takes a page size");
    if (p->page_bytes == 0 || p->page_bytes > (uint64_t)c->db->e.opt.max_bytes)
        p->page_bytes = (uint64_t)c->db->e.opt.page_bytes;
    /* Its own statement: others may use the same text meanwhile. */
    if (!sq_prepare_one(c, p->sql->text, p->sql->len, 0, &p->stmt, e))
        return false;
    if (sqlite3_column_count(p->stmt) == 0)
        return sq_no_rows(e);
    if (atomic_load(&p->sql->traits) & SQ_ASKS && !c->own)
        return sq_asks(e);
    /* The bytes of the parameters die with this call. */
    p->params = uc_malloc((size_t)(params.end - params.p) + 1);
    if (p->params == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a cursor");
    memcpy(p->params, params.p, (size_t)(params.end - params.p));
    params.end = p->params + (params.end - params.p);
    params.p = p->params;
    return sq_bind(p->stmt, sqlite3_bind_parameter_count(p->stmt), &params, e);
}

/*
 * Inside a transaction, in :memory: and for statements that write, the rows
 * are gathered now and handed out page by page: the connection cannot wait
 * for the reader of the cursor.
 */
static bool materialise(sq_db *db, sq_pin *p, sq_conn *c, uc_buf *out,
                        uint32_t id, uint32_t known, uc_error *e)
{
    bool more, ok;

    ok = page(p, c, id, known, out, &more, e);
    if (!ok || !more)
        return ok;
    p->pages = uc_calloc(1, sizeof *p->pages);
    if (p->pages == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a cursor");
    uc_buf_init(p->pages, (size_t)db->e.opt.max_bytes);
    known = p->shape != NULL ? p->shape->id : 0;
    while (ok && more) {
        size_t at = uc__reply_open(p->pages);

        ok = page(p, c, 0, known, p->pages, &more, e);
        if (ok)
            uc__reply_close(p->pages, at, 0);
        /* A page is bounded by itself, so the sum is looked at after it. */
        if (ok &&
            (p->pages->failed || p->pages->len > (size_t)db->e.opt.max_bytes))
            ok = uc_fail(e, UC_REPLY_TOO_LARGE,
                         "the rows of a cursor in a transaction are held in "
                         "memory and are larger than %lld bytes (option "
                         "maxReplyBytes)",
                         (long long)db->e.opt.max_bytes);
    }
    sqlite3_finalize(p->stmt);
    p->stmt = NULL;
    return ok;
}

bool sq_cursor_open(sq_db *db, uc_call *call, sq_conn *writer, uc_buf *out,
                    uc_error *e)
{
    uc_lease *host = call->lease;
    sq_pin *p = sq_pin_new(call->session, UC_LEASE_CURSOR, e);
    uc_reader args = call->args;
    uint32_t known = 0;
    bool more = false, ok;
    sq_conn *c = writer;

    if (p == NULL)
        return false;
    p->sql = call->stmt;
    uc__stmt_ref(p->sql);
    if (writer == NULL) {
        p->l.host = host;
        p->conn = host != NULL ? ((sq_pin *)host)->conn : sq_pin_lease(db, e);
        if (p->conn == NULL) {
            sq_pin_free(&db->e, &p->l);
            return false;
        }
        c = p->conn;
    }
    if (host == NULL && writer == NULL)
        sq_conn_enter(c, call, call->deadline);
    p->l.holds = p->conn != NULL;
    uc__lease_link(&db->e, &p->l); /* the id is part of the reply */
    ok = cursor_start(p, c, &args, &known, e);
    if (ok && writer != NULL)
        ok = materialise(db, p, c, out, call->id, known, e);
    else if (ok)
        ok = page(p, c, call->id, known, out, &more, e);
    if (host == NULL && writer == NULL)
        sq_conn_leave(c);
    if (writer != NULL)
        more = ok && p->pages != NULL;
    if (!ok || !more) {
        p->l.dead = true;
        p->l.why = NULL;
    }
    uc__lease_done(&db->e, &p->l);
    return ok;
}

bool sq_cursor_next(sq_pin *p, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    uint64_t id;
    uint32_t known;
    bool more, ok;

    if (!uc_read_u64(&r, &id) || !uc_read_u32(&r, &known))
        return uc_fail(e, UC_FRAME, "cursor_next takes a cursor and a shape");
    if (p->pages != NULL) {
        const uint8_t *f = p->pages->p + p->pages_off;
        size_t n = (size_t)f[0] | (size_t)f[1] << 8 | (size_t)f[2] << 16 |
                   (size_t)f[3] << 24;
        size_t at = out->len;

        uc_buf_put(out, f + 4, n);
        if (!out->failed)
            uc_emit_u32(out->p + at + 1, call->id);
        p->pages_off += 4 + n;
        if (p->pages_off >= p->pages->len)
            p->l.dead = true;
        return true;
    }
    ok = page(p, p->conn, call->id, known, out, &more, e);
    if (!ok || !more)
        p->l.dead = true;
    return ok;
}
