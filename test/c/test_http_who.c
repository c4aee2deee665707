/* Who has sent a request: what the core is asked one after the other, and what
 * comes of its replies. Frames are compared as texts. */
#include <string.h>

#include "common/err.h"
#include "common/sha256.h"
#include "doors/http/serving.h"
#include "doors/http/who.h"
#include "tap.h"
#include "wire/writer.h"

#define TOKEN "iU7eiu_aWDo7D-6w5-K-Wz2Znp8hXSqUccYBUcFhKMc"

enum { NUMBER = 3, LEASE = 77, NOW = 1000000 };

static http_serving serving;
static char key[24], hex[2 * UC_SHA256_BYTES + 1], wanted[600];

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* ---- frames as texts ---- */

static void show_value(uc_reader *r, uc_buf *out);

static void put(uc_buf *out, const char *s)
{
    uc_buf_put(out, s, strlen(s));
}

static void show_list(uc_reader *r, uc_buf *out, const char *marks,
                      uint32_t values)
{
    uc_buf_byte(out, (uint8_t)marks[0]);
    for (uint32_t i = 0; i < values; i++) {
        if (i > 0)
            uc_buf_byte(out, ' ');
        show_value(r, out);
    }
    uc_buf_byte(out, (uint8_t)marks[1]);
}

static void show_value(uc_reader *r, uc_buf *out)
{
    char text[24];
    uc_value v;

    if (!uc_read(r, &v)) {
        put(out, "?");
        return;
    }
    switch (v.type) {
    case UC_T_NIL:
        put(out, "nil");
        break;
    case UC_T_BOOL:
        put(out, v.b ? "true" : "false");
        break;
    case UC_T_INT:
        snprintf(text, sizeof text, "%" PRId64, v.i);
        put(out, text);
        break;
    case UC_T_STR:
        uc_buf_byte(out, '\'');
        uc_buf_put(out, v.s.p, v.s.len);
        uc_buf_byte(out, '\'');
        break;
    case UC_T_BIN: /* of what is packed in it, or of an id */
        uc_buf_byte(out, '<');
        if (v.s.len == UC_SHA256_BYTES) {
            put(out, "id");
        } else {
            uc_reader in = {v.s.p, v.s.p + v.s.len};

            show_value(&in, out);
        }
        uc_buf_byte(out, '>');
        break;
    case UC_T_ARRAY:
        show_list(r, out, "[]", v.n);
        break;
    case UC_T_MAP:
        show_list(r, out, "{}", 2 * v.n);
        break;
    default:
        put(out, "?");
    }
}

/* All frames of the buffer, which is empty then; until the next call. */
static const char *shown(uc_buf *frames)
{
    static char text[2000];
    uc_reader r = {frames->p, frames->p + frames->len};
    uc_buf out;

    uc_buf_init(&out, sizeof text - 1);
    while (frames->len > 0 && r.p < r.end && !out.failed)
        show_value(&r, &out);
    if (out.len > 0)
        memcpy(text, out.p, out.len);
    text[out.len] = '\0';
    uc_buf_fini(&out);
    uc_buf_rewind(frames, 0);
    return text;
}

/* ---- replies ---- */

static uc_buf reply;

static void begin(uint8_t kind)
{
    uc_buf_rewind(&reply, 0);
    uc_reply_begin(&reply, NUMBER, kind, 3);
}

static void bin(const void *p, size_t n)
{
    http_frame_bin(&reply, (uc_view){p, n});
}

static void person(uc_buf *b, int64_t expires)
{
    uc_pack_array(b, 3);
    uc_pack_str(b, "ann");
    uc_pack_array(b, 1);
    uc_pack_str(b, "editor");
    uc_pack_int(b, expires);
}

/* [0, bin] */
static void cached(const void *p, size_t n)
{
    begin(UC_REPLY_VALUE);
    uc_pack_array(&reply, 2);
    uc_pack_uint(&reply, 0);
    bin(p, n);
}

static void leased(void)
{
    begin(UC_REPLY_VALUE);
    uc_pack_array(&reply, 2);
    uc_pack_uint(&reply, 1);
    uc_pack_uint(&reply, LEASE);
}

static void row(const char *json)
{
    begin(UC_REPLY_BYTES);
    bin(json, strlen(json));
}

static void failure(uc_code code, const char *message)
{
    uc_error e;

    uc_fail(&e, code, "%s", message);
    uc_buf_rewind(&reply, 0);
    uc_reply_error(&reply, NUMBER, &e);
}

/* ---- one request ---- */

static http_who *w;
static http_whom whom;
static uc_buf out;

static http_who_news take(void)
{
    return http_who_take(w, (uc_view){reply.p, reply.len}, NOW, &out, &whom);
}

static http_request request_of(http_verb verb, const char *target)
{
    http_request q = {0};

    q.verb = verb;
    q.method = view(verb == HTTP_VERB_POST      ? "POST"
                    : verb == HTTP_VERB_OPTIONS ? "OPTIONS"
                                                : "GET");
    q.target = view(target);
    return q;
}

static void ask(void)
{
    http_request q = request_of(HTTP_VERB_GET, "/mine?a=1");
    http_facts facts = {.ip = view("10.0.0.1"), .audit = true};

    http_who_begin(w, NUMBER, &serving, &q, &facts, view(TOKEN), &out);
}

static void asked(void)
{
    ask();
    snprintf(wanted, sizeof wanted,
             "[35 3 nil 'undercroft.session.http %s' {'lease' 5000}]", hex);
    /* The operation's number is the table's business. */
    ok(strcmp(strchr(shown(&out), ' '), strchr(wanted, ' ')) == 0,
       "the cache is asked, which is to wait for the row");
}

static void is_row_asked(const char *name)
{
    const char *text = shown(&out);
    size_t n = strlen(text), k;

    snprintf(wanted, sizeof wanted, " 0 [%s <id>]]", key);
    k = strlen(wanted);
    ok(n > k && strcmp(text + n - k, wanted) == 0 &&
           strstr(text, "from session where key = ? and id = ?") != NULL,
       name);
}

/* Behind the operation's number. */
static void is_given(const char *rest, const char *name)
{
    const char *text = strchr(shown(&out), ' ');

    eq_str(text != NULL ? text + 1 : "", rest, name);
}

static void is_nobody(const char *name)
{
    ok(whom.user.len == 0 && whom.roles.len == 0, name);
}

static void is_sent(const char *facts, const char *name)
{
    const char *text;
    size_t n, k;

    http_who_send(w, &whom, view("r-1"), &out);
    text = shown(&out);
    snprintf(wanted, sizeof wanted, "7 'GET' '/mine?a=1' [] nil %s]", facts);
    n = strlen(text);
    k = strlen(wanted);
    eq_str(n > k ? text + n - k : text, wanted, name);
}

/* ---- whether ---- */

static bool asks(const char *name, bool https, http_verb verb,
                 const char *target)
{
    static http_cookie_names names;
    http_request q = request_of(verb, target);
    char cookie[100];
    uc_view token;

    snprintf(cookie, sizeof cookie, "%s=" TOKEN, name);
    q.headers[q.nheaders++] = (http_header){view("cookie"), view(cookie)};
    http_cookie_name(&names, "sid");
    if (!http_who_asks(&names, https, &serving, &q, &token))
        return false;
    ok(uc_view_is(token, TOKEN), "the token is that of the cookie");
    return true;
}

static void whether(void)
{
    uc_view token;

    ok(asks("sid", false, HTTP_VERB_GET, "/mine?a=1"), "@auth");
    ok(asks("sid", false, HTTP_VERB_HEAD, "/mine"), "of a HEAD as well");
    ok(asks("sid", false, HTTP_VERB_GET, "/named"), ":_user");
    ok(asks("sid", false, HTTP_VERB_GET, "/roles"), ":_roles");
    ok(asks("sid", false, HTTP_VERB_POST, "/open"), "a POST");
    ok(!asks("sid", false, HTTP_VERB_GET, "/open"), "not where all are equal");
    ok(!asks("sid", false, HTTP_VERB_GET, "/nowhere"), "nor where no route is");
    ok(!asks("sid", false, HTTP_VERB_POST, "/mine"), "by that method");
    ok(!asks("sid", false, HTTP_VERB_OPTIONS, "/mine"), "nor of OPTIONS");
    ok(!asks("other", false, HTTP_VERB_GET, "/mine"), "nor by another cookie");
    ok(!http_who_asks(&(http_cookie_names){.secure = false}, false, &serving,
                      &(http_request){.target = view("/mine")}, &token),
       "nor where sessions are not read");
    ok(asks("__Host-sid", true, HTTP_VERB_GET, "/mine"), "behind https");
    ok(!asks("sid", true, HTTP_VERB_GET, "/mine"), "by that name alone");
    ok(!asks("__Host-sid", false, HTTP_VERB_GET, "/mine"), "which is of https");
}

/* ---- what comes of replies ---- */

static void from_cache(void)
{
    uc_buf b;

    uc_buf_init(&b, SIZE_MAX);
    person(&b, NOW + 1);
    asked();
    cached(b.p, b.len);
    eq_int(take(), HTTP_WHO_KNOWN, "the cache has it");
    eq_int(whom.frames, 0, "nothing more is asked");
    is_sent("{'id' 'r-1' 'ip' '10.0.0.1' 'audit' true 'user' 'ann' 'roles' "
            "['editor']}",
            "the request goes on with its facts");
    http_who_end(w);
    uc_buf_rewind(&b, 0);
    person(&b, NOW);
    asked();
    cached(b.p, b.len);
    eq_int(take(), HTTP_WHO_KNOWN, "a session that is over");
    is_nobody("is nobody's");
    is_sent("{'id' 'r-1' 'ip' '10.0.0.1' 'audit' true}", "which is no fact");
    http_who_end(w);
    asked();
    cached("\xc0", 1);
    eq_int(take(), HTTP_WHO_KNOWN, "a token that somebody has made up");
    is_nobody("is nobody's either");
    http_who_end(w);
    asked();
    cached("\x01", 1);
    eq_int(take(), HTTP_WHO_FAULT, "what is no person");
    http_who_end(w);
    uc_buf_fini(&b);
}

static void from_row(void)
{
    char json[120], rest[200];

    asked();
    leased();
    eq_int(take(), HTTP_WHO_WAITS, "the cache waits for the row");
    eq_int(whom.frames, 1, "which is asked for");
    is_row_asked("by its key and its id");
    snprintf(
        json, sizeof json,
        "[{\"user\":\"ann\",\"roles\":\"[\\\"editor\\\"]\",\"expires\":%d}]",
        NOW + 5);
    row(json);
    eq_int(take(), HTTP_WHO_KNOWN, "the row is there");
    eq_int(whom.frames, 1, "and given to the cache");
    snprintf(rest, sizeof rest,
             "0 nil 77 <['ann' ['editor'] %d]> {'t' 600000 'd' "
             "['r:session:%s']} nil]",
             NOW + 5, key);
    is_given(rest, "tied to the row");
    is_sent("{'id' 'r-1' 'ip' '10.0.0.1' 'audit' true 'user' 'ann' 'roles' "
            "['editor']}",
            "the request goes on");
    http_who_end(w);
    asked();
    leased();
    take();
    uc_buf_rewind(&out, 0);
    row("[]");
    eq_int(take(), HTTP_WHO_KNOWN, "no row");
    is_nobody("is nobody");
    snprintf(rest, sizeof rest,
             "0 nil 77 <nil> {'t' 600000 'd' ['r:session:%s'] 'n' true} nil]",
             key);
    is_given(rest, "and takes no room in the cache");
    http_who_end(w);
}

static void faults(void)
{
    asked();
    leased();
    take();
    uc_buf_rewind(&out, 0);
    row("[{\"user\":null,\"roles\":\"[]\",\"expires\":1}]");
    eq_int(take(), HTTP_WHO_FAULT, "a row without a user");
    ok(whom.why != NULL, "it is said why");
    is_given("0 nil 77 nil nil nil]", "and who waits for it has to ask");
    http_who_end(w);
    asked();
    failure(UC_NO_CACHE, "there is no cache here");
    eq_int(take(), HTTP_WHO_WAITS, "without a cache");
    is_row_asked("the row is asked for each time");
    row("[]");
    eq_int(take(), HTTP_WHO_KNOWN, "and told to nobody");
    eq_int((int64_t)out.len, 0, "who would keep it");
    http_who_end(w);
    asked();
    leased();
    take();
    uc_buf_rewind(&out, 0);
    failure(UC_INTERNAL, "no such table: session");
    eq_int(take(), HTTP_WHO_KNOWN, "no table of sessions");
    ok(whom.no_table, "is known as such");
    is_nobody("and nobody is logged in");
    is_given("0 nil 77 nil nil nil]", "who waits has to ask");
    http_who_end(w);
    asked();
    leased();
    take();
    uc_buf_rewind(&out, 0);
    failure(UC_TIMEOUT, "it took too long");
    eq_int(take(), HTTP_WHO_FAILURE, "another failure is the request's");
    is_given("0 nil 77 nil nil nil]", "and is not the others'");
    http_who_end(w);
    asked();
    failure(UC_BUSY, "no such table: session");
    eq_int(take(), HTTP_WHO_FAILURE, "of the cache's no table is known");
    eq_int((int64_t)out.len, 0, "nobody waits");
    http_who_end(w);
    asked();
    row("[]");
    eq_int(take(), HTTP_WHO_FAULT, "rows that were not asked for");
    http_who_end(w);
    asked();
    uc_buf_rewind(&reply, 0);
    uc_pack_nil(&reply);
    eq_int(take(), HTTP_WHO_FAILURE, "what is no reply");
    http_who_end(w);
}

/* ---- all of it ---- */

static bool routes(void)
{
    static const char text[] =
        "-- @get /mine\n-- @auth\nselect 1 as a;\n"
        "-- @get /named\n-- @public\nselect :_user as a;\n"
        "-- @get /roles\n-- @public\nselect :_roles as a;\n"
        "-- @get /open\n-- @public\nselect 1 as a;\n"
        "-- @post /open :none\n-- @public\nselect 1;\n";
    uc_source file = {view("r.sql"), view(text)};
    uc_error e;

    uc_error_init(&e);
    serving.known = uc_routes_read(&file, 1, &e);
    if (serving.known == NULL)
        tap_diag("%s", e.message);
    serving.set = 7;
    atomic_init(&serving.refs, 1);
    return serving.known != NULL;
}

static void names(void)
{
    uint8_t id[UC_SHA256_BYTES];
    uint64_t first = 0;

    uc_sha256(view(TOKEN), id);
    for (unsigned i = 0; i < UC_SHA256_BYTES; i++) {
        snprintf(hex + (size_t)2 * i, 3, "%02x", id[i]);
        if (i < 8)
            first = first << 8 | id[i];
    }
    snprintf(key, sizeof key, "%" PRId64, (int64_t)first);
}

int main(void)
{
    uc_buf_init(&reply, SIZE_MAX);
    uc_buf_init(&out, SIZE_MAX);
    names();
    w = http_who_new();
    if (ok(w != NULL && routes(), "routes")) {
        whether();
        from_cache();
        from_row();
        faults();
        eq_int(atomic_load(&serving.refs), 1, "the routes are let go");
        ok(http_who_held(w) > 0 && http_who_held(NULL) == 0, "what it holds");
    }
    http_who_free(w);
    http_who_free(NULL);
    uc_routes_unref(serving.known);
    uc_buf_fini(&reply);
    uc_buf_fini(&out);
    return tap_end();
}
