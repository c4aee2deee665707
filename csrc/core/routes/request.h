#ifndef UC_CORE_ROUTES_REQUEST_H
#define UC_CORE_ROUTES_REQUEST_H

#include "common/arena.h"
#include "routes/routes.h"

/*
 * One request, from its bytes to the values that its route's statements take.
 * One thread at a time; the views of the caller must stay until it is over.
 */

/* Why a request is not run, or has failed. X(name, plain status, fine status):
 * the notes know 200, 400 and 500 and HTTP's own; `statuses: 'fine'` more. */
#define UC_REFUSAL_MAP(X)                                     \
    X(NONE, 200, 200)                                         \
    X(PARAMS, 400, 400)   /* of its parameters or its body */ \
    X(REFUSED, 400, 400)  /* `as refuse`, a constraint */     \
    X(CONFLICT, 400, 409) /* unique, or an Idempotency-Key */ \
    X(NO_ROW, 400, 404)   /* :one! */                         \
    X(LOGIN, 400, 401)                                        \
    X(ROLE, 400, 403)                                         \
    X(ORIGIN, 400, 403) /* a page of another site */          \
    X(RATE, 400, 429)                                         \
    X(NO_ROUTE, 404, 404)                                     \
    X(METHOD, 405, 405)                                       \
    X(BODY_SIZE, 413, 413)                                    \
    X(BUSY, 503, 503)                                         \
    X(TIMEOUT, 500, 504)                                      \
    X(INTERNAL, 500, 500)

typedef enum uc_refusal {
#define X(name, plain, fine) UC_REFUSAL_##name,
    UC_REFUSAL_MAP(X)
#undef X
} uc_refusal;

/* The status of an answer. */
unsigned uc_refusal_status(uc_refusal r, bool fine);

typedef struct uc_header {
    uc_view name;  /* in lower case */
    uc_view value; /* without blanks around it */
} uc_header;

/* What the one who serves has set. */
typedef struct uc_serving {
    bool fine;         /* statuses: 'fine' */
    size_t body_most;  /* bytes */
    uint32_t norigins; /* pages that may post, beside those of the host */
    const uc_view *origins;
} uc_serving;

typedef struct uc_request {
    /* The caller's. */
    uc_view method, target; /* "GET", "/a/b?c=d" */
    uint32_t nheaders;
    const uc_header *headers;
    uc_view body;

    /* What has been read. */
    const uc_route *route; /* NULL: there is none */
    bool head;             /* HEAD: as GET, and no body is sent */
    uint64_t given;        /* 1 << place of a parameter, presets included */
    uint64_t sent;         /* the same without presets */
    uc_arg args[UC_ROUTE_PARAMS];
    uc_view idempotency_key; /* of a POST; p NULL: none */
    uc_view if_none_match;   /* of a GET, as it came; p NULL: none */
    uc_arena mem;            /* what the values point into */

    /* Where it ends early. */
    uc_refusal refusal;
    uc_buf text;     /* UTF-8, one problem a line, `name: sentence` */
    uc_view allow;   /* of METHOD: "GET, HEAD" */
    int64_t retry_s; /* of RATE: when the next one may come; else 0 */
} uc_request;

/* Once, before or after the caller's fields are set. Allocates nothing. */
void uc_request_init(uc_request *q);
void uc_request_fini(uc_request *q);

/*
 * Finds the route and reads what was sent. A GET has a query, a POST a body of
 * application/json; neither may have what the other has. False with `refusal`
 * and `text`, and `allow`: the answer. Parameters of the service (uc_given) are
 * absent as yet. No memory: UC_REFUSAL_INTERNAL, whose text may be empty then.
 *
 * A request may be read again with other bytes; what it was is forgotten, and
 * its memory is used again. Whoever keeps one (a connection does) allocates
 * nothing for most requests.
 *
 * A POST is read when its Origin is on the list; otherwise when Sec-Fetch-Site
 * is same-origin or none; otherwise, without that header, when it has no Origin
 * or one of the same Host, compared byte for byte but for http or https.
 * Whether the Host is one of ours is for the door to see.
 */
bool uc_request_read(uc_request *q, const uc_routes *routes,
                     const uc_serving *serving);

/* For the answer to OPTIONS, which is the door's: the methods of this target,
 * as in `allow`; empty when there is no route. */
uc_view uc_routes_allow(const uc_routes *routes, uc_view target);
/* May a page of this origin post here, and read answers? The list alone counts,
 * and `null` is never on it. */
bool uc_origin_listed(const uc_serving *serving, uc_view origin);

/* Ends it with this refusal and a line of text. Returns false. */
__attribute__((format(printf, 3, 4))) bool
uc_request_refuse(uc_request *q, uc_refusal why, const char *fmt, ...);

/* The parameters of a variant as a msgpack array: ints, doubles, str, bin, nil.
 * Of what is absent: nil. For an engine that does not take them as they are. */
void uc_request_bind(const uc_request *q, const uc_variant *v, uc_buf *out);

/* A hash (FNV-1a, 128 bits) of route and what the caller sent, by values and
 * not by how they were written: of a key of `once`. Without secrets: it is kept
 * in the database, and a short one could be found by trying. */
void uc_request_hash(const uc_request *q, uint8_t hash[16]);
/* Appends the route and the value of each parameter, presets and those of the
 * service included: what an answer depends on besides the data. Two requests
 * have one key only where they are the same. */
void uc_request_key(const uc_request *q, uc_buf *out);
/* The values alone, but for those of these parameters (1 << their place). */
void uc_request_key_values(const uc_request *q, uint64_t without, uc_buf *out);

#endif
