#ifndef UC_CORE_DATA_PG_SASLPREP_H
#define UC_CORE_DATA_PG_SASLPREP_H

#include "common/buf.h"
#include "common/view.h"

/*
 * Appends a password as SASLprep has it (RFC 4013). What that refuses, and what
 * is not UTF-8, stays as it is: so do the server and libpq. out->failed: no
 * memory.
 */
void pg_saslprep(uc_view password, uc_buf *out);

#endif
