/* Answers that are kept, and lists of ETags. */
#include "desk/kept.h"
#include "routes/etag.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static const uint8_t one[16] = {1}, two[16] = {2};

/* What is kept, or NULL; until the next call. */
static const char *get(uc_kept *k, const char *key, const uint8_t *tag,
                       int64_t now)
{
    static char text[256];
    const char *found = NULL;
    uc_buf b;

    uc_buf_init(&b, sizeof text - 1);
    if (uc_kept_get(k, view(key), tag, now, &b)) {
        if (b.len > 0)
            memcpy(text, b.p, b.len);
        text[b.len] = '\0';
        found = text;
    }
    uc_buf_fini(&b);
    return found;
}

static bool is(const char *got, const char *wanted)
{
    return got != NULL && strcmp(got, wanted) == 0;
}

static void keeping(void)
{
    uc_kept *k = uc_kept_new(4096);

    ok(get(k, "a", one, 0) == NULL, "nothing is kept");
    uc_kept_put(k, view("a"), one, 10, view("first"));
    ok(is(get(k, "a", one, 9), "first"), "kept");
    ok(get(k, "b", one, 9) == NULL, "not for another");
    ok(get(k, "a", one, 10) == NULL, "its time is up");
    uc_kept_put(k, view("a"), one, 10, view("first"));
    ok(get(k, "a", two, 1) == NULL, "the data is another");
    ok(get(k, "a", one, 1) == NULL, "which it stays");
    uc_kept_put(k, view("a"), one, 10, view("first"));
    uc_kept_put(k, view("a"), two, 10, view(""));
    ok(is(get(k, "a", two, 1), ""), "the last one stays, though it is empty");
    uc_kept_free(k);
    uc_kept_free(NULL);
}

static void room(void)
{
    uc_kept *k = uc_kept_new(4096);
    char key[16], large[2000];
    int kept = 0;

    memset(large, 'x', sizeof large);
    uc_kept_put(k, view("large"), one, 10,
                (uc_view){(const uint8_t *)large, sizeof large});
    ok(get(k, "large", one, 1) == NULL, "one does not take all there is");
    uc_kept_put(k, view("asked"), one, 10, view("for"));
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        uc_kept_put(k, view(key), one, 10, view("answer"));
        get(k, "asked", one, 1);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        kept += get(k, key, one, 1) != NULL;
    }
    ok(kept > 10 && kept < 100, "the newest have room");
    ok(is(get(k, "asked", one, 1), "for"), "and what is asked for");
    ok(k->bytes <= k->most, "no more than that");
    uc_kept_free(k);
}

/* More than it has begun with chains for; some of them are replaced. */
static void many(void)
{
    uc_kept *k = uc_kept_new(4096 * 1024);
    char key[16], answer[16];
    int found = 0;

    for (int i = 0; i < 6000; i++) {
        snprintf(key, sizeof key, "key %d", i % 5000);
        snprintf(answer, sizeof answer, "answer %d", i);
        uc_kept_put(k, view(key), one, 10, view(answer));
    }
    for (int i = 1000; i < 6000; i++) {
        snprintf(key, sizeof key, "key %d", i % 5000);
        snprintf(answer, sizeof answer, "answer %d", i);
        found += is(get(k, key, one, 1), answer);
    }
    eq_int(found, 5000, "each has its own");
    eq_int(k->n, 5000, "once");
    ok(k->nchains >= k->n, "in short chains");
    uc_kept_free(k);
}

static void tags(void)
{
    static const struct {
        const char *list;
        bool listed;
    } cases[] = {
        {"\"a\"", true},
        {"W/\"a\"", true},
        {"\"b\", \"a\"", true},
        {"\"b\" ,\tW/\"a\",\"c\"", true},
        {",, \"a\" ,", true},
        {"\"b\"", false},
        {"a", false},
        {"*", false},
        {"", false},
        {"\"a", false},
        {"w/\"a\"", false},
        {"\"aa\"", false},
        {"\"\"", false},
        {"\"b\",a,\"a\"", false},
        {"\"b,\"a\"\"", false},
        {"W/", false},
        {"\"b\"\"a\"", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(uc_etag_listed(view(cases[i].list), view("\"a\"")) ==
               cases[i].listed,
           cases[i].list);
    ok(!uc_etag_listed((uc_view){0}, view("\"a\"")), "no list");
    ok(uc_etag_any(view("*")) && !uc_etag_any(view("*, \"a\"")), "whatever");
}

int main(void)
{
    keeping();
    room();
    many();
    tags();
    return tap_end();
}
