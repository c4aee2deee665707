/*
 * What reading a request costs: by the core's reader, which walks the bytes,
 * and by msgpack-c, which makes objects of them in a zone that is used again.
 *
 *   decode ROUNDS MILLISECONDS
 *
 * Prints {"own": [ns a request, ...], "msgpack-c": [...]}, a figure a round,
 * the two in turn.
 */
#include <msgpack/unpack.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/reader.h"

enum {
    REQUESTS = 64,
    FRAME = 20, /* a get with one parameter, as the client writes it */
    REPEATS = 256,
    MOST_ROUNDS = 64
};

static uint8_t frames[REQUESTS * FRAME];
static uint64_t sum; /* printed at the end: the work cannot be left out */

static double now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void fill(void)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        uint8_t *p = frames + (size_t)i * FRAME;
        const uint8_t frame[FRAME] = {0x96, 10,         0xce, 0x00, 0x10,
                                      0x00, (uint8_t)i, 0xc0, 0xcd, 0x00,
                                      0x07, 0xce,       0x00, 0x00, 0x00,
                                      0x05, 0x91,       0xcd, 0x12, (uint8_t)i};

        memcpy(p, frame, FRAME);
    }
}

static void die(const char *what)
{
    fprintf(stderr, "%s could not read a request\n", what);
    exit(1);
}

static void own(void)
{
    uc_reader r = {frames, frames + sizeof(frames)};

    while (r.p < r.end) {
        uint32_t n, op, id, sid, shape, params;
        uc_value meta, v;

        if (!uc_read_array(&r, &n) || !uc_read_u32(&r, &op) ||
            !uc_read_u32(&r, &id) || !uc_read(&r, &meta) ||
            !uc_read_u32(&r, &sid) || !uc_read_u32(&r, &shape) ||
            !uc_read_array(&r, &params))
            die("the core's reader");
        for (uint32_t i = 0; i < params; i++) {
            if (!uc_read(&r, &v))
                die("the core's reader");
            sum += (uint64_t)v.i;
        }
        sum += op + id + sid + shape;
    }
}

static void other(void)
{
    static msgpack_zone *zone;
    size_t at = 0;

    if (zone == NULL)
        zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    while (at < sizeof(frames)) {
        msgpack_object o;
        const msgpack_object *f, *params;

        if (msgpack_unpack((const char *)frames, sizeof(frames), &at, zone,
                           &o) <= MSGPACK_UNPACK_CONTINUE)
            die("msgpack-c");
        f = o.via.array.ptr;
        params = &f[5];
        for (uint32_t i = 0; i < params->via.array.size; i++)
            sum += params->via.array.ptr[i].via.u64;
        sum += f[0].via.u64 + f[1].via.u64 + f[3].via.u64 + f[4].via.u64;
        msgpack_zone_clear(zone);
    }
}

/* Nanoseconds a request, over about `ms`. */
static double round_of(void (*step)(void), double ms)
{
    double start = now_ns(), elapsed;
    uint64_t count = 0;

    do {
        for (int i = 0; i < REPEATS; i++)
            step();
        count += (uint64_t)REPEATS * REQUESTS;
        elapsed = now_ns() - start;
    } while (elapsed < ms * 1e6);
    return elapsed / (double)count;
}

static void print(const char *name, const double *ns, int n)
{
    printf("\"%s\": [", name);
    for (int i = 0; i < n; i++)
        printf("%s%.2f", i > 0 ? ", " : "", ns[i]);
    printf("]");
}

int main(int argc, char **argv)
{
    double a[MOST_ROUNDS], b[MOST_ROUNDS], ms;
    int rounds;

    if (argc != 3) {
        fprintf(stderr, "usage: decode ROUNDS MILLISECONDS\n");
        return 2;
    }
    rounds = atoi(argv[1]);
    ms = atof(argv[2]);
    if (rounds < 1 || rounds > MOST_ROUNDS)
        return 2;
    fill();
    round_of(own, ms);
    round_of(other, ms);
    for (int i = 0; i < rounds; i++) {
        a[i] = round_of(own, ms);
        b[i] = round_of(other, ms);
    }
    printf("{");
    print("own", a, rounds);
    printf(", ");
    print("msgpack-c", b, rounds);
    printf(", \"sum\": %llu}\n", (unsigned long long)sum);
    return 0;
}
