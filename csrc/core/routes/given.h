#ifndef UC_CORE_ROUTES_GIVEN_H
#define UC_CORE_ROUTES_GIVEN_H

#include "routes/request.h"
#include "wire/reader.h"

/* What is known of who asks. Views point into the frame. */
typedef struct uc_facts {
    uc_value user, ip, id;
    uc_reader roles; /* at the first */
    uint32_t nroles;
    bool audit; /* the door writes a line of audit: see desk/audit.h */
} uc_facts;

/* False: it cannot be read. */
bool uc_facts_read(uc_reader map, uc_facts *facts);

/* A fact as a parameter takes it; what is not there is null. */
uc_arg uc_fact_arg(const uc_value *v);

/*
 * What the service gives to a request: who is logged in, from where and when.
 * A map {user, roles, ip, id, audit}: text, integer or nil; an array of str;
 * str; str; boolean. What is not there is nil, and unknown keys are for later
 * versions.
 *
 * Sets the parameters of the service that the route takes, and holds @auth.
 * False with q->refusal; UC_REFUSAL_INTERNAL also for a map that cannot be
 * read. now_ms: milliseconds since 1970. *facts: what the map says.
 */
bool uc_request_given(uc_request *q, uc_reader map, int64_t now_ms,
                      uc_facts *facts);

#endif
