#ifndef UD_HTTP_FOLDER_H
#define UD_HTTP_FOLDER_H

#include <stdbool.h>

#include "common/buf.h"

/*
 * The files of a directory of routes, as lib/routes/files.js reads them too:
 * *.sql and the templates beside them, *.mustache and *.html. What is hidden,
 * and node_modules, is passed over; symbolic links are followed.
 */

/* Appends an array of [name, text], names relative to the directory and sorted.
 * False: why not has been said. Blocks. */
bool http_folder_pack(const char *dir, uc_buf *out);

#endif
