#include "doors/sp/door.h"

#include "doors/sp/inner.h"

static void hello(ud_conn *c)
{
    uc_buf_put(&c->own, sp_hello, SP_HELLO);
    ud_await(c, c->sv->config->limits.hello_timeout_ms);
}

static bool late(ud_conn *c, uc_error *e)
{
    uc_fail(e, UC_TIMEOUT,
            ud_sp_of(c)->greeted
                ? "half a request has come and its rest has not "
                  "(message-timeout-ms)"
                : "no hello of the SP protocol has come (hello-timeout-ms)");
    return true;
}

static void end(ud_conn *c)
{
    ud_ids_fini(&ud_sp_of(c)->ids);
}

const ud_door ud_sp_door = {
    .name = "ipc",
    .size = sizeof(ud_sp),
    .head = SP_HEAD,
    .hello = hello,
    .cut = ud_sp_cut,
    .dress = ud_sp_dress,
    .late = late,
    .fault = ud_sp_fault,
    .goodbye = ud_sp_goodbye,
    .end = end,
};
