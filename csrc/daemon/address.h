#ifndef UD_ADDRESS_H
#define UD_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The address of a server, as --db has it beside paths of files:
 * postgres://user:password@host:port/name?option=value. What it means is the
 * core's business (data/pg/uri.c); here it is told from a path, and shown.
 */

/* The file or address in "[name=]file": an = behind a / is a part of it. */
const char *ud_address_in(const char *db);
/* Whether a database is at a server. */
bool ud_address_is(const char *db);
/* The name of the database in it, *n bytes; *n 0: it has none. */
const char *ud_address_name(const char *address, size_t *n);
/*
 * A copy that may be shown: *** in place of what may be a password, rather too
 * much than too little. *secret: there was something. NULL: no memory. For
 * uc_free.
 */
char *ud_address_shown(const char *address, bool *secret);

#endif
