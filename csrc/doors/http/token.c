#include "doors/http/token.h"

#include <string.h>

const uint8_t http_token_chars[256] = {
    ['!'] = '!',   ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&',
    ['\''] = '\'', ['*'] = '*', ['+'] = '+', ['-'] = '-', ['.'] = '.',
    ['^'] = '^',   ['_'] = '_', ['`'] = '`', ['|'] = '|', ['~'] = '~',
    ['0'] = '0',   ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
    ['5'] = '5',   ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
    ['a'] = 'a',   ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e',
    ['f'] = 'f',   ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j',
    ['k'] = 'k',   ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o',
    ['p'] = 'p',   ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',
    ['u'] = 'u',   ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y',
    ['z'] = 'z',   ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',
    ['E'] = 'e',   ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',
    ['J'] = 'j',   ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n',
    ['O'] = 'o',   ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's',
    ['T'] = 't',   ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y',   ['Z'] = 'z',
};

static uint8_t lower_of(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Eight at a time, since most of what is sent and answered is this. The lowest
 * byte that is marked is one that was looked for; those above it may be marked
 * by a borrow. */
size_t http_text_len(const uint8_t *p, size_t n)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    size_t i = 0;

    for (uint64_t eight;
         __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && n - i >= sizeof eight;) {
        uint64_t small, del;

        memcpy(&eight, p + i, sizeof eight);
        small = (eight - ones * 0x20) & ~eight;
        del = eight ^ (ones * 0x7f);
        del = (del - ones) & ~del;
        if (((small | del) & tops) == 0) {
            i += sizeof eight;
            continue;
        }
        i += (size_t)__builtin_ctzll((small | del) & tops) / 8;
        if (p[i] != '\t')
            return i;
        i++;
    }
    while (i < n && http_is_text(p[i]))
        i++;
    return i;
}

bool http_is_token(uc_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (http_token_chars[v.p[i]] == 0)
            return false;
    }
    return v.len > 0;
}

bool http_same_view(uc_view a, uc_view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower_of(a.p[i]) != lower_of(b.p[i]))
            return false;
    }
    return true;
}

bool http_same(uc_view v, const char *lower)
{
    return http_same_view(v, (uc_view){(const uint8_t *)lower, strlen(lower)});
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

uc_view http_trim(uc_view v)
{
    while (v.len > 0 && is_blank(v.p[0])) {
        v.p++;
        v.len--;
    }
    while (v.len > 0 && is_blank(v.p[v.len - 1]))
        v.len--;
    return v;
}

bool http_lists(uc_view list, const char *lower)
{
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.p, ',', list.len);
        size_t n = comma == NULL ? list.len : (size_t)(comma - list.p);

        if (http_same(http_trim((uc_view){list.p, n}), lower))
            return true;
        n += comma != NULL;
        list.p += n;
        list.len -= n;
    }
    return false;
}
