/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/guard.h"
#include "check/heap.h"
#include "check/patience.h"

static size_t
trials_size(void)
{
	return ptah_rows_n * sizeof(struct ptah_trial);
}

/* ---- in the child ------------------------------------------------------------ */

/* Why this module has no such row, or NULL. */
static const char *
why_not(const struct ptah_subject *subject, uint32_t needs)
{
	const uint32_t can = subject->module->abilities;

	if ((needs & PTAH_ROW_CODEC) != 0 && (can & PTAH_IS_CARRIER) != 0)
		return "it is a carrier, which makes its own streams: the row \"relay\" looks at what it carries";
	if ((needs & PTAH_ROW_CODEC) != 0 && (can & PTAH_CAN_STREAM) == 0)
		return "it carries messages only";
	if ((needs & PTAH_ROW_MESSAGE) != 0 && ((can & PTAH_CAN_MESSAGE) == 0 || (can & PTAH_IS_CARRIER) != 0))
		return "it carries no messages: the host frames datagrams in its stream";
	if ((needs & PTAH_ROW_BOTH) != 0 && (can & PTAH_CAN_CLIENT) == 0)
		return "it has no client, and this row needs both ends";
	if ((needs & PTAH_ROW_BOTH) != 0 && (can & PTAH_CAN_SERVER) == 0)
		return "it has no server, and this row needs both ends";
	if ((needs & PTAH_ROW_OPTIONS) != 0 && subject->why[0] != '\0')
		return subject->why;
	return NULL;
}

/* A module that writes into a terminal, or reads from it, does not disturb the table. */
static void
leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null != -1) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
}

static noreturn void
run_child(const struct ptah_run_wish *wish, const struct ptah_row *row, struct ptah_trial *trial, pid_t parent)
{
	const struct rlimit no_core = { 0, 0 };
	const rlim_t cpu_s = PTAH_CHECK_CPU_S + (rlim_t)(4 * wish->budget_s);
	const struct rlimit no_loop = { cpu_s, cpu_s + 1 };
	struct ptah_subject subject;
	char why[PTAH_WHY_TEXT] = "";
	const char *not;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	leave_terminal();
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_CPU, &no_loop);
	ptah_trial_begin(trial, wish->budget_s);
	ptah_guard_watch();
	ptah_trial_step("loading %s", wish->subject.path);
	int rc = ptah_subject_load(&subject, &wish->subject, why, sizeof(why));
	if (rc < 0)
		ptah_trial_fail("%s", why[0] != '\0' ? why : strerror(-rc));
	ptah_heap_watch();
	not = why_not(&subject, row->needs);
	if (not != NULL)
		ptah_trial_na("%s", not);
	trial->step[0] = '\0';
	row->run(&subject);
	ptah_trial_fail("this row came to no end");
}

/* ---- in the parent --------------------------------------------------------------- */

/* How much of a processor it has used. */
static uint64_t
used_by(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) == -1)
		return 0;
	return (uint64_t)used.tv_sec * PTAH_NS_PER_S + (uint64_t)used.tv_nsec;
}

/* True if it has ended within the limit; its status is there to be waited for. */
static bool
wait_for(pid_t pid, int *status)
{
	struct timespec pause = { 0, 1000000 };
	struct ptah_patience patience;

	ptah_patience_begin(&patience, ptah_clock_now_ns(), PTAH_CHECK_LIMIT_S * PTAH_NS_PER_S);
	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid || (got == -1 && errno != EINTR))
			return true;
		if (!ptah_patience_lasts(&patience, ptah_clock_now_ns(), used_by(pid)))
			break;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 20000000)
			pause.tv_nsec *= 2;
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) == -1 && errno == EINTR)
		;
	return false;
}

static void
run_row(const struct ptah_run_wish *wish, const struct ptah_row *row, struct ptah_trial *trial)
{
	uint64_t began = ptah_clock_now_ns();
	pid_t parent = getpid(), pid;
	int status = 0;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_child(wish, row, trial, parent);
	if (pid == -1) {
		trial->verdict = PTAH_SKIPPED;
		snprintf(trial->text, sizeof(trial->text), "cannot start a process: %s", strerror(errno));
		return;
	}
	bool ended = wait_for(pid, &status);
	trial->seconds = (double)(ptah_clock_now_ns() - began) / 1e9;
	if (trial->verdict != PTAH_UNDECIDED)
		return;
	trial->verdict = PTAH_FAILED;
	if (!ended)
		snprintf(trial->text, sizeof(trial->text), "it hangs: no end after %d s", PTAH_CHECK_LIMIT_S);
	else if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
		snprintf(trial->text, sizeof(trial->text), "it loops: no end after %d s and more of a processor", PTAH_CHECK_CPU_S);
	else if (WIFSIGNALED(status))
		snprintf(trial->text, sizeof(trial->text), "it crashes: %s", strsignal(WTERMSIG(status)));
	else
		snprintf(trial->text, sizeof(trial->text), "it ends the process, with status %d", WEXITSTATUS(status));
}

static void
skip(struct ptah_trial *trial, const char *needed)
{
	trial->verdict = PTAH_SKIPPED;
	snprintf(trial->text, sizeof(trial->text), "first the row \"%s\" must pass", needed);
}

static const struct ptah_trial *
trial_of(const struct ptah_run *run, ptah_row_fn *fn)
{
	for (size_t i = 0; i < ptah_rows_n; i++)
		if (ptah_rows[i].run == fn)
			return &run->trials[i];
	return NULL;
}

/* A row that an earlier failure would only fail again is left out; one that was not looked at counts as fine. */
static const char *
is_hopeless(const struct ptah_run *run, const struct ptah_row *row)
{
	if (trial_of(run, ptah_row_load)->verdict == PTAH_FAILED)
		return "load";
	if ((row->needs & PTAH_ROW_CARRY) != 0 && trial_of(run, ptah_row_carry)->verdict == PTAH_FAILED)
		return "carry";
	return NULL;
}

/* A folder for state, which goes with the run. */
static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static int
run_rows(struct ptah_run *run, const struct ptah_run_wish *wish)
{
	run->trials = mmap(NULL, trials_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run->trials == MAP_FAILED) {
		run->trials = NULL;
		return -errno;
	}
	for (size_t i = 0; i < ptah_rows_n; i++) {
		const struct ptah_row *row = &ptah_rows[i];
		struct ptah_trial *trial = &run->trials[i];
		const char *needed = is_hopeless(run, row);

		if (wish->row != NULL && strcmp(wish->row, row->name) != 0)
			continue;
		if (needed != NULL)
			skip(trial, needed);
		else
			run_row(wish, row, trial);
		run->n[trial->verdict]++;
		if (wish->on_row != NULL)
			wish->on_row(row, trial, wish->arg);
	}
	return 0;
}

int
ptah_run(struct ptah_run *run, const struct ptah_run_wish *wish)
{
	char folder[] = "/tmp/ptah-check-XXXXXX";
	struct ptah_run_wish with = *wish;
	int rc;

	memset(run, 0, sizeof(*run));
	if (mkdtemp(folder) == NULL)
		return -errno;
	with.subject.folder = folder;
	rc = run_rows(run, &with);
	(void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}

void
ptah_run_clear(struct ptah_run *run)
{
	if (run->trials != NULL)
		munmap(run->trials, trials_size());
	memset(run, 0, sizeof(*run));
}
