#ifndef UC_CORE_DATA_PG_ARRAY_H
#define UC_CORE_DATA_PG_ARRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/view.h"

/* The type of an array's elements; 0: the type is no array that is known. */
uint32_t pg_array_element(uint32_t oid);
/*
 * Appends an array in PostgreSQL's text form (8.15.6) as JSON: numbers as
 * numbers where a double holds them, booleans, documents as they are, what else
 * there is as strings; arrays in arrays; NULL as null. False: it is none, or
 * there is no memory, which b->failed says.
 */
bool pg_array_json(uc_buf *b, uint32_t element, uc_view text);

#endif
