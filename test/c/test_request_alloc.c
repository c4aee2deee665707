/*
 * Allocation number n fails, for n = 1, 2, ... until the reading of a request
 * needs fewer: it is refused for want of memory, or it is what it always is;
 * the same request works afterwards, and nothing leaks (LeakSanitizer). jansson
 * allocates through us as well.
 */
#include "common/mem.h"
#include "routes/input.h"
#include "tap.h"

#define V(s)                                \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
#define PARAM(n, t, ...)                                                  \
    {                                                                     \
        .name = V(n), .type = UC_PARAM_##t, .optional = true, __VA_ARGS__ \
    }

static const uc_view words[] = {V("new"), V("paid")};
static const uc_param params[] = {
    PARAM("text", TEXT, .has_most = true, .most = 5000),
    PARAM("integer", INTEGER, .has_most = true, .most = 9),
    PARAM("real", REAL, .has_most = true, .most_real = 1.5),
    PARAM("time", TIME),
    PARAM("uuid", UUID),
    PARAM("json", JSON),
    PARAM("blob", BLOB),
    PARAM("word", WORDS, .nwords = 2, .words = words),
    PARAM("times", TIME, .list = true),
    PARAM("texts", TEXT, .list = true),
};
static const uc_route get = {.method = UC_METHOD_GET,
                             .path = V("/a"),
                             .nparams = sizeof params / sizeof *params,
                             .params = params};
static const uc_route post = {.method = UC_METHOD_POST,
                              .path = V("/a"),
                              .nparams = sizeof params / sizeof *params,
                              .params = params};

static const uc_serving serving = {.body_most = 1 << 20};
static const uc_header headers[] = {
    {V("content-type"), V("application/json")},
};

static char long_text[4001], long_body[20000];

static const struct {
    const char *name;
    const char *query, *body;
} requests[] = {
    {"plain", "integer=4&word=new", NULL},
    {"decoded", "text=a%20b&integer=4&te%78ts=a+b,c", NULL},
    {"of many digits", "real=0.12345678901234567890123", NULL},
    {"values",
     "time=2026-11-30&blob=AAEC&json={\"b\":[1],\"a\":2}"
     "&uuid=123e4567-e89b-12d3-a456-426614174000",
     NULL},
    {"lists", "times=2026-11-30,2026-12-01&texts=a,b,,c", NULL},
    {"refused", "integer=10&real=2&word=old&times=a&texts=a,%ff&json={&time=1",
     NULL},
    {"unknown", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10", NULL},
    {"a body", NULL,
     "{\"text\":\"\\u00fc\",\"integer\":4,\"real\":1.25,"
     "\"json\":{\"z\":[1,2,3,{\"y\":null}],\"a\":\"x\"},"
     "\"times\":[\"2026-11-30\"],\"blob\":\"AAEC\"}"},
    {"a long body", NULL, long_body},
    {"a refused body", NULL, "{\"text\":4,\"integer\":10,\"x\":{}}"},
    {"no JSON", NULL, "{\"text\":4,"},
    {"a key twice", NULL, "{\"text\":4,\"text\":4}"},
};

/* Everything that has been read as bytes: a hash of it, or the text. */
static void outcome(const uc_request *q, bool good, uc_buf *out)
{
    static const uint8_t places[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    const uc_variant v = {.nparams = sizeof places, .params = places};

    uc_buf_rewind(out, 0);
    if (good)
        uc_request_bind(q, &v, out);
    else
        uc_buf_put(out, q->text.p, q->text.len);
}

static bool take(uc_request *q, size_t i)
{
    const char *query = requests[i].query, *body = requests[i].body;
    uc_view search = {(const uint8_t *)query, query ? strlen(query) : 0};

    q->headers = headers;
    q->nheaders = 1;
    q->body = (uc_view){(const uint8_t *)body, body ? strlen(body) : 0};
    uc__request_start(q);
    q->route = query != NULL ? &get : &post;
    return uc__request_take(q, search, &serving);
}

/* With allocation n failing. False: it needed fewer. */
static bool once(size_t i, uint64_t n, bool want_good, const uc_buf *want,
                 unsigned *refused, unsigned *wrong)
{
    uc_request q = {0};
    uc_buf got;
    bool good, failed;

    uc_buf_init(&got, SIZE_MAX);
    uc_request_init(&q);
    uc_mem_fail_nth(n);
    good = take(&q, i);
    failed = uc_mem_fail_nth(0) >= n;
    if (!good && q.refusal == UC_REFUSAL_INTERNAL) {
        ++*refused;
        good = take(&q, i);
    }
    outcome(&q, good, &got);
    *wrong += good != want_good || got.len != want->len ||
              memcmp(got.p, want->p, got.len) != 0;
    uc_request_fini(&q);
    uc_buf_fini(&got);
    return failed;
}

static void sweep(size_t i)
{
    unsigned refused = 0, wrong = 0;
    uc_request q = {0};
    uint64_t n = 1;
    char name[100];
    uc_buf want;
    bool good;

    uc_buf_init(&want, SIZE_MAX);
    uc_request_init(&q);
    good = take(&q, i);
    outcome(&q, good, &want);
    uc_request_fini(&q);
    while (n < 1000 && once(i, n, good, &want, &refused, &wrong))
        n++;
    snprintf(name, sizeof name, "%s: the same, or internal (%u of %u)",
             requests[i].name, refused, (unsigned)n - 1);
    ok(wrong == 0 && n < 1000 && refused >= (n - 1) / 2, name);
    uc_buf_fini(&want);
}

int main(void)
{
    memset(long_text, 'a', sizeof long_text - 1);
    snprintf(long_body, sizeof long_body,
             "{\"text\":\"%s\",\"json\":[\"%s\",\"%s\"]}", long_text, long_text,
             long_text);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        sweep(i);
    return tap_end();
}
