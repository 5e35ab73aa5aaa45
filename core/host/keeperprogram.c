/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/keeperself.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "config/source.h"

/* The descriptor that a program has to us. */
#define CHANNEL 3
/* Who does not take our words for so long is as good as gone. */
#define SEND_S 2

/* ---- what is started ------------------------------------------------------------------- */

/* As we were called, so that what lies there next time is what is started; or where we really are. */
char *
ptah_program_find(void)
{
	const char *called = (const char *)getauxval(AT_EXECFN);
	char *path = called ? ptah_file_absolute(called) : NULL;
	struct stat there, here;

	if (path && stat(path, &there) == 0 && stat("/proc/self/exe", &here) == 0 && there.st_ino == here.st_ino &&
	    there.st_dev == here.st_dev)
		return path;
	free(path);
	return realpath("/proc/self/exe", NULL);
}

static bool
is_left_out(const char *variable)
{
	static const char *const names[] = { "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "WATCHDOG_PID=",
		PTAH_KEEPER_VARIABLE "=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

char **
ptah_program_environment(char *const envp[])
{
	static char ours[] = PTAH_KEEPER_VARIABLE "=3"; /* CHANNEL */
	const char *pid = ptah_env_get(envp, "WATCHDOG_PID");
	bool is_watched = !pid || strtol(pid, NULL, 10) == (long)getpid();
	size_t n = 0, room = 0;
	char **out;

	while (envp[room])
		room++;
	out = calloc(room + 2, sizeof(*out));
	for (size_t i = 0; out && i < room; i++)
		if (!is_left_out(envp[i]) && (is_watched || strncmp(envp[i], "WATCHDOG_USEC=", 14) != 0))
			out[n++] = envp[i];
	if (out)
		out[n] = ours;
	return out;
}

/* ---- start -------------------------------------------------------------------------------- */

/* In the child. */
static void __attribute__((noreturn))
become(const struct ptah_keeper *keeper, int channel, int report)
{
	sigset_t ours;
	int failed;

	/* Those that it takes by itself stay blocked, so that none ends it before it does. */
	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	(void)sigprocmask(SIG_UNBLOCK, &ours, NULL);
	/* What is typed at a terminal is for the keeper, which says it once. */
	(void)setpgid(0, 0);
	/* First of all away from the number, which one of ours may have. */
	report = fcntl(report, F_DUPFD_CLOEXEC, CHANNEL + 1);
	if (report != -1 && dup2(channel, CHANNEL) != -1 && (channel != CHANNEL || fcntl(CHANNEL, F_SETFD, 0) != -1))
		execve(keeper->path, (char *const *)keeper->argv, keeper->env);
	failed = errno;
	(void)!write(report, &failed, sizeof(failed));
	_exit(EX_OSERR);
}

/* A pid, or -errno. */
static pid_t
fork_program(const struct ptah_keeper *keeper, int channel)
{
	int report[2], failed = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) == -1)
		return -errno;
	pid = fork();
	if (pid == 0)
		become(keeper, channel, report[1]);
	if (pid == -1)
		failed = errno;
	close(report[1]);
	if (pid != -1 && ptah_read_full(report[0], &failed, sizeof(failed)) == (ssize_t)sizeof(failed))
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			continue;
	close(report[0]);
	return failed != 0 ? -failed : pid;
}

struct ptah_program *
ptah_program_start(struct ptah_keeper *keeper)
{
	const struct timeval limit = { .tv_sec = SEND_S };
	struct ptah_program *program = calloc(1, sizeof(*program));
	int pair[2];

	if (!program || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		free(program);
		return NULL;
	}
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	program->pid = fork_program(keeper, pair[1]);
	close(pair[1]);
	if (program->pid < 0) {
		close(pair[0]);
		errno = -program->pid;
		free(program);
		return NULL;
	}
	program->fd = pair[0];
	program->next = keeper->programs;
	keeper->programs = program;
	return program;
}

/* ---- its life -------------------------------------------------------------------------------- */

void
ptah_program_signal(const struct ptah_program *program, int number)
{
	(void)kill(program->pid, number);
}

int
ptah_program_tell(struct ptah_program *program, uint32_t what, uint64_t value, const char *text, const int *fds, unsigned n)
{
	return program->fd != -1 ? ptah_keeper_tell(program->fd, what, value, text, fds, n) : -EPIPE;
}

void
ptah_program_remove(struct ptah_keeper *keeper, struct ptah_program *program)
{
	struct ptah_program **at = &keeper->programs;

	while (*at != program)
		at = &(*at)->next;
	*at = program->next;
}

void
ptah_program_free(struct ptah_program *program)
{
	if (program->fd != -1)
		close(program->fd);
	free(program);
}
