#include "desk/verdict.h"

#include <string.h>

#include "common/clock.h"
#include "desk/session.h"

/*
 * What may be begun, what may be repeated, and what is known of a call that did
 * not come to its end.
 */

/* Whether it may run a second time without doing more. */
static bool is_harmless(const uc_call *c)
{
    const uc_stmt *s = c->stmt;
    int cls;

    if (c->once.p != NULL)
        return true;
    if (c->op == NULL || c->op->lane != UC_LANE_STMT)
        return c->op != NULL && (c->op->flags & UC_REPEATS) != 0;
    cls = s != NULL ? atomic_load(&s->cls) : UC_CLASS_UNKNOWN;
    return uc__class_reads(cls);
}

void uc__outcome(const uc_call *c, const char *outcome, uc_error *e)
{
    e->outcome = outcome;
    if (strcmp(outcome, "unknown") == 0 && !is_harmless(c))
        e->retryable = false;
}

void uc__stopped(uc_call *c, const char *outcome, uc_error *e)
{
    if (atomic_load(&c->stop) == UC_STOP_ABORT)
        uc_fail(e, UC_ABORTED, "the call was aborted");
    else
        uc_fail(e, UC_TIMEOUT, "the call's deadline passed");
    uc__outcome(c,
                c->repeat         ? "unknown"
                : outcome != NULL ? outcome
                                  : "not-run",
                e);
}

bool uc__may_repeat(const uc_call *c, uc_class cls, uc_error *e)
{
    if (!c->repeat || c->once.p != NULL || (c->op->flags & UC_REPEATS) != 0)
        return true;
    if (c->op->lane == UC_LANE_STMT && c->tx == 0 && c->snap == 0 &&
        (cls == UC_CLASS_UNKNOWN || uc__class_reads((int)cls)))
        return true;
    uc_fail(e, UC_NOT_REPEATED,
            "the connection was lost before the reply came: it may have run, "
            "and what is no read is not run again");
    e->outcome = "unknown";
    return false;
}

/* Its reply would wait behind too many that nobody reads. What ends something
 * (a transaction, a cursor) is not stopped by that. */
static bool unread(const uc_call *c)
{
    return c->batch != NULL && uc__session_full(c->session) &&
           (c->op->lane == UC_LANE_STMT || c->op->num == UC_OP_batch ||
            c->op->num == UC_OP_exec || c->op->num == UC_OP_cursor_next);
}

bool uc__call_over(uc_call *c, uc_error *e)
{
    int none = UC_STOP_NONE;

    if (c->deadline != 0 && uc_now_coarse() >= c->deadline)
        atomic_compare_exchange_strong(&c->stop, &none, UC_STOP_TIMEOUT);
    if (atomic_load(&c->stop) != UC_STOP_NONE) {
        uc__stopped(c, NULL, e);
        return true;
    }
    if (unread(c)) {
        uc_fail(e, UC_BUSY,
                "%zu bytes of replies wait to be read: read them first",
                uc_pending(c->session));
        uc__outcome(c, c->repeat ? "unknown" : "not-run", e);
        return true;
    }
    return false;
}

bool uc__once_allowed(const uc_call *call, uc_class cls, uc_error *e)
{
    uint8_t op = call->op->num;

    if (op == UC_OP_request)
        return true; /* its route is a POST, and what it may be was looked at */
    if (op != UC_OP_run && op != UC_OP_many && op != UC_OP_batch)
        return uc_fail(e, UC_OPTION,
                       "option once: run, many and batch take it, %s does not",
                       call->op->name);
    if (call->tx != 0 || call->snap != 0)
        return uc_fail(e, UC_OPTION,
                       "option once: not inside a transaction or snapshot, "
                       "which is repeated as a whole or not at all");
    if (call->once.len == 0 || call->once.len > UC_ONCE_KEY)
        return uc_fail(e, UC_OPTION,
                       "option once: expected a key of 1 to %d bytes",
                       UC_ONCE_KEY);
    if (uc__class_reads((int)cls))
        return uc_fail(e, UC_OPTION,
                       "option once: the statement only reads and may simply "
                       "be repeated");
    if (cls == UC_CLASS_ALONE)
        return uc_fail(e, UC_OPTION,
                       "option once: the statement runs outside of "
                       "transactions, where no key can be stored with it");
    return true;
}

bool uc__tx_self(uc_error *e)
{
    uc_fail(e, UC_TX_SELF,
            "a call on the handle inside its own transaction would wait for "
            "that for ever; call it on the object that the callback was given");
    e->outcome = "not-run";
    return false;
}
