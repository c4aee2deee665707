#include "doors/http/chunks.h"

#include "doors/http/token.h"

/* What becomes of a byte. */
typedef enum step {
    TAKEN,
    AGAIN, /* it is for the next state */
    WRONG,
    TOO_LARGE
} step;

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static step go(http_chunks *k, http_chunk_state next, bool fits)
{
    if (fits)
        k->state = next;
    return fits ? TAKEN : WRONG;
}

static step change(http_chunks *k, http_chunk_state next)
{
    k->state = next;
    return AGAIN;
}

static step size_digit(http_chunks *k, uint8_t c)
{
    int v = digit_of(c);

    if (v < 0 || k->digits == HTTP_CHUNK_DIGITS)
        return WRONG;
    k->left = k->left << 4 | (unsigned)v;
    k->digits++;
    k->state = HTTP_CHUNK_DIGIT;
    return TAKEN;
}

static step after_digit(http_chunks *k, uint8_t c)
{
    if (c == ';') {
        k->extension = 0;
        return change(k, HTTP_CHUNK_EXTENSION);
    }
    return c == '\r' ? change(k, HTTP_CHUNK_SIZE_CR) : size_digit(k, c);
}

static step extension(http_chunks *k, uint8_t c)
{
    if (c == '\r' && k->extension > 1)
        return change(k, HTTP_CHUNK_SIZE_CR);
    k->extension++;
    return go(k, HTTP_CHUNK_EXTENSION, c > 0x20 && c < 0x7f);
}

static step size_ends(http_chunks *k, uint8_t c, const http_limits *limits)
{
    if (c != '\n')
        return WRONG;
    if (k->left > limits->body - k->body)
        return TOO_LARGE;
    k->body += k->left;
    k->state = k->left > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_LAST;
    return TAKEN;
}

static step data_ends(http_chunks *k, uint8_t c)
{
    k->digits = 0;
    return go(k, HTTP_CHUNK_SIZE, c == '\n');
}

static step name(http_chunks *k, uint8_t c)
{
    if (c == ':')
        return go(k, HTTP_CHUNK_VALUE, true);
    return go(k, HTTP_CHUNK_NAME, http_token_chars[c] != 0);
}

/* A field has a name: a colon may not be its first byte. */
static step last(http_chunks *k, uint8_t c)
{
    if (c == '\r')
        return go(k, HTTP_CHUNK_LAST_LF, true);
    return http_token_chars[c] != 0 ? change(k, HTTP_CHUNK_NAME) : WRONG;
}

static step value(http_chunks *k, uint8_t c)
{
    if (c == '\r')
        return go(k, HTTP_CHUNK_FIELD_LF, true);
    return go(k, HTTP_CHUNK_VALUE, http_is_text(c));
}

static step one_byte(http_chunks *k, uint8_t c, const http_limits *limits)
{
    switch (k->state) {
    case HTTP_CHUNK_SIZE:
        return size_digit(k, c);
    case HTTP_CHUNK_DIGIT:
        return after_digit(k, c);
    case HTTP_CHUNK_EXTENSION:
        return extension(k, c);
    case HTTP_CHUNK_SIZE_CR:
        return go(k, HTTP_CHUNK_SIZE_LF, c == '\r');
    case HTTP_CHUNK_SIZE_LF:
        return size_ends(k, c, limits);
    case HTTP_CHUNK_DATA_CR:
        return go(k, HTTP_CHUNK_DATA_LF, c == '\r');
    case HTTP_CHUNK_DATA_LF:
        return data_ends(k, c);
    case HTTP_CHUNK_LAST:
        return last(k, c);
    case HTTP_CHUNK_NAME:
        return name(k, c);
    case HTTP_CHUNK_VALUE:
        return value(k, c);
    case HTTP_CHUNK_FIELD_LF:
        return go(k, HTTP_CHUNK_LAST, c == '\n');
    case HTTP_CHUNK_LAST_LF:
        return go(k, HTTP_CHUNK_END, c == '\n');
    case HTTP_CHUNK_DATA:
    case HTTP_CHUNK_END:
        break;
    }
    return WRONG;
}

static bool is_dropped(http_chunk_state state)
{
    return state == HTTP_CHUNK_EXTENSION ||
           (state >= HTTP_CHUNK_NAME && state <= HTTP_CHUNK_FIELD_LF);
}

/* How many of n bytes are data. */
static size_t data(http_chunks *k, size_t n)
{
    if (n > k->left)
        n = (size_t)k->left;
    k->left -= n;
    if (k->left == 0)
        k->state = HTTP_CHUNK_DATA_CR;
    return n;
}

static bool refused(step why, http_fault *f)
{
    if (why == TOO_LARGE)
        return http_refuse(f, 413, "body: is too large");
    return http_refuse(f, 400,
                       "a chunk is its size in hexadecimal digits, CR LF, the "
                       "data and CR LF");
}

bool http_chunks_look(http_chunks *k, const uint8_t *p, size_t n,
                      const http_limits *limits, http_run *run, http_fault *f)
{
    size_t i = 0;

    run->dropped = is_dropped(k->state);
    while (i < n && k->state != HTTP_CHUNK_END) {
        step s = TAKEN;

        if (is_dropped(k->state) != run->dropped) {
            if (i > 0)
                break;
            run->dropped = !run->dropped;
        }
        if (k->state == HTTP_CHUNK_DATA) {
            i += data(k, n - i);
            continue;
        }
        s = one_byte(k, p[i], limits);
        if (s == WRONG || s == TOO_LARGE)
            return refused(s, f);
        i += s == TAKEN;
    }
    run->len = i;
    k->dropped += run->dropped ? i : 0;
    if (k->dropped > HTTP_CHUNK_DROPPED)
        return http_refuse(f, 431, "there is too much beside the body's data");
    return true;
}
