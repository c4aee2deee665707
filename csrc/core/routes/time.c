#include "routes/scalar.h"

typedef struct moment {
    unsigned year, month, day;
    int minute; /* of the day */
    unsigned second, ms;
} moment;

/* What is left of a text. */
static bool sign(uc_view *s, char c)
{
    if (s->len == 0 || *s->p != (uint8_t)c)
        return false;
    s->p++;
    s->len--;
    return true;
}

/* Exactly n digits, from least to most. */
static bool number(uc_view *s, unsigned n, unsigned least, unsigned most,
                   unsigned *v)
{
    *v = 0;
    if (s->len < n)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        *v = *v * 10 + (s->p[i] - '0');
    }
    s->p += n;
    s->len -= n;
    return *v >= least && *v <= most;
}

static unsigned days_of(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

static bool read_date(uc_view *s, moment *m)
{
    return number(s, 4, 1, 9999, &m->year) && sign(s, '-') &&
           number(s, 2, 1, 12, &m->month) && sign(s, '-') &&
           number(s, 2, 1, days_of(m->year, m->month), &m->day);
}

/* One to nine digits, of which three count. */
static bool read_fraction(uc_view *s, moment *m)
{
    unsigned n = 0, unit = 100;

    for (; s->len > 0 && *s->p >= '0' && *s->p <= '9'; n++, unit /= 10) {
        m->ms += (*s->p - '0') * unit;
        s->p++;
        s->len--;
    }
    return n >= 1 && n <= 9;
}

static bool read_clock(uc_view *s, moment *m)
{
    unsigned hour, minute;

    if (!number(s, 2, 0, 23, &hour) || !sign(s, ':') ||
        !number(s, 2, 0, 59, &minute))
        return false;
    m->minute = (int)(hour * 60 + minute);
    if (!sign(s, ':'))
        return true;
    if (!number(s, 2, 0, 59, &m->second))
        return false;
    return !sign(s, '.') || read_fraction(s, m);
}

/* Takes the zone out of the minute, which may be of another day then. */
static bool read_zone(uc_view *s, moment *m)
{
    unsigned hour, minute;
    bool east;

    if (sign(s, 'Z'))
        return true;
    east = sign(s, '+');
    if ((!east && !sign(s, '-')) || !number(s, 2, 0, 23, &hour) ||
        !sign(s, ':') || !number(s, 2, 0, 59, &minute))
        return false;
    minute += hour * 60;
    m->minute += east ? -(int)minute : (int)minute;
    return true;
}

static void day_before(moment *m)
{
    if (--m->day > 0)
        return;
    if (--m->month == 0) {
        m->month = 12;
        m->year--;
    }
    m->day = days_of(m->year, m->month);
}

static void day_after(moment *m)
{
    if (++m->day <= days_of(m->year, m->month))
        return;
    m->day = 1;
    if (++m->month > 12) {
        m->month = 1;
        m->year++;
    }
}

/* To a minute of its day. False: before the year 1, or behind 9999. */
static bool settle(moment *m)
{
    const int day = 24 * 60;

    if (m->minute < 0) {
        day_before(m);
        m->minute += day;
    } else if (m->minute >= day) {
        day_after(m);
        m->minute -= day;
    }
    return m->year >= 1 && m->year <= 9999;
}

static uint8_t *put(uint8_t *p, unsigned v, unsigned width, char behind)
{
    for (unsigned i = width; i > 0; i--, v /= 10)
        p[i - 1] = (uint8_t)('0' + v % 10);
    p[width] = (uint8_t)behind;
    return p + width + 1;
}

static void write(const moment *m, uint8_t *p)
{
    p = put(p, m->year, 4, '-');
    p = put(p, m->month, 2, '-');
    p = put(p, m->day, 2, 'T');
    p = put(p, (unsigned)m->minute / 60, 2, ':');
    p = put(p, (unsigned)m->minute % 60, 2, ':');
    p = put(p, m->second, 2, '.');
    put(p, m->ms, 3, 'Z');
}

bool uc__time_of_text(uc_view s, uint8_t p[UC_TIME_LENGTH])
{
    moment m = {0};

    if (!read_date(&s, &m))
        return false;
    if (s.len > 0 &&
        (!sign(&s, 'T') || !read_clock(&s, &m) || !read_zone(&s, &m)))
        return false;
    if (s.len > 0 || !settle(&m))
        return false;
    write(&m, p);
    return true;
}
