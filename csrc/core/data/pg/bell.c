#include <sys/eventfd.h>
#include <unistd.h>

#include "data/pg/work.h"

/* What wakes the thread of a database. */

bool pg_bell_open(pg_db *db)
{
    db->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return db->bell >= 0;
}

void pg_bell_heard(pg_db *db)
{
    uint64_t n;

    if (read(db->bell, &n, sizeof n) < 0)
        return; /* it had been heard */
}

void pg_ring(pg_db *db)
{
    uint64_t one = 1;

    atomic_store(&db->called, true);
    if (atomic_exchange(&db->asleep, false) &&
        write(db->bell, &one, sizeof one) < 0)
        return; /* it is full: it rings already */
}
