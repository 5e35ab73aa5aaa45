/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/runner.h: put a module through all rows, each in a child process.
 *
 * The module is loaded in the children only: this process stays what it was.
 *
 * Threads: the main thread, with no others beside it.
 */
#ifndef PTAH_CHECK_RUNNER_H
#define PTAH_CHECK_RUNNER_H

#include "check/rows.h"
#include "check/trial.h"

struct ptah_run_wish {
	struct ptah_subject_wish subject;
	const char *row;  /* this row only (and those that it needs, unseen); NULL: all */
	double budget_s;  /* so long may each sample grow */
	void (*on_row)(const struct ptah_row *row, const struct ptah_trial *trial, void *arg); /* as they end; may be NULL */
	void *arg;
};

/**
 * No row takes longer and stands still, or it hangs; nor so much of a processor (and more with a larger budget),
 * or it loops.
 */
#define PTAH_CHECK_LIMIT_S 60
#define PTAH_CHECK_CPU_S 8

struct ptah_run {
	struct ptah_trial *trials; /* as many as there are rows; UNDECIDED: not asked for */
	unsigned n[PTAH_SKIPPED + 1];
};

/** Gives: *run for ptah_run_clear().  Fails: -errno. */
int ptah_run(struct ptah_run *run, const struct ptah_run_wish *wish);
void ptah_run_clear(struct ptah_run *run);

#endif
