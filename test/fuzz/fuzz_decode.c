/*
 * Bytes as what a server of PostgreSQL sends on a stream of logical decoding:
 * the inside of a CopyData, and one message of pgoutput. Whatever comes,
 * nothing is read that is not there, and what is taken lies within it.
 */
#include <stdlib.h>

#include "data/pg/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(uc_view outer, uc_view v)
{
    if (v.p != NULL && (v.p < outer.p || v.p + v.len > outer.p + outer.len))
        abort();
}

static void row(uc_view message, uc_view v)
{
    uc_view text = {0};
    int64_t n;

    within(message, v);
    for (int i = 0; i < 20; i++) {
        if (!pg_change_column(v, i, &text))
            continue;
        within(v, text);
        pg_change_integer(text, &n);
    }
}

static void change(uc_view message)
{
    pg_change c;

    pg_change_read(message, &c);
    if (c.kind == PG_CHANGE_BAD)
        return;
    within(message, c.schema);
    within(message, c.name);
    within(message, c.prefix);
    within(message, c.content);
    within(message, c.relations);
    if (c.relations.len % 4 != 0)
        abort();
    row(message, c.before);
    row(message, c.after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uc_view all = {data, size};
    pg_wal w;

    pg_wal_read(all, &w);
    if (w.kind == PG_WAL_DATA) {
        within(all, w.change);
        change(w.change);
    }
    change(all);
    return 0;
}
