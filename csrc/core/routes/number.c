#include <math.h>

#include "routes/json.h"
#include "routes/scalar.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* ---- integers ------------------------------------------------------------ */

/* Digits without a leading zero, at most `most`; NONE, FITS or BEYOND. */
static uc_number digits(uc_view s, uint64_t most, uint64_t *v)
{
    bool beyond = false;

    *v = 0;
    if (s.len == 0 || (s.len > 1 && s.p[0] == '0'))
        return UC_NUMBER_NONE;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t d = (uint64_t)s.p[i] - '0';

        if (!is_digit(s.p[i]))
            return UC_NUMBER_NONE;
        beyond = beyond || *v > (most - d) / 10;
        *v = beyond ? most : *v * 10 + d;
    }
    return beyond ? UC_NUMBER_BEYOND : UC_NUMBER_FITS;
}

uc_number uc__integer_of_text(uc_view s, int64_t *v)
{
    bool minus = s.len > 0 && s.p[0] == '-';
    uint64_t most = (uint64_t)INT64_MAX + minus, u;
    uc_number n;

    if (minus)
        s = (uc_view){s.p + 1, s.len - 1};
    n = digits(s, most, &u);
    *v = (int64_t)(minus ? -u : u);
    return n;
}

/* ---- reals --------------------------------------------------------------- */

typedef struct decimal {
    bool minus;
    bool short_enough; /* all digits are in `digits` */
    uint64_t digits;
    int exponent;
} decimal;

/* Reads digits at *i: how many there are. Those that `d` takes up move its
 * point by `step`. */
static size_t take_digits(uc_view s, size_t *i, decimal *d, int step)
{
    size_t from = *i;

    for (; *i < s.len && is_digit(s.p[*i]); ++*i) {
        if (d->digits > UINT64_MAX / 10 - 1) {
            d->short_enough = false;
            continue;
        }
        d->digits = d->digits * 10 + (uint64_t)(s.p[*i] - '0');
        d->exponent += step;
    }
    return *i - from;
}

static bool take_exponent(uc_view s, size_t *i, decimal *d)
{
    size_t from;
    bool minus;
    int e = 0;

    if (*i == s.len || (s.p[*i] | 0x20) != 'e')
        return true;
    ++*i;
    minus = *i < s.len && s.p[*i] == '-';
    if (*i < s.len && (s.p[*i] == '-' || s.p[*i] == '+'))
        ++*i;
    from = *i;
    for (; *i < s.len && is_digit(s.p[*i]); ++*i) {
        if (e < 100000)
            e = e * 10 + (s.p[*i] - '0');
    }
    d->exponent += minus ? -e : e;
    return *i > from;
}

/* JSON's grammar of a number (RFC 8259, section 6). */
static bool read_decimal(uc_view s, decimal *d)
{
    size_t i = 0, from, whole;

    *d = (decimal){.short_enough = true};
    d->minus = s.len > 0 && s.p[0] == '-';
    i = from = d->minus;
    whole = take_digits(s, &i, d, 0);
    if (whole == 0 || (whole > 1 && s.p[from] == '0'))
        return false;
    if (i < s.len && s.p[i] == '.') {
        i++;
        if (take_digits(s, &i, d, -1) == 0)
            return false;
    }
    return take_exponent(s, &i, d) && i == s.len;
}

/* Exact where both parts are exact doubles: the one operation rounds as reading
 * the text does (Clinger, 1990). */
static bool short_real(const decimal *d, double *v)
{
    static const double tens[] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

    if (!d->short_enough || d->digits > (uint64_t)1 << 53 ||
        d->exponent < -22 || d->exponent > 22)
        return false;
    *v = (double)d->digits;
    if (d->exponent < 0)
        *v /= tens[-d->exponent];
    else
        *v *= tens[d->exponent];
    return true;
}

uc_number uc__real_of_text(uc_view s, uc_arena *mem, double *v)
{
    uc_json_error e;
    const json_t *read;
    decimal d;

    if (!read_decimal(s, &d))
        return UC_NUMBER_NONE;
    if (short_real(&d, v)) {
        *v = d.minus && d.digits > 0 ? -*v : *v;
        return UC_NUMBER_FITS;
    }
    read = uc__json_read(s, JSON_DECODE_INT_AS_REAL, mem, &e);
    if (read != NULL) {
        *v = json_real_value(read) + 0.0; /* no -0 */
        return UC_NUMBER_FITS;
    }
    *v = d.minus ? -HUGE_VAL : HUGE_VAL;
    return e.fault == UC_JSON_NUMBER ? UC_NUMBER_BEYOND : UC_NUMBER_NONE;
}
