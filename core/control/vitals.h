/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * control/vitals.h: what the kernel says of this process.
 *
 * What it needs of /proc is opened once, so that a process that may open
 * nothing any more can still be asked.
 *
 * Threads: the one that opened it.
 */
#ifndef PTAH_CONTROL_VITALS_H
#define PTAH_CONTROL_VITALS_H

#include <stdint.h>
#include <sys/types.h>

struct ptah_vitals {
	double start_s;        /* of the calendar */
	double uptime_s;
	double cpu_s;          /* of all its threads */
	uint64_t resident;     /* bytes; 0: not known */
	uint64_t virtual;
	unsigned descriptors_most;
};

struct ptah_pulse {
	int statm; /* -1: none */
	double start_s;
	uint64_t start_ns;
};

/** Begin; without /proc only memory is not known. */
void ptah_pulse_open(struct ptah_pulse *pulse);
void ptah_pulse_close(struct ptah_pulse *pulse);
void ptah_pulse_take(const struct ptah_pulse *pulse, struct ptah_vitals *out);

/**
 * Of a process that we have started, and that will soon close itself off.
 * Gives: a descriptor for ptah_statm_resident(), and close().
 * Fails: -errno.
 */
int ptah_statm_open(pid_t pid);
/** Bytes of memory that it really has, with those that it shares with others; 0: not known, or it has ended. */
uint64_t ptah_statm_resident(int statm);

#endif
