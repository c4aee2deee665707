#ifndef UC_CORE_LOG_SOURCE_H
#define UC_CORE_LOG_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "log/place.h"
#include "log/ring.h"

/* A ring as its reader has it: the tail is the reader's, and the file's is only
 * told. */
typedef struct uc_source {
    uc_ring *ring;
    uint64_t tail;
    uc_ring_walk walk;
    bool own;       /* of this process: it lives */
    int64_t looked; /* whether its process does */
} uc_source;

/* All rings of a directory, by name and then by age. */
typedef struct uc_sources {
    int dir;
    uint32_t n, cap;
    uc_source *all;
    uint64_t spoiled; /* bytes of files that were no rings */
} uc_sources;

void uc__sources_init(uc_sources *s, int dirfd);
void uc__sources_fini(uc_sources *s);
/* Takes up what is new in the directory. What had just been made when its
 * process ended is removed. */
void uc__sources_scan(uc_sources *s);
/* Takes a reference. own: as this process's producer has it. False: out of
 * memory. */
bool uc__sources_add(uc_sources *s, uc_ring *r, bool own);
void uc__sources_forget(uc_sources *s, const uc_ring *r);
void uc__sources_raise(uc_sources *s, const uc_tail *tails, uint64_t n);
/* Lets go of other processes' rings whose files were truncated: before a batch
 * is read from them. What comes between cannot be helped. */
void uc__sources_check(uc_sources *s);
/* An older ring of the same process comes first. */
bool uc__sources_has_to_wait(const uc_sources *s, uint32_t at);
/* Removes the rings that are empty and stay so; one that has a name to be taken
 * up by when nobody has done that for keep_ms. now: uc_now()'s. */
void uc__sources_sweep(uc_sources *s, const uc_log_options *o, int64_t now);

/* Starts the walk at the tail. */
void uc__source_begin(uc_source *s);
bool uc__source_has_more(uc_source *s);
void uc__source_taken(uc_source *s, uint64_t tail);

#endif
