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

/* The directory of a log, seen from outside. A path is freed with what is
 * there. */
__attribute__((unused)) static char *log_dir_make(const char *base,
                                                  const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", base, name);
    return strdup(path);
}

static int log_dir_remove(const char *path, const struct stat *st, int type,
                          struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

__attribute__((unused)) static void log_dir_free(char *path)
{
    nftw(path, log_dir_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(path);
}

/* By the number behind the day: all are of a few days. */
static int log_dir_order(const struct dirent **a, const struct dirent **b)
{
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static int log_dir_is_log(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return n > 4 && strcmp(e->d_name + n - 4, ".log") == 0;
}

/* All files that are not archives, one after the other. The caller's. */
__attribute__((unused)) static char *log_dir_text(const char *dir)
{
    struct dirent **names;
    int n = scandir(dir, &names, log_dir_is_log, log_dir_order);
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

static int log_dir_is_ring(const struct dirent *e)
{
    return strstr(e->d_name, ".ring") != NULL ||
           strstr(e->d_name, ".new") != NULL;
}

__attribute__((unused)) static int log_dir_rings(const char *dir)
{
    struct dirent **names;
    char path[256];
    int n;

    snprintf(path, sizeof path, "%s/.rings", dir);
    n = scandir(path, &names, log_dir_is_ring, NULL);
    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n >= 0)
        free(names);
    return n;
}

#endif
