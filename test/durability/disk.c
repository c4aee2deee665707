/*
 * A disk that does not answer, for LD_PRELOAD: while the file $UC_DISK_STALLS is
 * there, writes of the log and syncs wait, as they do in the kernel for a device
 * that hangs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void stand(void)
{
    const struct timespec some = {.tv_nsec = 2000000};
    const char *file = getenv("UC_DISK_STALLS");

    while (file != NULL && access(file, F_OK) == 0)
        nanosleep(&some, NULL);
}

int fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

    stand();
    return next(fd);
}

int fsync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

    stand();
    return next(fd);
}

/* Only the log's files are written so. */
ssize_t writev(int fd, const struct iovec *iov, int n)
{
    ssize_t (*next)(int, const struct iovec *, int) =
        (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");

    if ((fcntl(fd, F_GETFL) & O_APPEND) != 0)
        stand();
    return next(fd, iov, n);
}
