/*
 * Bytes as what a server of PostgreSQL sends. An input is a byte of flags (bits
 * 0 and 1: a connection for reads, one for writes whose commits a barrier
 * flushes, one whose commits are flushed one by one, one that is not let in
 * yet; bit 2: two batches instead of one), a byte that chooses the calls which
 * wait, a byte that says how many of the bytes come first, and the bytes.
 *
 * Whatever comes, the calls end, and nothing is read that is not there. Nobody
 * is behind the session: its replies are made and dropped.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "data/pg/feed.h"
#include "desk/op.h"
#include "wire/writer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 6 };

static pg_db db;
static uc_session session;
static uc_peer peer;
static uc_call calls[CALLS];

/* What each place among the calls asks for. */
static const struct {
    uint32_t op;
    const char *sql;
    uint8_t args[12];
    size_t nargs;
} asks[] = {
    {UC_OP_get, "select a from t", {0, 0x90}, 2},
    {UC_OP_all, "select * from t", {0, 0x90}, 2},
    {UC_OP_json, "select * from t", {0, 0x90}, 2},
    {UC_OP_run, "insert into t values (1)", {0, 0x90}, 2},
    {UC_OP_run, "update t set a = ?", {0, 0x91, 7}, 3},
    {UC_OP_all, "insert into u values (1) returning *", {0, 0x90}, 2},
    {UC_OP_many,
     "insert into t values (?)",
     {0xc0, 0xc2, 0x92, 0x91, 1, 0x91, 2},
     7},
    {UC_OP_exec, NULL, {0xa8, 's', 'e', 'l', 'e', 'c', 't', ' ', '1'}, 9},
    {UC_OP_health, NULL, {0}, 0},
};
enum { ASKS = sizeof asks / sizeof *asks };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char address[] =
        "postgres://user:secret@127.0.0.1:1/db?sslmode=disable";
    uc_error e;

    (void)argc;
    (void)argv;
    uc_mutex_init(&db.e.mu);
    uc_mutex_init(&session.mu);
    uc__stmts_init(&db.e.stmts, 64);
    db.e.state = UC_OPEN;
    db.epoll = db.bell = -1;
    db.names = pg_names_new(-1, NULL);
    if (!pg_feed_init(&db) ||
        !uc_options_read(&db.e.opt, (uc_view){asks[0].args, 0}, &e) ||
        !pg_info_read(&db.info, address, &e) || db.names == NULL)
        abort();
    db.label = pg_info_label(&db.info);
    db.e.opt.max_bytes = 1 << 20; /* of a row, too */
    db.e.opt.max_rows = 1000;
    session.refs = 1;
    session.dead = true;
    session.peer = &peer;
    peer.engine = &db.e;
    peer.session = &session;
    return 0;
}

/* Half of the bytes of a chooser name the calls, from a place that the others
 * choose. */
static void put_calls(pg_conn *c, uint8_t choice, bool durable)
{
    for (uint32_t i = 0; i < CALLS / 2; i++) {
        uint32_t k = (choice >> 3 * (i & 1) ^ i * 3) % ASKS;
        uc_call *call = NULL;

        for (uint32_t j = 0; j < CALLS && call == NULL; j++) {
            if (calls[j].op == NULL)
                call = &calls[j];
        }
        if (call == NULL)
            return;
        memset(call, 0, sizeof *call);
        call->session = &session;
        call->op = uc_op_find(asks[k].op);
        call->id = k + 1;
        call->args = (uc_reader){asks[k].args, asks[k].args + asks[k].nargs};
        if (asks[k].sql != NULL)
            call->stmt =
                uc__stmt_get(&db.e.stmts, asks[k].sql, strlen(asks[k].sql));
        call->wseq = c->role == PG_WRITER;
        pg_run(c, call);
    }
    if (c->batch > 0)
        pg_sync(c, durable);
}

/* Those that would be sent once more are not. */
static void end_again(void)
{
    uc_call *call;

    while ((call = uc_calls_pop(&db.again)) != NULL)
        uc__finish(call);
    while ((call = uc_calls_pop(&db.e.q.writes)) != NULL)
        uc__finish(call);
}

static pg_conn *connection(uint8_t flags, int fd)
{
    static const pg_role roles[] = {PG_READER, PG_WRITER, PG_WRITER, PG_READER};
    pg_conn *c = pg_conn_new(&db, roles[flags & 3]);

    if (c == NULL)
        abort();
    c->fd = fd;
    c->next = db.conns;
    db.conns = c;
    db.nconns++;
    c->pid = c->facts.pid = 7;
    c->flushes = (flags & 3) != 1;
    c->phase = PG_READY;
    if ((flags & 3) == 3) {
        pg_greet(c);
        c->role = flags & 8 ? PG_WRITER : flags & 16 ? PG_PINNED : PG_READER;
    }
    return c;
}

static void feed(pg_conn *c, int fd, const uint8_t *p, size_t n)
{
    if (c->phase == PG_DEAD)
        return;
    if (n > 0 && send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
        abort();
    pg_conn_receive(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t first;
    int ends[2];
    pg_conn *c;

    if (size < 3 || size > 60000 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return 0;
    for (uint32_t i = 0; i < db.nstmts; i++) {
        if (db.stmts[i] != NULL)
            pg_stmt_forget(db.stmts[i]);
    }
    memset(calls, 0, sizeof calls);
    c = connection(data[0], ends[0]);
    if ((data[0] & 3) != 3) {
        put_calls(c, data[1], (data[0] & 3) == 2);
        if (data[0] & 4)
            put_calls(c, data[1] >> 2, true);
        if ((data[0] & 3) == 1) {
            pg_execute(c, "uc_barrier");
            pg_sync(c, true);
        }
    }
    first = data[2] < size - 3 ? data[2] : size - 3;
    feed(c, ends[1], data + 3, first);
    feed(c, ends[1], data + 3 + first, size - 3 - first);
    shutdown(ends[1], SHUT_WR);
    if (c->phase != PG_DEAD)
        pg_conn_receive(c);
    if (c->phase != PG_DEAD) /* nothing more will come */
        abort();
    pg_lost(&db);
    end_again();
    if (db.nflights != 0 || db.nconns != 0)
        abort(); /* a call that has not ended */
    db.unnamed = db.serial = false;
    db.strange = 0;
    db.fails = 0;
    db.singly = 0;
    close(ends[1]);
    return 0;
}
