#ifndef UC_CORE_ROUTES_JSON_H
#define UC_CORE_ROUTES_JSON_H

#include <jansson.h>

#include "common/arena.h"
#include "common/buf.h"
#include "routes/flat.h"

/*
 * JSON in, by jansson, with bounds of our own. A tree lives in an arena and is
 * never freed by itself: no json_decref. jansson belongs to this file: nobody
 * else may make values with it.
 */

enum {
    UC_JSON_DEPTH = 64,    /* arrays and objects in each other */
    UC_JSON_VALUES = 65536 /* of one text: each takes 30 to 300 bytes */
};

typedef enum uc_json_fault {
    UC_JSON_SYNTAX,
    UC_JSON_UTF8,
    UC_JSON_NUMBER,  /* beyond 64 bits, or beyond what a double holds */
    UC_JSON_TWICE,   /* an object has a key twice */
    UC_JSON_NUL_KEY, /* a key holds a NUL */
    UC_JSON_DEEP,
    UC_JSON_MANY,
    UC_JSON_MEMORY
} uc_json_fault;

typedef struct uc_json_error {
    uc_json_fault fault;
    unsigned line, column; /* 0: unknown */
    /* TWICE: the key where it stands in the text, between its quotes, and how
     * many arrays and objects it is in. */
    uc_view key;
    unsigned depth;
} uc_json_error;

/* One value of any type. flags: 0 or JSON_DECODE_INT_AS_REAL. NULL with *e. */
json_t *uc__json_read(uc_view text, size_t flags, uc_arena *mem,
                      uc_json_error *e);

/* A value that has been read without jansson. NULL: mem has failed. */
json_t *uc__json_of_flat(const uc_flat_member *m, uc_arena *mem);

/*
 * Its text in the one form that equal values have: no blanks, keys sorted by
 * their bytes, strings and numbers as JSON.stringify prints them but integers
 * with all their digits. False: a string holds a NUL, which no text of a
 * database does; or there is no memory (mem or out has failed).
 */
bool uc__json_write(const json_t *v, uc_arena *mem, uc_buf *out);

#endif
