#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "wire/writer.h"

/* Calls on what holds a connection: one after the other, by whoever has claimed
 * its lease. A cursor in a snapshot is served on the snapshot's turn. */

/* A cursor that has ended goes; one that is the pin itself with the call. */
static void cursor_used(sq_db *db, const sq_pin *pin, uc_lease *l,
                        const uc_call *call)
{
    bool unlinked;

    if (call->op->num == UC_OP_cursor_close)
        l->dead = true;
    if (!l->dead || l == &pin->l)
        return;
    uc_lock(&db->e.mu);
    unlinked = uc__lease_unlink(&db->e, l);
    uc_unlock(&db->e.mu);
    if (unlinked)
        sq_pin_free(&db->e, l);
}

static bool on_pin(sq_db *db, sq_pin *pin, uc_call *call, uc_buf *out,
                   uc_error *e)
{
    uc_lease *l;
    bool ok;

    if (pin->l.dead && call->op->num != UC_OP_cursor_close &&
        call->op->num != UC_OP_snap_end)
        return uc__lease_gone(&db->e, pin->l.id, e);
    if (uc__call_over(call, e))
        return false;
    if (call->op->lane != UC_LANE_PIN && !uc__lease_fits(&pin->l, call, e))
        return false;
    switch (call->op->num) {
    case UC_OP_cursor_open: /* in a snapshot */
    case UC_OP_get:
    case UC_OP_all:
    case UC_OP_json:
    case UC_OP_run:
        return sq_class_in_snapshot(pin->conn, call->stmt, e) &&
               sq_read_call(pin->conn, call, out, e);
    case UC_OP_backup_step:
        return uc__lease_fits(&pin->l, call, e) &&
               sq_backup_step(pin, call, out, e);
    case UC_OP_cursor_next:
    case UC_OP_cursor_close:
        l = uc__lease_named(&db->e, &pin->l, call, e);
        if (l != NULL && !uc__lease_fits(l, call, e))
            return false;
        if (call->op->num == UC_OP_cursor_next) {
            ok = l != NULL && sq_cursor_next((sq_pin *)l, call, out, e);
        } else {
            ok = true; /* one that has ended is closed */
            uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
            uc_pack_nil(out);
        }
        if (l != NULL)
            cursor_used(db, pin, l, call);
        return ok;
    case UC_OP_snap_end:
    case UC_OP_backup_end:
        if (!uc__lease_fits(&pin->l, call, e))
            return false;
        pin->l.dead = true;
        uc__lease_end_guests(&db->e, &pin->l);
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_nil(out);
        return true;
    default:
        return uc_fail(e, UC_FRAME, "operation %s does not run on a cursor",
                       call->op->name);
    }
}

bool sq_pin_call(sq_db *db, sq_pin *pin, uc_call *call, uc_buf *out,
                 uc_error *e)
{
    sq_conn *c = pin->conn;
    bool ok;

    if (c != NULL)
        sq_conn_enter(c, call, call->deadline);
    ok = on_pin(db, pin, call, out, e);
    if (c != NULL)
        sq_conn_leave(c);
    uc__lease_done(&db->e, &pin->l);
    return ok;
}
