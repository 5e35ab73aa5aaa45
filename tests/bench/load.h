/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * tests/bench/load.h: one run of the load generator, for its own test.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <sys/types.h>

#include "flow.h"

struct options {
	struct route by;
	int far_fd; /* where the far end listens */
	int listen_fd;
	const char *word; /* what a started program says when it is ready */
	const char *names[4];
	pid_t pids[4];
	int n_pids;
	int n; /* streams, or round trips, or starts */
	bool down;
	bool quiet; /* print nothing */
	bool whole; /* churn: an EOF ends a stream both ways, as obfs4proxy does */
	double seconds;
	double settle;
	uint64_t size;
	uint64_t seed;
};

/* What went wrong in a run; all but the first two must stay 0. */
struct audit {
	uint64_t n_streams;
	uint64_t n_bytes;
	uint64_t n_lost;       /* bytes that were sent and did not arrive */
	uint64_t n_unsent;     /* bytes that could not be sent any more */
	uint64_t n_changed;    /* streams with a byte that was not sent there */
	uint64_t n_stuck;      /* streams that did not end */
	uint64_t n_refused;    /* streams that did not open */
	uint64_t n_unanswered; /* half-closes without the whole answer */
};

/** Run one mode, print its JSON, answer the exit code. */
int load_run(const char *mode, const struct options *o, struct audit *audit);

/** Be the barest relay there is, until killed. */
_Noreturn void floor_run(int listener, const struct sockaddr_in *to);

/** Hold the meter itself to the truth: 0 when it sees each planted fault. */
int load_selftest(void);

#endif
