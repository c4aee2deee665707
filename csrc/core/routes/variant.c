#include "common/mem.h"
#include "routes/set.h"
#include "routes/sql.h"

/*
 * A statement with some of its pieces. Each is made once, when a request first
 * needs it, and lives as long as the set: an engine keeps what it has prepared
 * at its address. In one block of memory: parameters, then the text.
 */
struct uc__made {
    uc__made *next;
    uc_variant variant;
    uint8_t params[UC_ROUTE_PARAMS];
    uint8_t text[];
};

typedef struct writer {
    const uc_route *route;
    uc_buf *sql;
    uint32_t nparams;
    uint8_t params[UC_ROUTE_PARAMS];
    uint8_t number[UC_ROUTE_PARAMS]; /* of ?1, ?2, …; 0: not met yet */
} writer;

static uint32_t place_of(const uc_route *route, uc_view name)
{
    uint32_t i = 0;

    while (!uc_view_same(route->params[i].name, name))
        i++;
    return i;
}

static void put_number(writer *w, uc_view name)
{
    uint32_t place = place_of(w->route, name);
    uint8_t n;

    if (w->number[place] == 0) {
        w->params[w->nparams++] = (uint8_t)place;
        w->number[place] = (uint8_t)w->nparams;
    }
    n = w->number[place];
    uc_buf_byte(w->sql, '?');
    if (n >= 10)
        uc_buf_byte(w->sql, (uint8_t)('0' + n / 10));
    uc_buf_byte(w->sql, (uint8_t)('0' + n % 10));
}

static void put_piece(writer *w, uc_view sql)
{
    const uint8_t *from = sql.p;
    uc__sql lex;
    uc__token t;

    uc__sql_begin(&lex, sql, 1);
    for (uc__sql_next(&lex, &t); t.kind != UC__SQL_END;
         uc__sql_next(&lex, &t)) {
        if (t.kind != UC__SQL_PARAM)
            continue;
        uc_buf_put(w->sql, from, (size_t)(t.from - from));
        put_number(w, t.text);
        from = t.to;
    }
    uc_buf_put(w->sql, from, (size_t)(sql.p + sql.len - from));
}

/* A piece that is not there leaves its ends of lines, by which an engine's
 * error is found in the file. */
static void put_lines(writer *w, uc_view sql)
{
    for (size_t i = 0; i < sql.len; i++) {
        if (sql.p[i] == '\n')
            uc_buf_byte(w->sql, '\n');
    }
}

/* A blank for each brace: what stands on its two sides does not grow together.
 */
static void put_all(writer *w, const uc_statement *s, uint64_t given)
{
    for (uint32_t i = 0; i < s->npieces; i++) {
        const uc_piece *p = &s->pieces[i];

        if (p->needs == 0) {
            put_piece(w, p->sql);
            continue;
        }
        uc_buf_byte(w->sql, ' ');
        if ((p->needs & given) == p->needs) {
            put_piece(w, p->sql);
            uc_buf_byte(w->sql, ' ');
        } else {
            put_lines(w, p->sql);
        }
    }
}

static uc_variant *make(uc_routes *r, const uc_route *route,
                        const uc_statement *s, uint64_t given)
{
    uc_buf sql;
    writer w = {.route = route, .sql = &sql};
    uc__made *m = NULL;

    /* A number may be longer than its name was. */
    uc_buf_init(&sql, (size_t)2 * UC_ROUTE_SQL);
    put_all(&w, s, given);
    if (!sql.failed)
        m = uc_malloc(sizeof *m + sql.len + 1);
    if (m != NULL) {
        memcpy(m->params, w.params, sizeof m->params);
        memcpy(m->text, sql.p, sql.len);
        m->text[sql.len] = '\0';
        m->variant = (uc_variant){.sql = {m->text, sql.len},
                                  .nparams = w.nparams,
                                  .params = m->params};
        m->next = r->made;
        r->made = m;
    }
    uc_buf_fini(&sql);
    return m != NULL ? &m->variant : NULL;
}

/* A bit for each piece that may be absent, in their order. */
static uint32_t choice(const uc_statement *s, uint64_t given)
{
    uint32_t bits = 0, bit = 1;

    for (uint32_t i = 0; i < s->npieces; i++) {
        uint64_t needs = s->pieces[i].needs;

        if (needs == 0)
            continue;
        if ((needs & given) == needs)
            bits |= bit;
        bit <<= 1;
    }
    return bits;
}

uc_variant *uc_statement_variant(uc_routes *r, const uc_route *route,
                                 uc_statement *s, uint64_t given)
{
    _Atomic(uc_variant *) *at = &s->variants[choice(s, given)];
    uc_variant *v = atomic_load_explicit(at, memory_order_acquire);

    if (v != NULL)
        return v;
    uc_lock(&r->mu);
    v = atomic_load_explicit(at, memory_order_relaxed);
    if (v == NULL) {
        v = make(r, route, s, given);
        atomic_store_explicit(at, v, memory_order_release);
    }
    uc_unlock(&r->mu);
    return v;
}

void uc__variants_free(uc_routes *set)
{
    while (set->made != NULL) {
        uc__made *next = set->made->next;

        uc_free(set->made);
        set->made = next;
    }
}
