/* Whose a session is: from its row to the facts of a request. */
#include <string.h>

#include "common/buf.h"
#include "routes/person.h"
#include "tap.h"
#include "wire/writer.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

static uc_person_found pack(const char *json, uc_buf *b)
{
    uc_buf_rewind(b, 0);
    return uc_person_pack(view(json), b);
}

static void good(const char *json, const char *user, const char *roles,
                 int64_t expires)
{
    uc_person p;
    uc_buf b;

    uc_buf_init(&b, 4096);
    ok(pack(json, &b) == UC_PERSON_ONE, json);
    ok(uc_person_read((uc_view){b.p, b.len}, &p), "can be read");
    ok(uc_view_is(p.user, user), "the user");
    ok(uc_view_is(p.roles, roles), "the roles");
    eq_int(p.expires, expires, "the end");
    for (size_t n = 0; n < b.len; n++) {
        if (uc_person_read((uc_view){b.p, n}, &p))
            ok(false, "cut off is none");
    }
    uc_buf_fini(&b);
}

static void rows(void)
{
    good("[{\"user\":7,\"roles\":\"[]\",\"expires\":9}]", "\x07", "\x90", 9);
    good("[{\"user\":\"ada\",\"roles\":\"[\\\"a\\\",\\\"bc\\\"]\","
         "\"expires\":1796047946177}]",
         "\xa3"
         "ada",
         "\x92\xa1"
         "a\xa2"
         "bc",
         1796047946177);
    good("[{\"user\":-1,\"roles\":\" [ ] \",\"expires\":-5}]", "\xff", "\x90",
         -5);
}

static void others(void)
{
    static const char *const faulty[] = {
        "",
        "{}",
        "null",
        "[1]",
        "[{}]",
        "[{\"user\":7,\"roles\":\"[]\"}]",
        "[{\"user\":null,\"roles\":\"[]\",\"expires\":9}]",
        "[{\"user\":1.5,\"roles\":\"[]\",\"expires\":9}]",
        "[{\"user\":true,\"roles\":\"[]\",\"expires\":9}]",
        "[{\"user\":[7],\"roles\":\"[]\",\"expires\":9}]",
        "[{\"user\":7,\"roles\":null,\"expires\":9}]",
        "[{\"user\":7,\"roles\":[],\"expires\":9}]",
        "[{\"user\":7,\"roles\":\"\",\"expires\":9}]",
        "[{\"user\":7,\"roles\":\"{}\",\"expires\":9}]",
        "[{\"user\":7,\"roles\":\"\\\"admin\\\"\",\"expires\":9}]",
        "[{\"user\":7,\"roles\":\"[\\\"a\\\",7]\",\"expires\":9}]",
        "[{\"user\":7,\"roles\":\"[]\",\"expires\":\"9\"}]",
        "[{\"user\":7,\"roles\":\"[]\",\"expires\":9.5}]",
    };
    uc_buf b;

    uc_buf_init(&b, 4096);
    ok(pack("[]", &b) == UC_PERSON_NONE && b.len == 0, "no row");
    for (unsigned i = 0; i < sizeof faulty / sizeof *faulty; i++)
        ok(pack(faulty[i], &b) == UC_PERSON_FAULTY && b.len == 0, faulty[i]);
    uc_buf_fini(&b);
    uc_buf_init(&b, 8);
    ok(pack("[{\"user\":\"more than there is room\",\"roles\":\"[]\","
            "\"expires\":9}]",
            &b) == UC_PERSON_FAULTY &&
           b.len == 0 && !b.failed,
       "no room");
    uc_buf_fini(&b);
}

static void put(uc_buf *b, const char *s)
{
    uc_buf_put(b, s, strlen(s));
}

static void many_roles(unsigned n, uc_person_found wanted)
{
    uc_buf json, b;

    uc_buf_init(&json, 1 << 20);
    uc_buf_init(&b, 1 << 20);
    put(&json, "[{\"user\":1,\"expires\":9,\"roles\":\"[");
    for (unsigned i = 0; i < n; i++)
        put(&json, i == 0 ? "\\\"a\\\"" : ",\\\"a\\\"");
    put(&json, "]\"}]");
    ok(uc_person_pack((uc_view){json.p, json.len}, &b) == wanted,
       "as many roles as a mount takes, and no more");
    uc_buf_fini(&json);
    uc_buf_fini(&b);
}

static void kept(void)
{
    static const struct {
        const char *bytes;
        size_t n;
    } none[] = {
        {"", 0},
        {"\xc0", 1},
        {"\x92\x07\x90", 3},
        {"\x93\x90\x90\x09", 4},
        {"\x93\x07\x07\x09", 4},
        {"\x93\x07\x90\xa1x", 5},
        {"\x93\x07\x90\x09\x09", 5},
    };
    uc_person p;

    for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
        ok(!uc_person_read((uc_view){(const uint8_t *)none[i].bytes, none[i].n},
                           &p),
           "what is none");
}

int main(void)
{
    rows();
    others();
    many_roles(UC_PERSON_ROLES, UC_PERSON_ONE);
    many_roles(UC_PERSON_ROLES + 1, UC_PERSON_FAULTY);
    kept();
    return tap_end();
}
