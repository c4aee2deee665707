#ifndef UC_CORE_COMMON_CLOCK_H
#define UC_CORE_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Monotonic nanoseconds; about 20 ns a call through the vDSO. */
static inline int64_t uc_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The same clock at tick resolution (1 to 4 ms), about 5 ns a call. */
static inline int64_t uc_now_coarse(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Milliseconds since 1970 by the machine's clock, which may be set: only for
 * what has to mean something to another process. */
static inline int64_t uc_wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#define UC_MS ((int64_t)1000000)

#endif
