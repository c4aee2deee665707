#ifndef UC_CORE_DATA_PG_SCRAM_H
#define UC_CORE_DATA_PG_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/view.h"

/*
 * Proofs of a password: SCRAM-SHA-256 (RFC 5802, RFC 7677), with the channel
 * binding tls-server-end-point (RFC 5929) where there is TLS, and md5. Bytes
 * alone; one thread.
 */

enum { PG_SHA256 = 32, PG_NONCE = 18, PG_BINDING_MOST = 64 };

/* How the client stands to channel binding (RFC 5802, 6). */
typedef enum pg_binding {
    PG_BINDING_NONE,    /* n: it has none */
    PG_BINDING_UNASKED, /* y: it would, but the server offered none */
    PG_BINDING_USED     /* p: SCRAM-SHA-256-PLUS */
} pg_binding;

typedef struct pg_scram {
    pg_binding binding;
    uint8_t hash[PG_BINDING_MOST]; /* of the server's certificate */
    size_t nhash;
    char nonce[PG_NONCE * 4 / 3 + 1]; /* base64, with a NUL */
    uint8_t signature[PG_SHA256];     /* that the server has to show */
    bool proved;                      /* the last message was made */
} pg_scram;

/* nonce: PG_NONCE random bytes. hash: of the certificate, with
 * PG_BINDING_USED; at most PG_BINDING_MOST bytes. */
void pg_scram_init(pg_scram *s, pg_binding binding, const uint8_t *nonce,
                   uc_view hash);
/* Appends the client's first message. */
void pg_scram_first(const pg_scram *s, uc_buf *out);
/*
 * Appends the client's last message to what the server has answered. False with
 * *e: that is none, it asks for more than 1,000,000 rounds, or memory ran out.
 * It takes as long as the server wants: 4,096 rounds are about 2 ms.
 */
bool pg_scram_prove(pg_scram *s, uc_view challenge, uc_view password,
                    uc_buf *out, uc_error *e);
/* Whether the server knows the password as well. False with *e. */
bool pg_scram_check(const pg_scram *s, uc_view last, uc_error *e);

/* "md5" and 32 digits, with a NUL, of AuthenticationMD5Password (55.2.3). */
void pg_md5(uc_view user, uc_view password, const uint8_t salt[4],
            char out[36]);

#endif
