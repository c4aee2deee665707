#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "data/sqlite/wal.h"

/* What cannot be in a transaction of ours: between the groups it has the writer
 * for itself. */

bool sq_call_class(sq_db *db, uc_call *call, uc_class *cls, uc_error *e)
{
    uc_stmt *s = call->stmt;

    *cls = UC_CLASS_WRITE;
    if (s == NULL)
        return true;
    *cls = (uc_class)atomic_load(&s->cls);
    if (*cls == UC_CLASS_UNKNOWN) {
        if (!sq_classify(db->writer, s, e))
            return false;
        *cls = (uc_class)atomic_load(&s->cls);
    }
    return true;
}

static bool run_outside(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    sq_run done;
    bool ok;
    uint32_t shape;

    switch (call->op->num) {
    case UC_OP_restore:
        return sq_restore(c, call, out, e);
    case UC_OP_migrate_apply:
        return sq_migrate(c, call, out, e);
    case UC_OP_checkpoint:
        return sq_checkpoint(c, call, out, e);
    case UC_OP_backup_begin:
        return sq_backup_begin(c->db, call, out, e);
    case UC_OP_exec:
        return sq_exec(c, call, false, out, e);
    case UC_OP_many:
        return uc_fail(e, UC_SQL_TRANSACTION,
                       "VACUUM and pragmas that act on the file run on their "
                       "own: use db.run() or db.get()");
    default:
        if (!uc_read_u32(&r, &shape))
            return uc_fail(e, UC_FRAME, "%s takes a shape", call->op->name);
        ok = sq_execute(c, call->stmt, call->id, shape, &r, sq_mode_of(call),
                        out, &done, e);
        if (ok)
            sq_note_rows(call, &done);
        return ok;
    }
}

bool sq_alone(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    bool ok;

    sq_touch_clear(c->db);
    ok = run_outside(c, call, out, e);
    /* VACUUM, a restored file, a migration, of which some statements may have
     * been committed before one failed. */
    if (call->op->num != UC_OP_checkpoint &&
        call->op->num != UC_OP_backup_begin)
        sq_touch_all(c->db);
    sq_touch_commit(c->db, call->session);
    return ok;
}

bool sq_is_alone(sq_db *db, uc_call *call, uc_class cls)
{
    switch (call->op->num) {
    case UC_OP_restore:
    case UC_OP_migrate_apply:
    case UC_OP_checkpoint:
    case UC_OP_backup_begin:
        return true;
    case UC_OP_exec:
        return sq_script_alone(db->writer, call);
    default:
        return cls == UC_CLASS_ALONE;
    }
}
