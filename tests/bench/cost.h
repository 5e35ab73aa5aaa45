/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * tests/bench/cost.h: what another process has cost so far, by /proc and by
 * its CPU clock.
 *
 * A process here is the process and the children that it has now; processor
 * time of children that are gone is not seen.
 */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stdint.h>
#include <sys/types.h>

struct memory {
	uint64_t rss_kib;
	uint64_t pss_kib;
};

/** User and system time of all threads, in nanoseconds. */
uint64_t cost_cpu_ns(pid_t pid);

/** Resident and proportional memory. */
struct memory cost_memory(pid_t pid);

#endif
