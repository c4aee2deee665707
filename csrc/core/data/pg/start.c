#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "data/pg/work.h"

/* The start-up of a connection (55.2.1): who one is. */

enum {
    PROTOCOL = 196608, /* 3.0 */
    AUTH_OK = 0,
    AUTH_CLEARTEXT = 3,
    AUTH_MD5 = 5,
    AUTH_SASL = 10,
    AUTH_SASL_CONTINUE = 11,
    AUTH_SASL_FINAL = 12
};

static void pair(uc_buf *b, const char *name, uc_view value)
{
    pg_put_str(b, name);
    pg_put_view(b, value);
    uc_buf_byte(b, '\0');
}

static uc_view view(const char *s)
{
    return (uc_view){(const uint8_t *)s, strlen(s)};
}

void pg_greet(pg_conn *c)
{
    const uc_view *v = c->db->info.values;
    uc_view name =
        v[PG_APPLICATION].len > 0 ? v[PG_APPLICATION] : v[PG_FALLBACK];
    size_t at = pg_msg_begin(&c->out, 0);

    pg_put32(&c->out, PROTOCOL);
    pair(&c->out, "user", v[PG_USER]);
    pair(&c->out, "database", v[PG_DBNAME]);
    pair(&c->out, "application_name", name);
    pair(&c->out, "client_encoding", view("UTF8"));
    pair(&c->out, "DateStyle", view("ISO"));
    if (c->role == PG_FEED)
        pair(&c->out, "replication", view("database"));
    if (v[PG_OPTIONS].len > 0)
        pair(&c->out, "options", v[PG_OPTIONS]);
    uc_buf_byte(&c->out, '\0');
    pg_msg_end(&c->out, at);
    c->phase = PG_GREETING;
    pg_conn_touch(c);
}

/* ---- who one is ---- */

/* With TLS, or without, it may be another matter. */
static void login_failed(pg_conn *c, uc_error *e)
{
    e->outcome = "not-run";
    c->wrong = PG_WRONG_LOGIN;
    pg_conn_fail(c, e);
}

static void refuse(pg_conn *c, const char *why)
{
    uc_error e;

    uc_fail(&e, UC_CONNECT, "%s", why);
    login_failed(c, &e);
}

static uc_view password_of(const pg_conn *c)
{
    return c->db->info.hosts[pg_way_host(c)].password;
}

static bool has_password(pg_conn *c)
{
    if (password_of(c).p != NULL)
        return true;
    refuse(c, "the server asks for a password, and there is none in the "
              "address, in PGPASSWORD or in the password file");
    return false;
}

static void send_text(pg_conn *c, uc_view text)
{
    size_t at = pg_msg_begin(&c->out, 'p');

    pg_put_view(&c->out, text);
    uc_buf_byte(&c->out, '\0');
    pg_msg_end(&c->out, at);
    pg_conn_touch(c);
}

static void md5(pg_conn *c, pg_reader *r)
{
    uc_view salt = pg_get_bytes(r, 4);
    char text[36];

    if (salt.len != 4) {
        refuse(c, "the server asks for a password without a salt");
        return;
    }
    pg_md5(c->db->info.values[PG_USER], password_of(c), salt.p, text);
    send_text(c, view(text));
}

static bool offers(pg_reader r, const char *mechanism)
{
    for (uc_view v = pg_get_str(&r); v.len > 0; v = pg_get_str(&r)) {
        if (uc_view_is(v, mechanism))
            return true;
    }
    return false;
}

/* How the connection stands to channel binding; false: it is asked for, and
 * cannot be. */
static bool binding_of(pg_conn *c, pg_reader offered, pg_binding *binding,
                       uint8_t *hash, size_t *n)
{
    pg_wish wish = c->db->info.binding;
    bool plus = offers(offered, "SCRAM-SHA-256-PLUS");

    *n = c->tls != NULL && wish != PG_NEVER ? pg_tls_binding(c->tls, hash) : 0;
    *binding = *n == 0 ? PG_BINDING_NONE
               : plus  ? PG_BINDING_USED
                       : PG_BINDING_UNASKED;
    if (*binding != PG_BINDING_USED)
        *n = 0;
    return wish != PG_REQUIRED || *binding == PG_BINDING_USED;
}

static void put_first(pg_conn *c)
{
    size_t at = pg_msg_begin(&c->out, 'p'), length;

    pg_put_str(&c->out, c->scram.binding == PG_BINDING_USED
                            ? "SCRAM-SHA-256-PLUS"
                            : "SCRAM-SHA-256");
    length = c->out.len;
    pg_put32(&c->out, 0);
    pg_scram_first(&c->scram, &c->out);
    if (!c->out.failed) { /* this length does not count itself */
        uint32_t n = __builtin_bswap32((uint32_t)(c->out.len - length - 4));

        memcpy(c->out.p + length, &n, sizeof n);
    }
    pg_msg_end(&c->out, at);
    pg_conn_touch(c);
}

static void sasl(pg_conn *c, pg_reader *r)
{
    uint8_t nonce[PG_NONCE], hash[PG_BINDING_MOST];
    pg_binding binding;
    size_t n;

    if (!binding_of(c, *r, &binding, hash, &n)) {
        refuse(c, "channel_binding=require, and the server or the connection "
                  "has none");
    } else if (binding != PG_BINDING_USED && !offers(*r, "SCRAM-SHA-256")) {
        refuse(c, "the server takes passwords in ways that are not known here");
    } else if (getrandom(nonce, sizeof nonce, 0) != sizeof nonce) {
        refuse(c, "there are no random numbers for a password");
    } else {
        pg_scram_init(&c->scram, binding, nonce, (uc_view){hash, n});
        put_first(c);
    }
}

static void sasl_continue(pg_conn *c, pg_reader *r)
{
    uc_view challenge = {r->p, (size_t)(r->end - r->p)};
    size_t at = pg_msg_begin(&c->out, 'p');
    uc_error e;

    if (!pg_scram_prove(&c->scram, challenge, password_of(c), &c->out, &e)) {
        login_failed(c, &e);
        return;
    }
    pg_msg_end(&c->out, at);
    pg_conn_touch(c);
}

static void authentication(pg_conn *c, uc_view body)
{
    pg_reader r = pg_reader_of(body);
    uint32_t kind = pg_get32(&r);
    uc_error e;

    if (kind == AUTH_OK && !r.failed) {
        if (c->db->info.binding == PG_REQUIRED && !c->bound)
            refuse(c, "channel_binding=require, and the server lets one in "
                      "without it");
        return;
    }
    if (kind == AUTH_SASL_FINAL) {
        if (!pg_scram_check(&c->scram, (uc_view){r.p, (size_t)(r.end - r.p)},
                            &e)) {
            login_failed(c, &e);
            return;
        }
        c->bound = c->scram.binding == PG_BINDING_USED;
        return;
    }
    if (c->db->info.binding == PG_REQUIRED && kind < AUTH_SASL) {
        refuse(c, "channel_binding=require, and the server asks for the "
                  "password itself");
        return;
    }
    if (!has_password(c))
        return;
    switch (kind) {
    case AUTH_CLEARTEXT:
        send_text(c, password_of(c));
        break;
    case AUTH_MD5:
        md5(c, &r);
        break;
    case AUTH_SASL:
        sasl(c, &r);
        break;
    case AUTH_SASL_CONTINUE:
        sasl_continue(c, &r);
        break;
    default:
        refuse(c, "the server asks for a proof that is not known here "
                  "(Kerberos, SSPI or GSSAPI)");
        break;
    }
}

static void key_data(pg_conn *c, uc_view body)
{
    pg_reader r = pg_reader_of(body);

    c->pid = pg_get32(&r);
    c->key = pg_get32(&r);
}

void pg_greeting(pg_conn *c, const pg_msg *m)
{
    uc_error e;

    switch (m->type) {
    case 'R':
        authentication(c, m->body);
        break;
    case 'K':
        key_data(c, m->body);
        break;
    case 'S':
        pg_setup_note(c, m->body);
        break;
    case 'N':
        break;
    case 'Z':
        c->status = m->body.len > 0 ? (char)m->body.p[0] : 'I';
        pg_setup(c);
        break;
    case 'E':
        pg_error(&e, m->body);
        e.outcome = "not-run";
        /* One that is starting or stopping: another may be there. */
        c->wrong =
            strcmp(e.sqlstate, "57P03") == 0 ? PG_WRONG_HOST : PG_WRONG_LOGIN;
        pg_conn_fail(c, &e);
        break;
    default:
        pg_nonsense(&e, "a message that has no place at the start");
        pg_conn_fail(c, &e);
        break;
    }
}
