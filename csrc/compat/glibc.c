/*
 * Lets a binary that is linked against today's glibc load on an older one.
 *
 * A linker binds each name to its newest version. For the names below that
 * version came with glibc 2.29 to 2.35, although what we use of them is older:
 * functions moved from libpthread into libc, stat() became a function of its
 * own, and mathematical functions got versions that do not set errno. So they
 * are defined here, hidden inside the addon, as calls to the old versions, and
 * the oldest glibc is that of Node's own builds.
 *
 * Only the published x86-64 binary is built with it (gyp variable oldglibc).
 * .ci/binary.js checks which versions the result asks for: when a new name
 * appears there, it is missing here.
 *
 * No system header is included: their declarations would redirect the names.
 * Types are what they are in the ABI: pthread_t is an unsigned long.
 */
#if !defined(__x86_64__) || !defined(__linux__)
#error "the versions below are those of glibc on x86-64"
#endif

/* The function NAME, as a call to NAME@GLIBC_VERSION. */
#define OLD(type, name, version, params, args)                 \
    __asm__(".symver old_" #name "," #name "@GLIBC_" version); \
    extern type old_##name params;                             \
    type name params;                                          \
    type name params                                           \
    {                                                          \
        return old_##name args;                                \
    }

/* ---- threads: moved into libc by 2.32 and 2.34 --------------------------- */

typedef void *start_fn(void *);
typedef void once_fn(void);
typedef void free_fn(void *);

OLD(int, pthread_create, "2.2.5",
    (unsigned long *thread, const void *attr, start_fn *start, void *arg),
    (thread, attr, start, arg))
OLD(int, pthread_join, "2.2.5", (unsigned long thread, void **result),
    (thread, result))
OLD(int, pthread_detach, "2.2.5", (unsigned long thread), (thread))
OLD(int, pthread_once, "2.2.5", (int *control, once_fn *init), (control, init))
OLD(int, pthread_sigmask, "2.2.5", (int how, const void *set, void *old),
    (how, set, old))
OLD(int, pthread_setname_np, "2.12", (unsigned long thread, const char *name),
    (thread, name))
OLD(int, pthread_mutex_trylock, "2.2.5", (void *mutex), (mutex))
OLD(int, pthread_mutexattr_init, "2.2.5", (void *attr), (attr))
OLD(int, pthread_mutexattr_settype, "2.2.5", (void *attr, int type),
    (attr, type))
OLD(int, pthread_mutexattr_destroy, "2.2.5", (void *attr), (attr))
OLD(int, pthread_condattr_setclock, "2.3.3", (void *attr, int clock),
    (attr, clock))
OLD(int, pthread_attr_setstacksize, "2.2.5", (void *attr, unsigned long size),
    (attr, size))
OLD(int, pthread_key_create, "2.2.5", (unsigned *key, free_fn *destroy),
    (key, destroy))
OLD(int, __pthread_key_create, "2.2.5", (unsigned *key, free_fn *destroy),
    (key, destroy))
OLD(int, pthread_key_delete, "2.2.5", (unsigned key), (key))
OLD(void *, pthread_getspecific, "2.2.5", (unsigned key), (key))
OLD(int, pthread_setspecific, "2.2.5", (unsigned key, const void *value),
    (key, value))

/* ---- stat: functions of their own since 2.33 ----------------------------- */

/* The layout of struct stat that was asked for: the only one on x86-64. */
#define STAT_VERSION 1

extern int __xstat64(int version, const char *path, void *out);
extern int __lxstat64(int version, const char *path, void *out);
extern int __fxstat64(int version, int fd, void *out);
extern int __fxstatat64(int version, int dir, const char *path, void *out,
                        int flags);

int stat64(const char *path, void *out);
int stat64(const char *path, void *out)
{
    return __xstat64(STAT_VERSION, path, out);
}

/* The same here; libraries of Debian ask for it by this name. */
int stat(const char *path, void *out);
int stat(const char *path, void *out)
{
    return __xstat64(STAT_VERSION, path, out);
}

int lstat64(const char *path, void *out);
int lstat64(const char *path, void *out)
{
    return __lxstat64(STAT_VERSION, path, out);
}

int fstat64(int fd, void *out);
int fstat64(int fd, void *out)
{
    return __fxstat64(STAT_VERSION, fd, out);
}

int fstatat64(int dir, const char *path, void *out, int flags);
int fstatat64(int dir, const char *path, void *out, int flags)
{
    return __fxstatat64(STAT_VERSION, dir, path, out, flags);
}

/* ---- mathematics: no errno since 2.29, which SQLite does not look at ------
 */

OLD(double, exp, "2.2.5", (double x), (x))
OLD(double, log, "2.2.5", (double x), (x))
OLD(double, log2, "2.2.5", (double x), (x))
OLD(double, pow, "2.2.5", (double x, double y), (x, y))

/* ---- what libstdc++ asks for -------------------------------------------- */

/* Since 2.32; zero is "there may be threads", which is always right. */
extern char __libc_single_threaded;
char __libc_single_threaded = 0;

/* ---- unwinding ----------------------------------------------------------- */

/*
 * The unwinder inside libgcc asks the dynamic linker (2.35) for the tables of a
 * function. The addon is compiled without exceptions and nothing in it catches
 * one, so a throw ends in std::terminate, tables or not.
 */
int _dl_find_object(void *address, void *result);
int _dl_find_object(void *address, void *result)
{
    (void)address;
    (void)result;
    return -1;
}
