#ifndef UD_CONFIG_H
#define UD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Exit codes; --help lists them. */
enum {
    UD_OK = 0,
    UD_FAILED = 1,
    UD_USAGE = 2,
    UD_SERVED = 3,
    UD_SOCKET = 4,
    UD_DATABASE = 5,
    UD_LOG = 6
};

/*
 * Every limit, in one table:
 * X(field, option, default, least, most, argument, help)
 */
#define UD_LIMIT_MAP(X)                                                    \
    X(max_connections, "max-connections", 4096, 1, 1000000, "N",           \
      "clients at once")                                                   \
    X(max_in_flight, "max-in-flight", 1024, 1, 65536, "N",                 \
      "unanswered requests of a connection; more: UC_BUSY")                \
    X(max_request_bytes, "max-request-bytes", 67108864, 1024, 2147483000,  \
      "BYTES", "one request")                                              \
    X(stop_reading_bytes, "stop-reading-bytes", 4194304, 4096, 1073741824, \
      "BYTES", "unread replies at which a connection's requests wait")     \
    X(max_unsent_bytes, "max-unsent-bytes", 67108864, 65536, 4294967296,   \
      "BYTES", "unread replies at which its statements answer UC_BUSY")    \
    X(max_memory_bytes, "max-memory-bytes", 1073741824, 16777216,          \
      1099511627776, "BYTES",                                              \
      "requests and replies of all clients; beyond it large ones wait")    \
    X(write_timeout_ms, "write-timeout-ms", 30000, 100, 3600000, "MS",     \
      "a client that reads nothing for so long is closed")                 \
    X(message_timeout_ms, "message-timeout-ms", 30000, 100, 3600000, "MS", \
      "so long may a request take to come in")                             \
    X(hello_timeout_ms, "hello-timeout-ms", 10000, 100, 3600000, "MS",     \
      "so long may a client take to say hello")                            \
    X(drain_ms, "drain-ms", 10000, 0, 3600000, "MS",                       \
      "longest orderly shutdown")                                          \
    X(http_connections, "http-connections", 1024, 1, 1000000, "N",         \
      "clients of HTTP at once")                                           \
    X(http_body_bytes, "http-body-bytes", 1048576, 0, 1073741824, "BYTES", \
      "body of a request of HTTP")                                         \
    X(http_loops, "http-loops", 1, 1, 64, "N",                             \
      "threads that serve HTTP; one a processor")                          \
    X(http_head_ms, "http-head-ms", 10000, 100, 3600000, "MS",             \
      "so long may the head of a request take to come in")                 \
    X(http_body_ms, "http-body-ms", 30000, 100, 3600000, "MS",             \
      "so long may its body take")                                         \
    X(http_idle_ms, "http-idle-ms", 75000, 100, 3600000, "MS",             \
      "a connection of HTTP that asks nothing for so long is closed")      \
    X(idle_exit, "idle-exit", 0, 0, 31536000, "SECONDS",                   \
      "ends after so long without clients; 0: never")

typedef struct ud_limits {
#define X(field, name, def, least, most, arg, help) int64_t field;
    UD_LIMIT_MAP(X)
#undef X
} ud_limits;

/*
 * The times of a shutdown, in ms: what is in flight has drain_ms. Then the
 * sessions end and the files are closed, which has as long again and a little
 * more for what does not stop; then it is cut short. A successor waits for all
 * of that.
 */
enum { UD_REST_MS = 5000 };

static inline int64_t ud_close_ms(const ud_limits *limits)
{
    return limits->drain_ms + UD_REST_MS;
}

static inline int64_t ud_end_ms(const ud_limits *limits)
{
    return limits->drain_ms + ud_close_ms(limits);
}

/* Strings are NUL-terminated and owned. */
typedef struct ud_list {
    char **at;
    unsigned n;
} ud_list;

typedef struct ud_config {
    char *listen;  /* the socket's path: absolute; NULL: HTTP alone */
    ud_list db;    /* [name=]file */
    ud_list set;   /* [name.]option=value, later ones win */
    char *log_dir; /* NULL: no log */
    ud_list log;   /* option=value */
    ud_list allow_uid;
    ud_list end_with; /* numbers of processes */
    char *mode;       /* octal digits, NULL: 0600 */
    char *group;      /* name or number, NULL: as it comes */
    char *config;
    int64_t ready_fd; /* -1: none */
    char *http;       /* address, NULL: none */
    char *routes;     /* directory */
    ud_list http_host, http_trust, http_origin, http_dev_origin;
    char *http_health, *http_metrics; /* paths; NULL: as it comes */
    char *http_session;  /* name of the cookie; NULL: as it comes */
    char *http_statuses; /* plain, fine; NULL: as it comes */
    char *http_mode;     /* octal digits, NULL: as `mode` */
    bool http_secure;
    bool http_any_address;
    bool replace;
    ud_limits limits;
} ud_config;

/*
 * Reads flags, environment and configuration file, in this order of weight.
 * True to go on; false with *code set when the process should end (a mistake,
 * --help, --version), which has been said.
 */
bool ud_config_read(ud_config *c, int argc, char **argv, int *code);
void ud_config_free(ud_config *c);

#endif
