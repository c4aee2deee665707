#include "routes/value.h"

#include <math.h>
#include <stdio.h>

#include "routes/json.h"
#include "routes/range.h"
#include "routes/scalar.h"
#include "wire/json.h"
#include "wire/utf8.h"

/* A value in the making. */
typedef struct making {
    const uc_param *p;
    uc_arena *mem;
    uc_arg *arg;
    uc_view *why;
} making;

static const uc_unit characters = {"character", "characters", UC_ROUTE_TEXT};
static const uc_unit bytes = {"byte", "bytes", UINT64_MAX};
static const uc_unit entries = {"entry", "entries", UC_ROUTE_LIST};

static bool of_text(const making *m, uc_view s);
static bool of_json(const making *m, const json_t *v);

static bool made_text(const making *m, uc_view s)
{
    m->arg->type = UC_ARG_TEXT;
    m->arg->s = s;
    return true;
}

/* @clamp: what is no number is the preset, where there is one. */
static bool preset_instead(const making *m)
{
    if (!m->p->clamp || m->p->preset.type == UC_ARG_ABSENT)
        return false;
    *m->arg = m->p->preset;
    return true;
}

/* "must be one of new, paid"; a long list ends with three dots. */
static bool not_a_word(const making *m)
{
    enum { ROOM = 400 };
    char text[ROOM + 8] = "must be one of ";
    size_t n = strlen(text);

    for (uint32_t i = 0; i < m->p->nwords; i++) {
        const char *comma = i > 0 ? ", " : "";
        uc_view w = m->p->words[i];
        bool fits = n + w.len + 2 <= ROOM;

        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", comma,
                              fits ? (int)w.len : 3,
                              fits ? (const char *)w.p : "...");
        if (!fits)
            break;
    }
    *m->why = uc_arena_copy(m->mem, (uc_view){(const uint8_t *)text, n});
    return false;
}

/* It is no value of this type at all. */
static bool not_one(const making *m)
{
    static const char *const sentences[] = {
        [UC_PARAM_TEXT] = "must be a string",
        [UC_PARAM_INTEGER] = "must be an integer",
        [UC_PARAM_REAL] = "must be a number",
        [UC_PARAM_BOOLEAN] = "must be true or false",
        [UC_PARAM_TIME] = ("must be a date, or a time with its zone such as "
                           "2026-11-30T13:00:00Z"),
        [UC_PARAM_UUID] = "must be a UUID",
        [UC_PARAM_JSON] = "must be JSON",
        [UC_PARAM_BLOB] = "must be base64",
    };

    if (preset_instead(m))
        return true;
    if (m->p->type == UC_PARAM_WORDS)
        return not_a_word(m);
    return uc__says(m->why, sentences[m->p->type]);
}

/* ---- each type ----------------------------------------------------------- */

/* Of valid UTF-8: the bytes that begin a character. */
static uint64_t count_characters(uc_view s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool make_text(const making *m, uc_view s)
{
    return uc__count_within(m->p, count_characters(s), &characters, m->mem,
                            m->why) &&
           made_text(m, s);
}

static bool make_integer(const making *m, uc_number n, int64_t v)
{
    if (n == UC_NUMBER_NONE)
        return not_one(m);
    if (!uc__integer_within(m->p, &v, n == UC_NUMBER_BEYOND, m->mem, m->why))
        return false;
    m->arg->type = UC_ARG_INT;
    m->arg->i = v;
    return true;
}

static bool make_real(const making *m, uc_number n, double v)
{
    if (m->mem->failed)
        return false;
    if (n == UC_NUMBER_NONE)
        return not_one(m);
    if (!uc__real_within(m->p, &v, m->mem, m->why))
        return preset_instead(m); /* infinite, and no bound on that side */
    m->arg->type = UC_ARG_REAL;
    m->arg->d = v;
    return true;
}

static bool make_boolean(const making *m, bool v)
{
    m->arg->type = UC_ARG_INT;
    m->arg->i = v;
    return true;
}

static bool boolean_of_text(const making *m, uc_view s)
{
    bool yes = uc_view_is(s, "true") || uc_view_is(s, "1");

    if (!yes && !uc_view_is(s, "false") && !uc_view_is(s, "0"))
        return not_one(m);
    return make_boolean(m, yes);
}

static bool make_time(const making *m, uc_view s)
{
    uint8_t *p = uc_arena_alloc(m->mem, UC_TIME_LENGTH);

    if (p == NULL)
        return false;
    if (!uc__time_of_text(s, p))
        return not_one(m);
    return made_text(m, (uc_view){p, UC_TIME_LENGTH});
}

static bool make_uuid(const making *m, uc_view s)
{
    uint8_t *p = uc_arena_alloc(m->mem, UC_UUID_LENGTH);

    if (p == NULL)
        return false;
    if (!uc__uuid_of_text(s, p))
        return not_one(m);
    return made_text(m, (uc_view){p, UC_UUID_LENGTH});
}

static bool make_blob(const making *m, uc_view s)
{
    uint8_t *p = uc_arena_alloc(m->mem, s.len / 4 * 3);
    size_t n;

    if (p == NULL)
        return false;
    if (!uc__base64_of_text(s, p, &n))
        return not_one(m);
    if (!uc__count_within(m->p, n, &bytes, m->mem, m->why))
        return false;
    m->arg->type = UC_ARG_BLOB;
    m->arg->s = (uc_view){p, n};
    return true;
}

static bool make_word(const making *m, uc_view s)
{
    for (uint32_t i = 0; i < m->p->nwords; i++) {
        if (uc_view_same(m->p->words[i], s))
            return made_text(m, m->p->words[i]);
    }
    return not_one(m);
}

/* ---- JSON as a value ----------------------------------------------------- */

/* Takes what has been written as the value, or frees it. */
static bool take_written(const making *m, bool written, uc_buf *b)
{
    uc_view s = {0};

    if (written && !b->failed)
        s = uc_arena_copy(m->mem, (uc_view){b->p, b->len});
    else if (b->failed)
        m->mem->failed = true; /* has no limit: there is no memory */
    uc_buf_fini(b);
    return written && s.p != NULL && made_text(m, s);
}

static bool make_json(const making *m, const json_t *v)
{
    uc_buf b;
    bool written;

    uc_buf_init(&b, SIZE_MAX);
    written = uc__json_write(v, m->mem, &b);
    if (!written)
        uc__says(m->why, "must not contain a NUL character");
    return take_written(m, written, &b);
}

static const json_t *parse(const making *m, uc_view s)
{
    uc_json_error e;
    const json_t *v = uc__json_read(s, 0, m->mem, &e);

    if (v == NULL)
        not_one(m);
    return v;
}

static bool json_of_text(const making *m, uc_view s)
{
    const json_t *v = parse(m, s);

    return v != NULL && of_json(m, v);
}

/* ---- one value ----------------------------------------------------------- */

static bool of_text(const making *m, uc_view s)
{
    uc_number n;
    int64_t i;
    double d;

    switch (m->p->type) {
    case UC_PARAM_INTEGER:
        n = uc__integer_of_text(s, &i);
        return make_integer(m, n, i);
    case UC_PARAM_REAL:
        n = uc__real_of_text(s, m->mem, &d);
        return make_real(m, n, d);
    case UC_PARAM_BOOLEAN:
        return boolean_of_text(m, s);
    case UC_PARAM_TIME:
        return make_time(m, s);
    case UC_PARAM_UUID:
        return make_uuid(m, s);
    case UC_PARAM_JSON:
        return json_of_text(m, s);
    case UC_PARAM_BLOB:
        return make_blob(m, s);
    case UC_PARAM_WORDS:
        return make_word(m, s);
    case UC_PARAM_TEXT:
    case UC_PARAM_GIVEN:
        break;
    }
    return make_text(m, s);
}

/* 4.0 is the integer 4, as JSON knows numbers and no integers; but not where a
 * double may be the nearest of several. */
static bool integer_of_json(const making *m, const json_t *v)
{
    double d = json_number_value(v);

    if (json_is_integer(v))
        return make_integer(m, UC_NUMBER_FITS, json_integer_value(v));
    if (!json_is_real(v) || d != trunc(d))
        return make_integer(m, UC_NUMBER_NONE, 0);
    if (fabs(d) <= 0x1p53)
        return make_integer(m, UC_NUMBER_FITS, (int64_t)d);
    if (fabs(d) < 0x1p63)
        return make_integer(m, UC_NUMBER_NONE, 0);
    return make_integer(m, UC_NUMBER_BEYOND, d < 0 ? INT64_MIN : INT64_MAX);
}

static bool real_of_json(const making *m, const json_t *v)
{
    if (!json_is_number(v))
        return make_real(m, UC_NUMBER_NONE, 0);
    return make_real(m, UC_NUMBER_FITS, json_number_value(v) + 0.0); /* no -0 */
}

static bool string_of_json(const making *m, const json_t *v)
{
    uc_view s;

    if (!json_is_string(v))
        return not_one(m);
    s = (uc_view){(const uint8_t *)json_string_value(v), json_string_length(v)};
    if (memchr(s.p, '\0', s.len) != NULL)
        return uc__says(m->why, "must not contain a NUL character");
    return of_text(m, s);
}

static bool null_of_json(const making *m)
{
    if (!m->p->optional)
        return preset_instead(m) || uc__says(m->why, "must not be null");
    m->arg->type = UC_ARG_NULL;
    return true;
}

static bool of_json(const making *m, const json_t *v)
{
    if (json_is_null(v))
        return null_of_json(m);
    switch (m->p->type) {
    case UC_PARAM_INTEGER:
        return integer_of_json(m, v);
    case UC_PARAM_REAL:
        return real_of_json(m, v);
    case UC_PARAM_BOOLEAN:
        return json_is_boolean(v) ? make_boolean(m, json_is_true(v))
                                  : not_one(m);
    case UC_PARAM_JSON:
        return make_json(m, v);
    default:
        return string_of_json(m, v);
    }
}

/* ---- lists --------------------------------------------------------------- */

/* Its entries: of the same type, and the range was the list's. */
static uc_param entry_of(const uc_param *p)
{
    uc_param entry = *p;

    entry.list = entry.optional = entry.clamp = false;
    entry.has_least = entry.has_most = false;
    return entry;
}

static void write_entry(const uc_param *p, const uc_arg *arg, uc_buf *b)
{
    if (p->type == UC_PARAM_BOOLEAN)
        uc_buf_put(b, arg->i ? "true" : "false", arg->i ? 4 : 5);
    else if (p->type == UC_PARAM_JSON)
        uc_buf_put(b, arg->s.p, arg->s.len);
    else if (arg->type == UC_ARG_INT)
        uc_json_int(b, arg->i);
    else if (arg->type == UC_ARG_REAL)
        uc_json_double(b, arg->d);
    else if (arg->type == UC_ARG_BLOB)
        uc_json_blob(b, arg->s);
    else
        uc_json_text(b, arg->s);
}

/* Before the why of an entry: which it is, counted from 1. */
static void number_why(const making *m, size_t i)
{
    char text[32];
    size_t n = (size_t)snprintf(text, sizeof text, "entry %zu ", i);
    uint8_t *p;

    if (m->mem->failed)
        return;
    p = uc_arena_alloc(m->mem, n + m->why->len);
    if (p == NULL)
        return;
    memcpy(p, text, n);
    memcpy(p + n, m->why->p, m->why->len);
    *m->why = (uc_view){p, n + m->why->len};
}

/* A list in the making: the JSON of its entries so far. */
typedef struct listing {
    const making *list;
    uc_param p;
    uc_arg arg;
    making entry;
    size_t n;
    bool good;
    uc_buf b;
} listing;

static void list_begin(listing *l, const making *m)
{
    l->list = m;
    l->p = entry_of(m->p);
    l->entry = (making){&l->p, m->mem, &l->arg, m->why};
    l->n = 0;
    l->good = true;
    uc_buf_init(&l->b, SIZE_MAX);
    uc_buf_byte(&l->b, '[');
}

/* good: l->arg is an entry, otherwise *why says what it is not. */
static void list_add(listing *l, bool good)
{
    l->good = good;
    if (l->n++ > 0)
        uc_buf_byte(&l->b, ',');
    if (good)
        write_entry(&l->p, &l->arg, &l->b);
    else
        number_why(&l->entry, l->n);
}

static bool list_end(listing *l)
{
    uc_buf_byte(&l->b, ']');
    return take_written(l->list, l->good, &l->b);
}

static bool list_of_json(const making *m, const json_t *v)
{
    size_t n = json_array_size(v);
    listing l;

    if (json_is_null(v))
        return null_of_json(m);
    if (!json_is_array(v))
        return uc__says(m->why, "must be a list");
    if (!uc__count_within(m->p, n, &entries, m->mem, m->why))
        return false;
    list_begin(&l, m);
    for (size_t i = 0; l.good && i < n; i++) {
        const json_t *e = json_array_get(v, i);

        /* null is a value of JSON, and of nothing else. */
        list_add(&l, l.p.type == UC_PARAM_JSON ? make_json(&l.entry, e)
                                               : of_json(&l.entry, e));
    }
    return list_end(&l);
}

/* The next entry of a list with commas; of an empty text there is none. */
static uc_view next_entry(uc_view *rest)
{
    const uint8_t *comma = memchr(rest->p, ',', rest->len);
    size_t n = comma != NULL ? (size_t)(comma - rest->p) : rest->len;
    size_t taken = comma != NULL ? n + 1 : n;
    uc_view entry = {rest->p, n};

    rest->p += taken;
    rest->len -= taken;
    return entry;
}

static size_t count_entries(uc_view s)
{
    size_t n = s.len > 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.p[i] == ',';
    return n;
}

static bool list_of_text(const making *m, uc_view s)
{
    size_t n = count_entries(s);
    listing l;

    if (!uc__count_within(m->p, n, &entries, m->mem, m->why))
        return false;
    list_begin(&l, m);
    for (size_t i = 0; l.good && i < n; i++)
        list_add(&l, of_text(&l.entry, next_entry(&s)));
    return list_end(&l);
}

/* JSON has commas itself: such a list is one JSON text. */
static bool json_list_of_text(const making *m, uc_view s)
{
    const json_t *v = parse(m, s);

    return v != NULL && list_of_json(m, v);
}

/* ---- doors --------------------------------------------------------------- */

bool uc_value_of_text(const uc_param *p, uc_view text, uc_arena *mem,
                      uc_arg *arg, uc_view *why)
{
    making m = {p, mem, arg, why};

    if (text.len == 0)
        text.p = (const uint8_t *)"";
    if (!uc_is_utf8(text.p, text.len))
        return uc__says(why, "must be valid UTF-8");
    if (memchr(text.p, '\0', text.len) != NULL)
        return uc__says(why, "must not contain a NUL character");
    if (!p->list)
        return of_text(&m, text);
    if (p->type == UC_PARAM_JSON)
        return json_list_of_text(&m, text);
    return list_of_text(&m, text);
}

bool uc_value_of_json(const uc_param *p, const json_t *v, uc_arena *mem,
                      uc_arg *arg, uc_view *why)
{
    making m = {p, mem, arg, why};

    return p->list ? list_of_json(&m, v) : of_json(&m, v);
}
