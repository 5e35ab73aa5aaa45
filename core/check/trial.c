/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/trial.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

/* Global, because a signal handler must find it, and no module hands it through. */
static struct ptah_trial *now;
static uint64_t until_ns;

void
ptah_trial_begin(struct ptah_trial *trial, double budget_s)
{
	now = trial;
	until_ns = ptah_clock_now_ns() + (uint64_t)(budget_s * 1e9);
}

bool
ptah_trial_has_time(unsigned done, unsigned least)
{
	return done < least || ptah_clock_now_ns() < until_ns;
}

void
ptah_trial_step(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(now->step, sizeof(now->step), format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 0))) static noreturn void
decide(int verdict, const char *format, va_list args)
{
	vsnprintf(now->text, sizeof(now->text), format, args);
	now->verdict = verdict;
	_exit(0);
}

noreturn void
ptah_trial_pass(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	decide(PTAH_PASSED, format, args);
}

noreturn void
ptah_trial_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	decide(PTAH_FAILED, format, args);
}

noreturn void
ptah_trial_na(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	decide(PTAH_NOT_APPLICABLE, format, args);
}
