/* SPDX-License-Identifier: BSD-3-Clause */
#include "proc/child.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The descriptor, in the child, by which it says that it cannot become the program. */
#define REPORT 3
/* Where the kernel has no pidfd: how often we ask. */
#define ASK_MS 100
/* How long the end of one that was killed is waited for, in steps of a millisecond. */
#define REAP_MS 200

struct ptah_proc {
	pid_t pid;
	int pidfd; /* -1: this kernel has none */
	bool ended;
	struct event *event;
	ptah_proc_fn *fn;
	void *arg;
};

/*
 * Neither Ctrl-C is for it, nor may it read or type there.  A new session would
 * do, but where the kernel shares processors out by sessions (autogroup) each
 * switch between it and us is dearer then: 10 us for a round trip.
 */
static void
leave_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	bool left = fd == -1 ? errno == ENXIO : ioctl(fd, TIOCNOTTY) == 0; /* ENXIO: there is none */

	if (fd != -1)
		(void)close(fd);
	if (!left || setpgid(0, 0) == -1)
		(void)setsid();
}

/* In the child of a vfork: the memory is the parent's, so nothing but calls of the kernel, and a frame of its own. */
__attribute__((noinline)) static int
become(const char *const argv[], const char *const env[], bool may_gain, const int fds[4], pid_t parent)
{
	static char *const empty[] = { NULL };
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		return errno;
	if (getppid() != parent)
		return ESRCH;
	if (!may_gain && prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == -1)
		return errno;
	leave_terminal();
	/* Above those that they become, so that none is overwritten before its turn. */
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) == -1)
			return errno;
	/* This one says why there is no program, or closes as there is. */
	if (fds[REPORT] != REPORT && dup3(fds[REPORT], REPORT, O_CLOEXEC) == -1)
		return errno;
	if (syscall(SYS_close_range, REPORT + 1u, ~0u, 0u) == -1)
		for (int fd = REPORT + 1; fd < 65536; fd++)
			(void)close(fd);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &usual, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execve(argv[0], (char *const *)argv, env != NULL ? (char *const *)env : empty);
	return errno;
}

/* What the child has to report: an errno, or 0 when it has become the program. */
static int
read_report(int fd)
{
	int failed = 0;
	ssize_t n;

	do
		n = read(fd, &failed, sizeof(failed));
	while (n == -1 && errno == EINTR);
	return n == (ssize_t)sizeof(failed) ? failed : 0;
}

/* A pid, or -errno.  'fds' are to be its 0, 1 and 2. */
static pid_t
start(const char *const argv[], const char *const env[], bool may_gain, const int fds[3])
{
	int report[2], all_fds[4] = { fds[0], fds[1], fds[2], -1 }, failed;
	pid_t parent = getpid(), pid;
	sigset_t all, old;

	if (pipe2(report, O_CLOEXEC) == -1)
		return -errno;
	all_fds[REPORT] = report[1];
	/* No handler of ours may run on the memory that both share. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = vfork();
	if (pid == 0) {
		failed = become(argv, env, may_gain, all_fds, parent);
		/* Where this descriptor stands depends on how far it came. */
		if (write(report[1], &failed, sizeof(failed)) == -1)
			(void)!write(REPORT, &failed, sizeof(failed));
		_exit(127);
	}
	failed = pid == -1 ? errno : 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(report[1]);
	if (pid > 0)
		failed = read_report(report[0]);
	close(report[0]);
	if (pid > 0 && failed != 0)
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			continue;
	return failed != 0 ? -failed : pid;
}

/* Did it end?  With its wait status if so. */
static bool
reap(struct ptah_proc *proc, int *status)
{
	pid_t pid;

	do
		pid = waitpid(proc->pid, status, WNOHANG);
	while (pid == -1 && errno == EINTR);
	if (pid == 0)
		return false;
	if (pid == -1)
		*status = 0; /* somebody else heard how it ended */
	proc->ended = true;
	return true;
}

static void
on_maybe_ended(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_proc *proc = arg;
	int status;

	(void)fd;
	(void)what;
	if (!reap(proc, &status))
		return;
	event_del(proc->event);
	proc->fn(proc, status, proc->arg);
}

static int
watch(struct ptah_proc *proc, struct event_base *base)
{
	static const struct timeval often = { 0, ASK_MS * 1000 };

	proc->pidfd = (int)syscall(SYS_pidfd_open, proc->pid, 0u);
	proc->event = event_new(base, proc->pidfd, proc->pidfd != -1 ? EV_READ | EV_PERSIST : EV_PERSIST, on_maybe_ended, proc);
	if (proc->event == NULL || event_add(proc->event, proc->pidfd != -1 ? NULL : &often) == -1)
		return -ENOMEM;
	return 0;
}

static void
close_all(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

/* Pairs for stdin, stdout, stderr: ours, and theirs above 2. */
static int
open_pairs(int ours[3], int theirs[3])
{
	for (int i = 0; i < 3; i++)
		ours[i] = theirs[i] = -1;
	for (int i = 0; i < 3; i++) {
		int pair[2];

		/* Ours must not block; the other program expects that its own do. */
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
			goto fail;
		ours[i] = pair[0];
		theirs[i] = fcntl(pair[1], F_DUPFD_CLOEXEC, 3);
		close(pair[1]);
		if (theirs[i] == -1 || fcntl(ours[i], F_SETFL, O_NONBLOCK) == -1)
			goto fail;
	}
	return 0;

fail:;
	int rc = -errno;
	close_all(ours, 3);
	close_all(theirs, 3);
	return rc;
}

struct ptah_proc *
ptah_proc_start(struct event_base *base, const char *const argv[], const char *const env[],
    bool may_gain, int fds[3], ptah_proc_fn *fn, void *arg)
{
	struct ptah_proc *proc = calloc(1, sizeof(*proc));
	int theirs[3], rc;

	if (proc == NULL)
		return NULL;
	proc->pidfd = -1;
	proc->fn = fn;
	proc->arg = arg;
	rc = open_pairs(fds, theirs);
	if (rc < 0) {
		free(proc);
		errno = -rc;
		return NULL;
	}
	proc->pid = start(argv, env, may_gain, theirs);
	close_all(theirs, 3);
	rc = proc->pid < 0 ? (int)proc->pid : watch(proc, base);
	if (rc < 0) {
		proc->ended = proc->pid < 0;
		ptah_proc_free(proc);
		close_all(fds, 3);
		errno = -rc;
		return NULL;
	}
	return proc;
}

pid_t
ptah_proc_pid(const struct ptah_proc *proc)
{
	return proc->pid;
}

int
ptah_proc_kill(struct ptah_proc *proc, int sig)
{
	/* Until we have heard its end the number is not given to another process. */
	if (proc->ended)
		return -ESRCH;
	return kill(proc->pid, sig) == -1 ? -errno : 0;
}

void
ptah_proc_free(struct ptah_proc *proc)
{
	static const struct timespec moment = { 0, 1000000 };
	int status;

	if (proc == NULL)
		return;
	if (!proc->ended) {
		(void)kill(proc->pid, SIGKILL);
		for (int i = 0; i < REAP_MS && !reap(proc, &status); i++)
			nanosleep(&moment, NULL);
	}
	if (proc->event != NULL)
		event_free(proc->event);
	if (proc->pidfd != -1)
		close(proc->pidfd);
	free(proc);
}
