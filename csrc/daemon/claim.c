#define _GNU_SOURCE
#include "claim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "log.h"

enum {
    POLL_US = 20000,
    SPARE_MS = 1000,     /* for processes to begin and end, beside ud_end_ms */
    AGAIN_MS = 2000,     /* so long may the end take that a signal forces */
    FIRST_NOTE_MS = 5000 /* after this it is said what is waited for */
};

/* ---- access ---- */

static bool number(const char *text, uint32_t *n)
{
    char *end;
    unsigned long v;

    errno = 0;
    v = strtoul(text, &end, 10);
    *n = (uint32_t)v;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 &&
           v < UINT32_MAX;
}

/* By hand and not with getgrnam(): that would load name service modules, which
 * a static executable cannot rely on. */
static bool find_group(const char *name, gid_t *gid)
{
    struct group *g;
    bool found = false;
    FILE *f;

    if (number(name, gid))
        return true;
    f = fopen("/etc/group", "re");
    if (f == NULL)
        return false;
    while (!found && (g = fgetgrent(f)) != NULL) {
        found = strcmp(g->gr_name, name) == 0;
        if (found)
            *gid = g->gr_gid;
    }
    fclose(f);
    return found;
}

bool ud_claim_read(ud_claim *claim, const ud_config *config)
{
    *claim = (ud_claim){.lock = -1, .mode = 0600};
    if (config->mode != NULL) {
        char *end;
        unsigned long mode = strtoul(config->mode, &end, 8);

        if (config->mode[0] == '\0' || *end != '\0' || mode > 0777 ||
            (mode & 0600) != 0600) {
            ud_say("--mode %s: expected an octal mode of the socket such as "
                   "0660, with 6 for the owner",
                   config->mode);
            return false;
        }
        claim->mode = (mode_t)mode;
    }
    if (config->group != NULL) {
        claim->has_group = find_group(config->group, &claim->group);
        if (!claim->has_group) {
            ud_say("--group %s: there is no such group in /etc/group",
                   config->group);
            return false;
        }
    }
    claim->nallowed = config->allow_uid.n;
    claim->allowed = uc_calloc(claim->nallowed + 1, sizeof *claim->allowed);
    if (claim->allowed == NULL)
        return false;
    for (unsigned i = 0; i < claim->nallowed; i++) {
        if (!number(config->allow_uid.at[i], &claim->allowed[i])) {
            ud_say("--allow-uid %s: expected the number of a user",
                   config->allow_uid.at[i]);
            return false;
        }
    }
    return true;
}

bool ud_claim_admits(const ud_claim *claim, uint64_t uid, uc_error *e)
{
    if (uid == geteuid())
        return true;
    for (unsigned i = 0; i < claim->nallowed; i++) {
        if (uid == claim->allowed[i])
            return true;
    }
    /* Without a list the modes of the socket and its folder decide, once
     * somebody has said what they should be. */
    if (claim->nallowed == 0 && (claim->mode & 0066) != 0)
        return true;
    return uc_fail(e, UC_ACCESS,
                   "the user %" PRIu64 " may not use this daemon, which runs "
                   "as user %u: start it with --allow-uid %" PRIu64
                   " (and --mode and --group, so that the user can reach the "
                   "socket)",
                   uid, (unsigned)geteuid(), uid);
}

/* ---- the folder ---- */

/* False with what is wrong said. */
static bool check_folder(const char *path, size_t n)
{
    char dir[sizeof((struct sockaddr_un *)0)->sun_path];
    struct stat st;

    snprintf(dir, sizeof dir, "%.*s", (int)n, path);
    if (stat(dir, &st) != 0) {
        if (errno == ENOENT)
            ud_say("the folder %s of the socket is not there: make it with "
                   "`mkdir -m 0700 %s`",
                   dir, dir);
        else
            ud_say("the folder %s of the socket cannot be looked at: %m", dir);
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        ud_say("%s, where the socket is to be, is not a folder", dir);
        return false;
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        ud_say("the folder %s of the socket belongs to user %u, who could put "
               "another socket there; it has to be yours (user %u) or root's",
               dir, (unsigned)st.st_uid, (unsigned)geteuid());
        return false;
    }
    if ((st.st_mode & 02) && !(st.st_mode & S_ISVTX)) {
        ud_say("everybody may write to the folder %s of the socket and could "
               "put another one there: `chmod o-w %s`",
               dir, dir);
        return false;
    }
    if (access(dir, W_OK | X_OK) != 0) {
        ud_say("you (user %u) may not write to the folder %s of the socket",
               (unsigned)geteuid(), dir);
        return false;
    }
    return true;
}

static bool check_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;

    if (strlen(path) > most) {
        ud_say("the path of the socket has %zu bytes and the system takes at "
               "most %zu; choose a shorter one, such as "
               "/run/app/undercroft.sock",
               strlen(path), most);
        return false;
    }
    return check_folder(path, slash > path ? (size_t)(slash - path) : 1);
}

/* ---- the lock ---- */

/* Writes into the file who has it, for messages and for --replace. A disk that
 * is full is no reason not to serve. */
static void sign(int lock)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    ssize_t rc = -1;

    if (ftruncate(lock, 0) == 0)
        rc = pwrite(lock, text, (size_t)n, 0);
    (void)rc;
}

/* A line of /proc/locks: "1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF". */
static bool is_lock_of(const char *line, pid_t pid, ino_t inode)
{
    char file[40];
    const char *p = strstr(line, "FLOCK ");
    char *end;

    snprintf(file, sizeof file, ":%llu ", (unsigned long long)inode);
    for (int words = 0; p != NULL && words < 3; words++) {
        p = strchr(p, ' ');
        if (p != NULL)
            p += strspn(p, " ");
    }
    return p != NULL && strtol(p, &end, 10) == pid && strstr(end, file) != NULL;
}

static bool is_listed(pid_t pid, ino_t inode)
{
    char line[200];
    bool found = false;
    FILE *f = fopen("/proc/locks", "re");

    if (f == NULL)
        return false;
    while (!found && fgets(line, sizeof line, f) != NULL)
        found = is_lock_of(line, pid, inode);
    fclose(f);
    return found;
}

/*
 * Whether the kernel says, of our name space, that this process has locked it.
 * The list comes in pieces: where others lock and unlock meanwhile, a lock can
 * be passed over between two of them.
 */
static bool has_lock(pid_t pid, ino_t inode)
{
    enum { LOOKS = 5 };
    bool found = false;

    for (int i = 0; i < LOOKS && !found; i++)
        found = is_listed(pid, inode);
    return found;
}

/* The process that has the lock, whether it listens or not; 0: not known. */
static pid_t holder_of(const char *name)
{
    char text[24];
    struct stat st;
    ssize_t n;
    pid_t pid;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return 0;
    n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    pid = (pid_t)strtol(text, NULL, 10);
    if (pid <= 0 || fstat(fd, &st) != 0 || !has_lock(pid, st.st_ino))
        pid = 0;
    close(fd);
    return pid;
}

/* True when it is ours; false with errno EWOULDBLOCK when another has it. */
static bool try_lock(ud_claim *claim, const char *name)
{
    struct stat held, there;

    for (;;) {
        claim->lock =
            open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (claim->lock < 0)
            return false;
        if (flock(claim->lock, LOCK_EX | LOCK_NB) != 0) {
            int error = errno;

            close(claim->lock);
            claim->lock = -1;
            errno = error;
            return false;
        }
        /* Who removed the file meanwhile made a second lock possible. */
        if (fstat(claim->lock, &held) == 0 && stat(name, &there) == 0 &&
            held.st_dev == there.st_dev && held.st_ino == there.st_ino) {
            sign(claim->lock);
            return true;
        }
        close(claim->lock);
    }
}

/* The process that listens on the socket; 0: nobody, -1: not to be seen. */
static pid_t listener_of(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t n = sizeof peer;
    pid_t pid = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return 0;
    memcpy(to.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0)
        pid = peer.pid > 0 ? peer.pid : -1;
    close(fd);
    return pid;
}

/* ---- --replace ---- */

typedef struct replacing {
    const ud_config *config;
    const char *lock; /* its name */
    pid_t told;       /* who has been asked to end; 0: nobody so far */
    int64_t since;    /* the first signal, or the beginning */
    int64_t until;    /* so long is waited for what was done last */
    int64_t note;     /* then it is said that this still waits */
    unsigned forced;  /* signals beyond the first */
} replacing;

static void wait_anew(replacing *r)
{
    r->since = uc_now();
    r->until = r->since + (ud_end_ms(&r->config->limits) + SPARE_MS) * UC_MS;
    r->note = r->since + FIRST_NOTE_MS * UC_MS;
    r->forced = 0;
}

static bool end_with(pid_t pid, int number)
{
    if (kill(pid, number) == 0 || errno == ESRCH)
        return true;
    ud_say("the daemon with pid %d cannot be told to stop: %m", (int)pid);
    return false;
}

/* Tells who listens now to end. False, and said, when that cannot be done. */
static bool tell(replacing *r)
{
    pid_t pid = listener_of(r->config->listen);

    if (pid < 0) {
        ud_say("the daemon on %s runs where this process cannot see it (in "
               "another container?): stop it there",
               r->config->listen);
        return false;
    }
    if (pid == 0 || pid == r->told)
        return true;
    wait_anew(r);
    r->told = pid;
    ud_say("replacing the daemon with pid %d, which has up to %" PRId64
           " s to end (drain-ms)",
           (int)pid, ud_end_ms(&r->config->limits) / 1000);
    return end_with(pid, SIGTERM);
}

/*
 * It has had all the time that it may take by these options, does not accept
 * any more and keeps its successor from it: nobody is served. A second signal
 * ends it at once, as it would by hand; what does not react to that is stopped
 * or hangs, and SIGKILL takes no more from it. What was committed is on disk
 * either way. False, and said, when nothing is left to be done.
 */
static bool force(replacing *r)
{
    pid_t pid = holder_of(r->lock);
    int64_t s = (uc_now() - r->since) / (1000 * UC_MS);

    if (pid == 0) {
        ud_say("the daemon on %s did not give the socket back in %" PRId64
               " s, and its pid is not known: end it, then start this again",
               r->config->listen, s);
        return false;
    }
    switch (r->forced++) {
    case 0:
        ud_say("the daemon with pid %d has not ended in %" PRId64
               " s: a second signal ends it at once",
               (int)pid, s);
        r->until = uc_now() + AGAIN_MS * UC_MS;
        return end_with(pid, SIGTERM);
    case 1:
        ud_say("the daemon with pid %d does not react to a signal: SIGKILL",
               (int)pid);
        r->until = uc_now() + AGAIN_MS * UC_MS;
        return end_with(pid, SIGKILL);
    default:
        ud_say("%s is held by pid %d, which does not end, not even by SIGKILL "
               "(its disk may hang)",
               r->config->listen, (int)pid);
        return false;
    }
}

/* Ends the daemon that has the lock and takes it. */
static int replace(ud_claim *claim, const ud_config *config, const char *name)
{
    replacing r = {.config = config, .lock = name};

    wait_anew(&r);
    for (;;) {
        int64_t now = uc_now();

        if (!tell(&r))
            return UD_SERVED;
        if (try_lock(claim, name))
            return UD_OK;
        if (errno != EWOULDBLOCK) {
            ud_say("the lock %s cannot be taken: %m", name);
            return UD_SOCKET;
        }
        if (now >= r.until && !force(&r))
            return UD_SERVED;
        if (now >= r.note && now < r.until) {
            pid_t pid = holder_of(name);

            ud_say("%s is still held by pid %d; this waits for %" PRId64
                   " s more",
                   config->listen, (int)(pid > 0 ? pid : r.told),
                   (r.until - now) / (1000 * UC_MS) + 1);
            r.note = now + 2 * (now - r.since);
        }
        usleep(POLL_US);
    }
}

static int take_lock(ud_claim *claim, const ud_config *config)
{
    char name[sizeof((struct sockaddr_un *)0)->sun_path + 8];
    pid_t pid, holder;

    snprintf(name, sizeof name, "%s.lock", config->listen);
    if (try_lock(claim, name))
        return UD_OK;
    if (errno != EWOULDBLOCK) {
        ud_say("the lock %s cannot be taken: %m", name);
        return UD_SOCKET;
    }
    if (config->replace)
        return replace(claim, config, name);
    pid = listener_of(config->listen);
    holder = holder_of(name);
    if (pid > 0)
        ud_say("%s is served already, by pid %d; --replace takes it over",
               config->listen, (int)pid);
    else if (holder > 0)
        ud_say("%s is about to be served, or was until now, by pid %d; "
               "--replace takes it over",
               config->listen, (int)holder);
    else
        ud_say("%s is served already, or is about to be; --replace takes it "
               "over",
               config->listen);
    return UD_SERVED;
}

/* Under the lock: whatever is there was left behind. */
static int remove_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return UD_OK;
    if (!S_ISSOCK(st.st_mode)) {
        ud_say("%s is there and is not a socket: move it away, or choose "
               "another path",
               path);
        return UD_SOCKET;
    }
    if (unlink(path) != 0) {
        ud_say("%s was left behind and cannot be removed: %m", path);
        return UD_SOCKET;
    }
    return UD_OK;
}

int ud_claim_take(ud_claim *claim, const ud_config *config)
{
    int code;

    if (config->listen == NULL)
        return UD_OK;
    if (!check_path(config->listen))
        return UD_SOCKET;
    code = take_lock(claim, config);
    if (code == UD_OK)
        code = remove_stale(config->listen);
    return code;
}

void ud_claim_free(ud_claim *claim)
{
    /* The file stays: to remove it would let two processes lock two of them. */
    if (claim->lock >= 0)
        close(claim->lock);
    uc_free(claim->allowed);
}

mode_t ud_claim_begin_bind(void)
{
    return umask(0177); /* not 0777: other threads make files too */
}

bool ud_claim_end_bind(const ud_claim *claim, const char *path, mode_t before)
{
    umask(before);
    if (path == NULL)
        return true;
    if (claim->has_group && chown(path, (uid_t)-1, claim->group) != 0) {
        ud_say("the socket cannot be given to the group: %m; be a member of it "
               "or root");
        return false;
    }
    if (chmod(path, claim->mode) != 0) {
        ud_say("the mode of the socket cannot be set: %m");
        return false;
    }
    return true;
}
