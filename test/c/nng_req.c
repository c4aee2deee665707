/*
 * A client that knows nothing of ours: a stock REQ socket of nng, with contexts
 * so that several requests are in flight. usage: nng_req URL FRAME...
 *
 * Each FRAME is hex digits; all are sent before the first reply is waited for.
 * Prints the replies in the same order, as hex, a line each.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, PATIENCE_MS = 10000 };

static void check(int rv, const char *what)
{
    if (rv != 0) {
        fprintf(stderr, "%s: %s\n", what, nng_strerror(rv));
        exit(1);
    }
}

static nng_msg *from_hex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    nng_msg *msg;

    check(nng_msg_alloc(&msg, n), "message");
    for (size_t i = 0; i < n; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        ((uint8_t *)nng_msg_body(msg))[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return msg;
}

int main(int argc, char **argv)
{
    nng_socket s;
    nng_ctx ctx[MOST];
    nng_aio *aio[MOST];
    int n = argc - 2;

    if (n < 1 || n > MOST) {
        fprintf(stderr, "usage: nng_req URL FRAME...\n");
        return 2;
    }
    check(nng_req0_open(&s), "open");
    /* By default it sends again after 60 s, which would run a write twice. */
    check(nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE),
          "resend time");
    check(nng_dial(s, argv[1], NULL, 0), "dial");
    for (int i = 0; i < n; i++) {
        check(nng_ctx_open(&ctx[i], s), "context");
        check(nng_aio_alloc(&aio[i], NULL, NULL), "aio");
        nng_aio_set_timeout(aio[i], PATIENCE_MS);
        nng_aio_set_msg(aio[i], from_hex(argv[2 + i]));
        nng_ctx_send(ctx[i], aio[i]);
    }
    for (int i = 0; i < n; i++) {
        nng_aio_wait(aio[i]);
        check(nng_aio_result(aio[i]), "send");
        nng_ctx_recv(ctx[i], aio[i]);
    }
    for (int i = 0; i < n; i++) {
        nng_msg *msg;

        nng_aio_wait(aio[i]);
        check(nng_aio_result(aio[i]), "receive");
        msg = nng_aio_get_msg(aio[i]);
        for (size_t j = 0; j < nng_msg_len(msg); j++)
            printf("%02x", ((const uint8_t *)nng_msg_body(msg))[j]);
        printf("\n");
        nng_msg_free(msg);
        nng_aio_free(aio[i]);
        nng_ctx_close(ctx[i]);
    }
    nng_close(s);
    return 0;
}
