#include "data/pg/array.h"

#include <stdlib.h>
#include <string.h>

#include "wire/json.h"

enum { DEEPEST = 6, NUMBER_MOST = 400 }; /* MAXDIM; digits of a number */

/* pg_type.dat: an array, and its elements. */
static const struct {
    uint32_t array, element;
} arrays[] = {
    {1000, 16},   {1001, 17},   {1016, 20},   {1005, 21},   {1007, 23},
    {1028, 26},   {199, 114},   {1021, 700},  {1022, 701},  {1231, 1700},
    {1009, 25},   {1015, 1043}, {1014, 1042}, {1002, 18},   {1003, 19},
    {1115, 1114}, {1185, 1184}, {1182, 1082}, {1183, 1083}, {1270, 1266},
    {1187, 1186}, {2951, 2950}, {3807, 3802}, {1041, 869},  {651, 650},
    {1040, 829},  {1561, 1560}, {1563, 1562}, {791, 790},   {143, 142},
    {3905, 3904}, {3907, 3906}, {3909, 3908}, {3911, 3910}, {3913, 3912},
    {3927, 3926},
};

uint32_t pg_array_element(uint32_t oid)
{
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i].array == oid)
            return arrays[i].element;
    }
    return 0;
}

typedef struct array {
    uc_buf *b;
    uint32_t element;
    const uint8_t *p, *end;
    uc_buf text; /* an element without its quotes */
} array;

/* ---- one element ---- */

static bool is_exact(const char *text)
{
    char *end;
    double d = strtod(text, &end);

    return *end == '\0' && d > -9007199254740992.0 && d < 9007199254740992.0;
}

static bool number(array *a)
{
    uc_view v = {a->text.p, a->text.len};
    char text[NUMBER_MOST];

    if (v.len == 0 || v.len >= sizeof text)
        return false;
    memcpy(text, v.p, v.len);
    text[v.len] = '\0';
    /* NaN and Infinity have no form in JSON, and large ones would be rounded.
     */
    if (strspn(text, "0123456789+-.eE") == v.len &&
        (is_exact(text) || a->element == 700 || a->element == 701))
        uc_buf_put(a->b, text, v.len);
    else
        uc_json_text(a->b, v);
    return true;
}

static bool put(array *a)
{
    uc_view v = {a->text.p, a->text.len};

    switch (a->element) {
    case 16:
        uc_buf_put(a->b, v.len == 1 && *v.p == 't' ? "true" : "false",
                   v.len == 1 && *v.p == 't' ? 4 : 5);
        return v.len == 1;
    case 20:
    case 21:
    case 23:
    case 26:
    case 700:
    case 701:
        return number(a);
    case 114:
    case 3802:
        uc_buf_put(a->b, v.p, v.len);
        return v.len > 0;
    default:
        uc_json_text(a->b, v);
        return true;
    }
}

/* ---- the form ---- */

static bool quoted(array *a)
{
    for (a->p++; a->p < a->end; a->p++) {
        if (*a->p == '"') {
            a->p++;
            return put(a);
        }
        if (*a->p == '\\' && ++a->p == a->end)
            return false;
        uc_buf_byte(&a->text, *a->p);
    }
    return false;
}

static bool is_null(const array *a)
{
    return a->text.len == 4 && memcmp(a->text.p, "NULL", 4) == 0;
}

static bool unquoted(array *a)
{
    while (a->p < a->end && *a->p != ',' && *a->p != '}') {
        if (*a->p == '{' || *a->p == '"' || (*a->p == '\\' && ++a->p == a->end))
            return false;
        uc_buf_byte(&a->text, *a->p++);
    }
    if (!is_null(a))
        return a->text.len > 0 && put(a);
    uc_json_null(a->b);
    return true;
}

static bool elements(array *a, unsigned depth);

static bool one(array *a, unsigned depth)
{
    uc_buf_rewind(&a->text, 0);
    if (a->p == a->end)
        return false;
    if (*a->p == '{')
        return elements(a, depth + 1);
    return *a->p == '"' ? quoted(a) : unquoted(a);
}

/* p is at the opening brace. */
static bool elements(array *a, unsigned depth)
{
    if (depth > DEEPEST)
        return false;
    uc_buf_byte(a->b, '[');
    a->p++;
    while (a->p < a->end && *a->p != '}') {
        if (!one(a, depth) || a->p == a->end)
            return false;
        if (*a->p == ',')
            uc_buf_byte(a->b, *a->p++);
        else if (*a->p != '}')
            return false;
    }
    if (a->p == a->end)
        return false;
    a->p++;
    uc_buf_byte(a->b, ']');
    return true;
}

bool pg_array_json(uc_buf *b, uint32_t element, uc_view text)
{
    array a = {
        .b = b, .element = element, .p = text.p, .end = text.p + text.len};
    bool ok;

    if (text.len > 0 && *text.p == '[') /* bounds: [0:2]={…} */
        a.p = memchr(text.p, '=', text.len);
    if (a.p != NULL && a.p != text.p)
        a.p++;
    if (a.p == NULL || a.p == a.end || *a.p != '{')
        return false;
    uc_buf_init(&a.text, SIZE_MAX);
    ok = elements(&a, 1) && a.p == a.end && !a.text.failed && !b->failed;
    uc_buf_fini(&a.text);
    return ok;
}
