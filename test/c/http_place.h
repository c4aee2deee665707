#ifndef UC_TEST_HTTP_PLACE_H
#define UC_TEST_HTTP_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doors/http/conn.h"
#include "doors/http/loop.h"

/* A loop of HTTP behind a socket of its own, and clients of it. */

/* Loops of one kind, and what they need of a server. */
typedef struct place {
    http_settings settings;
    http_loop loop;
    http_current current;
    http_reaper reaper;
    _Atomic uint64_t open, let_in;
    _Atomic int64_t held;
    _Atomic bool drained;
    char path[100];
} place;

/* Listens at dir/name, with the settings that are there; ends the process where
 * it cannot. */
void open_place(place *p, const char *dir, const char *name);
void close_place(place *p);

/* A client, with what it has read and nobody has taken. */
typedef struct peer {
    int fd;
    size_t n;
    char in[200000];
} peer;

peer *dial(const place *to);
void hang_up(peer *c);
void send_bytes(peer *c, const void *p, size_t n);
void ask(peer *c, const char *text);
void get(peer *c, const char *path);
/* Reads until there are `want` bytes. */
bool fill(peer *c, size_t want);
/* The next answer: "200 word", "200 close word"; "end" of the connection. */
const char *hear_one(peer *c, bool is_head);
const char *hear(peer *c);

#endif
