#include "common/near.h"

enum { LONGEST = 64 }; /* bytes; a longer word is near to nothing */

/* How many edits are still a slip of the finger. */
static unsigned most_edits(uc_view word)
{
    return word.len < 4 ? 1 : word.len < 8 ? 2 : 3;
}

void uc_near_init(uc_near *n, uc_view word)
{
    /* One more than that is a word which is the beginning of another. */
    *n = (uc_near){.word = word, .edits = most_edits(word) + 2};
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same(uint8_t a, uint8_t b)
{
    return lower(a) == lower(b);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Letters put in, left out or changed, and neighbours that have changed places.
 * Both at most LONGEST bytes. */
static unsigned distance(uc_view a, uc_view b)
{
    unsigned rows[3][LONGEST + 1]; /* those of the last three letters of a */

    for (unsigned j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            bool swapped = i > 1 && j > 1 && same(a.p[i - 1], b.p[j - 2]) &&
                           same(a.p[i - 2], b.p[j - 1]);

            row[j] = least(above[j - 1] + !same(a.p[i - 1], b.p[j - 1]),
                           least(above[j], row[j - 1]) + 1);
            if (swapped)
                row[j] = least(row[j], two[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

static bool begins(uc_view whole, uc_view with)
{
    if (with.len < 3 || with.len > whole.len)
        return false;
    for (size_t i = 0; i < with.len; i++)
        if (!same(whole.p[i], with.p[i]))
            return false;
    return true;
}

void uc_near_try(uc_near *n, uc_view name)
{
    unsigned most = most_edits(n->word), edits;

    if (n->word.len > LONGEST || name.len > LONGEST || n->word.len == 0 ||
        name.len == 0)
        return;
    edits = distance(n->word, name);
    if (edits > most) {
        if (!begins(name, n->word) && !begins(n->word, name))
            return;
        edits = most + 1;
    }
    if (edits < n->edits) {
        n->edits = edits;
        n->best = name;
    }
}

void uc_near_try_text(uc_near *n, const char *name)
{
    uc_near_try(n, (uc_view){(const uint8_t *)name, strlen(name)});
}
