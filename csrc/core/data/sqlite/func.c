#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/rows.h"
#include "wire/reader.h"
#include "wire/writer.h"

/*
 * User functions: run on the thread of the handle that made them, inside its
 * sync calls, and nowhere else. All handles of the file see the name; a
 * statement that comes to one of them on another thread gets an error.
 */
struct sq_function {
    struct sq_function *next;
    uc_peer *peer; /* NULL once its handle has gone */
    uc_fn_spec spec;
    char *name;
    uint64_t groups; /* numbers for the groups of an aggregate */
    uc_buf args;
};

static bool right_thread(sqlite3_context *ctx, const sq_function *f)
{
    if (f->peer != NULL && atomic_load(&f->peer->thread) == uc_thread_self())
        return true;
    sqlite3_result_error(ctx,
                         "user functions run on the sync API only (db.sync), "
                         "on the thread that made them",
                         -1);
    return false;
}

static void result(sqlite3_context *ctx, const uint8_t *p, size_t n)
{
    uc_reader r = {p, p + n};
    uc_value v;

    if (!uc_read(&r, &v)) {
        sqlite3_result_error(ctx, "the function's result could not be read",
                             -1);
        return;
    }
    switch (v.type) {
    case UC_T_NIL:
        sqlite3_result_null(ctx);
        break;
    case UC_T_BOOL:
        sqlite3_result_int(ctx, v.b);
        break;
    case UC_T_INT:
        sqlite3_result_int64(ctx, v.i);
        break;
    case UC_T_DOUBLE:
        sqlite3_result_double(ctx, v.d);
        break;
    case UC_T_STR:
        sqlite3_result_text64(ctx, (const char *)v.s.p, v.s.len,
                              SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case UC_T_BIN:
        sqlite3_result_blob64(ctx, v.s.p, v.s.len, SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_result_error(ctx, "a function returns one SQLite value", -1);
        break;
    }
}

static void invoke(sqlite3_context *ctx, int step, uint64_t group, int argc,
                   sqlite3_value **argv)
{
    sq_function *f = sqlite3_user_data(ctx);
    const uint8_t *reply = NULL;
    size_t n = 0;

    if (!right_thread(ctx, f))
        return;
    uc_buf_rewind(&f->args, 0);
    uc_pack_array(&f->args, (uint32_t)argc);
    for (int i = 0; i < argc; i++)
        sq_pack_value(&f->args, argv[i]);
    if (f->args.failed) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    if (!f->spec.call(f->spec.arg, step, group, f->args.p, f->args.len, &reply,
                      &n))
        sqlite3_result_error(ctx, (const char *)reply, (int)n);
    else if (step != UC_FN_STEP)
        result(ctx, reply, n);
}

static void on_call(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    invoke(ctx, UC_FN_CALL, 0, argc, argv);
}

static void on_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sq_function *f = sqlite3_user_data(ctx);
    uint64_t *group = sqlite3_aggregate_context(ctx, sizeof *group);

    if (group == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    if (*group == 0)
        *group = ++f->groups;
    invoke(ctx, UC_FN_STEP, *group, argc, argv);
}

static void on_final(sqlite3_context *ctx)
{
    uint64_t *group = sqlite3_aggregate_context(ctx, 0);

    invoke(ctx, UC_FN_FINAL, group != NULL ? *group : 0, 0, NULL);
}

static int install(sq_conn *c, sq_function *f)
{
    int flags = SQLITE_UTF8;

    if (f->spec.deterministic)
        flags |= SQLITE_DETERMINISTIC;
    /* The schema is not trusted: what it may call has to be said. */
    flags |= f->spec.direct_only ? SQLITE_DIRECTONLY : SQLITE_INNOCUOUS;
    return sqlite3_create_function_v2(
        c->h, f->name, f->spec.argc, flags, f,
        f->spec.aggregate ? NULL : on_call, f->spec.aggregate ? on_step : NULL,
        f->spec.aggregate ? on_final : NULL, NULL);
}

void sq_functions_install(sq_db *db, sq_conn *c)
{
    /* Readers serve async calls only: there the name stays unknown. */
    if (c->role == SQ_READER || c->role == SQ_KEEPER)
        return;
    uc_lock(&db->e.stmts.mu);
    for (sq_function *f = db->sql.functions; f != NULL; f = f->next)
        install(c, f);
    c->functions = atomic_load(&db->sql.functions_version);
    uc_unlock(&db->e.stmts.mu);
}

bool sq_function_known(sq_db *db, const char *name, size_t len)
{
    bool known = false;

    uc_lock(&db->e.stmts.mu);
    for (sq_function *f = db->sql.functions; f != NULL; f = f->next) {
        if (strlen(f->name) == len &&
            sqlite3_strnicmp(f->name, name, (int)len) == 0)
            known = true;
    }
    uc_unlock(&db->e.stmts.mu);
    return known;
}

bool sq_function_add(uc_peer *p, const uc_fn_spec *spec, const char **error)
{
    sq_db *db = sq_db_of(p->engine);
    sq_function *f, **q;
    int rc;

    f = uc_calloc(1, sizeof *f);
    if (f != NULL)
        f->name = uc_strndup(spec->name, strlen(spec->name));
    if (f == NULL || f->name == NULL) {
        uc_free(f);
        *error = "out of memory";
        return false;
    }
    f->peer = p;
    f->spec = *spec;
    uc_buf_init(&f->args, SIZE_MAX);
    uc_lock(&db->wconn_mu);
    rc = install(db->writer, f);
    uc_unlock(&db->wconn_mu);
    if (rc != SQLITE_OK) {
        *error = rc == SQLITE_BUSY
                     ? "the function is in use by a statement"
                     : "SQLite refused the function's name or argument count";
        uc_free(f->name);
        uc_free(f);
        return false;
    }
    uc_lock(&db->e.stmts.mu);
    for (q = &db->sql.functions; *q != NULL; q = &(*q)->next)
        ;
    *q = f; /* at the end: a later definition of a name wins */
    atomic_fetch_add(&db->sql.functions_version, 1);
    uc_unlock(&db->e.stmts.mu);
    return true;
}

void sq_functions_drop(sq_db *db, const uc_peer *p)
{
    sq_function *f;

    if (p != NULL) {
        /* Connections still point to it: it stays until the file closes. */
        for (f = db->sql.functions; f != NULL; f = f->next) {
            if (f->peer == p) {
                f->peer = NULL;
                if (f->spec.release != NULL)
                    f->spec.release(f->spec.arg);
                f->spec.release = NULL;
            }
        }
        return;
    }
    while (db->sql.functions != NULL) {
        f = db->sql.functions;
        db->sql.functions = f->next;
        if (f->spec.release != NULL)
            f->spec.release(f->spec.arg);
        uc_buf_fini(&f->args);
        uc_free(f->name);
        uc_free(f);
    }
}
