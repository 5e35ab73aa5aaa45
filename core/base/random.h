/* SPDX-License-Identifier: BSD-3-Clause */
/** base/random.h: the system's random bytes.  Threads: any. */
#ifndef PTAH_BASE_RANDOM_H
#define PTAH_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** Fill with bytes from getrandom(2); never fails (a kernel without is an abort). */
void ptah_random_bytes(void *out, size_t len);
/** Even in [0, below), without modulo bias; below > 0. */
uint64_t ptah_random_below(uint64_t below);

#endif
