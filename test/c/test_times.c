/* The times of a request with @repeat: whether those that were given again and
 * those that ran are of the same data. */
#include <sqlite3.h>
#include <unistd.h>

#include "client.h"
#include "common/clock.h"
#include "data/sqlite/db.h"
#include "data/sqlite/reads.h"
#include "data/sqlite/times.h"
#include "desk/session.h"
#include "tap.h"

enum { FREE_MS = 30000 }; /* until nobody is at the writer's connection */

/* A request of a route that reads the table t, on a connection that reads. */
static uc_route route = {.is_public = true};
static uc_route_set set = {.number = 1};
static uc_routed routed = {.set = &set};
static uc_call call = {.routed = &routed};
static sq_conn conn = {.role = SQ_READER};
static sq_tag tag;
static sq_known *known;

static void begin(sq_db *db)
{
    known = calloc(1, sizeof *known + sizeof *known->tables);
    known->each = true;
    known->n = 1;
    known->tables[0].name = "t";
    atomic_store(&known->tables[0].id, -1);
    route.reads = known;
    routed.q.route = &route;
    conn.db = db;
    sq_fresh_want(db);
}

/* What the file has now is what is given. */
static bool take(void)
{
    int64_t until = uc_now() + FREE_MS * UC_MS;

    sq_tag_fini(&tag);
    do {
        sq_fresh_at(conn.db, &conn.moment);
    } while (conn.moment.gen == 0 && uc_now() < until && usleep(1000) == 0);
    atomic_store(&known->schema, conn.moment.schema);
    atomic_store(&known->tried, conn.moment.schema);
    sq_tag_begin(&tag, &conn, &call);
    return tag.each && !tag.known;
}

static bool agree(bool given, bool ran)
{
    sq_times s = {.on = true, .given = given, .ran = ran};

    return sq_times_agree(&s, &conn, &call, &tag);
}

/* Nobody knows while somebody is at the writer's connection. */
static bool agree_soon(void)
{
    int64_t until = uc_now() + FREE_MS * UC_MS;

    while (!agree(true, true)) {
        if (uc_now() > until)
            return false;
        usleep(1000);
    }
    return true;
}

/* Not because it could not be told. */
static bool differ(void)
{
    int64_t until = uc_now() + FREE_MS * UC_MS;
    bool sure;

    while (!(sure = sq_fresh_is_sure(conn.db)) && uc_now() < until)
        usleep(1000);
    return sure && !agree(true, true);
}

static void elsewhere(const char *path, const char *sql)
{
    sqlite3 *other;

    ok(sqlite3_open(path, &other) == SQLITE_OK &&
           sqlite3_busy_timeout(other, FREE_MS) == SQLITE_OK &&
           sqlite3_exec(other, sql, NULL, NULL, NULL) == SQLITE_OK,
       sql);
    sqlite3_close(other);
}

int main(void)
{
    const char *path = scratch_file("times.db");
    client *c = client_open(path, NULL);

#define run(sql) client_ask(c, UC_OP_exec, "n s", sql)
    run("create table t(a); create table other(a)");
    begin(sq_db_of(c->session->peer->engine));
    run("insert into t values (1)");

    ok(take(), "what the file has now");
    ok(agree_soon(), "nobody has written");
    run("insert into other values (1)");
    ok(agree_soon(), "another table is none of theirs");
    run("insert into t values (2)");
    ok(differ(), "a row of theirs");
    ok(agree(true, false), "all of them were given: they are of that data");
    ok(agree(false, true), "all of them ran: they are of one snapshot");
    ok(agree(false, false), "there were none");

    ok(take() && agree_soon(), "from the beginning");
    elsewhere(path, "insert into other values (2)");
    ok(differ(), "of what others write nobody knows the table");
    ok(take() && agree_soon(), "once more");
    run("alter table other add column b");
    ok(differ(), "by another schema they may read another table");
    ok(take() && agree_soon(), "and once more");

    sq_tag_fini(&tag);
    client_close(c);
    free(known);
    return tap_end();
}
