#include "routes/input.h"

bool uc__input_find(const uc_input *in, uc_view name, uint32_t *place)
{
    const uc_route *r = in->route;

    for (uint32_t i = 0; i < r->nparams; i++) {
        const uc_param *p = &r->params[i];

        if (uc_view_same(p->name, name)) {
            *place = i;
            return p->type != UC_PARAM_GIVEN && !p->header;
        }
    }
    return false;
}

bool uc__input_sent(uc_input *in, uint32_t place)
{
    uint64_t bit = (uint64_t)1 << place;

    if (in->sent & bit) {
        in->twice |= bit;
        return false;
    }
    in->sent |= bit;
    return true;
}

void uc__input_unknown(uc_input *in, uc_view name)
{
    size_t kept =
        in->nunknown < UC_INPUT_UNKNOWN ? in->nunknown : UC_INPUT_UNKNOWN;

    for (size_t i = 0; i < kept; i++) {
        if (uc_view_same(in->unknown[i], name))
            return;
    }
    if (kept < UC_INPUT_UNKNOWN)
        in->unknown[kept] = name;
    in->nunknown++;
}
