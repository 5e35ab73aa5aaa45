/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"

int
ptah_process_fill_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) != -1)
			continue;
		/* All below are open, so this one gets the number. */
		if (open("/dev/null", O_RDWR) == -1)
			return -errno;
	}
	return 0;
}

int
ptah_process_take_signals(struct ptah_signals *signals)
{
	sigset_t end, other, both;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGHUP);
	sigemptyset(&other);
	sigaddset(&other, SIGUSR1);
	sigorset(&both, &end, &other);
	if (sigprocmask(SIG_BLOCK, &both, NULL) == -1 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    signal(SIGXFSZ, SIG_IGN) == SIG_ERR) /* a file that may not grow is an error of that file */
		return -errno;
	signals->end = signalfd(-1, &end, SFD_CLOEXEC | SFD_NONBLOCK);
	signals->other = signalfd(-1, &other, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals->end == -1 || signals->other == -1 ? -errno : 0;
}

int
ptah_process_next_signal(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

static void
on_words(int severity, const char *words)
{
	if (severity == EVENT_LOG_ERR)
		ptah_error(AREA_LOOP, "libevent cannot go on: %s", words);
	else if (severity == EVENT_LOG_WARN)
		ptah_warn(AREA_LOOP, "libevent: %s", words);
}

/* It must not return.  Workers may run, so nothing is torn down. */
static void
on_fatal(int status)
{
	(void)status;
	_exit(EX_SOFTWARE);
}

void
ptah_process_hear_libevent(void)
{
	event_set_log_callback(on_words);
	event_set_fatal_callback(on_fatal);
}

unsigned
ptah_process_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
		ptah_warn_rc(AREA_HOST, -errno, "cannot ask how many descriptors there may be");
		return 1024;
	}

	rlim_t old = limit.rlim_cur;

	limit.rlim_cur = limit.rlim_max;
	if (old != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) == -1) {
		ptah_warn_rc(AREA_HOST, -errno, "cannot raise the limit of %llu descriptors",
		    (unsigned long long)old);
		limit.rlim_cur = old;
	} else if (old != limit.rlim_max) {
		ptah_info(AREA_HOST, "raised the limit of descriptors from %llu to %llu",
		    (unsigned long long)old, (unsigned long long)limit.rlim_max);
	}
	return limit.rlim_cur > INT_MAX ? INT_MAX : (unsigned)limit.rlim_cur;
}

bool
ptah_process_follow_parent(pid_t first, bool wanted)
{
	/* The parent may have asked for this itself, so "no" is said, too.  PID 1 does not die. */
	bool follow = wanted && first != 1;

	if (prctl(PR_SET_PDEATHSIG, follow ? SIGTERM : 0) == -1)
		ptah_warn_rc(AREA_HOST, -errno, "cannot watch the parent process");
	return !follow || getppid() == first;
}

unsigned
ptah_process_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (unsigned)CPU_COUNT(&set);

	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}
