#ifndef UC_CORE_LOG_SETTINGS_H
#define UC_CORE_LOG_SETTINGS_H

#include "common/view.h"
#include "log/log.h"
#include "wire/reader.h"

/*
 * A log's options with the room for their texts, set by the names of the fields
 * in uc_log_options. A door reads what it was given into one of these and opens
 * the log with `o`, which points into it.
 */
enum { UC_LOG_DIR_MAX = 4096, UC_LOG_NAME_MAX = 64 };

typedef struct uc_log_settings {
    uc_log_options o;
    char dir[UC_LOG_DIR_MAX];
    char name[UC_LOG_NAME_MAX + 1];
    char ring[UC_LOG_NAME_MAX + 1];
} uc_log_settings;

/* The defaults, without a directory. Not to be copied. */
void uc_log_settings_init(uc_log_settings *s);

/* False with *e, which names the option, when there is none of that name or
 * the value is of no kind that it takes. Ranges are uc_log_open's. */
bool uc_log_settings_set(uc_log_settings *s, uc_view name, const uc_value *v,
                         uc_error *e);

/* All of a msgpack map. */
bool uc_log_settings_read(uc_log_settings *s, uc_view map, uc_error *e);

#endif
