/*
 * Hit ratios on traces of real accesses: our cache, and what it is measured
 * against, LRU, W-TinyLFU with a window of 1 % that never changes, S3-FIFO and
 * the optimum (Belady), each written down here as its paper has it.
 *
 *   hits DIRECTORY [SEED]
 *
 * Prints a line for each trace and capacity: ratios in percent.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/store.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NONE UINT32_MAX

/* A trace: its accesses as keys 0..keys-1. */
struct trace {
    uint32_t *key;
    uint32_t len, keys;
};

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n > 0 ? n : 1, size);

    if (p == NULL) {
        fprintf(stderr, "hits: out of memory\n");
        exit(1);
    }
    return p;
}

/* --- reading -------------------------------------------------------------- */

static const int64_t *sorting;

static int by_key(const void *a, const void *b)
{
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;

    if (sorting[i] != sorting[j])
        return sorting[i] < sorting[j] ? -1 : 1;
    return i < j ? -1 : i > j;
}

/* Numbers the keys from 0. */
static struct trace number(const int64_t *raw, uint32_t len)
{
    struct trace t = {.key = allocate(len, sizeof *t.key), .len = len};
    uint32_t *order = allocate(len, sizeof *order);

    for (uint32_t i = 0; i < len; i++)
        order[i] = i;
    sorting = raw;
    qsort(order, len, sizeof *order, by_key);
    for (uint32_t i = 0; i < len; i++) {
        if (i > 0 && raw[order[i]] != raw[order[i - 1]])
            t.keys++;
        t.key[order[i]] = t.keys;
    }
    t.keys++;
    free(order);
    return t;
}

static bool read_one(FILE *f, bool binary, int64_t *key)
{
    unsigned char bytes[4];
    char line[256], *end;

    if (binary) {
        if (fread(bytes, 1, 4, f) != 4)
            return false;
        *key =
            (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
        return true;
    }
    while (fgets(line, sizeof line, f) != NULL) {
        *key = strtoll(line, &end, 10);
        if (end != line && (*end == '\n' || *end == '\r' || *end == '\0'))
            return true;
    }
    return false;
}

static struct trace read_trace(const char *dir, const char *file)
{
    bool xz = strstr(file, ".xz") != NULL;
    uint32_t len = 0, cap = 1 << 16;
    int64_t *raw = allocate(cap, sizeof *raw);
    char command[4096];
    struct trace t;
    FILE *f;

    snprintf(command, sizeof command, "%s '%s/%s'", xz ? "xzcat" : "zcat", dir,
             file);
    f = popen(command, "r");
    while (f != NULL && read_one(f, xz, &raw[len])) {
        if (++len < cap)
            continue;
        cap *= 2;
        raw = realloc(raw, cap * sizeof *raw);
        if (raw == NULL)
            exit(1);
    }
    if (f == NULL || pclose(f) != 0 || len == 0) {
        fprintf(stderr, "hits: cannot read %s/%s\n", dir, file);
        exit(1);
    }
    t = number(raw, len);
    free(raw);
    return t;
}

/* --- queues of keys ------------------------------------------------------- */

struct queue {
    uint32_t first, last, count;
};

static uint32_t *prev, *next;

static void push(struct queue *q, uint32_t key)
{
    prev[key] = NONE;
    next[key] = q->count > 0 ? q->first : NONE;
    if (q->count++ > 0)
        prev[q->first] = key;
    else
        q->last = key;
    q->first = key;
}

static void pull(struct queue *q, uint32_t key)
{
    if (prev[key] != NONE)
        next[prev[key]] = next[key];
    else
        q->first = next[key];
    if (next[key] != NONE)
        prev[next[key]] = prev[key];
    else
        q->last = prev[key];
    q->count--;
}

static uint32_t pop(struct queue *q)
{
    uint32_t key = q->last;

    pull(q, key);
    return key;
}

/* --- the contestants ------------------------------------------------------ */

static uint32_t lru(const struct trace *t, uint32_t capacity)
{
    bool *in = allocate(t->keys, sizeof *in);
    struct queue q = {0};
    uint32_t hits = 0;

    for (uint32_t i = 0; i < t->len; i++) {
        uint32_t key = t->key[i];

        if (in[key]) {
            hits++;
            pull(&q, key);
        } else if (q.count == capacity) {
            in[pop(&q)] = false;
        }
        in[key] = true;
        push(&q, key);
    }
    free(in);
    return hits;
}

/* W-TinyLFU with exact counts in the sketch's place: up to 15, halved after
 * ten accesses for each entry of the capacity. */
static uint32_t tinylfu(const struct trace *t, uint32_t capacity)
{
    enum { OUT, WINDOW, PROBATION, PROTECTED };
    uint8_t *in = allocate(t->keys, 1), *count = allocate(t->keys, 1);
    uint32_t window = capacity / 100 > 0 ? capacity / 100 : 1;
    uint32_t guarded = (capacity - window) * 4 / 5;
    struct queue q[4] = {0};
    uint32_t hits = 0, counted = 0;

    for (uint32_t i = 0; i < t->len; i++) {
        uint32_t key = t->key[i], last;
        int where = in[key];

        count[key] += count[key] < 15;
        if (++counted == 10 * capacity) {
            for (uint32_t k = 0; k < t->keys; k++)
                count[k] /= 2;
            counted /= 2;
        }
        if (where != OUT) {
            hits++;
            pull(&q[where], key);
            in[key] = where == WINDOW ? WINDOW : PROTECTED;
            push(&q[in[key]], key);
            if (q[PROTECTED].count > guarded) {
                last = pop(&q[PROTECTED]);
                in[last] = PROBATION;
                push(&q[PROBATION], last);
            }
            continue;
        }
        in[key] = WINDOW;
        push(&q[WINDOW], key);
        if (q[WINDOW].count <= window)
            continue;
        last = pop(&q[WINDOW]);
        in[last] = OUT;
        if (q[PROBATION].count + q[PROTECTED].count == capacity - window) {
            struct queue *from =
                &q[q[PROBATION].count > 0 ? PROBATION : PROTECTED];

            if (count[last] <= count[from->last])
                continue;
            in[pop(from)] = OUT;
        }
        in[last] = PROBATION;
        push(&q[PROBATION], last);
    }
    free(in);
    free(count);
    return hits;
}

/* Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023. */
static uint32_t s3fifo(const struct trace *t, uint32_t capacity)
{
    enum { OUT, SMALL, MAIN };
    uint8_t *in = allocate(t->keys, 1), *freq = allocate(t->keys, 1);
    /* What fell out of the small queue: when, counted in such falls. */
    uint32_t *fell = allocate(t->keys, sizeof *fell), falls = 0;
    uint32_t small = capacity / 10 > 0 ? capacity / 10 : 1;
    struct queue q[3] = {0};
    uint32_t hits = 0;

    for (uint32_t i = 0; i < t->len; i++) {
        uint32_t key = t->key[i];

        if (in[key] != OUT) {
            hits++;
            freq[key] += freq[key] < 3;
            continue;
        }
        while (q[SMALL].count + q[MAIN].count >= capacity) {
            uint32_t last;

            if (q[SMALL].count >= small || q[MAIN].count == 0) {
                last = pop(&q[SMALL]);
                if (freq[last] > 1) {
                    in[last] = MAIN;
                    freq[last] = 0;
                    push(&q[MAIN], last);
                } else {
                    in[last] = OUT;
                    fell[last] = ++falls;
                }
                continue;
            }
            last = pop(&q[MAIN]);
            if (freq[last] > 0) {
                freq[last]--;
                push(&q[MAIN], last);
            } else {
                in[last] = OUT;
            }
        }
        freq[key] = 0;
        in[key] = fell[key] > 0 && falls - fell[key] < capacity ? MAIN : SMALL;
        fell[key] = 0;
        push(&q[in[key]], key);
    }
    free(in);
    free(freq);
    free(fell);
    return hits;
}

/* The heap of the optimum: what is asked for last is on top. */
struct later {
    uint32_t when, key;
};

static void heap_push(struct later *heap, uint32_t n, struct later x)
{
    for (; n > 0 && heap[(n - 1) / 2].when < x.when; n = (n - 1) / 2)
        heap[n] = heap[(n - 1) / 2];
    heap[n] = x;
}

static void heap_pop(struct later *heap, uint32_t n)
{
    struct later x = heap[n - 1];
    uint32_t i = 0, child;

    while ((child = 2 * i + 1) < n - 1) {
        if (child + 1 < n - 1 && heap[child + 1].when > heap[child].when)
            child++;
        if (heap[child].when <= x.when)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = x;
}

static uint32_t optimum(const struct trace *t, uint32_t capacity)
{
    uint32_t *when = allocate(t->len, sizeof *when);
    uint32_t *seen = allocate(t->keys, sizeof *seen);
    uint32_t *due = allocate(t->keys, sizeof *due); /* 0: not in the cache */
    struct later *heap = allocate(t->len, sizeof *heap);
    uint32_t hits = 0, n = 0, count = 0;

    for (uint32_t k = 0; k < t->keys; k++)
        seen[k] = NONE;
    for (uint32_t i = t->len; i-- > 0;) {
        when[i] = seen[t->key[i]];
        seen[t->key[i]] = i;
    }
    for (uint32_t i = 0; i < t->len; i++) {
        uint32_t key = t->key[i];

        if (due[key] != 0) {
            hits++;
        } else if (count++ == capacity) {
            /* Places from before a key's last access are passed over. */
            while (due[heap[0].key] != heap[0].when)
                heap_pop(heap, n--);
            due[heap[0].key] = 0;
            heap_pop(heap, n--);
            count--;
        }
        due[key] = when[i];
        heap_push(heap, n++, (struct later){when[i], key});
    }
    free(when);
    free(seen);
    free(due);
    free(heap);
    return hits;
}

static uint64_t seed = 1;

static uint32_t ours(const struct trace *t, uint32_t capacity)
{
    uc_store *s = uc_store_new(&(uc_store_options){
        .bytes = 64 << 20, .max_entries = capacity, .seed = seed});
    uint32_t hits = 0;

    if (s == NULL)
        exit(1);
    for (uint32_t i = 0; i < t->len; i++) {
        uc_view key = {(const uint8_t *)&t->key[i], sizeof t->key[i]};
        uc_hit hit;

        if (uc_store_find(s, key, 1, true, &hit) != UC_ABSENT)
            hits++;
        else
            uc_store_put(s, key, key, &(uc_put){0}, 1, NULL);
    }
    uc_store_free(s);
    return hits;
}

/* -------------------------------------------------------------------------- */

static const struct {
    const char *name, *file;
    uint32_t capacity[4];
} traces[] = {
    {"loop", "lirs-loop.trace.gz", {256, 512, 1000}},
    {"multi1", "lirs-multi1.trace.gz", {500, 1000}},
    {"cpp", "lirs-cpp.trace.gz", {20, 80}},
    {"sprite", "lirs-sprite.trace.gz", {100, 500, 1000}},
    {"web07", "cache2k-web07.trace.xz", {500, 2000}},
};

static const struct {
    const char *name;
    uint32_t (*run)(const struct trace *t, uint32_t capacity);
} contestants[] = {
    {"undercroft", ours}, {"LRU", lru},     {"TinyLFU", tinylfu},
    {"S3-FIFO", s3fifo},  {"OPT", optimum},
};

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: hits DIRECTORY [SEED]\n");
        return 2;
    }
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    printf("%-8s %8s", "trace", "capacity");
    for (size_t c = 0; c < ARRAY_LEN(contestants); c++)
        printf(" %10s", contestants[c].name);
    printf("\n");
    for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
        struct trace t = read_trace(argv[1], traces[i].file);

        prev = allocate(t.keys, sizeof *prev);
        next = allocate(t.keys, sizeof *next);
        for (size_t j = 0; j < 4 && traces[i].capacity[j] > 0; j++) {
            uint32_t capacity = traces[i].capacity[j];

            printf("%-8s %8u", traces[i].name, capacity);
            for (size_t c = 0; c < ARRAY_LEN(contestants); c++)
                printf(" %10.2f",
                       100.0 * contestants[c].run(&t, capacity) / t.len);
            printf("\n");
        }
        free(prev);
        free(next);
        free(t.key);
    }
    return 0;
}
