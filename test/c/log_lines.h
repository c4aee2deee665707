#ifndef UC_TEST_LOG_LINES_H
#define UC_TEST_LOG_LINES_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "log/log.h"
#include "tap.h"

/* The directory of a log, seen from outside, and lines that are counted. A path
 * is freed with what is there. */
__attribute__((unused)) static char *lines_dir(const char *base,
                                               const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", base, name);
    return strdup(path);
}

static int lines_remove(const char *path, const struct stat *st, int type,
                        struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

__attribute__((unused)) static void lines_free(char *path)
{
    nftw(path, lines_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(path);
}

/* By the number behind the day: all are of a few days. */
static int lines_order(const struct dirent **a, const struct dirent **b)
{
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static int lines_is_log(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return n > 4 && strcmp(e->d_name + n - 4, ".log") == 0;
}

/* All files that are not archives, one after the other. The caller's. */
__attribute__((unused)) static char *lines_text(const char *dir)
{
    struct dirent **names;
    int n = scandir(dir, &names, lines_is_log, lines_order);
    char *text = malloc(1), path[512];
    size_t len = 0;

    for (int i = 0; i < n; i++) {
        struct stat st;
        FILE *f;

        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        free(names[i]);
        f = fopen(path, "r");
        if (f == NULL)
            continue;
        if (fstat(fileno(f), &st) == 0) {
            text = realloc(text, len + (size_t)st.st_size + 1);
            len += fread(text + len, 1, (size_t)st.st_size, f);
        }
        fclose(f);
    }
    if (n >= 0)
        free(names);
    text[len] = '\0';
    return text;
}

static int lines_is_ring(const struct dirent *e)
{
    return strstr(e->d_name, ".ring") != NULL ||
           strstr(e->d_name, ".new") != NULL;
}

__attribute__((unused)) static int lines_rings(const char *dir)
{
    struct dirent **names;
    char path[256];
    int n;

    snprintf(path, sizeof path, "%s/.rings", dir);
    n = scandir(path, &names, lines_is_ring, NULL);
    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n >= 0)
        free(names);
    return n;
}

/* A line that says which one it is, of a length that differs. */
__attribute__((unused)) static size_t line_of(char *p, const char *who,
                                              uint64_t n)
{
    size_t pad = n * 7919 % 200;

    return (size_t)sprintf(p, "%s %" PRIu64 " %.*s\n", who, n, (int)pad,
                           "........................................"
                           "........................................"
                           "........................................"
                           "........................................"
                           "........................................");
}

__attribute__((unused)) static uc_log_result put(uc_log *l, const char *who,
                                                 uint64_t n)
{
    char line[512];
    size_t len = line_of(line, who, n);

    return uc_log_put(l, (const uint8_t *)line, len, 1, true);
}

/* How many of `who`'s lines 0 to n-1 are in the text exactly once and whole;
 * *more: of higher numbers; *bad: twice, torn, or in another order. */
__attribute__((unused)) static uint64_t count(const char *text, const char *who,
                                              uint64_t n, uint64_t *more,
                                              uint64_t *bad)
{
    const char *line = text, *end;
    char want[512];
    size_t len = strlen(who);
    uint64_t found = 0, next = 0;

    *more = *bad = 0;
    for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        uint64_t number;

        if (strncmp(line, who, len) != 0 || line[len] != ' ')
            continue;
        number = strtoull(line + len + 1, NULL, 10);
        if (line_of(want, who, number) != (size_t)(end + 1 - line) ||
            memcmp(want, line, (size_t)(end + 1 - line)) != 0 || number < next)
            ++*bad;
        else if (number < n)
            found++;
        else
            ++*more;
        next = number >= next ? number + 1 : next;
    }
    *bad += *line != '\0';
    return found;
}

__attribute__((unused)) static bool all_there(const char *dir, const char *who,
                                              uint64_t n)
{
    char *text = lines_text(dir);
    uint64_t more, bad, found = count(text, who, n, &more, &bad);

    free(text);
    if (found == n && more == 0 && bad == 0)
        return true;
    tap_diag("%s: %" PRIu64 " of %" PRIu64 ", %" PRIu64 " more, %" PRIu64
             " bad",
             who, found, n, more, bad);
    return false;
}

#endif
