/*
 * May this POST be read? A page of another site can send a POST with our
 * cookies, so we want two things which such a page cannot have: a content type
 * that browsers send across sites only after asking (CORS), and headers that
 * browsers themselves fill in.
 */
#include "routes/input.h"

#include <strings.h>

uint32_t uc__header(const uc_request *q, uc_view name, uc_view *value)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < q->nheaders; i++) {
        const uc_header *h = &q->headers[i];

        if (h->name.len != name.len || memcmp(h->name.p, name.p, name.len) != 0)
            continue;
        if (n++ == 0)
            *value = h->value;
    }
    return n;
}

static uint32_t header(const uc_request *q, const char *name, uc_view *value)
{
    *value = (uc_view){0};
    return uc__header(q, uc__static(name), value);
}

/* ---- where it comes from ------------------------------------------------- */

bool uc_origin_listed(const uc_serving *serving, uc_view origin)
{
    /* What has no origin (a sandboxed frame, a file) says null, all of them. */
    if (origin.len == 0 || uc_view_is(origin, "null"))
        return false;
    for (uint32_t i = 0; i < serving->norigins; i++) {
        if (uc_view_same(serving->origins[i], origin))
            return true;
    }
    return false;
}

/* Of an origin what is behind "http://" or "https://": which of both it was,
 * a proxy in front of us may have changed. */
static uc_view authority(uc_view origin)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i]);

        if (origin.len > n && memcmp(origin.p, schemes[i], n) == 0)
            return (uc_view){origin.p + n, origin.len - n};
    }
    return (uc_view){0};
}

/* Byte for byte: browsers write both in lower case and without the default
 * port. Whoever writes them otherwise is refused. */
static bool of_host(const uc_request *q, uc_view origin)
{
    uc_view host, own = authority(origin);

    return own.len > 0 && header(q, "host", &host) == 1 &&
           uc_view_same(host, own);
}

/*
 * Sec-Fetch-Site decides where it is there: no page can set it. An old browser
 * sends Origin alone, which then has to be that of the host. Without both it is
 * no browser. Of two headers of a name none is believed.
 */
static bool from_here(const uc_request *q, const uc_serving *serving)
{
    uc_view origin, site;
    uint32_t origins = header(q, "origin", &origin);
    uint32_t sites = header(q, "sec-fetch-site", &site);

    if (origins > 1 || sites > 1)
        return false;
    if (origins == 1 && uc_origin_listed(serving, origin))
        return true;
    if (sites == 1)
        return uc_view_is(site, "same-origin") || uc_view_is(site, "none");
    return origins == 0 || of_host(q, origin);
}

/* ---- what it brings ------------------------------------------------------ */

/* Takes a word off the front, whatever its case. */
static bool word(uc_view *v, const char *s)
{
    size_t n = strlen(s);

    if (v->len < n || strncasecmp((const char *)v->p, s, n) != 0)
        return false;
    v->p += n;
    v->len -= n;
    return true;
}

static void blanks(uc_view *v)
{
    while (v->len > 0 && (*v->p == ' ' || *v->p == '\t')) {
        v->p++;
        v->len--;
    }
}

/* application/json, and charset=utf-8 at most. */
static bool is_json(uc_view type)
{
    if (!word(&type, "application/json"))
        return false;
    blanks(&type);
    if (type.len == 0)
        return true;
    if (!word(&type, ";"))
        return false;
    blanks(&type);
    if (!word(&type, "charset="))
        return false;
    if (!word(&type, "utf-8") && !word(&type, "\"utf-8\""))
        return false;
    blanks(&type);
    return type.len == 0;
}

bool uc__admit(uc_request *q, const uc_serving *serving)
{
    uc_view type;

    if (!from_here(q, serving))
        return uc_request_refuse(q, UC_REFUSAL_ORIGIN,
                                 "origin: a page of another site may not post "
                                 "here");
    if (q->body.len > serving->body_most)
        return uc_request_refuse(q, UC_REFUSAL_BODY_SIZE,
                                 "body: must have at most %zu bytes",
                                 serving->body_most);
    /* Also where there is no body: such a POST, a page of another site can
     * send without asking. */
    if (header(q, "content-type", &type) != 1 || !is_json(type))
        return uc_request_refuse(q, UC_REFUSAL_PARAMS,
                                 "content-type: must be application/json");
    return true;
}
