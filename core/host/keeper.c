/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/source.h"
#include "host/keeperself.h"
#include "host/process.h"

/* ---- ends ------------------------------------------------------------------------------------ */

static void
end_all(const struct ptah_keeper *keeper)
{
	for (const struct ptah_program *program = keeper->programs; program; program = program->next)
		ptah_program_signal(program, SIGTERM);
}

/* Do what we were asked for; but a new program has to go first, so that the old one has all back that it handed over. */
static void
follow_signals(const struct ptah_keeper *keeper)
{
	if (keeper->new)
		return;
	if (keeper->ending || keeper->n_interrupts > 1)
		end_all(keeper);
	else if (keeper->n_interrupts == 1 && keeper->old) /* no new links; what leaves does so already */
		ptah_program_signal(keeper->old, SIGINT);
}

static void
on_ended(struct ptah_keeper *keeper, struct ptah_program *program, int status)
{
	program->ended = true;
	while (ptah_change_hear(keeper, program))
		continue;
	ptah_program_remove(keeper, program);
	if (program == keeper->new) {
		ptah_change_lost_new(keeper, program, status);
		follow_signals(keeper);
	} else if (program == keeper->old) {
		keeper->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		ptah_change_lost_old(keeper);
	}
	/* It did not end as it was asked to: whoever started us is to hear so soon. */
	if (keeper->status != 0 && !keeper->old && !keeper->new)
		end_all(keeper);
	ptah_program_free(program);
}

static void
reap(struct ptah_keeper *keeper)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct ptah_program *program = keeper->programs;

		while (program && program->pid != pid)
			program = program->next;
		if (program)
			on_ended(keeper, program, status);
	}
}

/* ---- what comes -------------------------------------------------------------------------------- */

static void
on_signal(struct ptah_keeper *keeper, int number)
{
	switch (number) {
	case SIGCHLD:
		reap(keeper);
		break;
	case SIGTERM:
	case SIGINT: /* once: no new links; again: the end */
		if (number == SIGTERM)
			keeper->ending = true;
		else
			keeper->n_interrupts++;
		ptah_change_stop(keeper, "ptah was asked to end");
		follow_signals(keeper);
		break;
	default: /* SIGHUP is for who will serve, too: its file may be the one before the change */
		if (keeper->old)
			ptah_program_signal(keeper->old, number);
		if (keeper->new)
			ptah_program_signal(keeper->new, number);
		break;
	}
}

static void
turn(struct ptah_keeper *keeper)
{
	struct pollfd fds[2 + PTAH_KEEPER_LEAVING_MOST + 2] = { { .fd = keeper->signals, .events = POLLIN } };
	struct ptah_program *programs[sizeof(fds) / sizeof(fds[0])];
	uint64_t now = ptah_clock_now_ns();
	nfds_t n = 1;
	int number, ms = -1;

	for (struct ptah_program *one = keeper->programs; one && n < sizeof(fds) / sizeof(fds[0]); one = one->next) {
		programs[n] = one;
		fds[n++] = (struct pollfd){ .fd = one->fd, .events = POLLIN };
	}
	if (keeper->until_ns > 0)
		ms = keeper->until_ns > now ? (int)((keeper->until_ns - now) / PTAH_NS_PER_MS) + 1 : 0;
	if (poll(fds, n, ms) == -1)
		return;
	for (nfds_t i = 1; i < n; i++)
		if (fds[i].revents != 0)
			(void)ptah_change_hear(keeper, programs[i]);
	while ((number = ptah_process_next_signal(keeper->signals)) != 0)
		on_signal(keeper, number);
	if (keeper->until_ns > 0 && ptah_clock_now_ns() >= keeper->until_ns)
		ptah_change_late(keeper);
}

/* ---- birth ------------------------------------------------------------------------------------- */

static int
take_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool
ptah_keeper_is_there(char *const envp[])
{
	return ptah_env_get(envp, PTAH_KEEPER_VARIABLE) != NULL;
}

int
ptah_keeper_run(const char *argv[], char *const envp[], unsigned ready_s)
{
	struct ptah_keeper keeper = { .argv = argv, .ready_s = ready_s, .path = ptah_program_find(), .env = ptah_program_environment(envp),
		.signals = take_signals() };
	char why[400] = "";

	if (!keeper.path || !keeper.env || keeper.signals == -1) {
		fprintf(stderr, "ptah: cannot keep a program: %s\n", strerror(errno));
		keeper.status = EX_OSERR;
	} else if (ptah_activation_take(&keeper.inherited, envp, why, sizeof(why)) != 0) {
		fprintf(stderr, "ptah: %s\n", why);
		keeper.status = EX_SOFTWARE;
	} else {
		/* What is handed over comes through us, and to a program that has not begun. */
		(void)ptah_process_raise_descriptors();
		argv[0] = keeper.path;
		keeper.old = ptah_program_start(&keeper);
		if (keeper.old) {
			keeper.old->state = PTAH_PROGRAM_SERVES;
		} else {
			fprintf(stderr, "ptah: cannot start %s: %s\n", keeper.path, strerror(errno));
			keeper.status = EX_OSERR;
		}
		while (keeper.programs)
			turn(&keeper);
	}
	ptah_activation_close(&keeper.inherited);
	if (keeper.signals != -1)
		close(keeper.signals);
	free(keeper.env);
	free(keeper.path);
	return keeper.status;
}
