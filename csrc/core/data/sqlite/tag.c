#include "data/sqlite/tag.h"

#include "common/fnv.h"
#include "data/sqlite/db.h"
#include "data/sqlite/reads.h"

/*
 * A tag covers the request (its route, the values of its parameters, the user
 * where somebody has to be logged in), the set of routes, which may say another
 * thing when it is loaded again, and the data: the generation of each
 * table that the route reads, how often others have written, and the schema,
 * by which it is known what the route reads. The core's random number in front
 * tells it from those of another core, and of this one before it was started.
 */

/* ---- the request ---- */

static void add_user(uc_buf *key, const uc_routed *d)
{
    const uc_value *user = &d->facts.user;

    if (d->q.route->is_public)
        return;
    uc_buf_byte(key, (uint8_t)user->type);
    if (user->type == UC_T_INT)
        uc_buf_put(key, &user->i, sizeof user->i);
    else if (user->type == UC_T_STR)
        uc_buf_put(key, user->s.p, user->s.len);
}

/* ---- the data ---- */

/* Of the table's last change. The board's mu is held. */
static uint64_t generation(const uc_board *b, sq_read *r)
{
    int64_t id = atomic_load_explicit(&r->id, memory_order_relaxed);
    uint64_t gen = 0;

    if (id < 0) {
        id = uc__board_find(b, NULL, r->name);
        atomic_store_explicit(&r->id, id, memory_order_relaxed);
    }
    if (id >= 0)
        gen = b->tables[id].gen;
    return gen > b->all_gen ? gen : b->all_gen;
}

/* False: a table has changed since the moment, and what it was then is not
 * known any more. */
static bool add_tables(uc_fnv *h, uc_board *b, sq_known *k,
                       const sq_moment *moment)
{
    bool ok = true;

    uc_lock(&b->mu);
    for (uint32_t i = 0; i < k->n && ok; i++) {
        uint64_t gen = generation(b, &k->tables[i]);

        ok = gen <= moment->gen;
        *h = uc_fnv_word(*h, gen);
    }
    uc_unlock(&b->mu);
    return ok;
}

static bool tag_at(sq_db *db, const uc_routed *d, const uc_buf *key,
                   const sq_moment *moment, uint8_t bytes[SQ_TAG_BYTES])
{
    sq_known *k = sq_known_of(d->q.route);
    uc_fnv h = uc_fnv_words(UC_FNV_START, key->p, key->len);

    if (moment->gen == 0 || moment->schema != atomic_load(&k->schema))
        return false;
    h = uc_fnv_word(h, d->set->number);
    h = uc_fnv_word(h, moment->others);
    h = uc_fnv_word(h, moment->schema);
    if (!add_tables(&h, &db->e.board, k, moment))
        return false;
    uc_fnv_out(h, bytes);
    return true;
}

/* Where there is one connection there is no snapshot: what the writes of the
 * group before it have done is read, and is not told to the board yet. And a
 * TEMP table may have the name of another one. */
static void take_moment(sq_conn *c)
{
    const sq_touches *t = &c->db->touches;

    c->moment.gen = 0;
    if (t->ntouched == 0 && !t->touched_all &&
        !atomic_load(&c->db->sql.has_temp))
        sq_fresh_at(c->db, &c->moment);
}

void sq_tag_begin(sq_tag *t, sq_conn *c, const uc_call *call)
{
    const uc_routed *d = call->routed;
    const sq_known *k;
    bool known;

    t->known = t->each = false;
    uc_buf_init(&t->key, SIZE_MAX);
    k = sq_known_of(d->q.route);
    if (k == NULL)
        return;
    if (c->role == SQ_WRITER)
        take_moment(c);
    if (c->moment.gen != 0 && atomic_load(&k->schema) != c->moment.schema &&
        atomic_load(&k->tried) != c->moment.schema)
        sq_reads_again(c, d->set, d->q.route);
    if (!k->each)
        uc_request_key(&d->q, &t->key);
    add_user(&t->key, d);
    known = !t->key.failed && tag_at(c->db, d, &t->key, &c->moment, t->bytes);
    t->known = known && !k->each;
    t->each = known && k->each;
}

void sq_tag_fini(sq_tag *t)
{
    uc_buf_fini(&t->key);
}

bool sq_tag_now(sq_conn *c, const uc_call *call, const sq_tag *t,
                uint8_t bytes[SQ_TAG_BYTES])
{
    sq_moment now;

    if (!sq_fresh_is_sure(c->db))
        return false;
    sq_fresh_at(c->db, &now);
    return tag_at(c->db, call->routed, &t->key, &now, bytes);
}

/* Eight digits of four bytes at once: a nibble in each byte of a word, and a
 * carry tells which of them are letters. */
static char *hex(char *text, const uint8_t four[4])
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t x = uc_load4(four);

    x = (x | x << 16) & 0x0000ffff0000ffffu;
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    x = (x >> 4 & 0x000f000f000f000fu) | (x & 0x000f000f000f000fu) << 8;
    x += ones * '0' + ((x + ones * 6) >> 4 & ones) * ('a' - '0' - 10);
    memcpy(text, &x, sizeof x);
    return text + sizeof x;
}

void sq_tag_text(const sq_conn *c, const uint8_t bytes[SQ_TAG_BYTES],
                 char text[SQ_TAG_TEXT + 1])
{
    uint64_t epoch = __builtin_bswap64(c->db->fresh.epoch);
    uint8_t front[sizeof epoch];

    memcpy(front, &epoch, sizeof epoch);
    *text++ = '"';
    text = hex(hex(text, front), front + 4);
    *text++ = '-';
    for (int i = 0; i < SQ_TAG_BYTES; i += 4)
        text = hex(text, bytes + i);
    *text++ = '"';
    *text = '\0';
}
