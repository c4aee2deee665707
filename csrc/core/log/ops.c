#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/thread.h"
#include "desk/session.h"
#include "log/desk.h"
#include "log/note.h"
#include "log/spool.h"
#include "wire/writer.h"

/* The operations of the log, and what of them stands. */

enum {
    STANDING = 64, /* of a session */
    LEVEL_MAX = 1000000,
    FLUSH_MS = 30000, /* of a call without a deadline */
    STEP = 2 << 20,   /* of spools, while mu is held */
    LAST_STEP = 64 << 20
};

/* A session that has said which client it is. */
typedef struct peer {
    struct peer *next;
    struct uc_session *session; /* weak */
    uint8_t client[16];
    /* The first number that the ring had no room for, 0: none. What comes
     * behind it waits, or it would be taken for there already. */
    uint64_t hole;
} peer;

/* A call that has no answer yet. A flush is freed by its end alone, and has no
 * session when nobody waits for it any more. */
typedef struct stand {
    struct stand *next;
    uc_log_desk *desk;
    struct uc_session *session; /* weak */
    uint32_t id;
    bool flush;
    int64_t until; /* of a flush, in uc_now()'s terms */
} stand;

struct uc_log_desk {
    _Atomic uint32_t refs;
    _Atomic bool spooled; /* there may be spools to be taken in */
    uc_mutex mu;
    uc_log *log; /* NULL: it has ended */
    char *dir;
    bool spools; /* there is a place for them */
    uc_spools known;
    uint32_t level;
    uint64_t generation;
    peer *peers;
    stand *stands;
    uint64_t lost; /* lines that were too long, not counted yet */
    int64_t slow;  /* ns, 0: none is told; never changes */
};

typedef struct log_call {
    uc_log_desk *d;
    uc_call *call;
    uc_reader r;
    uc_buf *out;
    uc_error *e;
    bool may_stand, stands;
} log_call;

/* ---- life ---- */

uc_log_desk *uc_log_desk_new(uc_log *log, const char *dir)
{
    uc_log_desk *d = uc_calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->dir = uc_strndup(dir, strlen(dir));
    if (d->dir == NULL) {
        uc_free(d);
        return NULL;
    }
    atomic_init(&d->refs, 1);
    atomic_init(&d->spooled, true);
    uc_mutex_init(&d->mu);
    d->log = log;
    d->spools = uc_log_spool_init(dir);
    /* Not that of a daemon before this one. */
    d->generation = (uint64_t)uc_wall_ms();
    return d;
}

void uc_log_desk_ref(uc_log_desk *d)
{
    atomic_fetch_add(&d->refs, 1);
}

void uc_log_desk_unref(uc_log_desk *d)
{
    if (d == NULL || atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    uc_mutex_fini(&d->mu);
    uc_log_spools_forget(&d->known, NULL);
    uc_free(d->dir);
    uc_free(d);
}

static peer *peer_of(const uc_log_desk *d, const struct uc_session *s)
{
    peer *p = d->peers;

    while (p != NULL && p->session != s)
        p = p->next;
    return p;
}

/* ---- spools ---- */

static bool is_connected(void *arg, const uint8_t client[16])
{
    const uc_log_desk *d = arg;
    const peer *p = d->peers;

    while (p != NULL && memcmp(p->client, client, 16) != 0)
        p = p->next;
    return p != NULL;
}

/* Under mu: no client of this daemon is told meanwhile that it may shorten its
 * spool. True: there is more of them. */
static bool take_spools(uc_log_desk *d, const uint8_t *client, uint64_t budget)
{
    bool more = false;

    if (d->log != NULL && d->spools &&
        uc_log_spool_take(&d->known, d->log, d->dir, client, is_connected, d,
                          budget, &more, &d->lost) > 0)
        atomic_store(&d->spooled, true);
    return more;
}

static void tell_lost(uc_log_desk *d)
{
    if (d->lost == 0 || d->log == NULL)
        return;
    uc_log_lost(d->log, d->lost, true);
    d->lost = 0;
}

bool uc_log_desk_tick(uc_log_desk *d)
{
    bool more = false;

    uc_lock(&d->mu);
    if (atomic_exchange(&d->spooled, false))
        more = take_spools(d, NULL, STEP);
    tell_lost(d);
    uc_unlock(&d->mu);
    return more;
}

/* ---- what stands ---- */

static void publish(struct uc_session *s, uc_buf *out, size_t at, uint32_t id)
{
    uc__reply_close(out, at, id);
    uc__session_publish(s, out);
    uc_buf_fini(out);
}

static void answer_error(struct uc_session *s, uint32_t id, const uc_error *e)
{
    uc_buf out;
    size_t at;

    uc_buf_init(&out, SIZE_MAX);
    at = uc__reply_open(&out);
    uc_reply_error(&out, id, e);
    publish(s, &out, at, id);
}

static void pack_level(const uc_log_desk *d, uint32_t id, uc_buf *out)
{
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 2);
    uc_pack_uint(out, d->level);
    uc_pack_uint(out, d->generation);
}

static void tell_level(uc_log_desk *d)
{
    stand **link = &d->stands;

    while (*link != NULL) {
        stand *w = *link;
        uc_buf out;
        size_t at;

        if (w->flush) {
            link = &w->next;
            continue;
        }
        *link = w->next;
        uc_buf_init(&out, SIZE_MAX);
        at = uc__reply_open(&out);
        pack_level(d, w->id, &out);
        publish(w->session, &out, at, w->id);
        uc_free(w);
    }
}

static stand *stand_new(log_call *w, bool flush)
{
    uc_log_desk *d = w->d;
    unsigned n = 0;
    stand *s;

    for (s = d->stands; s != NULL; s = s->next)
        n += s->session == w->call->session;
    if (n >= STANDING) {
        uc_fail(w->e, UC_BUSY, "%d calls of this connection stand already",
                STANDING);
        return NULL;
    }
    s = uc_malloc(sizeof *s);
    if (s == NULL) {
        uc_fail(w->e, UC_MEMORY, "no memory for a call that stands");
        return NULL;
    }
    *s = (stand){.next = d->stands,
                 .desk = d,
                 .session = w->call->session,
                 .id = w->call->id,
                 .flush = flush};
    d->stands = s;
    w->stands = true;
    return s;
}

/* Takes those of a session away (id 0: all); e: their answer, or NULL. */
static void dismiss(uc_log_desk *d, struct uc_session *s, uint32_t id,
                    const uc_error *e)
{
    stand **link = &d->stands;

    while (*link != NULL) {
        stand *w = *link;

        if (w->session != s || (id != 0 && w->id != id)) {
            link = &w->next;
            continue;
        }
        if (e != NULL)
            answer_error(s, w->id, e);
        if (w->flush) {
            w->session = NULL;
            link = &w->next;
        } else {
            *link = w->next;
            uc_free(w);
        }
    }
}

static void why_not_flushed(uc_log_desk *d, const stand *w, uc_error *e)
{
    uc_log_stats s = {0};

    if (d->log != NULL && uc_now() < w->until)
        uc_log_stats_get(d->log, &s);
    if (s.error[0] != '\0')
        uc_fail(e, UC_LOG_IO, "the log could not be flushed: %s", s.error);
    else
        uc_fail(e, UC_TIMEOUT,
                "the log could not be written before the deadline; what it "
                "has taken it keeps");
}

/* On the log's thread, or at once where memory ran out. */
static void on_flushed(void *arg, bool ok)
{
    stand *w = arg;
    uc_log_desk *d = w->desk;
    stand **link;

    uc_lock(&d->mu);
    for (link = &d->stands; *link != w; link = &(*link)->next)
        ;
    *link = w->next;
    if (w->session != NULL && ok) {
        uc_buf out;
        size_t at;

        uc_buf_init(&out, SIZE_MAX);
        at = uc__reply_open(&out);
        uc_reply_begin(&out, w->id, UC_REPLY_VALUE, 3);
        uc_pack_nil(&out);
        publish(w->session, &out, at, w->id);
    } else if (w->session != NULL) {
        uc_error e = {0};

        why_not_flushed(d, w, &e);
        answer_error(w->session, w->id, &e);
    }
    uc_unlock(&d->mu);
    uc_free(w);
    uc_log_desk_unref(d);
}

/* ---- operations ---- */

static bool takes(log_call *w, const char *what)
{
    return uc_fail(w->e, UC_FRAME, "%s takes %s", w->call->op->name, what);
}

static bool open_log(log_call *w)
{
    uc_log_desk *d = w->d;
    peer *p = peer_of(d, w->call->session);
    uc_value v;

    if (!uc_read(&w->r, &v) || v.type != UC_T_BIN || v.s.len != 16)
        return takes(w, "the client's id, a bin of 16 bytes");
    if (p == NULL) {
        p = uc_calloc(1, sizeof *p);
        if (p == NULL)
            return uc_fail(w->e, UC_MEMORY, "no memory for a client");
        p->session = w->call->session;
        p->next = d->peers;
        d->peers = p;
    }
    memcpy(p->client, v.s.p, 16);
    uc_log_spools_forget(&d->known, p->client);
    p->hole = 0;
    uc_reply_begin(w->out, w->call->id, UC_REPLY_VALUE, 3);
    uc_pack_array(w->out, 4);
    uc_pack_uint(w->out, uc_log_seen(d->log, p->client));
    uc_pack_uint(w->out, d->level);
    uc_pack_uint(w->out, d->generation);
    if (d->spools)
        uc_pack_str(w->out, d->dir);
    else
        uc_pack_nil(w->out);
    return true;
}

static bool put(log_call *w)
{
    uc_log_desk *d = w->d;
    peer *p = peer_of(d, w->call->session);
    uint64_t last;
    uint32_t count, n = 0;
    uc_value v;

    if (p == NULL)
        return uc_fail(w->e, UC_FRAME, "log_put comes after log_open");
    if (!uc_read_u64(&w->r, &last) || !uc_read_u32(&w->r, &count) ||
        !uc_read(&w->r, &v) || v.type != UC_T_BIN)
        return takes(w, "the last number, how many lines, and the lines");
    for (const uint8_t *s = v.s.p, *end = s + v.s.len; s < end; n++) {
        s = memchr(s, '\n', (size_t)(end - s));
        if (s == NULL)
            return takes(w, "whole lines, each with its \\n");
        s++;
    }
    if (n == 0 || n != count || last < count || last > (uint64_t)INT64_MAX)
        return takes(w, "as many lines as it says, numbered from 1 on");
    if (p->hole != 0 && last - count + 1 > p->hole)
        return uc_fail(w->e, UC_BUSY,
                       "lines before these have found no room: repeat them "
                       "first");
    if (!uc_log_take(d->log, p->client, last, count, v.s.p, v.s.len,
                     &d->lost)) {
        p->hole = last - count + 1;
        return uc_fail(w->e, UC_BUSY, "the log's ring is full");
    }
    p->hole = 0;
    uc_reply_begin(w->out, w->call->id, UC_REPLY_VALUE, 3);
    uc_pack_uint(w->out, last);
    return true;
}

static bool level(log_call *w)
{
    uc_log_desk *d = w->d;
    uc_value v;

    if (!uc_read(&w->r, &v) ||
        (v.type != UC_T_NIL &&
         (v.type != UC_T_INT || v.i < 0 || v.i > LEVEL_MAX)))
        return takes(w, "a level from 0 (each has its own) to 1000000, or nil");
    if (v.type == UC_T_INT && (uint32_t)v.i != d->level) {
        d->level = (uint32_t)v.i;
        d->generation++;
        tell_level(d);
    }
    pack_level(d, w->call->id, w->out);
    return true;
}

static bool watch(log_call *w)
{
    uint64_t generation;

    if (!uc_read_u64(&w->r, &generation))
        return takes(w, "the generation that is known");
    if (generation != w->d->generation) {
        pack_level(w->d, w->call->id, w->out);
        return true;
    }
    if (!w->may_stand || w->call->id == 0)
        return uc_fail(w->e, UC_BUSY, "log_watch would have to stand");
    return stand_new(w, false) != NULL;
}

/* The mutex is free while the log is asked: it may answer at once. */
static bool flush(log_call *w)
{
    uc_log_desk *d = w->d;
    int64_t until = w->call->deadline;
    stand *s;
    bool sync;

    if (!uc_read_bool(&w->r, &sync))
        return takes(w, "a flag: to be on the disk as well");
    if (!w->may_stand || w->call->id == 0)
        return uc_fail(w->e, UC_BUSY, "log_flush would have to stand");
    s = stand_new(w, true);
    if (s == NULL)
        return false;
    if (until == 0)
        until = uc_now() + FLUSH_MS * UC_MS;
    s->until = until;
    uc_log_desk_ref(d);
    uc_unlock(&d->mu);
    uc_log_on_flushed(d->log, sync, on_flushed, s, until);
    uc_lock(&d->mu);
    return true;
}

static void number(uc_buf *b, const char *name, uint64_t n)
{
    uc_pack_str(b, name);
    uc_pack_uint(b, n);
}

static void truth(uc_buf *b, const char *name, bool v)
{
    uc_pack_str(b, name);
    uc_pack_bool(b, v);
}

static bool stats(log_call *w)
{
    uc_log_stats s = {0};
    uc_buf *b = w->out;
    uint32_t clients = 0;

    uc_log_stats_get(w->d->log, &s);
    for (const peer *p = w->d->peers; p != NULL; p = p->next)
        clients++;
    uc_reply_begin(b, w->call->id, UC_REPLY_VALUE, 3);
    uc_pack_map(b, 17);
    uc_pack_str(b, "dir");
    uc_pack_str(b, w->d->dir);
    truth(b, "owner", s.owner);
    truth(b, "volatileRing", s.volatile_ring);
    truth(b, "stalled", s.stalled);
    number(b, "lines", s.lines);
    number(b, "bytes", s.bytes);
    number(b, "dropped", s.dropped);
    number(b, "blocked", s.blocked);
    number(b, "ringBytes", s.ring_bytes);
    number(b, "ringUsed", s.ring_used);
    number(b, "files", s.files);
    number(b, "archived", s.archived);
    number(b, "deleted", s.deleted);
    number(b, "unreadable", s.unreadable);
    number(b, "clients", clients);
    number(b, "level", w->d->level);
    uc_pack_str(b, "error");
    uc_pack_str(b, s.error);
    return true;
}

static bool run(log_call *w)
{
    if (w->d->log == NULL)
        return uc_fail(w->e, UC_CLOSED, "the log is closed");
    switch (w->call->op->num) {
    case UC_OP_log_open:
        return open_log(w);
    case UC_OP_log_put:
        return put(w);
    case UC_OP_log_level:
        return level(w);
    case UC_OP_log_watch:
        return watch(w);
    case UC_OP_log_flush:
        return flush(w);
    case UC_OP_log_stats:
        return stats(w);
    default:
        return uc_fail(w->e, UC_INTERNAL, "operation %s is not the log's",
                       w->call->op->name);
    }
}

bool uc_log_call(uc_call *call, bool may_stand, uc_buf *out)
{
    uc_error e;
    size_t at = out->len;
    log_call w = {.d = call->session->desk,
                  .call = call,
                  .r = call->args,
                  .out = out,
                  .e = &e,
                  .may_stand = may_stand};

    uc_error_init(&e);
    if (w.d == NULL) {
        uc_fail(&e, UC_NO_LOG, "there is no log here (a daemon's --log-dir)");
    } else {
        uc_lock(&w.d->mu);
        run(&w);
        uc_unlock(&w.d->mu);
    }
    if (e.code != NULL) {
        uc_buf_rewind(out, at);
        e.outcome = "not-run";
        uc_reply_error(out, call->id, &e);
        return true;
    }
    return !w.stands;
}

/* ---- slow statements ---- */

void uc_log_desk_slow(uc_log_desk *d, int64_t ns)
{
    d->slow = ns;
}

void uc_log_slow(const uc_call *call, uc_view sql)
{
    uc_log_desk *d = call->session->desk;
    int64_t ns;

    if (d == NULL || d->slow == 0)
        return;
    ns = uc_now() - call->batch->t0;
    if (ns < d->slow)
        return;
    uc_lock(&d->mu);
    if (d->log != NULL)
        uc_log_note_slow(d->log, call, sql, ns);
    uc_unlock(&d->mu);
}

/* ---- ends ---- */

void uc_log_cancel(struct uc_session *s, uint32_t id, bool timed_out)
{
    uc_log_desk *d = s->desk;
    uc_error e = {0};

    if (d == NULL)
        return;
    if (timed_out)
        uc_fail(&e, UC_TIMEOUT, "the call's deadline passed");
    else
        uc_fail(&e, UC_ABORTED, "the call was aborted");
    e.outcome = "not-run";
    uc_lock(&d->mu);
    dismiss(d, s, id, &e);
    uc_unlock(&d->mu);
}

void uc_log_session_close(struct uc_session *s)
{
    uc_log_desk *d = s->desk;
    uc_error e = {0};

    if (d == NULL)
        return;
    uc_fail(&e, UC_CLOSED, "the store is closed");
    e.outcome = "not-run";
    uc_lock(&d->mu);
    dismiss(d, s, 0, &e);
    uc_unlock(&d->mu);
}

void uc_log_session_end(struct uc_session *s)
{
    uc_log_desk *d = s->desk;
    peer **link, *p;

    if (d == NULL)
        return;
    uc_lock(&d->mu);
    dismiss(d, s, 0, NULL);
    link = &d->peers;
    while (*link != NULL && (*link)->session != s)
        link = &(*link)->next;
    p = *link;
    if (p != NULL) {
        *link = p->next;
        take_spools(d, p->client, STEP);
        tell_lost(d);
        uc_free(p);
    }
    uc_unlock(&d->mu);
}

void uc_log_desk_end(uc_log_desk *d)
{
    uc_lock(&d->mu);
    take_spools(d, NULL, LAST_STEP);
    tell_lost(d);
    d->log = NULL;
    uc_unlock(&d->mu);
}
