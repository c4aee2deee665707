#ifndef UC_TEST_TAP_H
#define UC_TEST_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A TAP emitter. A program makes its points and returns tap_end() from main;
 * the plan comes last. A failed point says what was expected and what came, as
 * a YAML diagnostic. One thread makes the points.
 *
 * UC_SEED=n in the environment repeats a run with random values: tap_seed().
 */
static unsigned tap_points, tap_failed;
static uint64_t tap_state;

__attribute__((format(printf, 1, 2), unused)) static void
tap_diag(const char *fmt, ...)
{
    va_list ap;

    printf("# ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

/* One point; line and name as the macros below give them. */
static bool tap_point(bool pass, int line, const char *name)
{
    tap_points++;
    tap_failed += !pass;
    printf("%sok %u - %s\n", pass ? "" : "not ", tap_points, name);
    if (!pass)
        fprintf(stderr, "line %d: %s\n", line, name);
    fflush(stdout);
    return pass;
}

__attribute__((unused)) static void tap_quoted(const char *key, const char *s)
{
    printf("  %s: \"", key);
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            printf("\\x%02x", (unsigned char)*s);
        else
            putchar(*s);
    }
    printf("\"\n");
}

__attribute__((unused)) static bool tap_eq_int(int64_t got, int64_t want,
                                               int line, const char *name)
{
    if (tap_point(got == want, line, name))
        return true;
    printf("  ---\n  expected: %" PRId64 "\n  got: %" PRId64
           "\n  line: %d\n  ...\n",
           want, got, line);
    return false;
}

__attribute__((unused)) static bool
tap_eq_str(const char *got, const char *want, int line, const char *name)
{
    if (tap_point(strcmp(got, want) == 0, line, name))
        return true;
    printf("  ---\n");
    tap_quoted("expected", want);
    tap_quoted("got", got);
    printf("  line: %d\n  ...\n", line);
    return false;
}

__attribute__((unused)) static bool
tap_eq_bytes(const void *got, size_t got_len, const void *want, size_t want_len,
             int line, const char *name)
{
    const struct {
        const char *key;
        const uint8_t *p;
        size_t n;
    } sides[] = {{"expected", want, want_len}, {"got", got, got_len}};

    if (tap_point(got_len == want_len &&
                      (got_len == 0 || memcmp(got, want, got_len) == 0),
                  line, name))
        return true;
    printf("  ---\n");
    for (int i = 0; i < 2; i++) {
        printf("  %s: \"", sides[i].key);
        for (size_t j = 0; j < sides[i].n && j < 256; j++)
            printf("%02x", sides[i].p[j]);
        printf("\" # %zu bytes\n", sides[i].n);
    }
    printf("  line: %d\n  ...\n", line);
    return false;
}

__attribute__((unused)) static void tap_skip(const char *name, const char *why)
{
    printf("ok %u - %s # SKIP %s\n", ++tap_points, name, why);
}

/* Seeds tap_random: from the environment, else from `otherwise`. Prints it. */
__attribute__((unused)) static uint64_t tap_seed(uint64_t otherwise)
{
    const char *s = getenv("UC_SEED");

    tap_state = s != NULL ? strtoull(s, NULL, 0) : otherwise;
    tap_diag("UC_SEED=%" PRIu64, tap_state);
    return tap_state;
}

/* splitmix64: any seed is a good one. */
__attribute__((unused)) static uint64_t tap_random(void)
{
    uint64_t z = tap_state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

__attribute__((unused)) static int tap_end(void)
{
    printf("1..%u\n", tap_points);
    return tap_failed > 0;
}

#define ok(pass, name) tap_point((pass), __LINE__, (name))
#define eq_int(got, want, name) \
    tap_eq_int((int64_t)(got), (int64_t)(want), __LINE__, (name))
#define eq_str(got, want, name) tap_eq_str((got), (want), __LINE__, (name))
#define eq_bytes(got, got_len, want, want_len, name) \
    tap_eq_bytes((got), (got_len), (want), (want_len), __LINE__, (name))

#endif
