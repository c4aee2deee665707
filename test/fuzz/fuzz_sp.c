/*
 * Bytes as what a client of the daemon sends after its hello. An input is a
 * byte that says how the stream is cut into reads and then the stream. However
 * it is cut, the same messages come out of it, each frame that is taken for a
 * request is one value for msgpack-c too, and no length is believed that is
 * larger than allowed.
 */
#include <msgpack.h>
#include <stdlib.h>

#include "doors/sp/ids.h"
#include "doors/sp/sp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 2000 };

static void same_as_msgpack(uc_view frame)
{
    msgpack_unpacked u;
    size_t off = 0;

    msgpack_unpacked_init(&u);
    if (msgpack_unpack_next(&u, (const char *)frame.p, frame.len, &off) !=
            MSGPACK_UNPACK_SUCCESS ||
        off != frame.len || u.data.type != MSGPACK_OBJECT_ARRAY)
        abort();
    msgpack_unpacked_destroy(&u);
}

/* What the messages come to, as a number. */
static uint64_t digest(uint64_t sum, const sp_message *m)
{
    sum = (sum ^ m->id) * 0x100000001b3u;
    for (size_t i = 0; i < m->frame.len; i++)
        sum = (sum ^ m->frame.p[i]) * 0x100000001b3u;
    return sum;
}

/* Reads `step` bytes at a time (0: all at once), as a connection does. */
static uint64_t stream(const uint8_t *data, size_t size, size_t step,
                       ud_ids *ids)
{
    size_t at = 0, have = step == 0 ? size : 0;
    uint64_t sum = 0;

    for (;;) {
        sp_message m = {0};
        /* In a block of its own: not a byte more may be looked at. */
        size_t n = have - at;
        uint8_t *p = malloc(n + (n == 0));
        sp_found found;

        if (n > 0)
            memcpy(p, data + at, n);
        found = sp_next(p, n, MOST, &m);
        if (m.size > MOST + SP_HEAD)
            abort();
        if (found == SP_MESSAGE) {
            sp_request q;
            ud_id asked;

            if (m.size > n || m.frame.len != m.size - SP_HEAD)
                abort();
            sum = digest(sum, &m);
            if (sp_request_read(m.frame, &q)) {
                same_as_msgpack(m.frame);
                if (q.id != 0 && q.op % 2 == 0)
                    ud_ids_take(ids, q.id, &asked);
                else if (q.id != 0)
                    ud_ids_add(ids, q.id, m.id, q.op);
            }
            at += m.size;
        }
        free(p);
        if (found == SP_MESSAGE)
            continue;
        if (found != SP_MORE)
            return sum + found;
        if (have == size)
            return sum;
        have = size - have < step ? size : have + step;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ud_ids ids = {0};
    uint64_t sum;

    if (size == 0)
        return 0;
    sum = stream(data + 1, size - 1, 0, &ids);
    if (stream(data + 1, size - 1, 1 + data[0] % 40, &ids) != sum)
        abort();
    ud_ids_fini(&ids);
    return 0;
}
