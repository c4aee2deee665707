#include "doors/sp/sp.h"

#include <string.h>

#include "wire/reader.h"

enum { MESSAGE_TYPE = 1, MESSAGE_FRONT = 9, REQ = 0x30, REP = 0x31 };

const uint8_t sp_hello[SP_HELLO] = {0, 'S', 'P', 0, 0, REP, 0, 0};

bool sp_hello_ok(const uint8_t *p)
{
    static const uint8_t client[SP_HELLO] = {0, 'S', 'P', 0, 0, REQ, 0, 0};

    return memcmp(p, client, SP_HELLO) == 0;
}

static uint32_t be32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static uint64_t be64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

sp_found sp_next(const uint8_t *p, size_t n, size_t max, sp_message *m)
{
    uint64_t body;

    m->size = SP_HEAD;
    if (n == 0)
        return SP_MORE;
    if (p[0] != MESSAGE_TYPE)
        return SP_BAD_TYPE;
    if (n < MESSAGE_FRONT)
        return SP_MORE;
    body = be64(p + 1);
    if (body < SP_ID_BYTES)
        return SP_SHORT;
    if (body - SP_ID_BYTES > max)
        return SP_LONG;
    m->size = MESSAGE_FRONT + (size_t)body;
    if (n >= SP_HEAD) {
        m->id = be32(p + MESSAGE_FRONT);
        if (!(m->id & SP_NO_REQUEST))
            return SP_BAD_ID;
    }
    if (n < m->size)
        return SP_MORE;
    m->frame = (uc_view){p + SP_HEAD, m->size - SP_HEAD};
    return SP_MESSAGE;
}

void sp_head(uint8_t *p, size_t n, uint32_t id)
{
    uint64_t body = __builtin_bswap64((uint64_t)n + SP_ID_BYTES);

    id = __builtin_bswap32(id);
    p[0] = MESSAGE_TYPE;
    memcpy(p + 1, &body, 8);
    memcpy(p + MESSAGE_FRONT, &id, 4);
}

bool sp_request_read(uc_view frame, sp_request *q)
{
    uc_reader r = {frame.p, frame.p + frame.len}, op;
    uint32_t n;
    bool named;

    q->id = 0;
    if (!uc_read_array(&r, &n) || n < 2)
        return false;
    op = r;
    named = uc_read_u32(&op, &q->op);
    if (named)
        r = op;
    else if (!uc_read_skip(&r))
        return false;
    if (!uc_read_u32(&r, &q->id)) {
        q->id = 0;
        return false;
    }
    if (!named || n < 3 || !uc_read_skip(&r))
        return false;
    q->args = n - 3;
    q->p = r.p;
    for (uint32_t i = q->args; i > 0; i--) {
        if (!uc_read_skip(&r))
            return false;
    }
    return r.p == r.end;
}
