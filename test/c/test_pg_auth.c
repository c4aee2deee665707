/* Passwords: SCRAM by the vectors of RFC 7677, what SASLprep makes of them, and
 * what a server may not say. */
#include "data/pg/saslprep.h"
#include "data/pg/scram.h"
#include "tap.h"

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

/* RFC 7677, 3, but for the user's name, which PostgreSQL leaves empty. */
static const char nonce[] = "rOprNGfwEbeRWgbN";

static void begin(pg_scram *s, pg_binding binding)
{
    uint8_t zeroes[PG_NONCE] = {0};

    pg_scram_init(s, binding, zeroes, view("0123456789abcdef0123456789abcdef"));
    strcpy(s->nonce, nonce);
}

static void first(void)
{
    static const char *const want[] = {
        "n,,n=,r=rOprNGfwEbeRWgbN", "y,,n=,r=rOprNGfwEbeRWgbN",
        "p=tls-server-end-point,,n=,r=rOprNGfwEbeRWgbN"};

    for (int i = 0; i < 3; i++) {
        pg_scram s;
        uc_buf b;

        begin(&s, (pg_binding)i);
        uc_buf_init(&b, SIZE_MAX);
        pg_scram_first(&s, &b);
        uc_buf_byte(&b, '\0');
        eq_str((const char *)b.p, want[i], "the first message");
        uc_buf_fini(&b);
    }
}

/* The sums were made by another implementation (Python's hashlib and hmac). */
static const struct {
    pg_binding binding;
    const char *password, *want, *signature;
} proofs[] = {
    {PG_BINDING_NONE, "pencil",
     "c=biws,r=rOprNGfwEbeRWgbN%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=H/"
     "csCH8oakw5XKZyfI6OWBEUC/w8PbWc6+nnEV6p2p8=",
     "v=QBOMmVPSRkH2Y5IVY2c9qADvxzlMaOYQ1BUj7jUQIYE="},
    {PG_BINDING_USED, "pencil",
     "c="
     "cD10bHMtc2VydmVyLWVuZC1wb2ludCwsMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZ"
     "WY=,r=rOprNGfwEbeRWgbN%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=o2I40/"
     "mseE7BQFRRKTznbDfdU1XNN74G3VRyZezmKF8=",
     "v=3EwzLJ0xO4+K+AseaOa3nGo07hbs0CXoJe2LOOJPnws="},
    {PG_BINDING_NONE, "p\xc3\xa9 \xe2\x84\xa2",
     "c=biws,r=rOprNGfwEbeRWgbN%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
     "wy9DdpsMapPc3MHEgzRWI2oPB9HqLOf8GL1WZCunYjk=",
     "v=PdGVd7Tc46wngiO6F9lOIbhxenO9DHbsJN44mmmQvE0="},
};

static const char challenge[] =
    "r=rOprNGfwEbeRWgbN%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

static void prove(void)
{
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
        uc_error e = {0};
        pg_scram s;
        uc_buf b;

        begin(&s, proofs[i].binding);
        uc_buf_init(&b, SIZE_MAX);
        ok(pg_scram_prove(&s, view(challenge), view(proofs[i].password), &b,
                          &e),
           "the challenge is answered");
        uc_buf_byte(&b, '\0');
        eq_str((const char *)b.p, proofs[i].want, "with this");
        ok(pg_scram_check(&s, view(proofs[i].signature), &e),
           "and this server knows the password");
        ok(!pg_scram_check(
               &s, view("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &e),
           "another one does not");
        ok(!pg_scram_check(&s, view("v="), &e) &&
               !pg_scram_check(&s, view("e=other-error"), &e) &&
               !pg_scram_check(&s, view(""), &e),
           "nor one that shows nothing");
        uc_buf_fini(&b);
    }
}

static void refused(void)
{
    static const char *const bad[] = {
        "",
        "r=",
        "r=rOprNGfwEbeRWgbN,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=another%hvYDpWUa2RaTC,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNx,i=4096,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        "r=rOprNGfwEbeRWgbNx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        "r=rOprNGfwEbeRWgbNx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1",
        "r=rOprNGfwEbeRWgbNx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001",
        "r=rOprNGfwEbeRWgbNx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999999999",
        "r=rOprNGfwEbeRWgbNx,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        "r=rOprNGfwEbeRWgbNx,s=no base64,i=4096",
        "m=x,r=rOprNGfwEbeRWgbNx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uc_error e = {0};
        pg_scram s;
        uc_buf b;

        begin(&s, PG_BINDING_NONE);
        uc_buf_init(&b, SIZE_MAX);
        ok(!pg_scram_prove(&s, view(bad[i]), view("pencil"), &b, &e), bad[i]);
        ok(e.code != NULL && strstr(e.message, "pencil") == NULL,
           "with a reason, without the password");
        ok(!pg_scram_check(&s,
                           view("v=6rriTRBi23WpRR/wtup+mMhUZUn/"
                                "dB5nLTJRsjl95G4="),
                           &e),
           "and nothing that comes then is believed");
        uc_buf_fini(&b);
    }
}

/* RFC 4013, 3, and what libpq makes of it. */
static const struct {
    const char *from, *to, *name;
} prepared[] = {
    {"pencil", "pencil", "ASCII stays"},
    {"I\xc2\xadX", "IX", "a soft hyphen goes"},
    {"user", "user", "so does lower case"},
    {"USER", "USER", "case is kept"},
    {"\xc2\xaa", "a", "an ordinal is a letter"},
    {"\xe2\x85\xa8", "IX", "a Roman numeral is letters"},
    {"\x07", "\x07", "ASCII is not looked at"},
    {"\xc3\xa9\x07", "\xc3\xa9\x07", "a control character: as it is"},
    {"\xd8\xa7\x31", "\xd8\xa7\x31", "both directions: as it is"},
    {"a\xc2\xa0"
     "b",
     "a b", "a space is a space"},
    {"e\xcc\x81", "\xc3\xa9", "what can be composed is"},
    {"\xe2\x84\xa2", "TM", "a trade mark"},
    {"\xff\xfe", "\xff\xfe", "no UTF-8: as it is"},
    {"\xf0\x9f\x94\x91\xe2\x84\xa2", "\xf0\x9f\x94\x91\xe2\x84\xa2",
     "younger than Unicode 3.2: as it is"},
    {"\xc2\xad", "\xc2\xad", "nothing is left: as it is"},
    {"", "", "the empty one"},
};

static void saslprep(void)
{
    for (size_t i = 0; i < sizeof prepared / sizeof *prepared; i++) {
        uc_buf b;

        uc_buf_init(&b, SIZE_MAX);
        pg_saslprep(view(prepared[i].from), &b);
        uc_buf_byte(&b, '\0');
        eq_str((const char *)b.p, prepared[i].to, prepared[i].name);
        uc_buf_fini(&b);
    }
}

static void md5(void)
{
    static const uint8_t salt[4] = {1, 2, 3, 4};
    char got[36];

    pg_md5(view("ada"), view("secret"), salt, got);
    eq_str(got, "md5164dbcd37c01a78e869e72965960a754",
           "md5 of the password, the name and the salt");
}

int main(void)
{
    first();
    prove();
    refused();
    saslprep();
    md5();
    return tap_end();
}
