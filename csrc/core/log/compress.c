#include "log/compress.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/mem.h"

#define CHUNK ((size_t)65536)
/* So much is written before the disk has to take it: the last sync, amid which
 * nobody can stop us, is as short as the others. */
#define SYNC_BYTES ((uint64_t)4 << 20)

/* One direction of one of the two libraries. Buffers are described with zstd's
 * types, which say no more than a place, a size and a position. */
typedef struct codec {
    uc_log_compress kind;
    bool packs;
    z_stream gz;
    ZSTD_CCtx *c;
    ZSTD_DCtx *d;
    uint8_t in[CHUNK], out[CHUNK];
} codec;

/* For lines of requests with ids in them, the quick levels take half the time
 * of the default ones, for 6 % more bytes with zlib and 2 % with zstd. */
#define GZIP_LEVEL 3
#define ZSTD_LEVEL 1

/* gzip's format instead of zlib's, with the largest window. */
#define GZIP_FORMAT (15 + 16)

static void *gz_alloc(void *opaque, unsigned items, unsigned size)
{
    (void)opaque;
    return uc_calloc(items, size);
}

static void gz_free(void *opaque, void *p)
{
    (void)opaque;
    uc_free(p);
}

static bool begin_gzip(codec *c)
{
    c->gz.zalloc = gz_alloc;
    c->gz.zfree = gz_free;
    return (c->packs ? deflateInit2(&c->gz, GZIP_LEVEL, Z_DEFLATED, GZIP_FORMAT,
                                    8, Z_DEFAULT_STRATEGY)
                     : inflateInit2(&c->gz, GZIP_FORMAT)) == Z_OK;
}

/* zstd's memory is malloc's: what takes an allocator is not among the functions
 * that it promises to keep. */
static bool begin_zstd(codec *c)
{
    if (!c->packs)
        return (c->d = ZSTD_createDCtx()) != NULL;
    c->c = ZSTD_createCCtx();
    return c->c != NULL &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->c, ZSTD_c_compressionLevel,
                                                ZSTD_LEVEL)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->c, ZSTD_c_checksumFlag, 1));
}

static void end(codec *c)
{
    if (c == NULL)
        return;
    if (c->kind == UC_LOG_GZIP && c->gz.state != NULL) {
        if (c->packs)
            deflateEnd(&c->gz);
        else
            inflateEnd(&c->gz);
    }
    ZSTD_freeCCtx(c->c);
    ZSTD_freeDCtx(c->d);
    uc_free(c);
}

static codec *begin(uc_log_compress kind, bool packs, uc_error *e)
{
    codec *c = uc_calloc(1, sizeof *c);

    if (c != NULL) {
        c->kind = kind;
        c->packs = packs;
        if (kind == UC_LOG_PLAIN ||
            (kind == UC_LOG_GZIP ? begin_gzip(c) : begin_zstd(c)))
            return c;
    }
    end(c);
    uc_fail(e, UC_MEMORY, "out of memory");
    return NULL;
}

static bool turn_gzip(codec *c, ZSTD_inBuffer *in, ZSTD_outBuffer *out,
                      bool last, bool *done)
{
    int rc;

    c->gz.next_in = c->in + in->pos;
    c->gz.avail_in = (unsigned)(in->size - in->pos);
    c->gz.next_out = c->out;
    c->gz.avail_out = (unsigned)out->size;
    rc = c->packs ? deflate(&c->gz, last ? Z_FINISH : Z_NO_FLUSH)
                  : inflate(&c->gz, Z_NO_FLUSH);
    in->pos = in->size - c->gz.avail_in;
    out->pos = out->size - c->gz.avail_out;
    *done = rc == Z_STREAM_END;
    /* Z_BUF_ERROR: there was nothing left to write. */
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR;
}

static bool turn_zstd(codec *c, ZSTD_inBuffer *in, ZSTD_outBuffer *out,
                      bool last, bool *done)
{
    size_t left =
        c->packs ? ZSTD_compressStream2(c->c, out, in,
                                        last ? ZSTD_e_end : ZSTD_e_continue)
                 : ZSTD_decompressStream(c->d, out, in);

    *done = left == 0 && (last || !c->packs);
    return !ZSTD_isError(left);
}

/* Takes from c->in and fills c->out. *done: the stream has ended. False: what
 * is in c->in is no such stream. */
static bool turn(codec *c, ZSTD_inBuffer *in, ZSTD_outBuffer *out, bool last,
                 bool *done)
{
    *out = (ZSTD_outBuffer){c->out, CHUNK, 0};
    return c->kind == UC_LOG_GZIP ? turn_gzip(c, in, out, last, done)
                                  : turn_zstd(c, in, out, last, done);
}

static bool failed(uc_error *e, int err, const char *doing)
{
    uc_fail(e, UC_LOG_IO, "%s failed: %s", doing, strerror(err));
    e->native = err;
    return false;
}

/* The next bytes into c->in: none at the end of the file. */
static bool read_in(codec *c, int fd, ZSTD_inBuffer *in,
                    const atomic_bool *stop, uc_error *e)
{
    ssize_t n;

    *in = (ZSTD_inBuffer){c->in, 0, 0};
    if (atomic_load_explicit(stop, memory_order_relaxed))
        return uc_fail(e, UC_ABORTED, "the log is ending");
    do
        n = read(fd, c->in, CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return failed(e, errno, "reading");
    in->size = (size_t)n;
    return true;
}

static void add(uc_logsum *sum, const void *p, size_t n)
{
    sum->crc = (uint32_t)crc32(sum->crc, p, (unsigned)n);
    sum->len += n;
}

/* *unsynced counts what the disk may not have yet. */
static bool write_out(codec *c, int fd, size_t n, uint64_t *unsynced,
                      uc_error *e)
{
    for (size_t at = 0; at < n;) {
        ssize_t wrote = write(fd, c->out + at, n - at);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return failed(e, wrote < 0 ? errno : EIO, "writing");
        at += (size_t)wrote;
    }
    *unsynced += n;
    if (*unsynced < SYNC_BYTES)
        return true;
    *unsynced = 0;
    return fdatasync(fd) == 0 || failed(e, errno, "syncing");
}

static bool pack(codec *c, int from, int to, uc_logsum *sum,
                 const atomic_bool *stop, uc_error *e)
{
    uint64_t unsynced = 0;
    bool done = false;

    while (!done) {
        ZSTD_outBuffer out;
        ZSTD_inBuffer in;
        bool last;

        if (!read_in(c, from, &in, stop, e))
            return false;
        last = in.size == 0;
        add(sum, in.src, in.size);
        do {
            if (!turn(c, &in, &out, last, &done))
                return uc_fail(e, UC_MEMORY, "out of memory");
            if (!write_out(c, to, out.pos, &unsynced, e))
                return false;
        } while (last ? !done : in.pos < in.size);
    }
    return true;
}

bool uc__log_pack(uc_log_compress kind, int from, int to, uc_logsum *sum,
                  const atomic_bool *stop, uc_error *e)
{
    codec *c = begin(kind, true, e);
    bool good;

    *sum = (uc_logsum){0};
    good = c != NULL && pack(c, from, to, sum, stop, e);
    end(c);
    return good;
}

static bool unpack(codec *c, int from, uc_logsum *sum, const atomic_bool *stop,
                   uc_error *e)
{
    bool done = c->kind == UC_LOG_PLAIN;
    ZSTD_outBuffer out;
    ZSTD_inBuffer in;

    while (read_in(c, from, &in, stop, e)) {
        if (in.size == 0 && done)
            return true;
        if (c->kind == UC_LOG_PLAIN) {
            add(sum, in.src, in.size);
            continue;
        }
        /* It ends before its end, or goes on behind it. */
        if (in.size == 0 || done)
            return uc_fail(e, UC_LOG_IO, "it is not a whole archive");
        do {
            if (!turn(c, &in, &out, false, &done))
                return uc_fail(e, UC_LOG_IO, "it is not a whole archive");
            add(sum, out.dst, out.pos);
        } while (!done && (in.pos < in.size || out.pos == out.size));
        if (in.pos < in.size)
            return uc_fail(e, UC_LOG_IO, "it is not a whole archive");
    }
    return false;
}

bool uc__log_sum(uc_log_compress kind, int from, uc_logsum *sum,
                 const atomic_bool *stop, uc_error *e)
{
    codec *c = begin(kind, false, e);
    bool good;

    *sum = (uc_logsum){0};
    good = c != NULL && unpack(c, from, sum, stop, e);
    end(c);
    return good;
}
