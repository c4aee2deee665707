#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "data/pg/copy.h"
#include "data/pg/work.h"
#include "wire/writer.h"

/*
 * COPY (55.2.6), within a transaction of a client:
 *
 *   copy_open  the statement            -> the server takes or sends bytes
 *   copy_put   bytes                    -> when they have been sent
 *   copy_get                            -> bytes, or nil: that was all
 *   copy_end   whether it is meant      -> rows, when the server is done
 *
 * Back-pressure: a put is answered when the socket has taken what there is, and
 * nothing is read from a server whose bytes nobody takes. Calls may be under
 * way behind each other; the client keeps a few.
 */

enum {
    PAGE = 1 << 16,       /* bytes of an answer, about */
    AHEAD = 1 << 18,      /* bytes that are read before somebody wants them */
    UNSENT_MOST = 1 << 26 /* bytes that have been put and not been sent */
};

typedef struct pg_copy {
    enum { OPENING, TAKES, SENDS, DONE } state;
    bool failed;
    bool ready;   /* the server is, after it */
    bool dropped; /* it is not meant any more: what comes is not kept */
    pg_flight *first, *last; /* calls that wait, in the order of arrival */
    uc_buf data;             /* from the server, from `at` on */
    size_t at;
    int64_t rows;
    uc_error error;
} pg_copy;

/* ---- answers ---- */

static void push(pg_copy *k, pg_flight *f)
{
    f->next = NULL;
    if (k->last != NULL)
        k->last->next = f;
    else
        k->first = f;
    k->last = f;
}

static pg_flight *pop(pg_copy *k)
{
    pg_flight *f = k->first;

    k->first = f->next;
    if (k->first == NULL)
        k->last = NULL;
    f->next = NULL;
    return f;
}

typedef enum pg_copy_reply { IS_NIL, IS_ROWS, IS_DATA } pg_copy_reply;

static void put_data(pg_copy *k, uc_buf *b)
{
    size_t n = k->data.len - k->at;
    uint8_t *p;

    if (!uc_buf_reserve(b, 5 + n))
        return;
    p = uc_emit_bin_header(b->p + b->len, (uint32_t)n);
    memcpy(p, k->data.p + k->at, n);
    b->len = (size_t)(p - b->p) + n;
    k->at = 0;
    uc_buf_rewind(&k->data, 0);
}

static void answer(pg_conn *c, pg_flight *f, pg_copy_reply what)
{
    pg_copy *k = c->copy;
    uc_call *call = f->call;
    uc_buf b;
    size_t at;

    if (call != NULL) {
        uc_buf_init(&b, SIZE_MAX);
        at = uc__reply_open(&b);
        uc_reply_begin(&b, call->id, UC_REPLY_VALUE, 3);
        if (what == IS_DATA)
            put_data(k, &b);
        else if (what == IS_ROWS)
            uc_pack_int(&b, k->rows);
        else
            uc_pack_nil(&b);
        call->rows = what == IS_ROWS ? k->rows : 0;
        if (call->id != 0) {
            uc__reply_close(&b, at, call->id);
            uc__session_publish(call->session, &b);
        }
        uc_buf_fini(&b);
    }
    pg_flight_end(c->db, f);
}

/* ---- what waits ---- */

static bool is_op(const pg_flight *f, unsigned op)
{
    return f->call != NULL && f->call->op->num == op;
}

/* Whether there is something to say to the call by now, or there will not be
 * more. */
static bool is_answered(pg_conn *c, pg_copy *k, pg_flight *f)
{
    if (f->call == NULL) {
        pg_flight_end(c->db, f); /* it was stopped */
        return true;
    }
    if (k->failed && !is_op(f, UC_OP_copy_end)) {
        pg_flight_fail(c->db, f, &k->error);
        return true;
    }
    if (is_op(f, UC_OP_copy_open) && k->state != OPENING) {
        answer(c, f, IS_NIL);
        return true;
    }
    if (is_op(f, UC_OP_copy_put) && c->out_at == c->out.len) {
        answer(c, f, IS_NIL);
        return true;
    }
    if (is_op(f, UC_OP_copy_get) && k->data.len - k->at >= PAGE) {
        answer(c, f, IS_DATA);
        return true;
    }
    if (is_op(f, UC_OP_copy_get) && k->state == DONE) {
        answer(c, f, k->data.len > k->at ? IS_DATA : IS_NIL);
        return true;
    }
    /* Behind a cancel that may still hit what comes next there is nothing. */
    if (is_op(f, UC_OP_copy_end) && k->ready && !c->cancelling) {
        if (k->failed && !k->dropped)
            pg_flight_fail(c->db, f, &k->error);
        else
            answer(c, f, IS_ROWS);
        return true;
    }
    return false;
}

static void serve(pg_conn *c)
{
    pg_copy *k = c->copy;

    while (k->first != NULL) {
        pg_flight *f = pop(k);

        if (is_answered(c, k, f))
            continue;
        f->next = k->first; /* back to the front */
        k->first = f;
        if (k->last == NULL)
            k->last = f;
        break;
    }
    pg_conn_pause(c, k->state == SENDS && !k->dropped && k->first == NULL &&
                         k->data.len - k->at > AHEAD);
}

/* Runs once a turn, when what there is has been sent as far as it goes. */
void pg_copy_look(pg_conn *c)
{
    if (c->copy != NULL && c->copy->first != NULL)
        serve(c);
}

void pg_copy_lost(pg_conn *c, const uc_error *why)
{
    pg_copy *k = c->copy;

    while (k != NULL && k->first != NULL) {
        pg_flight *f = pop(k);
        uc_error e = *why;

        e.outcome = "not-run"; /* the transaction is not committed */
        pg_flight_fail(c->db, f, &e);
    }
}

void pg_copy_free(pg_conn *c)
{
    if (c->copy == NULL)
        return;
    uc_buf_fini(&c->copy->data);
    uc_free(c->copy);
    c->copy = NULL;
}

/* ---- calls ---- */

bool pg_copy_takes(const pg_conn *c, const uc_call *call)
{
    switch (call->op->num) {
    case UC_OP_copy_open:
    case UC_OP_copy_put:
    case UC_OP_copy_get:
    case UC_OP_copy_end:
        return true;
    default:
        return c->copy != NULL && !c->copy->ready;
    }
}

static bool open_copy(pg_conn *c, pg_flight *f, uc_error *e)
{
    uc_reader r = f->call->args;
    pg_copy *k;
    uc_view sql;
    char *text;
    bool ok;

    if (!uc_read_str(&r, &sql))
        return uc_fail(e, UC_FRAME, "copy_open takes a text");
    if (memchr(sql.p, 0, sql.len) != NULL)
        return uc_fail(e, UC_PARAM_TYPE, "the text has a NUL in it");
    pg_copy_free(c);
    k = c->copy = uc_calloc(1, sizeof *k);
    text = uc_strndup((const char *)sql.p, sql.len);
    ok = k != NULL && text != NULL &&
         pg_step_push(c, (pg_step){.kind = PG_STEP_COPY});
    if (ok) {
        uc_buf_init(&k->data, SIZE_MAX);
        uc_error_init(&k->error);
        pg_msg_query(&c->out, text);
        c->calls++;
        pg_conn_touch(c);
        push(k, f);
    }
    uc_free(text);
    if (!ok)
        pg_copy_free(c);
    return ok || uc_fail(e, UC_MEMORY, "no memory for a COPY");
}

static bool put(pg_conn *c, pg_flight *f, uc_error *e)
{
    uc_reader r = f->call->args;
    pg_copy *k = c->copy;
    uc_value v;
    size_t at;

    if (!uc_read(&r, &v) || v.type != UC_T_BIN)
        return uc_fail(e, UC_FRAME, "copy_put takes bytes");
    if (k->failed) {
        *e = k->error;
        return false;
    }
    if (k->state != TAKES)
        return uc_fail(e, UC_FRAME, "this COPY takes no bytes");
    if (c->out.len - c->out_at + v.s.len > UNSENT_MOST)
        return uc_fail(e, UC_BUSY,
                       "too many bytes of a COPY wait to be sent: wait for the "
                       "answers");
    at = pg_msg_begin(&c->out, 'd');
    pg_put_view(&c->out, v.s);
    pg_msg_end(&c->out, at);
    if (c->out.failed)
        return uc_fail(e, UC_MEMORY, "no memory for a COPY");
    pg_conn_touch(c);
    push(k, f);
    return true;
}

static void say_end(pg_conn *c, bool meant)
{
    pg_copy *k = c->copy;
    size_t at;

    k->dropped = !meant;
    if (k->state == TAKES) {
        at = pg_msg_begin(&c->out, meant ? 'c' : 'f');
        if (!meant)
            pg_put_str(&c->out, "given up by the client");
        pg_msg_end(&c->out, at);
        pg_conn_touch(c);
    }
    /* It may wait for a lock, or have much to send. */
    if (!meant && !k->ready && !c->cancelling)
        pg_cancel_begin(c);
}

static bool end(pg_conn *c, pg_flight *f, uc_error *e)
{
    uc_reader r = f->call->args;
    bool meant = false;

    if (!uc_read_bool(&r, &meant))
        return uc_fail(e, UC_FRAME, "copy_end takes whether it is meant");
    if (!c->copy->ready)
        say_end(c, meant);
    push(c->copy, f);
    return true;
}

static bool run(pg_conn *c, pg_flight *f, uc_error *e)
{
    unsigned op = f->call->op->num;
    bool under_way =
        c->copy != NULL && (!c->copy->ready || c->copy->first != NULL);

    if (op < UC_OP_copy_open || op > UC_OP_copy_end ||
        (op == UC_OP_copy_open && under_way))
        return uc_fail(e, UC_TX_OPEN,
                       "a COPY is under way in this transaction: wait for its "
                       "end first");
    if (op == UC_OP_copy_open)
        return open_copy(c, f, e);
    if (c->copy == NULL)
        return uc_fail(e, UC_FRAME, "no COPY is under way");
    if (op == UC_OP_copy_put)
        return put(c, f, e);
    if (op == UC_OP_copy_end)
        return end(c, f, e);
    push(c->copy, f);
    return true;
}

/* Whoever ends the transaction in the middle of a COPY has lost count of it:
 * the connection goes, and what it did with that. */
static void give_up(pg_conn *c, uc_call *call)
{
    uc_error e;

    uc_fail(&e, UC_TX_CLOSED,
            "the transaction was ended in the middle of a COPY");
    e.outcome = "not-run";
    pg_cancel_begin(c);
    c->ends = true;
    c->tx->ending = true;
    pg_conn_fail(c, &e);
    uc__refuse(call, &e);
}

void pg_copy_call(pg_conn *c, uc_call *call)
{
    pg_flight *f;
    uc_error e;

    if (call->op->num == UC_OP_tx_end) {
        give_up(c, call);
        return;
    }
    if (c->tx != NULL) /* it lasts while it goes on */
        c->tx->until = uc_now() + c->db->e.opt.tx_ms * UC_MS;
    f = pg_flight_of(c->db, call);
    if (f == NULL)
        return;
    f->conn = c;
    uc_error_init(&e);
    if (!run(c, f, &e)) {
        if (e.outcome == NULL)
            e.outcome = "not-run";
        pg_flight_fail(c->db, f, &e);
        return;
    }
    if (c->copy != NULL && c->copy->first != NULL)
        serve(c);
}

/* ---- messages ---- */

/* "COPY user, line 3, column age: …": the server's context goes with it. */
static void failed(pg_copy *k, uc_view body)
{
    char text[sizeof k->error.message];
    const char *line;
    pg_said said;

    if (k->failed)
        return;
    k->failed = true;
    pg_error(&k->error, body);
    k->error.offset = -1;
    if (!pg_msg_said(body, &said) || said.where.len == 0)
        return;
    snprintf(text, sizeof text, "%.350s (%.*s)", k->error.message,
             (int)(said.where.len < 150 ? said.where.len : 150), said.where.p);
    memcpy(k->error.message, text, sizeof text);
    line = strstr(text, ", line ");
    if (line != NULL)
        k->error.index = strtoll(line + 7, NULL, 10) - 1;
}

static bool nonsense(uc_error *e, char type)
{
    char what[48];

    snprintf(what, sizeof what, "a message '%c' in the middle of a COPY",
             type > ' ' && type < 127 ? type : '?');
    return pg_nonsense(e, what);
}

/* "COPY 17" */
static void count(pg_copy *k, uc_view body)
{
    pg_reader r = pg_reader_of(body);
    uc_view tag = pg_get_str(&r);

    k->state = DONE;
    if (tag.p != NULL && strncmp((const char *)tag.p, "COPY ", 5) == 0)
        k->rows = strtoll((const char *)tag.p + 5, NULL, 10);
}

static void over(pg_conn *c)
{
    pg_copy *k = c->copy;

    pg_step_pop(c);
    c->calls--;
    k->ready = true;
    if (!k->failed && k->state == OPENING) {
        k->failed = true;
        uc_fail(&k->error, UC_SQL_NO_ROWS, "the statement is no COPY");
    }
    k->state = DONE;
}

uc_error *pg_copy_error(pg_conn *c)
{
    return &c->copy->error;
}

bool pg_copy_answer(pg_conn *c, const pg_msg *m, uc_error *e)
{
    pg_copy *k = c->copy;

    switch (m->type) {
    case 'G':
        k->state = TAKES;
        break;
    case 'H':
        k->state = SENDS;
        break;
    case 'd':
        if (k->state != SENDS)
            return nonsense(e, m->type);
        if (k->dropped)
            return true;
        pg_put_view(&k->data, m->body);
        if (k->data.failed)
            return uc_fail(e, UC_MEMORY, "no memory for a COPY");
        if (k->data.len - k->at < PAGE)
            return true;
        break;
    case 'c':
        return true;
    case 'C':
        count(k, m->body);
        return true;
    case 'E':
        failed(k, m->body);
        if (pg_is_end(c, &k->error, m->body)) {
            *e = k->error;
            return false;
        }
        return true;
    case 'Z':
        if (m->body.len != 1)
            return nonsense(e, m->type);
        c->status = (char)m->body.p[0];
        over(c);
        break;
    default:
        return nonsense(e, m->type);
    }
    serve(c);
    return true;
}
