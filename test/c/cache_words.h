#ifndef UC_TEST_CACHE_WORDS_H
#define UC_TEST_CACHE_WORDS_H

#include <stdlib.h>

#include "cache/cache.h"
#include "client.h"

/* The operations of the cache as the tests say them. */

#define ask(c, op, ...) client_ask(c, UC_OP_##op, __VA_ARGS__)
#define put(c, op, ...) client_put(c, UC_OP_##op, __VA_ARGS__)
#define sync(c, op, ...) client_sync(c, UC_OP_##op, __VA_ARGS__)

#define TEXT(s) (s), strlen(s)

static inline const char *get(client *c, const char *key)
{
    return ask(c, cache_get, "n s", key);
}

static inline const char *set(client *c, const char *key, const char *value)
{
    const char *text = ask(c, cache_set, "n s x n", key, TEXT(value));

    return strncmp(text, "value [true ", 12) == 0 ? "stored" : text;
}

static inline const char *set_in(client *c, const char *key, const char *domain)
{
    const char *text =
        ask(c, cache_set, "n s x {s [s]}", key, TEXT("in"), "d", domain);

    return strncmp(text, "value [true ", 12) == 0 ? "stored" : text;
}

/* Begins a load; its token. */
static inline int64_t token_of(const char *text)
{
    return strncmp(text, "value [1 ", 9) == 0 ? strtoll(text + 9, NULL, 10) : 0;
}

static inline int64_t begin(client *c, const char *key)
{
    return token_of(ask(c, cache_load, "n s n", key));
}

static inline const char *loaded(client *c, int64_t token, const char *value)
{
    const char *text = ask(c, cache_loaded, "n I x n n", token, TEXT(value));

    return strncmp(text, "value [true ", 12) == 0 ? "stored" : text;
}

/* The first elements of a reply, up to the n-th space. */
static inline const char *head(const char *text, int n)
{
    static char out[200];
    size_t i;

    for (i = 0; text[i] != '\0' && i < sizeof out - 1; i++) {
        if (text[i] == ' ' && n-- == 0)
            break;
        out[i] = text[i];
    }
    out[i] = '\0';
    return out;
}

#endif
