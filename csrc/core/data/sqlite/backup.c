#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/sqlite/db.h"
#include "data/sqlite/pin.h"
#include "wire/writer.h"

/*
 * Online backup (sqlite.org/backup.html) in steps that the client asks for. A
 * snapshot is held from begin to end, so writers neither disturb it nor make
 * it start over. The copy grows beside its target and takes its name only
 * when it is whole and on the disk.
 */

static bool path_arg(uc_reader *r, char **out, uc_error *e)
{
    uc_view v;

    *out = NULL;
    if (!uc_read_str(r, &v) || v.len == 0 || memchr(v.p, 0, v.len) != NULL)
        return uc_fail(e, UC_BACKUP, "expected the path of a file");
    *out = uc_strndup((const char *)v.p, v.len);
    if (*out == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a path");
    return true;
}

static bool dest_error(sqlite3 *h, const char *what, const char *path,
                       uc_error *e)
{
    int rc = h != NULL ? sqlite3_extended_errcode(h) : SQLITE_NOMEM;

    uc_fail(e, UC_BACKUP, "%s %.300s: %s", what, path,
            h != NULL ? sqlite3_errmsg(h) : "out of memory");
    e->native = rc;
    return false;
}

static void abandon(sq_pin *p)
{
    if (p->backup != NULL)
        sqlite3_backup_finish(p->backup);
    if (p->dest != NULL)
        sqlite3_close(p->dest);
    if (p->part_path != NULL)
        unlink(p->part_path);
    uc_free(p->part_path);
    uc_free(p->dest_path);
    p->backup = NULL;
    p->dest = NULL;
    p->part_path = p->dest_path = NULL;
}

static bool sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* The copy is complete: to the disk, then to its name. */
static bool complete(sq_pin *p, uc_error *e)
{
    char *slash;
    bool ok;

    sqlite3_backup_finish(p->backup);
    p->backup = NULL;
    if (sqlite3_close(p->dest) != SQLITE_OK)
        return uc_fail(e, UC_BACKUP, "the copy could not be closed");
    p->dest = NULL;
    if (!sync_path(p->part_path, O_RDWR) ||
        rename(p->part_path, p->dest_path) != 0)
        return uc_fail(e, UC_BACKUP, "%.300s: %s", p->dest_path,
                       strerror(errno));
    slash = strrchr(p->dest_path, '/');
    if (slash != NULL && slash != p->dest_path)
        *slash = '\0';
    ok = sync_path(slash == NULL           ? "."
                   : slash == p->dest_path ? "/"
                                           : p->dest_path,
                   O_RDONLY | O_DIRECTORY);
    uc_free(p->part_path);
    p->part_path = NULL;
    return ok || uc_fail(e, UC_BACKUP, "the folder could not be synced: %s",
                         strerror(errno));
}

static bool start(sq_pin *p, sq_conn *from, uc_call *call, uc_error *e)
{
    uc_reader r = call->args;
    size_t n;

    p->drop = abandon;
    if (!path_arg(&r, &p->dest_path, e) || p->dest_path == NULL)
        return false;
    n = strlen(p->dest_path) + 16;
    p->part_path = uc_malloc(n);
    if (p->part_path == NULL)
        return uc_fail(e, UC_MEMORY, "no memory for a path");
    snprintf(p->part_path, n, "%s.partial", p->dest_path);
    unlink(p->part_path);
    if (sqlite3_open_v2(p->part_path, &p->dest,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                            SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return dest_error(p->dest, "cannot write", p->part_path, e);
    /* The file is synced once, at the end. */
    sqlite3_exec(p->dest, "pragma synchronous=off; pragma journal_mode=off",
                 NULL, NULL, NULL);
    p->backup = sqlite3_backup_init(p->dest, "main", from->h, "main");
    if (p->backup == NULL)
        return dest_error(p->dest, "cannot write", p->part_path, e);
    return true;
}

/* For :memory:, whose one connection cannot be held: at one go. */
static bool at_once(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    sq_pin p = {0};
    bool ok = start(&p, db->writer, call, e);

    if (ok && sqlite3_backup_step(p.backup, -1) != SQLITE_DONE)
        ok = dest_error(p.dest, "cannot write", p.part_path, e);
    ok = ok && complete(&p, e);
    abandon(&p);
    if (ok) {
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_nil(out);
    }
    return ok;
}

bool sq_backup_begin(sq_db *db, uc_call *call, uc_buf *out, uc_error *e)
{
    sq_pin *p;
    bool ok;

    if (db->memory)
        return at_once(db, call, out, e);
    p = sq_pin_make(db, call->session, UC_LEASE_BACKUP, e);
    if (p == NULL)
        return false;
    ok = start(p, p->conn, call, e);
    if (ok) {
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_uint(out, p->l.id);
    }
    /* Without a reply nobody learns its number, and so nobody would end it. */
    if (!ok || out->failed) {
        abandon(p);
        p->l.dead = true;
    }
    uc__lease_done(&db->e, &p->l);
    return ok;
}

bool sq_backup_step(sq_pin *p, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    uint64_t id, pages;
    int rc, left, total;
    bool ok = true;

    if (p->backup == NULL)
        return uc_fail(e, UC_CLOSED, "the backup has ended");
    if (!uc_read_u64(&r, &id) || !uc_read_u64(&r, &pages) || pages == 0 ||
        pages > INT32_MAX)
        return uc_fail(e, UC_FRAME, "backup_step takes [id, pages]");
    rc = sqlite3_backup_step(p->backup, (int)pages);
    left = sqlite3_backup_remaining(p->backup);
    total = sqlite3_backup_pagecount(p->backup);
    if (rc == SQLITE_DONE) {
        left = 0;
        ok = complete(p, e);
        p->l.dead = true;
    } else if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED) {
        ok = dest_error(p->dest, "cannot write", p->part_path, e);
        p->l.dead = true;
    } else if (left == 0) {
        left = 1; /* busy before the first page: not finished */
    }
    if (!ok) {
        abandon(p);
        return false;
    }
    uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 2);
    uc_pack_int(out, left);
    uc_pack_int(out, total);
    return true;
}

/* A file that is to replace everything had better be one. */
static bool sound(sqlite3 *h, const char *path, uc_error *e)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = false;

    if (sqlite3_prepare_v2(h, "pragma quick_check(1)", -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        ok = strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    sqlite3_finalize(stmt);
    if (!ok)
        uc_fail(e, UC_BACKUP, "%.300s is not a sound database: %s", path,
                sqlite3_errmsg(h));
    return ok;
}

/* How h's database stores text: 'UTF-8', 'UTF-16le', 'UTF-16be'. */
static bool encoding_of(sqlite3 *h, char name[16])
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(h, "pragma encoding", -1, &stmt, NULL) ==
                  SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_ROW;

    if (ok)
        snprintf(name, 16, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return ok;
}

/* Connections that are open read text as the database they were opened on has
 * it: none of them could read another one after the restore. */
static bool same_encoding(sqlite3 *to, sqlite3 *from, const char *path,
                          uc_error *e)
{
    char here[16], there[16];

    if (!encoding_of(to, here) || !encoding_of(from, there))
        return uc_fail(e, UC_BACKUP, "cannot tell the text encoding of %.300s",
                       path);
    if (strcmp(here, there) == 0)
        return true;
    return uc_fail(e, UC_BACKUP,
                   "%.300s stores text as %s and this database as %s: a "
                   "restore needs the same",
                   path, there, here);
}

bool sq_restore(sq_conn *c, uc_call *call, uc_buf *out, uc_error *e)
{
    uc_reader r = call->args;
    sqlite3 *from = NULL;
    sqlite3_backup *b = NULL;
    char *path;
    bool ok = path_arg(&r, &path, e);
    int rc = SQLITE_OK;

    if (ok &&
        sqlite3_open_v2(path, &from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        ok = dest_error(from, "cannot read", path, e);
    ok = ok && sound(from, path, e) && same_encoding(c->h, from, path, e);
    if (ok) {
        /* Cached statements would hold the target. */
        b = sqlite3_backup_init(c->h, "main", from, "main");
        if (b == NULL) {
            ok = false;
            sq_fail(c, sqlite3_extended_errcode(c->h), e);
        }
    }
    if (b != NULL) {
        int64_t until = uc_now() + c->db->e.opt.busy_ms * UC_MS;

        sq_conn_wait(c, until);
        do {
            int64_t now;

            rc = sqlite3_backup_step(b, -1);
            now = uc_now();
            if ((rc == SQLITE_BUSY || rc == SQLITE_LOCKED) && now < until) {
                usleep(1000);
                c->waited += uc_now() - now;
            }
        } while ((rc == SQLITE_BUSY || rc == SQLITE_LOCKED) &&
                 uc_now() < until);
        sqlite3_backup_finish(b);
        if (rc != SQLITE_DONE) {
            ok = false;
            sq_fail(c, rc, e);
            if (rc == SQLITE_READONLY)
                uc_fail(e, UC_BACKUP,
                        "%.300s has another page size than this database: a "
                        "restore needs the same",
                        path);
        }
    }
    sqlite3_close(from);
    uc_free(path);
    if (ok) {
        uc_reply_begin(out, call->id, UC_REPLY_VALUE, 3);
        uc_pack_nil(out);
    }
    return ok;
}
