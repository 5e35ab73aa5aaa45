/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/trial.h: one row of the table, while it is looked at.
 *
 * A row runs in a child process of its own and writes what it finds into
 * memory that it shares with its parent, so that a crash or a hang loses
 * nothing: the step that was under way stands there.
 *
 * Threads: the child's only one.
 */
#ifndef PTAH_CHECK_TRIAL_H
#define PTAH_CHECK_TRIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

/** What a row came to. */
enum ptah_verdict { PTAH_UNDECIDED, PTAH_PASSED, PTAH_FAILED, PTAH_NOT_APPLICABLE, PTAH_SKIPPED };

#define PTAH_TRIAL_TEXT 600

struct ptah_trial {
	int verdict;                /* enum ptah_verdict */
	char step[PTAH_TRIAL_TEXT]; /* what was under way */
	char text[PTAH_TRIAL_TEXT]; /* the reason, or a figure */
	double seconds;             /* how long it took */
};

/** From here on, in this process, the functions below are about 'trial'. */
void ptah_trial_begin(struct ptah_trial *trial, double budget_s);

/** Say what is done now. */
void ptah_trial_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** May a sample grow, or has this row had its time?  True at least 'least' times. */
bool ptah_trial_has_time(unsigned done, unsigned least);

/** Decide, and end this process: a row ends at the first thing that is wrong, however deep. */
noreturn void ptah_trial_pass(const char *format, ...) __attribute__((format(printf, 1, 2)));
noreturn void ptah_trial_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
noreturn void ptah_trial_na(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
