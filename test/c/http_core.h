#ifndef UC_TEST_HTTP_CORE_H
#define UC_TEST_HTTP_CORE_H

#include <stdbool.h>

/*
 * A core of the tests' own behind the loops of HTTP, in the place of the one
 * there. Requests are answered by their target:
 *
 *   /now/WORD      WORD, when the loop offers its thread
 *   /later/WORD    WORD, by a thread that answers the newest first
 *   /slow/WORD     WORD, when the test lets it
 *   /length        how many bytes the body has
 *   /bad           what may not be sent
 */

bool begins(const char *text, const char *front);

/* Starts the thread; false: there is none. */
bool core_begin(void);
/* Ends it, and says how many sessions are left. */
unsigned core_end(void);

/* Waits until so many are slow. */
void wait_slow(unsigned n);
void release_slow(void);

#endif
