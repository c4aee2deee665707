/*
 * The daemon's view of bytes: SP messages, the front of requests, and the table
 * of the ids that are in flight. Inputs lie in blocks of their exact length, so
 * that a sanitizer sees the first byte that is read too much.
 */
#include <stdlib.h>

#include "client.h"
#include "doors/sp/ids.h"
#include "doors/sp/sp.h"
#include "tap.h"

enum { MAX = 1000 };

/* The n bytes at p, copied to a block of their length. */
static uint8_t *exactly(const void *p, size_t n)
{
    uint8_t *copy = malloc(n + (n == 0));

    memcpy(copy, p, n);
    return copy;
}

static sp_found next(const void *p, size_t n, sp_message *m)
{
    uint8_t *copy = exactly(p, n);
    sp_found found = sp_next(copy, n, MAX, m);

    if (found == SP_MESSAGE && m->frame.p != copy + SP_HEAD)
        abort();
    free(copy);
    return found;
}

static void hello(void)
{
    static const uint8_t req[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

    ok(sp_hello_ok(req), "a REQ peer says hello");
    for (unsigned i = 0; i < SP_HELLO; i++) {
        uint8_t other[SP_HELLO];

        memcpy(other, req, SP_HELLO);
        other[i] ^= 1;
        ok(!sp_hello_ok(other), "no other eight bytes do");
    }
    eq_bytes(sp_hello, SP_HELLO, "\0SP\0\0\x31\0\0", 8,
             "it is answered by REP");
}

static void messages(void)
{
    uint8_t b[SP_HEAD + MAX + 1] = {0};
    sp_message m;

    sp_head(b, 3, 0x80000001);
    memcpy(b + SP_HEAD, "abc", 3);
    eq_bytes(b, 16,
             "\1\0\0\0\0\0\0\0\7\x80\0\0\1"
             "abc",
             16, "a head");
    eq_int(next(b, 16, &m), SP_MESSAGE, "is read back");
    eq_int(m.id, 0x80000001, "with its id");
    eq_int(m.frame.len, 3, "and its frame");
    eq_int(m.size, 16, "which is all of it");
    for (size_t n = 0; n < 16; n++)
        eq_int(next(b, n, &m), SP_MORE, "a part of it is not enough");
    eq_int(next(b, 9, &m), SP_MORE, "after the length");
    eq_int(m.size, 16, "it is known how much is needed");
    sp_head(b, MAX, 0xffffffff);
    eq_int(next(b, SP_HEAD + MAX, &m), SP_MESSAGE, "the longest");
    sp_head(b, MAX + 1, 0xffffffff);
    eq_int(next(b, SP_HEAD + MAX + 1, &m), SP_LONG, "a longer one");
    eq_int(next(b, 9, &m), SP_LONG, "is seen by its length alone");
    eq_int(next("\1\xff\xff\xff\xff\xff\xff\xff\xff", 9, &m), SP_LONG,
           "the longest of all lengths");
    eq_int(next("\1\0\0\0\0\x80\0\0\0", 9, &m), SP_LONG, "2 GB");
    eq_int(next("\1\0\0\0\0\0\0\0\3", 9, &m), SP_SHORT, "no room for an id");
    eq_int(next("\1\0\0\0\0\0\0\0\4\0\0\0\1", 13, &m), SP_BAD_ID,
           "an id without its top bit");
    eq_int(next("\1\0\0\0\0\0\0\0\4\x80\0\0\1", 13, &m), SP_MESSAGE,
           "an empty frame is a message");
    eq_int(m.frame.len, 0, "of no bytes");
    eq_int(next("\0", 1, &m), SP_BAD_TYPE, "a message begins with 01");
    eq_int(next("\2\0\0\0\0\0\0\0\4", 9, &m), SP_BAD_TYPE, "and nothing else");
}

static bool reads(const void *p, size_t n, sp_request *q)
{
    uint8_t *copy = exactly(p, n);
    bool good = sp_request_read((uc_view){copy, n}, q);

    free(copy);
    return good;
}

static void requests(void)
{
    sp_request q;
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    pack(&b, "[i i n s [i]]", 12, 77, "text", 1);
    ok(reads(b.p, b.len, &q), "a request");
    eq_int(q.op, 12, "its operation");
    eq_int(q.id, 77, "its id");
    eq_int(q.args, 2, "its arguments");
    for (size_t n = 0; n < b.len; n++)
        ok(!reads(b.p, n, &q), "a part of it is none");
    uc_buf_byte(&b, 0xc0);
    ok(!reads(b.p, b.len, &q), "nor is more than it");
    uc_buf_fini(&b);
    ok(reads("\x93\x01\xce\xff\xff\xff\xff\xc0", 8, &q), "the largest id");
    eq_int(q.id, UINT32_MAX, "as it is");
    ok(!reads("\x92\x01\x01", 3, &q), "an array of two");
    eq_int(q.id, 1, "whose id is told");
    ok(!reads("\x94\x01\x09\xc0\xd4\x01\x01", 7, &q), "an ext type");
    eq_int(q.id, 9, "behind an id");
    ok(!reads("\x93\x92\x05\x06\x0a\xc0", 6, &q), "an operation in a list");
    eq_int(q.id, 10, "and the id behind that");
    ok(!reads("\x93\x01\xa1x\xc0", 5, &q), "an id that is a text");
    eq_int(q.id, 0, "is none");
    ok(!reads("\xdd\x80\0\0\0", 5, &q), "an array of 2^31");
    ok(!reads("\x94\x01\x07\xc0\xdf\x80\0\0\0", 9, &q), "a map of 2^31");
    ok(!reads("\x94\x01\x07\xc0\xdb\x7f\xff\xff\xff", 9, &q), "a text of 2 GB");
    ok(!reads("\x93\xff\x07\xc0", 4, &q), "an operation below zero");
    ok(!reads("\x93\xcf\0\0\0\1\0\0\0\0\x07\xc0", 12, &q), "one too large");
    ok(!reads("\x93\xa1x\x07\xc0", 5, &q), "one that is a text");
    ok(!reads("\x93\x01\x07\xc1", 4, &q), "the reserved byte");
    ok(!reads("", 0, &q), "nothing");
}

/* Against the plainest table there is. */
static void ids(void)
{
    enum { RANGE = 600, STEPS = 200000 };
    static uint32_t model[RANGE]; /* sp, 0: not in flight */
    ud_ids t = {0};
    ud_id found;
    uint32_t n = 0, wrong = 0;

    ok(!ud_ids_take(&t, 1, &found), "nothing is in an empty table");
    tap_seed(20);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint64_t r = tap_random();
        uint32_t at = (uint32_t)(r % RANGE), sp = (uint32_t)(r >> 32) | 1;
        /* A third of them meet in few places of the table. */
        uint32_t id = at % 3 == 0 ? (at + 1) << 12 : at + 1;

        if ((r >> 20) % 5 < 3) {
            ud_ids_added added = ud_ids_add(&t, id, sp, at);

            wrong += added != (model[at] != 0 ? UD_IDS_TWICE : UD_IDS_OK);
            if (added == UD_IDS_OK) {
                model[at] = sp;
                n++;
            }
        } else {
            bool was = ud_ids_take(&t, id, &found);

            wrong += was != (model[at] != 0);
            if (was) {
                wrong +=
                    found.id != id || found.sp != model[at] || found.op != at;
                model[at] = 0;
                n--;
            }
        }
        wrong += t.n != n;
    }
    eq_int(wrong, 0, "200,000 steps, as the model has it");
    ud_ids_fini(&t);
    ok(t.slots == NULL && t.n == 0, "and empty at the end");
}

int main(void)
{
    hello();
    messages();
    requests();
    ids();
    return tap_end();
}
