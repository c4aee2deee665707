#include "desk/finish.h"

#include "data/engine.h"
#include "desk/audit.h"
#include "desk/lookup.h"
#include "desk/routed.h"
#include "desk/session.h"
#include "log/desk.h"
#include "wire/writer.h"

/*
 * The end of a call: answered with an error, finished, forgotten.
 */

/* Takes n off a peer's calls under way; what was the last of a closing one
 * lets it close: whoever waits for that is told, and does the rest (end.c). */
static void leave(uc_peer *p, uint32_t n)
{
    uc_engine *e = p->engine;

    atomic_fetch_sub(&p->live, n);
    if (!p->closing) /* who closes sets it before it looks at `live` */
        return;
    uc_lock(&e->mu);
    if (p->close_call != NULL && atomic_load(&p->live) == 1)
        uc_cond_broadcast(&e->closing_cond);
    uc_unlock(&e->mu);
}

/* A statement is over, which may have been slow. */
static void tell_slow(const uc_call *c)
{
    const uc_stmt *s = c->stmt;
    uc_view sql = {NULL, 0};
    uc_reader r = c->args;

    if (c->session->desk == NULL || c->batch == NULL)
        return;
    if (s != NULL)
        sql = (uc_view){(const uint8_t *)s->text, s->len};
    else if (c->op == NULL ||
             (c->op->num != UC_OP_exec && c->op->num != UC_OP_batch))
        return;
    else if (c->op->num == UC_OP_exec && !uc_read_str(&r, &sql))
        return;
    uc_log_slow(c, sql);
}

void uc__finish(uc_call *c)
{
    uc_peer *p = c->session->peer;

    tell_slow(c);
    uc__stmt_unref(c->stmt);
    c->stmt = NULL;
    uc__parts_free(c);
    uc__routed_free(c);
    if (c->batch == NULL)
        return;                  /* a sync call */
    uc__session_ref(c->session); /* p lives with its session */
    uc__call_finish(c);
    leave(p, 1);
    uc__session_unref(p->session);
}

void uc__finish_all(uc_call **calls, uint32_t n)
{
    for (uint32_t i = 0, k; i < n; i += k) {
        uc_batch *b = calls[i]->batch;
        uc_session *s = calls[i]->session;

        for (k = 0; i + k < n && calls[i + k]->batch == b; k++) {
            tell_slow(calls[i + k]);
            uc__stmt_unref(calls[i + k]->stmt);
            uc__routed_free(calls[i + k]);
        }
        uc__session_ref(s); /* the peer lives with its session */
        uc__batch_finish(b, k);
        leave(s->peer, k);
        uc__session_unref(s);
    }
}

void uc__refuse(uc_call *c, const uc_error *e)
{
    uc__call_tell(c, e);
    uc__finish(c);
}

void uc__answer(uc_call *call, uc_buf *out, size_t at, bool ok,
                const uc_error *e)
{
    if (!ok) {
        uc__reply_again(out, at);
        uc__reply_failure(out, call, e);
    }
    if (call->id == 0)
        uc_buf_rewind(out, at);
    else
        uc__call_close(call, out, at);
    uc__session_publish(call->session, out);
    uc__finish(call);
}
