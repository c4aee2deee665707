#ifndef UC_CORE_ROUTES_PERSON_H
#define UC_CORE_ROUTES_PERSON_H

#include "common/buf.h"
#include "wire/reader.h"

/*
 * Whose a session is, between the row of the table `session` (docs/session.md
 * has its columns) and the facts of a request. Any thread.
 */
enum { UC_PERSON_ROLES = 1000 /* as many as a mount takes */ };

/* Views into the bytes that it was read from. */
typedef struct uc_person {
    uc_view user;    /* a msgpack value: text or integer */
    uc_view roles;   /* a msgpack array of str */
    int64_t expires; /* milliseconds since 1970 */
} uc_person;

typedef enum uc_person_found {
    UC_PERSON_NONE, /* no row */
    UC_PERSON_ONE,
    UC_PERSON_FAULTY /* it is none that we make, or there is no memory */
} uc_person_found;

/* [{user, roles, expires}] as the operation json has it, where roles is the
 * text of a JSON array of texts. Appends [user, roles, expires] as msgpack
 * where there is a row. */
uc_person_found uc_person_pack(uc_view json, uc_buf *out);

/* What uc_person_pack has appended. False: it is none. */
bool uc_person_read(uc_view packed, uc_person *p);

#endif
