#include "op.h"

#include <stddef.h>

static const uc_op ops[] = {
#define X(num, name, lo, hi, lane) {num, lo, hi, UC_LANE_##lane, #name},
    UC_OP_MAP(X)
#undef X
};

/* Position in ops plus one, by number: filled by the compiler. */
enum {
#define X(num, name, lo, hi, lane) POS_##name,
    UC_OP_MAP(X)
#undef X
        OPS
};

static const uint8_t at[] = {
#define X(num, name, lo, hi, lane) [num] = POS_##name + 1,
    UC_OP_MAP(X)
#undef X
};

const uc_op *uc_op_find(uint32_t num)
{
    return num < sizeof at && at[num] != 0 ? &ops[at[num] - 1] : NULL;
}

const uc_op *uc_op_at(uint32_t i)
{
    return i < OPS ? &ops[i] : NULL;
}
