#ifndef UD_CLAIM_H
#define UD_CLAIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "config.h"

/*
 * Who may have the socket, and who may come to it. A socket is claimed by a
 * lock on <socket>.lock that is taken before it is bound and held for life:
 * the kernel gives it back however the process ends, so the next one can tell
 * a socket left behind from one that is served.
 */
typedef struct ud_claim {
    int lock; /* descriptor, -1: none */
    mode_t mode;
    bool has_group;
    gid_t group;
    uid_t *allowed;
    unsigned nallowed;
} ud_claim;

/* What the options say of access. Free it either way, also where that is wrong,
 * which has been said. */
bool ud_claim_read(ud_claim *claim, const ud_config *config);

/*
 * Takes the lock and removes a stale socket; with --replace, ends who holds it
 * first. UD_OK or an exit code, whose reason has been said.
 */
int ud_claim_take(ud_claim *claim, const ud_config *config);
void ud_claim_free(ud_claim *claim);

/* Between these two the socket is bound: nobody can come in before its group
 * and mode are set. False when that failed, which has been said. */
mode_t ud_claim_begin_bind(void);
bool ud_claim_end_bind(const ud_claim *claim, const char *path, mode_t before);

/* Whether a process of this user may be served. False with *e filled. */
bool ud_claim_admits(const ud_claim *claim, uint64_t uid, uc_error *e);

#endif
