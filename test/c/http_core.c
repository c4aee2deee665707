#include "http_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/thread.h"
#include "log/note.h"
#include "uc.h"
#include "wire/answer.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { WORD = 64, MOST = 4096 };

/* ---- the log, of which there is none ---- */

void uc_log_note_with(uc_log *log, int level, const char *name,
                      const char *fields, const char *msg)
{
    (void)log;
    (void)level;
    (void)name;
    (void)fields;
    (void)msg;
}

void uc_log_lost(uc_log *log, uint64_t nlines, bool too_long)
{
    (void)log;
    (void)nlines;
    (void)too_long;
}

/* ---- the core ---- */

struct uc_session {
    uc_wake_fn *wake;
    void *arg;
    uc_buf replies; /* each with its length */
    bool told;
};

/* A request that waits for its answer. */
typedef struct waiting {
    uc_session *s;
    uint32_t id;
    uint32_t body; /* bytes */
    char target[WORD];
} waiting;

typedef struct waitings {
    waiting at[MOST];
    unsigned n;
} waitings;

/* All of the core, under one mutex. */
static uc_mutex core_mu = UC_MUTEX_INIT;
static uc_cond core_cond;
static uc_thread clerk;
static waitings submitted, later, slow;
static unsigned sessions;
static bool core_ends;

size_t uc_cache_sync(uc_session *s, const uint8_t *frame, size_t len,
                     uint8_t *dst, size_t cap)
{
    (void)s;
    (void)frame;
    (void)len;
    (void)dst;
    (void)cap;
    return 0;
}

uc_session *uc_session_beside(const uc_session *of, uc_wake_fn *wake, void *arg)
{
    uc_session *s = calloc(1, sizeof *s);

    (void)of;
    s->wake = wake;
    s->arg = arg;
    uc_buf_init(&s->replies, SIZE_MAX);
    uc_lock(&core_mu);
    sessions++;
    uc_unlock(&core_mu);
    return s;
}

/* What belonged to it is for nobody. */
static void forget(waitings *w, const uc_session *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n; i++) {
        if (w->at[i].s != s)
            w->at[n++] = w->at[i];
    }
    w->n = n;
}

void uc_session_destroy(uc_session *s)
{
    uc_lock(&core_mu);
    forget(&submitted, s);
    forget(&later, s);
    forget(&slow, s);
    sessions--;
    uc_unlock(&core_mu);
    uc_buf_fini(&s->replies);
    free(s);
}

bool begins(const char *text, const char *front)
{
    return strncmp(text, front, strlen(front)) == 0;
}

/* core_mu is held. */
static void answer(const waiting *w)
{
    uc_buf *b = &w->s->replies;
    size_t at = b->len, body;
    const char *word = strchr(w->target + 1, '/');
    bool bad = strcmp(w->target, "/bad") == 0;
    char length[16];
    uint32_t n;

    snprintf(length, sizeof length, "%u", w->body);
    if (word == NULL || strcmp(w->target, "/length") == 0)
        word = strcmp(w->target, "/length") == 0 ? length : "";
    else
        word++;
    uc_buf_put(b, "0000", 4);
    body = uc_answer_begin(b, w->id, 200, (uc_view){(const uint8_t *)"", 0});
    uc_buf_put(b, word, strlen(word));
    uc_answer_end(b, body, bad);
    if (bad) {
        uc_pack_str(b, "x-a");
        uc_pack_str(b, "a\r\nb: c");
    }
    n = (uint32_t)(b->len - at - 4);
    memcpy(b->p + at, &n, 4);
    if (!w->s->told) {
        w->s->told = true;
        w->s->wake(w->s->arg);
    }
}

static void put(waitings *to, const waiting *w)
{
    if (to->n == MOST)
        abort();
    to->at[to->n++] = *w;
    uc_cond_broadcast(&core_cond);
}

/* [91, id, meta, set, method, target, headers, body, facts] */
static void submit_one(uc_session *s, uc_reader *r)
{
    waiting w = {.s = s};
    uint32_t n, op, set;
    uc_view method, target;
    uc_value body;

    if (!uc_read_array(r, &n) || n != 9 || !uc_read_u32(r, &op) || op != 91 ||
        !uc_read_u32(r, &w.id) || !uc_read_skip(r) || !uc_read_u32(r, &set) ||
        !uc_read_str(r, &method) || !uc_read_str(r, &target) ||
        !uc_read_skip(r) || !uc_read(r, &body) || !uc_read_skip(r))
        abort();
    w.body = body.type == UC_T_BIN ? (uint32_t)body.s.len : 0;
    snprintf(w.target, sizeof w.target, "%.*s", (int)target.len,
             (const char *)target.p);
    put(&submitted, &w);
}

bool uc_submit(uc_session *s, const uint8_t *frames, size_t len, uint32_t count,
               unsigned hint)
{
    uc_reader r = {frames, frames + len};

    (void)hint;
    uc_lock(&core_mu);
    for (uint32_t i = 0; i < count; i++)
        submit_one(s, &r);
    uc_unlock(&core_mu);
    return r.p == r.end || (abort(), false);
}

/* Other sessions' as well. */
void uc_assist(uc_session *s)
{
    (void)s;
    uc_lock(&core_mu);
    for (unsigned i = 0; i < submitted.n; i++) {
        const waiting *w = &submitted.at[i];

        if (begins(w->target, "/later/"))
            put(&later, w);
        else if (begins(w->target, "/slow/"))
            put(&slow, w);
        else
            answer(w);
    }
    submitted.n = 0;
    uc_unlock(&core_mu);
}

size_t uc_take(uc_session *s, uint8_t *dst, size_t cap, size_t head,
               size_t *need)
{
    size_t n = 0;
    uint32_t len = 0;

    *need = 0;
    if (head != 4)
        abort();
    uc_lock(&core_mu);
    while (n < s->replies.len) {
        memcpy(&len, s->replies.p + n, 4);
        if (n + 4 + len > cap)
            break;
        n += 4 + len;
    }
    if (n == 0 && s->replies.len > 0)
        *need = 4 + len;
    if (n > 0)
        memcpy(dst, s->replies.p, n);
    memmove(s->replies.p, s->replies.p + n, s->replies.len - n);
    s->replies.len -= n;
    s->told = s->told && (n > 0 || *need > 0);
    uc_unlock(&core_mu);
    return n;
}

/* Answers what has come last. */
static void *clerk_main(void *arg)
{
    (void)arg;
    uc_lock(&core_mu);
    while (!core_ends || later.n > 0) {
        if (later.n > 0)
            answer(&later.at[--later.n]);
        else
            uc_cond_wait(&core_cond, &core_mu);
    }
    uc_unlock(&core_mu);
    return NULL;
}

void wait_slow(unsigned n)
{
    uc_lock(&core_mu);
    while (slow.n < n)
        uc_cond_wait(&core_cond, &core_mu);
    uc_unlock(&core_mu);
}

void release_slow(void)
{
    uc_lock(&core_mu);
    for (unsigned i = 0; i < slow.n; i++)
        answer(&slow.at[i]);
    slow.n = 0;
    uc_unlock(&core_mu);
}

bool core_begin(void)
{
    uc_cond_init(&core_cond);
    return uc_thread_start(&clerk, "clerk", clerk_main, NULL) == 0;
}

unsigned core_end(void)
{
    uc_lock(&core_mu);
    core_ends = true;
    uc_cond_broadcast(&core_cond);
    uc_unlock(&core_mu);
    uc_thread_join(clerk);
    return sessions;
}
