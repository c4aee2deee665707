#include <string.h>

#include "cache/work.h"
#include "common/mem.h"
#include "wire/writer.h"

/*
 * First levels: what sessions keep of the cache in memory of their own, and how
 * they hear that it has changed. Leases as in Gray and Cheriton (Leases: an
 * efficient fault-tolerant mechanism for distributed file cache consistency,
 * SOSP '89), one for all that a session keeps: whoever changes something waits
 * until those who keep it have forgotten it, but not for one who is silent
 * longer than it may trust its copies.
 *
 * A session asks (cache_hold), is answered when there is news or the time is
 * up, and confirms by asking again. Its lease counts here from when the
 * question came and there from when it was sent, so it ends there first.
 *
 * A change looks at each holder: there are as many as processes, and few of
 * them have anything to do with it.
 */
enum {
    GIVEN = 32768,     /* hashes remembered of one session */
    NOTES = 1024,      /* changes noted for one; beyond either: everything */
    DORMANT_MS = 10000 /* after so long without trust nothing is remembered */
};

/* ---- sets of hashes ---- */

static uint32_t place(const uc_hashes *t, uint64_t hash)
{
    uint32_t i = (uint32_t)(hash ^ hash >> 32) & t->mask;

    while (t->slots[i] != 0 && t->slots[i] != hash)
        i = (i + 1) & t->mask;
    return i;
}

static bool has(const uc_hashes *t, uint64_t hash)
{
    return t->n > 0 && t->slots[place(t, hash)] == hash;
}

static void clear(uc_hashes *t)
{
    uc_free(t->slots);
    *t = (uc_hashes){0};
}

static bool grow(uc_hashes *t)
{
    uint32_t size = t->mask == 0 ? 64 : (t->mask + 1) * 2;
    uc_hashes bigger = {.mask = size - 1, .n = t->n};

    bigger.slots = uc_calloc(size, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (uint32_t i = 0; t->n > 0 && i <= t->mask; i++) {
        if (t->slots[i] != 0)
            bigger.slots[place(&bigger, t->slots[i])] = t->slots[i];
    }
    uc_free(t->slots);
    *t = bigger;
    return true;
}

static bool add(uc_hashes *t, uint64_t hash)
{
    uint32_t i;

    if (t->n >= t->mask / 4 * 3 && !grow(t))
        return false;
    i = place(t, hash);
    t->n += t->slots[i] == 0;
    t->slots[i] = hash;
    return true;
}

/* What is behind the gap moves up where it may, so that no search stops at
 * it. */
static void drop(uc_hashes *t, uint64_t hash)
{
    uint32_t gap, i;

    if (!has(t, hash))
        return;
    gap = i = place(t, hash);
    for (;;) {
        uint64_t other;
        uint32_t home;

        i = (i + 1) & t->mask;
        other = t->slots[i];
        if (other == 0)
            break;
        home = (uint32_t)(other ^ other >> 32) & t->mask;
        if (((i - home) & t->mask) >= ((i - gap) & t->mask)) {
            t->slots[gap] = other;
            gap = i;
        }
    }
    t->slots[gap] = 0;
    t->n--;
}

/* ---- notes ---- */

static void note_all(uc_holder *h)
{
    h->all = true;
    h->nnotes = 0;
    clear(&h->given);
}

static bool room_for_note(uc_holder *h)
{
    uint32_t cap = h->cap == 0 ? 16 : h->cap * 2;
    uint64_t *p;

    if (h->nnotes < h->cap)
        return true;
    if (h->nnotes == NOTES)
        return false;
    p = uc_realloc(h->notes, cap * sizeof *p);
    if (p == NULL)
        return false;
    h->notes = p;
    h->cap = cap;
    return true;
}

/* A change is outstanding from here on. */
static void noted(uc_holder *h, uint64_t number)
{
    if (h->note_first == 0)
        h->note_first = number;
    h->last = number;
    if (h->until < h->trust)
        h->until = h->trust;
}

static void note(uc_holder *h, uint64_t change)
{
    drop(&h->given, change & ~UC_DOMAIN_BIT);
    if (h->all)
        return;
    if (room_for_note(h))
        h->notes[h->nnotes++] = change;
    else
        note_all(h);
}

/* While it has not said that it has forgotten everything nobody knows what it
 * keeps. */
static bool keeps(const uc_holder *h, uint64_t change)
{
    return h->all || h->sent_all || has(&h->given, change & ~UC_DOMAIN_BIT);
}

/* ---- answers ---- */

static void hashes(const uc_holder *h, bool domains, uc_buf *out)
{
    uint64_t kind = domains ? UC_DOMAIN_BIT : 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->nnotes; i++)
        n += (h->notes[i] & UC_DOMAIN_BIT) == kind;
    uc_pack_array(out, n);
    for (uint32_t i = 0; i < h->nnotes; i++) {
        if ((h->notes[i] & UC_DOMAIN_BIT) == kind)
            uc_pack_uint(out, h->notes[i] & ~UC_DOMAIN_BIT);
    }
}

/* Appends the frame that answers its question; what was noted has been sent
 * then. */
static void answer(uc_holder *h, uint32_t id, uc_buf *out)
{
    uc_reply_begin(out, id, UC_REPLY_VALUE, 3);
    uc_pack_array(out, 5);
    uc_pack_uint(out, h->last);
    uc_pack_bool(out, h->all);
    hashes(h, false, out);
    hashes(h, true, out);
    uc_pack_uint(out, h->asked != 0 ? UC_LEASE_MS : 0);
    if (h->sent_first == 0)
        h->sent_first = h->note_first;
    h->note_first = 0;
    h->sent_all = h->sent_all || h->all;
    h->all = false;
    h->nnotes = 0;
    h->sent = h->last;
    h->standing = 0;
    if (h->asked != 0 && h->trust < h->asked + UC_LEASE_MS * UC_MS)
        h->trust = h->asked + UC_LEASE_MS * UC_MS;
}

/* Published at once and never with the other replies of a batch: a write that
 * waits until the news are under way may be answered by another thread the next
 * moment. */
static void publish(uc_holder *h)
{
    uint32_t id = h->standing;
    uc_buf out;
    size_t at;

    uc_buf_init(&out, SIZE_MAX);
    at = uc__reply_open(&out);
    answer(h, id, &out);
    if (id != 0) {
        uc__reply_close(&out, at, id);
        uc__session_publish(h->session, &out);
    }
    uc_buf_fini(&out);
}

bool uc__holder_give(uc_cache *c, uc_holder *h, uint64_t key,
                     const uint64_t *domains, uint32_t n)
{
    bool ok;

    if (h->given.n + n >= GIVEN) {
        note_all(h);
        noted(h, ++c->seq);
        if (h->standing != 0)
            publish(h);
    }
    ok = add(&h->given, key);
    for (uint32_t i = 0; ok && i < n; i++)
        ok = add(&h->given, domains[i]);
    return ok;
}

/* ---- who waits for confirmations ---- */

/* The first change that it has to confirm, or for the own session to be sent,
 * before others may go on; 0: none. */
static uint64_t outstanding(const uc_holder *h, const uc_session *own,
                            bool blocked)
{
    if (h->session == own)
        return blocked ? 0 : h->note_first;
    return h->sent_first != 0 ? h->sent_first : h->note_first;
}

bool uc__confirmed(const uc_cache *c, uint64_t ticket, const uc_session *own,
                   bool blocked, int64_t now, int64_t *until)
{
    *until = 0;
    for (const uc_holder *h = c->holders; h != NULL; h = h->next) {
        uint64_t first = outstanding(h, own, blocked);

        if (first != 0 && first <= ticket && now < h->until &&
            (*until == 0 || h->until < *until))
            *until = h->until;
    }
    return *until == 0;
}

bool uc__ack_later(uc_cache *c, uc_session *s, uint32_t id, uint64_t ticket,
                   const uint8_t *frame, size_t len, int64_t now)
{
    uc_ack *a = uc_malloc(sizeof *a + len);
    int64_t until;

    if (a == NULL)
        return false;
    a->next = NULL;
    a->session = s;
    a->id = id;
    a->ticket = ticket;
    a->len = (uint32_t)len;
    memcpy(a->bytes, frame, len);
    *c->last_ack = a;
    c->last_ack = &a->next;
    uc__confirmed(c, ticket, s, false, now, &until);
    uc__want(c, until);
    return true;
}

static void send_ack(uc_ack *a)
{
    uc_buf out;
    size_t at;

    uc_buf_init(&out, SIZE_MAX);
    at = uc__reply_open(&out);
    uc_buf_put(&out, a->bytes, a->len);
    uc__reply_close(&out, at, a->id);
    uc__session_publish(a->session, &out);
    uc_buf_fini(&out);
}

/* Takes an ack off the list, whose link is *link. */
static void free_ack(uc_cache *c, uc_ack **link)
{
    uc_ack *a = *link;

    *link = a->next;
    if (a->next == NULL)
        c->last_ack = link;
    uc_free(a);
}

static void send_acks(uc_cache *c, int64_t now)
{
    uc_ack **link = &c->acks;

    while (*link != NULL) {
        uc_ack *a = *link;
        int64_t until;

        if (uc__confirmed(c, a->ticket, a->session, false, now, &until)) {
            send_ack(a);
            free_ack(c, link);
        } else {
            uc__want(c, until);
            link = &a->next;
        }
    }
}

/* A holder has come nearer to what others wait for. */
static void progress(uc_cache *c, int64_t now)
{
    uc_cond_broadcast(&c->confirmed);
    if (c->acks != NULL)
        send_acks(c, now);
}

/* ---- changes ---- */

uint64_t uc__holders_tell(uc_cache *c, const uint64_t *changes, uint32_t n,
                          bool all, const uc_session *own, int64_t now)
{
    uint64_t number = c->seq + 1;
    int64_t until;

    for (uc_holder *h = c->holders; h != NULL; h = h->next) {
        bool any = all && (h->given.n > 0 || h->all || h->sent_all);

        if (any)
            note_all(h);
        for (uint32_t i = 0; !all && i < n; i++) {
            if (keeps(h, changes[i])) {
                note(h, changes[i]);
                any = true;
            }
        }
        if (!any)
            continue;
        c->seq = number;
        noted(h, number);
        if (h->standing != 0)
            publish(h);
    }
    /* All that is outstanding counts: it may be an earlier change of the same
     * that has not been confirmed. */
    return uc__confirmed(c, c->seq, own, false, now, &until) ? 0 : c->seq;
}

/* ---- the op ---- */

static uc_holder *holder_new(uc_cache *c, uc_session *s)
{
    uc_holder *h = uc_calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    h->session = s;
    h->last = c->seq;
    h->all = true; /* whatever it has it has from elsewhere */
    h->next = c->holders;
    c->holders = h;
    s->holder = h;
    uc__update_busy(c);
    return h;
}

bool uc__hold(uc_cache *c, uc_call *call, uint64_t seq, bool stand, int64_t now,
              uc_buf *out, uc_error *e)
{
    uc_holder *h = call->session->holder;

    if (h == NULL) {
        h = holder_new(c, call->session);
        if (h == NULL)
            return uc_fail(e, UC_MEMORY, "no memory for a first level");
    }
    if (h->standing != 0)
        publish(h);
    if (seq >= h->sent) {
        h->sent_first = 0;
        h->sent_all = false;
        h->asked = now;
    } else {
        /* It has not applied what it was sent, and gets no trust for that. */
        note_all(h);
        noted(h, h->last);
        h->asked = 0;
    }
    if (!stand) {
        answer(h, call->id, out);
        progress(c, now);
        return true;
    }
    h->standing = call->id;
    h->answer_at = now + UC_HOLD_MS * UC_MS;
    if (h->all || h->note_first != 0 || h->asked == 0 || call->id == 0)
        publish(h);
    else
        uc__want(c, h->answer_at);
    progress(c, now);
    return false;
}

/* ---- time, ends ---- */

void uc__holders_tick(uc_cache *c, int64_t now)
{
    static const int64_t slack = 2 * UC_MS; /* one wake-up for several */
    int64_t dormant = now - DORMANT_MS * UC_MS;

    for (uc_holder *h = c->holders; h != NULL; h = h->next) {
        if (h->standing != 0 && h->answer_at <= now + slack)
            publish(h);
        else if (h->standing != 0)
            uc__want(c, h->answer_at);
        if (h->given.n == 0)
            continue;
        if (h->standing == 0 && h->trust < dormant) {
            note_all(h);
            noted(h, h->last);
        } else {
            uc__want(c, (h->trust > now ? h->trust : now) + DORMANT_MS * UC_MS);
        }
    }
    if (c->acks != NULL)
        send_acks(c, now);
}

static void holder_free(uc_holder *h)
{
    clear(&h->given);
    uc_free(h->notes);
    uc_free(h);
}

void uc__holder_end(uc_cache *c, uc_session *s, const uc_error *e)
{
    uc_holder *h = s->holder;
    uc_ack **ack = &c->acks;

    while (*ack != NULL) {
        if ((*ack)->session != s) {
            ack = &(*ack)->next;
            continue;
        }
        if (e != NULL) /* what it asked for has been done */
            send_ack(*ack);
        free_ack(c, ack);
    }
    if (h == NULL)
        return;
    if (e != NULL && h->standing != 0)
        uc__stand_fail(s, h->standing, e);
    for (uc_holder **p = &c->holders; *p != NULL; p = &(*p)->next) {
        if (*p == h) {
            *p = h->next;
            break;
        }
    }
    s->holder = NULL;
    holder_free(h);
    uc__update_busy(c);
    progress(c, uc_now());
}

bool uc__holder_cancel(uc_cache *c, uc_session *s, uint32_t id,
                       const uc_error *e)
{
    uc_holder *h = s->holder;

    if (h != NULL && h->standing == id) {
        h->standing = 0;
        uc__stand_fail(s, id, e);
        return true;
    }
    for (uc_ack **ack = &c->acks; *ack != NULL; ack = &(*ack)->next) {
        if ((*ack)->session == s && (*ack)->id == id) {
            send_ack(*ack);
            free_ack(c, ack);
            return true;
        }
    }
    return false;
}

void uc__holders_free(uc_cache *c)
{
    while (c->holders != NULL) {
        uc_holder *h = c->holders;

        c->holders = h->next;
        holder_free(h);
    }
    while (c->acks != NULL)
        free_ack(c, &c->acks);
}

uint64_t uc__holders_bytes(const uc_cache *c, uint32_t *n)
{
    uint64_t bytes = 0;

    *n = 0;
    for (const uc_holder *h = c->holders; h != NULL; h = h->next, ++*n)
        bytes += sizeof *h + h->cap * sizeof *h->notes +
                 (h->given.mask + (h->given.mask > 0)) * sizeof(uint64_t);
    return bytes;
}
