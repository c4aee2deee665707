#include "doors/http/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "daemon/log.h"
#include "routes/routes.h"
#include "wire/writer.h"

enum { DEPTH = 8, NAME_BYTES = 1024, FILES_MOST = 4096 };

typedef struct files {
    const char *root;
    char **names; /* relative */
    uint32_t n, cap;
    uint32_t nsql;
    size_t left; /* bytes that all texts together may still have */
} files;

/* A directory, and those that it is in. */
typedef struct place {
    const struct place *above;
    dev_t dev;
    ino_t ino;
    unsigned depth;
    const char *under; /* relative */
} place;

static void files_free(files *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        uc_free(f->names[i]);
    uc_free(f->names);
}

static bool no_memory(const files *f)
{
    ud_say("--routes %s: no memory", f->root);
    return false;
}

static bool ends(const char *name, const char *with)
{
    size_t n = strlen(name), k = strlen(with);

    return n >= k && strcmp(name + n - k, with) == 0;
}

static bool is_wanted(const char *name)
{
    return ends(name, ".sql") || ends(name, ".mustache") || ends(name, ".html");
}

static bool add_name(files *f, const char *name)
{
    if (f->n == FILES_MOST) {
        ud_say("--routes %s: more than %d files", f->root, FILES_MOST);
        return false;
    }
    if (f->n == f->cap) {
        uint32_t cap = f->cap > 0 ? f->cap * 2 : 16;
        char **names = uc_realloc(f->names, cap * sizeof *names);

        if (names == NULL)
            return no_memory(f);
        f->names = names;
        f->cap = cap;
    }
    f->names[f->n] = uc_strndup(name, strlen(name));
    if (f->names[f->n] == NULL)
        return no_memory(f);
    f->n++;
    f->nsql += ends(name, ".sql");
    return true;
}

static bool is_hidden(const char *name)
{
    return name[0] == '.' || strcmp(name, "node_modules") == 0;
}

static bool list(files *f, const place *in);

/* A link to a directory that it is in ends there. */
static bool list_under(files *f, const place *in, const struct stat *st,
                       const char *under)
{
    place here = {in, st->st_dev, st->st_ino, in->depth + 1, under};

    for (const place *p = in; p != NULL; p = p->above) {
        if (p->dev == here.dev && p->ino == here.ino)
            return true;
    }
    return list(f, &here);
}

static bool list_entry(files *f, const place *in, const char *name)
{
    char relative[NAME_BYTES], path[2 * NAME_BYTES];
    struct stat st;

    if (snprintf(relative, sizeof relative, "%s%s%s", in->under,
                 *in->under != '\0' ? "/" : "", name) >= (int)sizeof relative ||
        snprintf(path, sizeof path, "%s/%s", f->root, relative) >=
            (int)sizeof path) {
        ud_say("--routes %s: the name %s is too long", f->root, name);
        return false;
    }
    if (stat(path, &st) != 0) {
        ud_say("--routes %s: %m", path);
        return false;
    }
    if (S_ISDIR(st.st_mode))
        return list_under(f, in, &st, relative);
    return !S_ISREG(st.st_mode) || !is_wanted(name) || add_name(f, relative);
}

static bool list(files *f, const place *in)
{
    char path[2 * NAME_BYTES];
    struct dirent *entry;
    bool ok = true;
    DIR *dir;

    snprintf(path, sizeof path, "%s/%s", f->root, in->under);
    if (in->depth > DEPTH) {
        ud_say("--routes %s: folders more than %d deep", path, DEPTH);
        return false;
    }
    dir = opendir(path);
    if (dir == NULL) {
        ud_say("--routes %s: %m", path);
        return false;
    }
    while (ok && (entry = readdir(dir)) != NULL) {
        if (!is_hidden(entry->d_name))
            ok = list_entry(f, in, entry->d_name);
    }
    closedir(dir);
    return ok;
}

static bool list_root(files *f)
{
    place root = {.under = ""};
    struct stat st;

    if (stat(f->root, &st) != 0) {
        ud_say("--routes %s: %m", f->root);
        return false;
    }
    root.dev = st.st_dev;
    root.ino = st.st_ino;
    if (!list(f, &root))
        return false;
    if (f->nsql == 0)
        ud_say("--routes %s: there is no *.sql in it", f->root);
    return f->nsql > 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool unread(const char *path, const char *why)
{
    ud_say("--routes %s: %s", path, why);
    return false;
}

static bool read_all(files *f, int fd, const char *path, uc_buf *out)
{
    struct stat st;
    uint8_t *p;

    if (fstat(fd, &st) != 0)
        return unread(path, strerror(errno));
    if ((size_t)st.st_size > f->left) {
        ud_say("--routes %s: all files together are larger than %d bytes",
               f->root, UC_ROUTES_BYTES);
        return false;
    }
    if (!uc_buf_reserve(out, (size_t)st.st_size + 5))
        return no_memory(f);
    p = uc_emit_str_header(out->p + out->len, (uint32_t)st.st_size);
    errno = 0;
    if (read(fd, p, (size_t)st.st_size) != st.st_size)
        return unread(path, errno != 0 ? strerror(errno)
                                       : "it changed while it was read");
    out->len = (size_t)(p - out->p) + (size_t)st.st_size;
    f->left -= (size_t)st.st_size;
    return true;
}

/* Appends the text of a file as a str. */
static bool read_file(files *f, const char *name, uc_buf *out)
{
    char path[2 * NAME_BYTES];
    bool ok;
    int fd;

    snprintf(path, sizeof path, "%s/%s", f->root, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return unread(path, strerror(errno));
    ok = read_all(f, fd, path, out);
    close(fd);
    return ok;
}

bool http_folder_pack(const char *dir, uc_buf *out)
{
    files f = {.root = dir, .left = UC_ROUTES_BYTES};
    bool ok = list_root(&f);

    if (ok && f.n > 0)
        qsort(f.names, f.n, sizeof *f.names, by_name);
    if (ok)
        uc_pack_array(out, f.n);
    for (uint32_t i = 0; ok && i < f.n; i++) {
        uc_pack_array(out, 2);
        uc_pack_str(out, f.names[i]);
        ok = read_file(&f, f.names[i], out);
    }
    files_free(&f);
    return ok;
}
