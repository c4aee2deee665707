#ifndef UC_CORE_ROUTES_STATEMENT_H
#define UC_CORE_ROUTES_STATEMENT_H

#include "routes/reading.h"

/*
 * Reads the statement that begins with this token, up to its `;`, into the
 * draft: its pieces, the parameters that stand in it (those of the service are
 * added to the route's), and what its text says. False with the error.
 */
bool uc__statement_read(uc__reading *r, uc__sql *sql, const uc__token *first);

/* Whether a comment is a tag: an @ comes first. *line then begins behind it. */
bool uc__is_tag(const uc__token *comment, uc_view *line);

#endif
