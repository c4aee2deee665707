#ifndef UC_CORE_CACHE_FRAME_H
#define UC_CORE_CACHE_FRAME_H

#include "cache/work.h"

/* One call of the cache under way: its arguments read, its reply appended. The
 * readers fill the call's error when they return false. */
typedef struct uc_op_call {
    uc_cache *c;
    uc_call *call;
    uc_reader r;
    uc_buf *out;
    size_t at; /* where its reply begins */
    int64_t now;
    uc_cache_mode mode;
    bool stands;
    uint64_t ticket; /* to be waited for before the reply goes out */
    uc_error *e;
} uc_op_call;

/* The options of an op that stores. put.domains points into it. */
typedef struct uc_op_options {
    uc_put put;
    bool keep;
    uint64_t domains[UC_DOMAINS_MAX];
} uc_op_options;

bool uc__arg_error(uc_op_call *w, const char *expected);
bool uc__arg_key(uc_op_call *w, uc_reader *r, uc_view *key);
/* or_nil: p is NULL then. */
bool uc__arg_bin(uc_op_call *w, uc_reader *r, bool or_nil, uc_view *bin);
/* Milliseconds, as nanoseconds. what: the option that is wrong. */
bool uc__arg_ms(uc_op_call *w, const char *what, uc_reader *r, int64_t *ns);

/* A domain as it was named. */
typedef struct uc_arg_domain {
    uint64_t hash;
    uint64_t rows; /* of a row or a table: what its rows, unnamed, are; or 0 */
    bool row, tied;
} uc_arg_domain;

/* "#tag", "n:namespace", "t:table", "r:table:rowid". */
bool uc__arg_domain(uc_op_call *w, uc_reader *r, uc_arg_domain *d);
bool uc__arg_options(uc_op_call *w, uc_reader *r, uc_op_options *o);

/* [id, 0, ...: the caller appends the value. */
void uc__answer_begin(uc_op_call *w);
/* Whole replies; they return true. */
bool uc__answer_nil(uc_op_call *w);
bool uc__answer_bool(uc_op_call *w, bool b);
bool uc__answer_int(uc_op_call *w, int64_t n);
bool uc__answer_stored(uc_op_call *w, bool stored, uint64_t version);

/* change.c: the ops that change something, after a look at no more than their
 * arguments. False with the call's error, and nothing has changed. */
bool uc__op_set(uc_op_call *w);
bool uc__op_set_many(uc_op_call *w);
bool uc__op_delete(uc_op_call *w);
bool uc__op_touch(uc_op_call *w);
bool uc__op_incr(uc_op_call *w);
bool uc__op_cas(uc_op_call *w);
bool uc__op_drop(uc_op_call *w);
bool uc__op_clear(uc_op_call *w);

#endif
