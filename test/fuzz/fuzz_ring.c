/* The file of a ring, as a reader and its next producer find it: whatever it
 * holds, what comes out lies within it, and the walk ends. */
#define _GNU_SOURCE
#include "log/ring.h"

#include "log/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uc_ring *ring;
static uint8_t *fresh;
static int dir;

/* One for all runs: made anew its room would be allocated each time. */
static void make_ring(void)
{
    char path[] = "/dev/shm/uc-fuzz-ring-XXXXXX";
    int err;

    if (mkdtemp(path) == NULL)
        abort();
    dir = open(path, O_RDONLY | O_DIRECTORY);
    ring =
        uc_ring_create(dir, "fuzz", 0, true, UC_RING_LEAST, NULL, false, &err);
    if (ring == NULL)
        abort();
    fresh = malloc(ring->mapped);
    memcpy(fresh, ring->page, ring->mapped);
    /* Only its descriptor is needed, which is closed with the process. */
    unlinkat(dir, "fuzz.0.ring", 0);
    rmdir(path);
}

/* Records as they would be, with bytes of the input in them and over them. */
static void put_some(const uint8_t *data, size_t size)
{
    uint8_t line[2048];

    memset(line, 'x', sizeof line);
    for (size_t i = 0; i < size && i < 200; i++) {
        uint32_t len = (uint32_t)data[i] * 8 + 1;

        memcpy(line, data, size < len ? size : len);
        if (!uc_ring_put(ring, line, len))
            break;
    }
}

static void walk(uint64_t from)
{
    const uint8_t *end = ring->data + ring->cap;
    uint64_t last = 0;
    uc_ring_walk w;
    uc_view v;

    uc_ring_walk_begin(&w, ring, from);
    while (uc_ring_walk_next(&w, &v)) {
        if (v.p < ring->data || v.p > end || v.len > (size_t)(end - v.p) ||
            w.pos <= last || w.pos > w.end)
            abort();
        last = w.pos;
    }
    if (w.pos - from > ring->cap && w.pos != from)
        abort();
}

/* [how many patches][where (2), how far (1), bytes...]... then what is put */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *image;
    size_t patches;

    if (ring == NULL)
        make_ring();
    if (size < 2)
        return 0;
    image = (uint8_t *)ring->page;
    memcpy(image, fresh, ring->mapped);
    ring->head = ring->tail = ring->at = 0;
    patches = data[0] % 16;
    put_some(data + 1, size - 1);
    data++;
    size--;
    for (; patches > 0 && size > 4; patches--) {
        size_t at = ((size_t)data[0] << 8 | data[1]) * 2 % ring->mapped;
        size_t n = data[2] % 32 + 1;

        n = n < size - 3 ? n : size - 3;
        n = n < ring->mapped - at ? n : ring->mapped - at;
        memcpy(image + at, data + 3, n);
        data += 3 + n;
        size -= 3 + n;
    }
    walk(0);
    walk(uc_ring_tail(ring));
    uc__clients_take_up(ring);
    uc_ring_seen(ring, (const uint8_t *)"0123456789abcdef");
    uc_ring_put_from(ring, (const uint8_t *)"line\n", 5,
                     (const uint8_t *)"0123456789abcdef", 7);
    walk(uc_ring_tail(ring));
    free(ring->index);
    ring->index = NULL;
    return 0;
}
