#define _GNU_SOURCE /* memrchr */
#include "address.h"

#include <string.h>

#include "common/mem.h"

static const char hidden[] = "***";

enum { HIDDEN = sizeof hidden - 1 };

const char *ud_address_in(const char *db)
{
    size_t n = strcspn(db, "=/");

    return db[n] == '=' ? db + n + 1 : db;
}

bool ud_address_is(const char *db)
{
    return strncmp(db, "postgres://", 11) == 0 ||
           strncmp(db, "postgresql://", 13) == 0;
}

static const char *authority(const char *address)
{
    return strstr(address, "://") + 3;
}

const char *ud_address_name(const char *address, size_t *n)
{
    const char *p = authority(address);

    p += strcspn(p, "/?");
    if (*p == '/')
        p++;
    *n = strcspn(p, "?");
    return p;
}

/*
 * A colon before the first @ begins a password, and the last @ in front of the
 * parameters ends it. One that holds a / or a ? without an escape is not
 * understood, and not shown for that.
 */
static bool password(const char *address, const char **from, const char **to)
{
    const char *p = authority(address), *colon = strchr(p, ':');
    const char *at = strchr(p, '@'), *end = p + strcspn(p, "?");

    if (colon == NULL || at == NULL || at < colon)
        return false;
    *from = colon + 1;
    *to = memrchr(p, '@', (size_t)(end - p));
    if (*to == NULL)
        *to = strrchr(p, '@');
    return *to > *from;
}

/* A name with an escape may be any. */
static bool is_secret(const char *name, size_t n)
{
    return memchr(name, '%', n) != NULL ||
           (n == 8 && memcmp(name, "password", n) == 0) ||
           (n == 11 && memcmp(name, "sslpassword", n) == 0);
}

static char *put(char *out, const char *p, size_t n)
{
    memcpy(out, p, n);
    return out + n;
}

/* The parameters, each name=value. */
static char *show_options(char *out, const char *p, bool *secret)
{
    while (*p != '\0') {
        size_t n = strcspn(p, "&"), name = strcspn(p, "=&");

        if (name < n && name + 1 < n && is_secret(p, name)) {
            out = put(out, p, name + 1);
            out = put(out, hidden, HIDDEN);
            *secret = true;
        } else {
            out = put(out, p, n);
        }
        p += n;
        if (*p == '&')
            out = put(out, p++, 1);
    }
    return out;
}

char *ud_address_shown(const char *address, bool *secret)
{
    /* No password becomes longer by more than it takes. */
    size_t n = strlen(address);
    char *shown = uc_malloc(n + n + 2 * sizeof hidden), *out = shown;
    const char *p = address, *from, *to, *question;

    *secret = false;
    if (shown == NULL)
        return NULL;
    if (password(p, &from, &to)) {
        out = put(out, p, (size_t)(from - p));
        out = put(out, hidden, HIDDEN);
        p = to;
        *secret = true;
    }
    question = p + strcspn(p, "?");
    out = put(out, p, (size_t)(question - p));
    if (*question == '?') {
        out = put(out, question, 1);
        out = show_options(out, question + 1, secret);
    }
    *out = '\0';
    return shown;
}
