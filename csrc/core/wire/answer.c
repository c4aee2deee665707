#include "wire/answer.h"

#include "wire/writer.h"

size_t uc_answer_begin(uc_buf *b, uint32_t id, unsigned status, uc_view type)
{
    static const uint8_t head[5] = {0xc6}; /* bin32 */

    uc_reply_begin(b, id, UC_REPLY_ANSWER, 6);
    uc_pack_uint(b, status);
    uc_pack_strn(b, type.p, type.len);
    uc_buf_put(b, head, sizeof head);
    return b->len;
}

size_t uc_answer_length(const uc_buf *b, size_t at)
{
    return b->len - at;
}

void uc_answer_end(uc_buf *b, size_t at, uint32_t nheaders)
{
    if (!b->failed)
        uc_put_be32(b->p + at - 4, (uint32_t)(b->len - at));
    uc_pack_array(b, 2 * nheaders);
}
