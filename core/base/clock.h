/* SPDX-License-Identifier: BSD-3-Clause */
/** base/clock.h: the two clocks. */
#ifndef PTAH_BASE_CLOCK_H
#define PTAH_BASE_CLOCK_H

#include <stdint.h>

#define PTAH_NS_PER_MS UINT64_C(1000000)
#define PTAH_NS_PER_S UINT64_C(1000000000)

/** Monotonic, in nanoseconds, from an unspecified start. */
uint64_t ptah_clock_now_ns(void);
/** Seconds since 1970 (UTC). */
int64_t ptah_clock_wall_s(void);

#endif
