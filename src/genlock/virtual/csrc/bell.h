/* A futex in shared memory: a number that changes, and sleeping until it does. */
#ifndef GENLOCK_BELL_H
#define GENLOCK_BELL_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Tells everybody who waits, in any process, that something has changed. */
static inline void bell_ring(_Atomic uint32_t *bell)
{
    atomic_fetch_add_explicit(bell, 1, memory_order_release);
    syscall(SYS_futex, bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Sleeps until the bell no longer shows `seen`, for so long at most; may return early. */
static inline void bell_wait(_Atomic uint32_t *bell, uint32_t seen, int64_t nsec)
{
    struct timespec timeout = {.tv_sec = (time_t)(nsec / 1000000000), .tv_nsec = (long)(nsec % 1000000000)};
    syscall(SYS_futex, bell, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

#endif
