#ifndef UC_CORE_CACHE_DOMAIN_H
#define UC_CORE_CACHE_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What entries belong to: tags, namespaces, tables. A domain remembers when it
 * was dropped last; an entry that is older is absent. So a drop costs the same
 * for one entry and for a million.
 *
 * A domain that no entry belongs to any more is kept for a while, for those who
 * began before its drop and have not put yet. Only so many are kept; what the
 * forgotten ones knew becomes the floor, which holds for every domain that is
 * not known.
 */
typedef struct uc_store uc_store;

/* In a block of its own; begins as a uc_head does. */
typedef struct uc_domain_node {
    uint32_t more;
    uint16_t run;
    uint16_t klen; /* UC_IS_DOMAIN */
    uint32_t hash;
    uint32_t hnext;
    uint32_t prev; /* among those without entries, in the order of their drop */
    uint32_t next;
    uint32_t refs;    /* entries */
    uint32_t spare;   /* keeps what follows aligned */
    uint64_t id;      /* see uc_domain */
    uint64_t dropped; /* generation of its last drop, 0: none */
} uc_domain_node;

typedef struct uc_domains {
    uint32_t first, last; /* those without entries */
    uint32_t unused;      /* how many these are */
    uint32_t keep;        /* and how many they may be */
    uint32_t count;
    uint64_t floor;
} uc_domains;

/* The generation of a domain's last drop, as far as it is known. */
uint64_t uc__domain_dropped(const uc_store *s, uint64_t id);
/* One entry more or less. ref makes the domain if need be; false: no memory. */
bool uc__domain_ref(uc_store *s, uint64_t id);
void uc__domain_unref(uc_store *s, uint64_t id);
/* Writes down a drop; whether any entry belongs to it. */
bool uc__domain_drop(uc_store *s, uint64_t id, uint64_t generation);
/* Moves a domain out of a chunk that is being emptied. False: no memory. */
bool uc__domain_move(uc_store *s, uint32_t block);

#endif
