#include "notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* What sd_notify(3) does: one datagram to the socket that NOTIFY_SOCKET names;
 * a leading @ is the abstract name space. */
static void systemd(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n;
    int fd;

    if (name == NULL || (name[0] != '/' && name[0] != '@'))
        return;
    n = strlen(name);
    if (n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, name, n);
    if (name[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        ud_say("NOTIFY_SOCKET %s cannot be written: %m", name);
    close(fd);
}

void ud_notify_ready(const ud_config *config)
{
    static const char line[] = "ready\n";
    char state[64];

    if (config->ready_fd >= 0) {
        int fd = (int)config->ready_fd;

        if (write(fd, line, sizeof line - 1) < 0)
            ud_say("--ready-fd %d cannot be written: %m", fd);
        close(fd);
    }
    snprintf(state, sizeof state, "READY=1\nMAINPID=%d", (int)getpid());
    systemd(state);
}

void ud_notify_stopping(void)
{
    systemd("STOPPING=1");
}
