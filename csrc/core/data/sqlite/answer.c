#include <stdio.h>
#include <string.h>

#include "data/sqlite/db.h"
#include "data/sqlite/part.h"
#include "data/sqlite/tag.h"
#include "data/sqlite/times.h"
#include "wire/answer.h"
#include "wire/json.h"
#include "wire/writer.h"

/*
 * Requests to routes on SQLite: their statements run one after the other, a
 * GET's in one snapshot, a POST's as one unit of the group that it is in.
 */

/* A statement, ready to run. */
typedef struct ready {
    const uc_statement *st;
    uc_stmt *stmt;
    const uc_variant *variant;
    sq_slot *slot;
    sq_mode mode;
    bool simple; /* its rows are the body, and nothing else is to be done */
    bool needs_part;
} ready;

enum { READY = 4 }; /* statements that are found once, however often they run */

/* An answer that is being made. */
typedef struct answer {
    sq_conn *conn;
    uc_call *call;
    const uc_route *route;
    uc_buf *out;
    bool wrote;   /* a statement that may write has run to its end */
    bool plain;   /* no column of it is anything but a part of the body */
    unsigned nth; /* time of @repeat, from 0 */
    size_t start; /* of the reply, and of its body */
    size_t body;
    sq_part part;
    sq_tag tag;
    uc_buf headers; /* packed pairs */
    uint32_t nheaders;
    uc_html_rows *rows; /* of a template, by statement */
    uc_buf cells;       /* what they point into */
    ready again[READY]; /* from the third time on */
} answer;

static bool keeps(sq_mode mode)
{
    return mode == SQ_MODE_KEEP || mode == SQ_MODE_KEEP_ONE;
}

static sq_mode mode_of(const uc_route *route, const uc_statement *st)
{
    if (st->refuses)
        return SQ_MODE_CELL;
    if (route->template != NULL)
        return st->form == UC_FORM_MANY || st->form == UC_FORM_HTML
                   ? SQ_MODE_KEEP
                   : SQ_MODE_KEEP_ONE;
    switch (st->form) {
    case UC_FORM_NONE:
        return SQ_MODE_RUN;
    case UC_FORM_ONE:
    case UC_FORM_ONE_REQUIRED:
        return SQ_MODE_OBJECT;
    case UC_FORM_TEXT:
        return SQ_MODE_CELL;
    default:
        return SQ_MODE_ARRAY;
    }
}

/* {"users": in front of the first, ,"newest": of the others. */
static void name_part(answer *a, const uc_statement *st, size_t from)
{
    if (st->name.len > 0)
        uc_json_key(a->out, a->out->len == from, st->name);
}

/* x-total for the column x_total. */
static void put_header_name(uc_buf *b, uc_view column)
{
    size_t at;

    uc_pack_strn(b, column.p, column.len);
    at = b->len - column.len;
    for (size_t i = 0; !b->failed && i < column.len; i++) {
        if (b->p[at + i] == '_')
            b->p[at + i] = '-';
    }
}

/* Those of the first statement that has them. */
static void keep_headers(answer *a)
{
    const sq_columns *c = &a->part.headers;
    size_t at = 0;

    for (uint32_t i = 0; a->nheaders == 0 && i < c->n; i++) {
        uc_view v = sq_part_value(c, &at);

        if (v.p == NULL)
            continue;
        put_header_name(&a->headers, c->names[i]);
        uc_pack_strn(&a->headers, v.p, v.len);
        a->nheaders++;
    }
}

/* ,"next":{"id":7}} behind the rows; null where they were fewer than asked
 * for. */
static void end_page(answer *a, uint64_t rows)
{
    const uc_arg *limit = &a->call->routed->q.args[a->route->page_limit];
    const sq_columns *c = &a->part.keys;
    size_t at = 0;

    uc_buf_put(a->out, ",\"next\":", 8);
    if (rows == 0 || rows < (uint64_t)limit->i) {
        uc_buf_put(a->out, "null}", 5);
        return;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        uc_view v = sq_part_value(c, &at);

        uc_json_key(a->out, i == 0, c->names[i]);
        if (v.p != NULL)
            uc_buf_put(a->out, v.p, v.len);
        else
            uc_json_null(a->out);
    }
    uc_buf_put(a->out, "}}", 2);
}

static bool refuse(answer *a, uc_refusal why, uc_view text, uc_error *e)
{
    return uc__routed_refuse(a->call, why, text, e);
}

static bool not_found(answer *a, uc_error *e)
{
    static const uint8_t text[] = "not found";

    return refuse(a, UC_REFUSAL_NO_ROW, (uc_view){text, sizeof text - 1}, e);
}

static bool is_simple(const answer *a, const ready *s)
{
    return a->rows == NULL && s->st->name.len == 0 && !s->st->refuses &&
           s->st->form != UC_FORM_PAGE && s->mode != SQ_MODE_RUN;
}

/* Whether it matters what its rows are besides JSON, or how many. */
static bool needs_part(const answer *a, const ready *s)
{
    if (s->mode == SQ_MODE_RUN || s->st->refuses)
        return false;
    return !a->plain || (s->mode == SQ_MODE_ARRAY && !s->st->bounded);
}

static bool find(answer *a, uint32_t i, ready *s, uc_error *e)
{
    sq_conn *c = a->conn;

    s->st = &a->route->statements[i];
    s->stmt = uc__routed_statement(a->call, i, &s->variant, e);
    if (s->stmt == NULL)
        return false;
    if (c->role == SQ_WRITER &&
        atomic_load(&s->stmt->cls) == UC_CLASS_UNKNOWN &&
        !sq_classify(c, s->stmt, e))
        return false;
    s->slot = sq_slot_get(c, s->stmt, e);
    if (s->slot == NULL)
        return false;
    /* Of several of a POST the last that returns rows answers. */
    s->mode = s->slot->ncols > 0 ? mode_of(a->route, s->st) : SQ_MODE_RUN;
    s->simple = is_simple(a, s);
    s->needs_part = needs_part(a, s);
    return true;
}

/* A slot may move when another one is needed, so those of the first time are
 * found once more: from then on all of them are there. NULL with *e. */
static ready *prepare(answer *a, uint32_t i, ready *room, uc_error *e)
{
    bool again = a->nth > 0 && i < READY;

    if (again && a->nth > 1)
        return &a->again[i];
    if (again)
        room = &a->again[i];
    return find(a, i, room, e) ? room : NULL;
}

static bool execute(answer *a, ready *s, uc_buf *out, sq_run *done, uc_error *e)
{
    sq_conn *c = a->conn;
    bool ok;

    a->part.most = s->st->bounded ? 0 : UC_ROUTE_LIST;
    c->part = s->needs_part ? &a->part : NULL;
    ok = sq_execute_args(c, s->stmt, s->slot, &a->call->routed->q, s->variant,
                         s->mode, out, done, e);
    c->part = NULL;
    a->wrote = a->wrote || (ok && !s->slot->readonly);
    return ok;
}

/* Of several without a name the last is what the template shows. */
static void begin_rows(answer *a, uint32_t i)
{
    const uc_statement *st = &a->route->statements[i];

    for (uint32_t k = 0; k < i; k++)
        if (st->name.len == 0)
            a->rows[k].name = UC_TEMPLATE_NONE;
    uc_html_begin(&a->rows[i], a->route->template, st, a->cells.len);
    a->part.html = &a->rows[i];
}

/* Its rows are kept for the template. */
static bool keep_rows(answer *a, uint32_t i, ready *s, uc_error *e)
{
    sq_run done;
    bool ok;

    begin_rows(a, i);
    ok = execute(a, s, &a->cells, &done, e);
    a->part.html = NULL;
    if (!ok)
        return false;
    if (done.rows == 0 && s->st->form == UC_FORM_ONE_REQUIRED)
        return not_found(a, e);
    keep_headers(a);
    return true;
}

static bool run_simple(answer *a, ready *s, uc_error *e)
{
    sq_run done;

    if (!execute(a, s, a->out, &done, e))
        return false;
    if (done.rows == 0 && s->st->form == UC_FORM_ONE_REQUIRED)
        return not_found(a, e);
    if (!a->plain)
        keep_headers(a);
    return true;
}

/* from: where the body, or this time of several, begins. */
static bool run_statement(answer *a, uint32_t i, size_t from, uc_error *e)
{
    uc_buf *out = a->out;
    const uc_statement *st;
    size_t before;
    sq_run done;
    ready room, *s = prepare(a, i, &room, e);

    if (s == NULL)
        return false;
    if (s->simple) {
        uc_buf_rewind(out, from); /* what answered before */
        return run_simple(a, s, e);
    }
    st = s->st;
    if (keeps(s->mode))
        return keep_rows(a, i, s, e);
    if (a->rows != NULL && st->name.len > 0)
        return sq_no_rows(e); /* its columns are gone */
    if (st->name.len == 0 && !st->refuses && s->mode != SQ_MODE_RUN)
        uc_buf_rewind(out, from);
    name_part(a, st, from);
    if (st->form == UC_FORM_PAGE)
        uc_buf_put(out, "{\"rows\":", 8);
    before = out->len;
    if (!execute(a, s, out, &done, e))
        return false;
    if (s->mode == SQ_MODE_RUN)
        uc_buf_rewind(out, before); /* the reply of a run */
    if (st->refuses && done.rows > 0)
        return refuse(a, UC_REFUSAL_REFUSED,
                      (uc_view){out->p + before, out->len - before}, e);
    if (done.rows == 0 && s->mode == SQ_MODE_OBJECT &&
        st->form == UC_FORM_ONE_REQUIRED)
        return not_found(a, e);
    if (st->refuses) {
        uc_buf_rewind(out, before);
        return true;
    }
    if (s->mode != SQ_MODE_RUN)
        keep_headers(a);
    if (st->form == UC_FORM_PAGE)
        end_page(a, done.rows);
    if (st->name.len > 0 && out->len == before)
        uc_json_null(out);
    return true;
}

static bool is_over(void *conn)
{
    return sq_conn_over(conn);
}

static bool render(answer *a, uc_error *e)
{
    long long most = (long long)a->conn->db->e.opt.max_bytes;
    uc_buf *out = a->out;
    size_t max = out->max;
    bool ok;

    out->max = out->len + (size_t)most;
    ok = uc_html_render(a->route->template, a->rows, a->route->nstatements,
                        &a->cells, (uc_html_end){is_over, a->conn}, out);
    out->max = max;
    if (!ok && !out->failed && sq_conn_over(a->conn))
        return sq_fail(a->conn, SQLITE_INTERRUPT, e);
    if (out->failed && out->full)
        return uc_fail(e, UC_REPLY_TOO_LARGE,
                       "the page is larger than %lld bytes (option "
                       "maxReplyBytes)",
                       most);
    return ok || uc_fail(e, UC_REPLY_TOO_LARGE,
                         "the template has shown %d tags and rows, and is not "
                         "at its end",
                         UC_HTML_STEPS);
}

static bool run_once(answer *a, uc_error *e)
{
    size_t from = a->out->len;
    bool named = false;

    for (uint32_t i = 0; i < a->route->nstatements; i++) {
        if (!run_statement(a, i, from, e))
            return false;
        named = named || a->route->statements[i].name.len > 0;
    }
    if (a->rows != NULL)
        return render(a, e);
    if (named)
        uc_buf_byte(a->out, '}');
    return true;
}

static bool run_time(answer *a, sq_times *s, uc_error *e)
{
    size_t before = a->out->len;

    uc__routed_again(a->call);
    if (sq_times_find(s, a->call, &a->tag, a->out))
        return true;
    if (!run_once(a, e))
        return false;
    if (a->nth < 2)
        a->nth++;
    if (a->out->len == before)
        uc_json_null(a->out);
    if (!a->out->failed)
        sq_times_keep(s, a->call, &a->tag,
                      (uc_view){a->out->p + before, a->out->len - before});
    return true;
}

static bool run_each(answer *a, int64_t times, sq_times *s, uc_error *e)
{
    for (int64_t i = 0; i < times; i++) {
        if (i > 0)
            uc_buf_byte(a->out, ',');
        if (!run_time(a, s, e))
            return false;
    }
    return true;
}

/* @repeat: an array of what each time answers. Statements that run so often are
 * timed now and then. */
static bool run_often(answer *a, int64_t times, uc_error *e)
{
    bool sampled = a->conn->sampled, ok;
    size_t from;
    sq_times s;

    a->conn->sampled = sampled || times > 1;
    sq_times_begin(&s, a->conn, a->call, &a->tag);
    uc_buf_byte(a->out, '[');
    from = a->out->len;
    ok = run_each(a, times, &s, e);
    if (ok && !sq_times_agree(&s, a->conn, a->call, &a->tag)) {
        uc_buf_rewind(a->out, from);
        s.on = false;
        ok = run_each(a, times, &s, e);
    }
    uc_buf_byte(a->out, ']');
    sq_times_fini(&s);
    a->conn->sampled = sampled;
    return ok;
}

/* @audit: once, however often the statements ran. */
static bool add_audit(answer *a, uc_error *e)
{
    size_t before = a->out->len;
    sq_run done;
    ready s;

    if (a->route->audit.len == 0)
        return true;
    if (!find(a, a->route->nstatements, &s, e) ||
        !execute(a, &s, a->out, &done, e))
        return false;
    uc_buf_rewind(a->out, before);
    return true;
}

static const char *type_of(const uc_route *route)
{
    if (route->template != NULL)
        return "text/html; charset=utf-8";
    return route->form == UC_FORM_TEXT ? "text/plain; charset=utf-8"
                                       : "application/json";
}

static void begin(answer *a, const char *type)
{
    a->start = a->out->len;
    a->body = uc_answer_begin(a->out, a->call->id, 200,
                              (uc_view){(const uint8_t *)type, strlen(type)});
}

static void end(answer *a)
{
    if (uc_answer_length(a->out, a->body) == 0) {
        uc_buf_rewind(a->out, a->start);
        begin(a, "");
    }
    uc_answer_end(a->out, a->body, a->nheaders);
    uc_buf_put(a->out, a->headers.p, a->headers.len);
}

/* A place for each statement's rows, none of which is called anything yet. */
static bool begin_html(answer *a, uc_error *e)
{
    uint32_t n = a->route->nstatements;

    if (a->route->template == NULL)
        return true;
    a->part.template = a->route->template;
    a->rows = uc_arena_alloc(&a->call->routed->q.mem, n * sizeof *a->rows);
    if (a->rows == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a page");
    for (uint32_t i = 0; i < n; i++)
        a->rows[i].name = UC_TEMPLATE_NONE;
    return true;
}

/* ---- answers without SQL ---- */

/* A kept answer: what it has, its headers, its body. */
typedef struct kept_front {
    uint32_t nheaders, headers_len;
} kept_front;

static void put_pair(uc_buf *b, const char *name, const char *value)
{
    uc_pack_str(b, name);
    uc_pack_str(b, value);
}

/* Who stores it asks each time whether it is still right. */
static void add_tag(answer *a, const uint8_t bytes[SQ_TAG_BYTES])
{
    char text[SQ_TAG_TEXT + 1];

    sq_tag_text(a->conn, bytes, text);
    put_pair(&a->headers, "etag", text);
    a->nheaders++;
    if (uc_view_listed(a->route->replies, a->route->nreplies, "cache_control"))
        return;
    put_pair(&a->headers, "cache-control",
             a->route->is_public ? "no-cache" : "private, no-cache");
    a->nheaders++;
}

static void put_304(answer *a, const uint8_t bytes[SQ_TAG_BYTES])
{
    uc_buf_rewind(a->out, a->start);
    uc_buf_rewind(&a->headers, 0);
    a->nheaders = 0;
    add_tag(a, bytes);
    a->body = uc_answer_begin(a->out, a->call->id, 304, (uc_view){0});
    uc_answer_end(a->out, a->body, a->nheaders);
    uc_buf_put(a->out, a->headers.p, a->headers.len);
}

static bool has_tag(const answer *a, const uint8_t bytes[SQ_TAG_BYTES])
{
    char text[SQ_TAG_TEXT + 1];

    sq_tag_text(a->conn, bytes, text);
    return uc__routed_has_tag(a->call,
                              (uc_view){(const uint8_t *)text, SQ_TAG_TEXT});
}

static bool put_kept(answer *a, const uint8_t bytes[SQ_TAG_BYTES])
{
    uc_view key = {a->tag.key.p, a->tag.key.len};
    kept_front front;
    uc_buf b;
    bool found;

    uc_buf_init(&b, SIZE_MAX);
    found = uc__routed_kept(a->call, key, bytes, uc_now(), &b) && !b.failed;
    if (found) {
        memcpy(&front, b.p, sizeof front);
        uc_buf_put(&a->headers, b.p + sizeof front, front.headers_len);
        a->nheaders = front.nheaders;
        uc_buf_put(a->out, b.p + sizeof front + front.headers_len,
                   b.len - sizeof front - front.headers_len);
        add_tag(a, bytes);
        end(a);
    }
    uc_buf_fini(&b);
    return found;
}

/* Before the tag is among the headers. */
static void keep_answer(answer *a)
{
    kept_front front = {a->nheaders, (uint32_t)a->headers.len};
    uc_view key = {a->tag.key.p, a->tag.key.len};
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    uc_buf_put(&b, &front, sizeof front);
    uc_buf_put(&b, a->headers.p, a->headers.len);
    uc_buf_put(&b, a->out->p + a->body, a->out->len - a->body);
    if (!b.failed)
        uc__routed_keep(a->call, key, a->tag.bytes, uc_now(),
                        (uc_view){b.p, b.len});
    uc_buf_fini(&b);
}

/* Whether the caller has the answer already, or it is kept here. */
static bool answer_known(answer *a)
{
    uint8_t now[SQ_TAG_BYTES];

    if (!a->tag.known ||
        (a->call->routed->q.if_none_match.p == NULL &&
         a->route->cache_ms == 0) ||
        !sq_tag_now(a->conn, a->call, &a->tag, now))
        return false;
    if (has_tag(a, now)) {
        put_304(a, now);
        return true;
    }
    return a->route->cache_ms > 0 && put_kept(a, now);
}

/* ---- all of it ---- */

/* The answer is there but for its headers. */
static void end_tagged(answer *a)
{
    if (!a->tag.known) {
        end(a);
        return;
    }
    if (a->route->cache_ms > 0 && !a->out->failed && !a->headers.failed)
        keep_answer(a);
    if (uc__routed_any_tag(a->call)) {
        put_304(a, a->tag.bytes);
        return;
    }
    add_tag(a, a->tag.bytes);
    end(a);
}

static bool run_all(answer *a, uc_error *e)
{
    int64_t times = uc__routed_times(a->call);
    const uc_route *route = a->route;
    int64_t before = sqlite3_total_changes64(a->conn->h);
    bool ok;

    a->plain =
        route->nreplies == 0 && route->npage == 0 && route->template == NULL;
    sq_part_init(&a->part, route->replies, route->nreplies, route->page,
                 route->npage);
    ok = begin_html(a, e) &&
         (times < 0 ? run_once(a, e) : run_often(a, times, e));
    a->call->routed->changes =
        ok ? sqlite3_total_changes64(a->conn->h) - before : 0;
    ok = ok && add_audit(a, e);
    if (ok)
        end_tagged(a);
    sq_part_fini(&a->part);
    return ok;
}

static void answer_begin(answer *a, sq_conn *c, uc_call *call, uc_buf *out)
{
    a->conn = c;
    a->call = call;
    a->route = call->routed->q.route;
    a->out = out;
    a->wrote = false;
    a->nth = 0;
    a->nheaders = 0;
    a->rows = NULL;
    uc_buf_init(&a->headers, SIZE_MAX);
    uc_buf_init(&a->cells, SIZE_MAX);
    begin(a, type_of(a->route));
    sq_tag_begin(&a->tag, c, call);
}

static bool answer_end(answer *a, bool ok, uc_error *e)
{
    if (ok && (a->out->failed || a->headers.failed))
        ok = uc_fail(e, UC_MEMORY, "no memory for an answer");
    uc_buf_fini(&a->headers);
    uc_buf_fini(&a->cells);
    sq_tag_fini(&a->tag);
    return ok;
}

/* One statement is a snapshot by itself; where several calls share one, it is
 * open already. */
static bool run_read(answer *a, uc_error *e)
{
    sq_conn *c = a->conn;
    bool opens = (a->route->nstatements > 1 || uc__routed_times(a->call) > 1) &&
                 sqlite3_get_autocommit(c->h) != 0;
    int rc = opens ? sq_step_once(c->begin) : SQLITE_OK;
    bool ok;

    if (rc != SQLITE_OK)
        return sq_fail(c, rc, e);
    ok = run_all(a, e);
    if (opens)
        sq_step_once(c->commit);
    return ok;
}

bool sq_answer_read(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    answer a;

    answer_begin(&a, c, call, out);
    return answer_end(&a, answer_known(&a) || run_read(&a, e), e);
}

/*
 * A savepoint makes SQLite copy every page that is changed, and few requests
 * fail when they have changed something. So the first time is without one: a
 * request that does leave something behind takes the transaction with it, and
 * the others of the group run again. From then on its statement has savepoints,
 * so that nobody can make others run again at will.
 */
static bool is_trusted(const uc_call *call)
{
    int cls =
        call->stmt != NULL ? atomic_load(&call->stmt->cls) : UC_CLASS_UNKNOWN;

    return (cls == UC_CLASS_WRITE || cls == UC_CLASS_READ) &&
           (atomic_load(&call->stmt->traits) & SQ_LEAVES) == 0;
}

/* Of one without a savepoint. */
static bool trusted_end(answer *a, bool ok, int64_t before)
{
    sq_conn *c = a->conn;

    if (ok || sqlite3_get_autocommit(c->h) != 0 ||
        (!a->wrote && sqlite3_total_changes64(c->h) == before))
        return ok;
    atomic_fetch_or(&a->call->stmt->traits, SQ_LEAVES);
    sq_step_once(c->rollback);
    return false;
}

bool sq_answer_write(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    int64_t before = sqlite3_total_changes64(c->h);
    bool own, ok, trusted = is_trusted(call);
    answer a;

    if (!trusted && !sq_bracket(c, e))
        return false;
    own = sq_own_begin(c);
    answer_begin(&a, c, call, out);
    ok = answer_end(&a, run_all(&a, e), e);
    sq_own_end(c, own);
    return trusted ? trusted_end(&a, ok, before) : sq_bracket_end(c, ok, e);
}
