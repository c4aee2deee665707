#ifndef UC_CORE_ROUTES_ROUTES_H
#define UC_CORE_ROUTES_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/view.h"

/*
 * Routes: what a service answers, declared in SQL files (docs/routes.md).
 *
 *   files ──uc_routes_read──> uc_routes        once, when they are loaded
 *
 *   method, target, headers, body
 *         ──uc_request_read──> uc_request      for each: its route, and a
 *                                              value for each parameter
 *
 *   uc_request ──> an engine runs the statements ──> status, type, bytes
 *
 * This room knows no engine, no door and no thread: what is read from files
 * does not change any more and may be used by any number of threads; a request
 * belongs to one. All views point into the set's own memory, or into the bytes
 * of the request.
 */

/* A set of each has a bit: what a request has given is one word. */
enum {
    UC_ROUTE_PARAMS = 57, /* of one route, those of the service included */
    UC_ROUTE_PIECES = 8,  /* { … } of one statement: 256 statements */
    UC_ROUTE_STATEMENTS = 32,
    UC_ROUTES_MOST = 4096,             /* of one set */
    UC_ROUTES_BYTES = 4 * 1024 * 1024, /* of all files of a set */
    UC_ROUTE_LIST = 1000,   /* entries of a list that names no other bound */
    UC_ROUTE_TEXT = 65536,  /* characters of a text that names no other bound */
    UC_ROUTE_SQL = 65536,   /* bytes of a statement */
    UC_ROUTE_NAME = 64,     /* bytes of a name, and of a word of a list */
    UC_ROUTE_WORDS = 64,    /* of a list of words; roles; @say; @reply */
    UC_ROUTE_KEYS = 8,      /* of a :page */
    UC_ROUTE_REPEAT = 10000 /* times, at most */
};

/* What the service gives, and never the caller: a parameter whose name begins
 * with an underscore. X(name) */
#define UC_GIVEN_MAP(X)                                                   \
    X(user)   /* who is logged in; null */                                \
    X(roles)  /* a JSON array of words */                                 \
    X(now)    /* milliseconds since 1970; the same in all of a request */ \
    X(ip)     /* the caller's address as a text */                        \
    X(id)     /* the request's id */                                      \
    X(params) /* what the caller sent, as JSON, without secrets */        \
    X(random) /* of @repeat: new each time */

typedef enum uc_given {
#define X(name) UC_GIVEN_##name,
    UC_GIVEN_MAP(X)
#undef X
        UC_GIVENS
} uc_given;

/* ---- what files say ------------------------------------------------------ */

typedef enum uc_method { UC_METHOD_GET, UC_METHOD_POST } uc_method;

/* How rows become an answer. */
typedef enum uc_form {
    UC_FORM_MANY,         /* a JSON array of objects */
    UC_FORM_ONE,          /* an object, or an empty body */
    UC_FORM_ONE_REQUIRED, /* `:one!`: an object, or 400 'not found' */
    UC_FORM_NONE, /* an empty body; also that of a statement which refuses */
    UC_FORM_PAGE, /* {"rows": [...], "next": ...} */
    UC_FORM_TEXT, /* the first cell */
    UC_FORM_HTML  /* a template, filled in */
} uc_form;

typedef enum uc_param_type {
    UC_PARAM_TEXT,    /* its range counts characters */
    UC_PARAM_INTEGER, /* 64 bits */
    UC_PARAM_REAL,
    UC_PARAM_BOOLEAN, /* bound as 0 or 1 */
    UC_PARAM_TIME,    /* ISO 8601; bound as 2026-11-30T13:00:00.000Z */
    UC_PARAM_UUID,    /* bound in lower case */
    UC_PARAM_JSON,    /* any value, bound as its text */
    UC_PARAM_BLOB,    /* base64; bound as bytes; its range counts them */
    UC_PARAM_WORDS,   /* one of a list of words */
    UC_PARAM_GIVEN    /* of the service: `given` says which */
} uc_param_type;

/* A bound value. NUL: nothing was given, which null is not. */
typedef struct uc_arg {
    enum {
        UC_ARG_ABSENT,
        UC_ARG_NULL,
        UC_ARG_INT,
        UC_ARG_REAL,
        UC_ARG_TEXT,
        UC_ARG_BLOB
    } type;
    union {
        int64_t i;
        double d;
        uc_view s;
    };
} uc_arg;

typedef struct uc_param {
    uc_view name;  /* without the colon */
    uc_view about; /* the words behind it */
    uc_param_type type;
    uc_given given; /* of UC_PARAM_GIVEN */
    bool list;      /* `[]`: an array, bound as JSON; the range is its length */
    bool optional;  /* `?` */
    bool secret;    /* in no log */
    bool clamp;     /* the nearest bound instead of a refusal */
    bool header;    /* comes from the header `header`, and nowhere else */
    bool has_least, has_most;
    int64_t least, most; /* of all but real */
    double least_real, most_real;
    uint32_t nwords;
    const uc_view *words;
    uc_arg preset;     /* after `=`; UC_ARG_ABSENT without one */
    uc_view in_header; /* in lower case */
    uint32_t line;
} uc_param;

/* A stretch of a statement's text. needs 0: always there; otherwise there when
 * all of these parameters (1 << their place) were given. The text has ?1, ?2, …
 * where the file has names: see uc_statement.order. */
typedef struct uc_piece {
    uc_view sql; /* as it is in the file */
    uint64_t needs;
    uint64_t uses; /* parameters that stand in it */
} uc_piece;

/* A statement of which some pieces are chosen, as an engine sees it: text with
 * ?1, ?2, … and which parameter each of them is. */
typedef struct uc_variant {
    uc_view sql; /* NUL-terminated behind its end */
    uint32_t nparams;
    const uint8_t *params; /* places in uc_route.params */
    void *slot; /* the engine's: its statement; set once, atomically */
} uc_variant;

/* Of the rows that a statement answers with. */
typedef struct uc_column {
    uc_view name;
    uc_view type; /* as it is declared; empty: of a computed one */
} uc_column;

typedef struct uc_statement {
    uc_view name; /* of @as; empty: none */
    uc_form form;
    uint32_t npieces;
    const uc_piece *pieces;
    uint32_t nchoices;               /* pieces with needs */
    _Atomic(uc_variant *) *variants; /* 1 << nchoices; NULL: not needed yet */
    uint32_t file, line;             /* where it begins */
    bool refuses; /* `as refuse`: a row ends the request with 400 */
    /* Its text says how many rows there can be; what does not, and has a form
     * of many rows, is a write with `returning`, a pragma and the like. */
    bool bounded;
    /* The engine's, when it has looked at it; NULL: it has not. */
    const uc_column *columns;
    uint32_t ncolumns;
} uc_statement;

/* @say: the sentence for a constraint. */
typedef struct uc_say {
    uc_view kind;   /* unique, foreign-key, check, not-null, constraint */
    uc_view column; /* empty: any */
    uc_view text;
} uc_say;

/* @rate */
typedef struct uc_rate {
    uint32_t n;
    int64_t every_ms;
    enum { UC_RATE_NONE, UC_RATE_IP, UC_RATE_USER } by;
} uc_rate;

typedef struct uc_route {
    uc_method method;
    uc_view path;
    uc_view about; /* the words before it */
    uc_form form;  /* of the route: that of its only unnamed statement */
    bool is_public;
    uint32_t nroles; /* of @auth; 0 and not public: anybody who is logged in */
    const uc_view *roles;
    uint32_t nparams;
    const uc_param *params; /* those of the file, then those of the service */
    uint64_t required;      /* neither optional nor with a preset */
    uint32_t nstatements;
    uc_statement *statements;
    int64_t cache_ms;   /* 0: none */
    int64_t timeout_ms; /* 0: that of the database */
    uc_rate rate;
    bool scan_ok;
    /* @audit's table, empty: none; with it the statement that stands behind the
     * others, and is none of nstatements, adds the row. */
    uc_view audit;
    uint32_t nsays;
    const uc_say *says;
    uint32_t nreplies;      /* @reply: columns that become headers */
    const uc_view *replies; /* the header's name has - for _ */
    uc_view html;           /* template's file */
    const struct uc_template *template; /* what is in it; NULL: none */
    /* :page's: columns, which are parameters as well, that say where the next
     * page begins; and the place of its limit. */
    uint32_t npage;
    const uc_view *page;
    uint8_t page_limit;
    uint64_t repeat; /* bit of @repeat's parameter; 0: none */
    uint64_t random; /* bit of :_random; 0: it has none */
    int64_t random_least, random_most;
    uint32_t file, line;
    void *reads; /* the engine's: what the answer depends on; NULL: unknown */
    /* The engine's: it takes nothing and reads nothing, so that its answer is
     * the same for everybody, as long as the set is there. */
    bool constant;
} uc_route;

/* All of them, that of @audit included. */
static inline uint32_t uc_route_statements(const uc_route *route)
{
    return route->nstatements + (route->audit.len > 0);
}

/* A file as it was handed in. */
typedef struct uc_source {
    uc_view name; /* relative to the directory: user.sql */
    uc_view text;
} uc_source;

typedef struct uc_routes uc_routes;

/*
 * Reads and checks files: *.sql; and the templates that :html names, which are
 * all the others. Any thread. NULL with *e, whose code is UC_ROUTE and whose
 * message begins with "file:line: ", or UC_MEMORY. The bytes of the files are
 * copied. The caller owns one reference.
 *
 * What can be known without a database is checked (tags.h has the grammar). The
 * engine looks at each variant afterwards, and at these things, of which a text
 * says nothing:
 *   - that it compiles, that a GET writes nothing, that no transaction is
 * begun;
 *   - that a statement with a form other than :none returns columns, and that
 *     those of @reply and of :page's `order by` are among them; for :page also
 *     that this order is a unique one;
 *   - that one which `refuses` has one column;
 *   - that the names of a template are there (fits.h);
 *   - rows of a statement that is not `bounded`: beyond UC_ROUTE_LIST they are
 * an error, never a cut;
 *   - whether a table is scanned without @scan ok, and that @audit's exists.
 */
uc_routes *uc_routes_read(const uc_source *files, uint32_t n, uc_error *e);
uc_routes *uc_routes_ref(uc_routes *r);
void uc_routes_unref(uc_routes *r);

uint32_t uc_routes_count(const uc_routes *r);
/* In the order of files and lines. */
uc_route *uc_routes_at(const uc_routes *r, uint32_t i);
/* NULL: there is none. path: as in a target, without the query. */
uc_route *uc_routes_find(const uc_routes *r, uc_method method, uc_view path);
/* The name of file i, for messages. */
uc_view uc_routes_file(const uc_routes *r, uint32_t i);
/* The bytes of a file that was handed in; p NULL when there is none. */
uc_view uc_routes_text(const uc_routes *r, uc_view name);

/*
 * The variant of a statement for what was given (bits of parameters). Made at
 * the first time; the same for ever after. NULL: no memory. Any thread.
 */
uc_variant *uc_statement_variant(uc_routes *r, const uc_route *route,
                                 uc_statement *s, uint64_t given);

/* The next name, from *at on, that stands before `alias`, or before `as alias`:
 * what that may be another name of. *at moves on, behind it. */
bool uc_sql_before(uc_view sql, size_t *at, const char *alias, uc_view *name);

#endif
