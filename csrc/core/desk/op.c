#include "desk/op.h"

static const uc_op ops[] = {
#define X(num, name, lo, hi, lane, flags) \
    {num, lo, hi, UC_LANE_##lane, flags, #name},
    UC_OP_MAP(X)
#undef X
};

/* Position in ops plus one, by number: filled by the compiler. */
enum {
#define X(num, name, lo, hi, lane, flags) POS_##name,
    UC_OP_MAP(X)
#undef X
        OPS
};

static const uint8_t at[] = {
#define X(num, name, lo, hi, lane, flags) [num] = POS_##name + 1,
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

const char *uc_lane_name(uint32_t lane)
{
    static const char *const names[] = {"inline", "cache", "log",   "statement",
                                        "route",  "read",  "write", "pin"};

    return names[lane];
}

const char *uc_op_flag_name(uint32_t i)
{
    static const char *const names[] = {"read",      "repeats", "retried",
                                        "statement", "bound",   "stands",
                                        "endless",   "urgent"};

    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}
