#include "accept.h"

#include <inttypes.h>

#include "conn.h"
#include "log.h"

static void take_in(ud_listener *l, nng_stream *stream)
{
    ud_server *sv = l->sv;
    int64_t most = sv->config->limits.max_connections;
    int64_t open = (int64_t)atomic_load(&sv->open);
    uint64_t uid = UINT64_MAX;
    uc_error e;

    uc_error_init(&e);
    nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_UID, &uid);
    if (l->port.claim != NULL && !ud_claim_admits(l->port.claim, uid, &e)) {
        ud_log("a connection is refused: %s", e.message);
    } else if (open >= most) {
        uc_fail(&e, UC_BUSY,
                "%" PRId64 " clients are connected; that is the most "
                "(max-connections)",
                open < most ? open : most);
        ud_log("a connection is refused: %s", e.message);
    }
    if (e.code == NULL) {
        atomic_fetch_add(&sv->accepted, 1);
        if (!ud_conn_open(sv, l->port.door, stream, NULL))
            ud_log("no memory for a connection");
        return;
    }
    atomic_fetch_add(&sv->refused, 1);
    e.outcome = "not-run";
    if (open >= most + UD_REFUSALS)
        nng_stream_free(stream);
    else
        ud_conn_open(sv, l->port.door, stream, &e);
}

static void on_accepted(void *arg)
{
    ud_listener *l = arg;
    ud_server *sv = l->sv;
    int rv = nng_aio_result(l->accepting);

    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED ||
        atomic_load(&sv->draining)) {
        if (rv == 0) /* who came too late */
            nng_stream_free(nng_aio_get_output(l->accepting, 0));
        return;
    }
    if (rv != 0) {
        /* No descriptors or no memory: others have to go first. */
        ud_log("cannot accept a connection: %s", nng_strerror(rv));
        atomic_store(&l->failed, true);
        uv_async_send(&sv->async);
        return;
    }
    take_in(l, nng_aio_get_output(l->accepting, 0));
    nng_stream_listener_accept(l->stream, l->accepting);
    if (sv->config->limits.idle_exit > 0)
        uv_async_send(&sv->async);
}

static int bind_port(ud_listener *l, bool *said)
{
    static const char scheme[] = "ipc://";
    const ud_claim *claim = l->port.claim;
    mode_t before;
    int rv;

    if (claim == NULL)
        return nng_stream_listener_listen(l->stream);
    before = ud_claim_begin_bind();
    rv = nng_stream_listener_listen(l->stream);
    *said = !ud_claim_end_bind(
        claim, rv == 0 ? l->port.url + sizeof scheme - 1 : NULL, before);
    return rv;
}

bool ud_listener_open(ud_listener *l, ud_server *sv, const ud_port *port)
{
    bool said = false;
    int rv;

    l->sv = sv;
    l->port = *port;
    rv = nng_stream_listener_alloc(&l->stream, port->url);
    if (rv == 0)
        rv = bind_port(l, &said);
    if (rv == 0 && !said)
        rv = nng_aio_alloc(&l->accepting, on_accepted, l);
    if (rv != 0)
        ud_say("cannot listen on %s: %s", port->url, nng_strerror(rv));
    if (rv != 0 || said)
        return false;
    nng_stream_listener_accept(l->stream, l->accepting);
    return true;
}

void ud_listener_again(ud_listener *l)
{
    if (atomic_exchange(&l->failed, false))
        nng_stream_listener_accept(l->stream, l->accepting);
}

void ud_listener_close(ud_listener *l)
{
    nng_stream_listener_close(l->stream);
}

void ud_listener_free(ud_listener *l)
{
    nng_aio_free(l->accepting);
    nng_stream_listener_free(l->stream);
}
