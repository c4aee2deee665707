/* The ring of the log: what is put comes out, and nothing else ever does. */
#define _GNU_SOURCE
#include "log/ring.h"

#include "common/clock.h"
#include "log/record.h"
#include "log/source.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/uc-ring-XXXXXX";
static int dirfd_;

static uc_ring *make(const char *name, uint64_t bytes)
{
    int err = 0;
    uc_ring *r =
        uc_ring_create(dirfd_, name, 0, true, bytes, NULL, false, &err);

    if (r == NULL)
        tap_diag("no ring: %s", strerror(err));
    return r;
}

static void discard(uc_ring *r)
{
    char file[UC_RING_FILE];

    uc_ring_file(file, r->name, r->gen);
    uc_ring_unref(r);
    unlinkat(dirfd_, file, 0);
}

/* A record that says which one it is, however long. */
static uint32_t fill(uint8_t *p, uint64_t n, uint32_t len)
{
    char number[24];
    int digits = snprintf(number, sizeof number, "%" PRIu64 ",", n);

    if (len < (uint32_t)digits + 1)
        len = (uint32_t)digits + 1;
    memset(p, 'a' + (int)(n % 26), len);
    memcpy(p, number, (size_t)digits);
    p[len - 1] = '\n';
    return len;
}

static bool is_whole(uc_view v, uint64_t *n)
{
    uint8_t *same = malloc(v.len + 32);
    bool is;

    *n = strtoull((const char *)v.p, NULL, 10);
    is = fill(same, *n, (uint32_t)v.len) == v.len &&
         memcmp(same, v.p, v.len) == 0;
    free(same);
    return is;
}

static void basics(void)
{
    uc_ring *r = make("basics", UC_RING_LEAST);
    uint8_t *p = malloc(UC_RING_LEAST);
    uint64_t next = 1, expect = 1, got, tail = 0, most;
    bool right = true, wrapped = false;
    uc_ring_walk w;
    uc_view v;

    uc_ring_walk_begin(&w, r, 0);
    ok(!uc_ring_walk_next(&w, &v) && w.skipped == 0, "nothing is there");
    most = uc_ring_largest(r);
    eq_int((int64_t)most, (int64_t)UC_RING_LEAST / 4, "the largest record");
    for (int round = 0; round < 400; round++) {
        uint64_t before = r->head;
        uint32_t len =
            round % 50 == 49 ? (uint32_t)most : (uint32_t)(tap_random() % 3000);

        while (uc_ring_put(r, p, fill(p, next, len)))
            next++, len = (uint32_t)(tap_random() % 3000);
        right = right && uc_ring_used(r) > r->cap - 2 * most;
        uc_ring_walk_begin(&w, r, tail);
        while (uc_ring_walk_next(&w, &v)) {
            right = right && is_whole(v, &got) && got == expect;
            expect++;
        }
        right = right && w.pos == r->head && w.skipped == 0 && !w.lost;
        tail = w.pos;
        uc_ring_free(r, tail);
        wrapped = wrapped || r->head / r->cap != before / r->cap;
    }
    ok(right && next == expect && next > 4000,
       "what was put comes out, in order and once");
    ok(wrapped && r->head > 20 * r->cap, "over many laps");
    eq_int(uc_ring_used(r), 0, "nothing is left");
    ok(uc_ring_drained_to(r, r->head) && !uc_ring_drained_to(r, r->head + 8),
       "it says so");
    discard(r);
    free(p);
}

static void names(void)
{
    char file[UC_RING_FILE], name[UC_RING_NAME + 1];
    uint64_t gen;

    uc_ring_file(file, "0123456789abcdef", 7);
    eq_str(file, "0123456789abcdef.7.ring", "a ring's file");
    ok(uc_ring_parse(file, name, &gen) && gen == 7 &&
           strcmp(name, "0123456789abcdef") == 0,
       "and back");
    ok(!uc_ring_parse("lock", name, &gen) &&
           !uc_ring_parse("a.ring", name, &gen) &&
           !uc_ring_parse("a.-1.ring", name, &gen) &&
           !uc_ring_parse("a.1.rings", name, &gen) &&
           !uc_ring_parse(".1.ring", name, &gen) &&
           !uc_ring_parse("a.99999999999999999999.ring", name, &gen),
       "others are none");
}

static void files(void)
{
    uc_ring *r = make("files", UC_RING_LEAST + 1), *again, *reader;
    struct stat st;
    uint8_t p[64];
    uc_ring_walk w;
    uc_view v;
    int err = 0;

    fstat(r->fd, &st);
    ok(r->cap == UC_RING_LEAST + 4096 && (st.st_mode & 0777) == 0600,
       "whole pages, for nobody else");
    ok((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size,
       "its room is allocated");
    ok(uc_ring_create(dirfd_, "files", 0, true, UC_RING_LEAST, NULL, false,
                      &err) == NULL &&
           err == EEXIST,
       "a name is not taken twice");
    ok(uc_ring_open(dirfd_, "files.0.ring", true, &err) == NULL &&
           err == EWOULDBLOCK,
       "nor a ring taken up while it is used");
    uc_ring_put(r, p, fill(p, 1, 20));
    uc_ring_put(r, p, fill(p, 2, 20));
    reader = uc_ring_open(dirfd_, "files.0.ring", false, &err);
    ok(reader != NULL && !uc_ring_is_orphan(reader), "it can be read");
    uc_ring_walk_begin(&w, reader, uc_ring_tail(reader));
    uc_ring_walk_next(&w, &v);
    uc_ring_free(reader, w.pos);
    uc_ring_unref(reader);
    uc_ring_unref(r);
    again = uc_ring_open(dirfd_, "files.0.ring", true, &err);
    ok(again != NULL && again->head > again->tail && again->tail > 0,
       "taken up where it was");
    uc_ring_put(again, p, fill(p, 3, 20));
    uc_ring_walk_begin(&w, again, uc_ring_tail(again));
    ok(uc_ring_walk_next(&w, &v) && v.p[0] == '2' &&
           uc_ring_walk_next(&w, &v) && v.p[0] == '3' &&
           !uc_ring_walk_next(&w, &v),
       "and goes on");
    discard(again);
    ok(uc_ring_open(dirfd_, "files.0.ring", true, &err) == NULL &&
           err == ENOENT,
       "gone is gone");
}

/* --- clients -------------------------------------------------------------- */

static uc_ring *reopen(uc_ring *r)
{
    char file[UC_RING_FILE];
    int err;

    uc_ring_file(file, r->name, r->gen);
    uc_ring_unref(r);
    return uc_ring_open(dirfd_, file, true, &err);
}

/* How far a put had got when its process was killed. */
enum { CLEARED, NUMBERED, PLACED, WRITTEN, PUT, CRASHES };

static void crash_in_put(uc_ring *r, const uint8_t id[16], uint64_t seq, int at)
{
    uint64_t head = r->head;
    uint8_t p[32];
    uc_ring_client *c = &r->clients[0];

    uc_ring_put_from(r, p, fill(p, seq, 24), id, seq);
    if (at == PUT)
        return;
    atomic_store(&r->page->head, head);
    for (int i = 0; i < 2; i++) {
        if (c->slots[i].seq != seq)
            continue;
        if (at <= NUMBERED)
            c->slots[i].pos = UINT64_MAX;
        if (at == CLEARED)
            c->slots[i].seq = 77;
    }
    if (at < WRITTEN)
        memset(r->data + head % r->cap, 0, 32);
}

static void clients(void)
{
    uint8_t id[16] = "one client only", other[16] = "another, instead", p[32];
    char name[64];
    uc_ring *r, *next;
    int err;

    for (int at = 0; at < CRASHES; at++) {
        uint64_t want = at == PUT ? 6 : 5;

        r = make("clients", UC_RING_LEAST);
        for (uint64_t seq = 1; seq <= 5; seq++)
            uc_ring_put_from(r, p, fill(p, seq, 24), id, seq);
        crash_in_put(r, id, 6, at);
        r = reopen(r);
        snprintf(name, sizeof name, "killed at step %d of a put", at);
        eq_int(uc_ring_seen(r, id), want, name);
        /* The head passes where the lost record would have ended. */
        for (int i = 0; i < 4; i++)
            uc_ring_put(r, p, fill(p, 9, 24));
        eq_int(uc_ring_seen(r, id), want, "and when the head is further");
        uc_ring_put_from(r, p, fill(p, 6, 24), id, 6);
        eq_int(uc_ring_seen(r, id), 6, "and it is sent again");
        discard(r);
    }

    r = make("many", UC_RING_LEAST * 4);
    for (uint32_t i = 0; i < UC_RING_CLIENTS; i++) {
        memcpy(other, &i, sizeof i);
        uc_ring_put_from(r, p, fill(p, i, 24), other, i + 1);
    }
    memset(other, 0, 4);
    uc_ring_put_from(r, p, fill(p, 5000, 24), other, 5000);
    uc_ring_put_from(r, p, fill(p, 1, 24), id, 1);
    ok(uc_ring_seen(r, id) == 1 && uc_ring_seen(r, other) == 5000,
       "one more than there is room for");
    other[0] = 1;
    eq_int(uc_ring_seen(r, other), 0, "the longest silent is gone");
    other[0] = 2;
    eq_int(uc_ring_seen(r, other), 3, "and nobody else");
    next =
        uc_ring_create(dirfd_, "many", 1, true, UC_RING_LEAST, r, false, &err);
    ok(uc_ring_seen(next, id) == 1 && uc_ring_seen(next, other) == 3,
       "a younger ring knows them");
    uc_ring_put_from(next, p, fill(p, 2, 24), id, 2);
    next = reopen(next);
    eq_int(uc_ring_seen(next, id), 2, "and goes on with them");
    discard(next);
    discard(r);
}

static void moving(void)
{
    int err;
    uc_ring *from = uc_ring_anonymous("move", UC_RING_LEAST, &err);
    uc_ring *to;
    uint8_t id[16] = "who", p[4000];
    uint64_t n = 0, got, expect;
    uc_ring_walk w;
    uc_view v;
    bool right = true;

    for (int lap = 0; lap < 3; lap++) {
        while (uc_ring_put_from(from, p, fill(p, n, (uint32_t)(n * 7 % 3900)),
                                id, n + 1))
            n++;
        uc_ring_walk_begin(&w, from, uc_ring_tail(from));
        for (int i = 0; i < 10; i++)
            uc_ring_walk_next(&w, &v);
        is_whole(v, &expect);
        uc_ring_free(from, w.pos);
    }
    to = uc_ring_create(dirfd_, "move", 0, true, UC_RING_LEAST, from, true,
                        &err);
    uc_ring_put(to, p, fill(p, n++, 100));
    uc_ring_walk_begin(&w, to, uc_ring_tail(to));
    while (uc_ring_walk_next(&w, &v))
        right = right && is_whole(v, &got) && got == ++expect;
    ok(right && expect == n - 1 && w.skipped == 0, "a ring moves as a whole");
    eq_int(uc_ring_seen(to, id), (int64_t)n - 1, "its clients too");
    uc_ring_unref(from);
    discard(to);
}

/* --- what must not be believed -------------------------------------------- */

/* Walks; whether it came to an end with nothing but whole records in order. */
static bool walk_is_sound(const uc_ring *r, uint64_t from, uint64_t *records,
                          uint64_t *skipped)
{
    uint64_t last = 0, n;
    uc_ring_walk w;
    uc_view v;
    bool sound = true;

    *records = 0;
    uc_ring_walk_begin(&w, r, from);
    while (uc_ring_walk_next(&w, &v)) {
        sound = sound && v.p >= r->data && v.len <= r->cap &&
                v.p + v.len <= r->data + r->cap && is_whole(v, &n) &&
                (*records == 0 || n > last);
        last = n;
        ++*records;
    }
    *skipped = w.skipped;
    return sound;
}

static void one_byte(void)
{
    uc_ring *r = make("byte", UC_RING_LEAST);
    uint64_t records, skipped, wrong = 0, n = 0;
    uint8_t p[400];

    for (; n < 50; n++)
        uc_ring_put(r, p, fill(p, n, 200 + (uint32_t)n));
    for (uint64_t i = 0; i < r->head; i++) {
        r->data[i] ^= 0x40;
        /* Padding is nobody's; else one record is missing. */
        if (!walk_is_sound(r, 0, &records, &skipped) || records < 49 ||
            (records == 49) != (skipped > 0))
            wrong++;
        r->data[i] ^= 0x40;
    }
    eq_int((int64_t)wrong, 0, "one byte, anywhere: one record, and said");
    discard(r);
}

static void scatter(uint8_t *p, size_t size)
{
    size_t at = tap_random() % size, n = tap_random() % 64 + 1;

    for (size_t i = at; i < size && i < at + n; i++)
        p[i] = (uint8_t)tap_random();
}

static void any_bytes(void)
{
    uc_ring *r = make("any", UC_RING_LEAST), *reader, *taker;
    uint64_t records, skipped, n = 0, tail, total = 0;
    size_t size = r->mapped;
    uint8_t *image = malloc(size), p[4000];
    bool sound = true;
    int err;

    for (int i = 0; i < 100; i++) {
        while (uc_ring_put(r, p, fill(p, n, (uint32_t)(n * 31 % 3000))))
            n++;
        uc_ring_free(r, r->head - r->cap / 2);
    }
    while (uc_ring_put(r, p, fill(p, n, (uint32_t)(n * 31 % 3000))))
        n++;
    memcpy(image, r->page, size);
    for (int i = 0; i < 3000; i++) {
        uint8_t *all = (uint8_t *)r->page;
        size_t page = 4096, table = (size_t)(r->data - all) - page;

        switch (i % 4) {
        case 0:
            scatter(all, page);
            break;
        case 1:
            scatter(all + page, table);
            break;
        case 2:
            for (uint64_t j = tap_random() % 20; j > 0; j--)
                scatter(r->data, r->cap);
            break;
        default:
            scatter(all + offsetof(uc_ring_page, head), 8);
            scatter(all + offsetof(uc_ring_page, tail), 8);
        }
        reader = uc_ring_open(dirfd_, "any.0.ring", false, &err);
        tail = uc_ring_tail(reader);
        sound = sound && walk_is_sound(reader, tail, &records, &skipped);
        total += records;
        uc_ring_unref(reader);
        /* Its lock belongs to who has it open: to a copy then. */
        flock(r->fd, LOCK_UN);
        taker = uc_ring_open(dirfd_, "any.0.ring", true, &err);
        if (taker != NULL) {
            uint8_t id[16] = "x";

            uc_ring_seen(taker, id);
            uc_ring_put_from(taker, p, fill(p, n + 1, 30), id, 1);
            tail = uc_ring_tail(taker);
            sound = sound && walk_is_sound(taker, tail, &records, &skipped);
        }
        uc_ring_unref(taker);
        memcpy(all, image, size);
    }
    ok(sound && total > 3000, "any bytes, anywhere: whole records or none");

    /* Many headers that promise a lot: no time is lost with them. */
    for (uint64_t at = 0; at < r->cap; at += 16) {
        uc__record h = {.len = (uint32_t)(r->cap - at) / 2, .pos = at};

        memcpy(r->data + at, &h, sizeof h);
    }
    atomic_store(&r->page->head, r->cap);
    ok(walk_is_sound(r, 0, &records, &skipped) && records == 0 &&
           skipped == r->cap,
       "false headers are given up");
    free(image);
    discard(r);
}

/* --- as the owner has them ------------------------------------------------ */

static void handed_over(void)
{
    uc_ring *r = make("handed", UC_RING_LEAST);
    uc_sources s;

    uc__sources_init(&s, dirfd_);
    uc__sources_scan(&s);
    eq_int(s.n, 1, "a scan finds a ring");
    ok(uc__sources_add(&s, r, true) && s.n == 1 && s.all[0].own,
       "which its producer hands over as well: it is read once");
    uc__sources_fini(&s);
    discard(r);
}

/* Rings with a name, of which one that is left alone for too long goes. */
static void forgotten(void)
{
    static const char *const name[] = {"held", "full", "young", "old"};
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 3601},
                                    {.tv_sec = time(NULL) - 3601}};
    uc_log_options o = {.keep_ms = 3600 * 1000};
    char file[4][UC_RING_FILE];
    uint8_t p[64];
    uc_ring *r[4];
    uc_sources s;

    for (int i = 0; i < 4; i++) {
        r[i] = make(name[i], UC_RING_LEAST);
        uc_ring_file(file[i], name[i], 0);
    }
    uc_ring_put(r[1], p, fill(p, 1, 20));
    for (int i = 0; i < 4; i++) {
        if (i != 2)
            futimens(r[i]->fd, old);
        if (i > 0)
            uc_ring_unref(r[i]);
    }
    uc__sources_init(&s, dirfd_);
    uc__sources_scan(&s);
    eq_int(s.n, 4, "four rings");
    o.keep_ms = 0;
    uc__sources_sweep(&s, &o, uc_now());
    eq_int(s.n, 4, "kept for ever");
    o.keep_ms = 3600 * 1000;
    for (uint32_t i = 0; i < s.n; i++)
        s.all[i].looked = 0;
    uc__sources_sweep(&s, &o, uc_now());
    ok(s.n == 3 && faccessat(dirfd_, file[3], F_OK, 0) != 0,
       "or until nobody has come for too long");
    for (int i = 0; i < 3; i++)
        ok(faccessat(dirfd_, file[i], F_OK, 0) == 0, name[i]);
    uc__sources_fini(&s);
    discard(r[0]);
    for (int i = 1; i < 3; i++)
        unlinkat(dirfd_, file[i], 0);
}

int main(void)
{
    tap_seed(20261123);
    if (mkdtemp(dir) == NULL)
        return 1;
    dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    basics();
    names();
    files();
    clients();
    moving();
    one_byte();
    any_bytes();
    handed_over();
    forgotten();
    close(dirfd_);
    rmdir(dir);
    return tap_end();
}
