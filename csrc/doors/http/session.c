/* Whose request it is, where it has the cookie of a session: who.c asks, and
 * the connection waits for the reply. */
#include "common/clock.h"
#include "daemon/log.h"
#include "doors/http/conn.h"

static bool is_https(const http_conn *c, const http_request *q)
{
    return c->trusted && uc_view_is(http_only(q, "x-forwarded-proto"), "https");
}

bool http_conn_ask_who(http_conn *c, uint32_t number, const http_request *q,
                       const http_facts *facts)
{
    const http_settings *s = c->loop->settings;
    uc_view token;

    if (!http_cookie_is_there(q) ||
        !http_who_asks(&s->cookie, is_https(c, q), c->loop->serving, q, &token))
        return false;
    if (c->who == NULL)
        c->who = http_who_new();
    if (c->who == NULL) {
        c->frames.failed = true;
        return true;
    }
    http_who_begin(c->who, number, c->loop->serving, q, facts, token,
                   &c->frames);
    if (c->frames.failed)
        http_who_end(c->who);
    else
        c->unknown = number;
    return true;
}

bool http_conn_take_who(http_conn *c, uc_view frame)
{
    uint32_t number = c->unknown;
    char room[HTTP_ID_ROOM];
    http_whom whom;
    http_who_news news =
        http_who_take(c->who, frame, uc_wall_ms(), &c->frames, &whom);

    c->nframes += whom.frames;
    if (whom.no_table && !c->loop->told_no_table)
        ud_say("a request has the cookie of a session, and there is no table "
               "session: nobody is logged in");
    c->loop->told_no_table = c->loop->told_no_table || whom.no_table;
    if (news == HTTP_WHO_KNOWN) {
        http_who_send(
            c->who, &whom,
            http_conn_id(c, http_order_asked(&c->order, number), room),
            &c->frames);
        c->nframes++;
    }
    if (news != HTTP_WHO_WAITS) {
        http_who_end(c->who);
        c->unknown = 0;
    }
    if (news == HTTP_WHO_FAULT) {
        ud_say("a session could not be read: %s", whom.why);
        http_conn_answer_text(c, number, 500, "internal error");
    }
    if (c->frames.failed)
        http_conn_close(c);
    return news != HTTP_WHO_FAILURE;
}
