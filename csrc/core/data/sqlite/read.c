#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "data/sqlite/stats.h"

/* Calls of the read lane, one by one, on whichever connection. */

sq_mode sq_mode_of(const uc_call *call)
{
    switch (call->op->num) {
    case UC_OP_get:
        return SQ_MODE_GET;
    case UC_OP_json:
        return SQ_MODE_JSON;
    case UC_OP_run:
        return SQ_MODE_RUN;
    default:
        return SQ_MODE_ALL;
    }
}

bool sq_read_call(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    uint32_t shape;
    sq_run done;
    uc_reader r = call->args;

    switch (call->op->num) {
    case UC_OP_get:
    case UC_OP_all:
    case UC_OP_json:
    case UC_OP_run:
        if (!uc_read_u32(&r, &shape))
            return uc_fail(e, UC_FRAME, "%s: the second argument is a shape",
                           call->op->name);
        e->native = 0;
        if (sq_execute(c, call->stmt, call->id, shape, &r, sq_mode_of(call),
                       out, &done, e)) {
            sq_note_rows(call, &done);
            return true;
        }
        if (e->code != NULL && e->native == SQLITE_READONLY)
            uc_fail(e, UC_SQL_READONLY, "a snapshot only reads");
        return false;
    case UC_OP_request:
        return sq_answer_read(c, call, out, e);
    case UC_OP_routes_load:
        return sq_routes_load(c, call, out, e);
    case UC_OP_health:
        sq_health(c->db, c, call->id, out);
        return true;
    case UC_OP_cursor_open:
        return sq_cursor_open(c->db, call, NULL, out, e);
    case UC_OP_snap_begin:
        return sq_snap_begin(c->db, call, out, e);
    case UC_OP_backup_begin:
        return sq_backup_begin(c->db, call, out, e);
    default:
        return uc_fail(e, UC_INTERNAL, "operation %s is not a read",
                       call->op->name);
    }
}
