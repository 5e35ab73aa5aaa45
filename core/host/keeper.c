/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "config/source.h"
#include "host/activation.h"
#include "host/keeperwords.h"
#include "host/process.h"
#include "wire/pass.h"

/* The descriptor that a program has to us. */
#define CHANNEL 3
/* Programs that may be on their way out at a time. */
#define LEAVING_MOST 8u
/* How long an old program may take to say that it leaves, and a new one that has failed to end. */
#define LEAVE_MS 5000
#define FAIL_MS 3000
/* Who does not take our words for so long is as good as gone. */
#define SEND_S 2

/* Where a program is in its life. */
#define STARTS 0 /* it looks at its file */
#define TAKES 1  /* the old one hands over to it */
#define OPENS 2  /* it opens its services */
#define SERVES 3
#define LEAVES 4

struct program {
	struct program *next;
	pid_t pid;
	int fd; /* the way to it; -1: it has closed it */
	int state;
	bool ready;   /* OPENS: it has said so */
	bool failed;  /* it is to end, or we make it */
	char why[PTAH_KEEPER_TEXT]; /* of that */
};

struct keeper {
	char *path;
	const char **argv;
	char **env;
	unsigned ready_s;
	int signals;
	struct ptah_activation inherited;
	struct program *programs;
	struct program *old, *new; /* who serves; who is to; or NULL */
	uint64_t until_ns;         /* the next word of an upgrade comes by then; 0: none is awaited */
	bool leaving;              /* the old one was told to leave */
	unsigned n_interrupts;
	bool ending;
	int status;                /* of the last one that served */
};

static void
ask_for_end(const struct program *program, int number)
{
	(void)kill(program->pid, number);
}

/* ---- words ---------------------------------------------------------------------------- */

static int
tell(struct program *program, uint32_t what, uint64_t value, const char *text, const int *fds, unsigned n)
{
	struct ptah_keeper_word word = { .what = what, .value = value };
	size_t len = strnlen(text, sizeof(word.text) - 1);

	memcpy(word.text, text, len);
	return program->fd != -1 ? ptah_pass_send(program->fd, &word, PTAH_KEEPER_HEAD + len, fds, n) : -EPIPE;
}

static void
await(struct keeper *keeper, unsigned ms)
{
	keeper->until_ns = ptah_clock_now_ns() + ms * PTAH_NS_PER_MS;
}

/* The new one will not do; its end is heard of later, and then the old one is told. */
static void __attribute__((format(printf, 3, 4)))
give_up(struct keeper *keeper, bool now, const char *format, ...)
{
	struct program *new = keeper->new;
	va_list args;

	if (!new->failed) {
		va_start(args, format);
		vsnprintf(new->why, sizeof(new->why), format, args);
		va_end(args);
	}
	new->failed = true;
	if (now)
		ask_for_end(new, SIGKILL);
	await(keeper, FAIL_MS);
}

/* ---- start ----------------------------------------------------------------------------- */

/* In the child. */
static void __attribute__((noreturn))
become(const struct keeper *keeper, int channel, int report)
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
fork_program(const struct keeper *keeper, int channel)
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

static struct program *
start(struct keeper *keeper)
{
	const struct timeval limit = { .tv_sec = SEND_S };
	struct program *program = calloc(1, sizeof(*program));
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

/* ---- from one to the next ------------------------------------------------------------------ */

static void
on_upgrade(struct keeper *keeper, struct program *program)
{
	unsigned n = 0;

	for (const struct program *one = keeper->programs; one; one = one->next)
		n += one->state == LEAVES;
	if (keeper->new || keeper->ending || keeper->n_interrupts > 0) {
		(void)tell(program, PTAH_KEEPER_STAY, 0, "another change is under way", NULL, 0);
	} else if (n >= LEAVING_MOST) {
		(void)tell(program, PTAH_KEEPER_STAY, 0, "eight programs before this one still have links: wait until one of them "
		    "has ended, or make drainTimeout shorter", NULL, 0);
	} else {
		char why[PTAH_KEEPER_TEXT];

		keeper->new = start(keeper);
		if (keeper->new) {
			await(keeper, keeper->ready_s * 1000);
			return;
		}
		snprintf(why, sizeof(why), "%s cannot be started: %s", keeper->path, strerror(errno));
		(void)tell(program, PTAH_KEEPER_STAY, 0, why, NULL, 0);
	}
}

/* What it is to know before it begins. */
static int
let_go(struct keeper *keeper, struct program *program, bool is_heir)
{
	int rc = 0;

	for (size_t i = 0; i < keeper->inherited.n && rc == 0; i++)
		rc = tell(program, PTAH_KEEPER_ADOPTED, 0, keeper->inherited.at[i].name, &keeper->inherited.at[i].fd, 1);
	return rc == 0 ? tell(program, PTAH_KEEPER_GO, is_heir, "", NULL, 0) : rc;
}

static void
on_checked(struct keeper *keeper, struct program *program)
{
	int rc = 0;

	if (program == keeper->old) { /* the first of all */
		(void)let_go(keeper, program, false); /* it hears our end if it cannot be told */
		return;
	}
	if (program->state != STARTS)
		return;
	program->state = TAKES;
	rc = keeper->old ? tell(keeper->old, PTAH_KEEPER_HOLD, 0, "", NULL, 0) : -EPIPE;
	if (rc != 0)
		give_up(keeper, true, "the old program does not listen: %s", strerror(-rc));
}

static void
on_given(struct keeper *keeper)
{
	int rc;

	if (!keeper->new || keeper->new->state != TAKES)
		return;
	keeper->new->state = OPENS;
	rc = let_go(keeper, keeper->new, true);
	if (rc != 0)
		give_up(keeper, true, "the new program does not listen: %s", strerror(-rc));
}

/* The old one leaves, or has ended. */
static void
take_over(struct keeper *keeper)
{
	struct program *new = keeper->new;

	if (keeper->old)
		keeper->old->state = LEAVES;
	new->state = SERVES;
	keeper->old = new;
	keeper->new = NULL;
	keeper->until_ns = 0;
	keeper->leaving = false;
	(void)tell(new, PTAH_KEEPER_YOURS, 0, "", NULL, 0);
}

static void
on_ready(struct keeper *keeper, struct program *program)
{
	if (program != keeper->new || program->state != OPENS || program->ready || program->failed)
		return;
	program->ready = true;
	if (!keeper->old || tell(keeper->old, PTAH_KEEPER_LEAVE, 0, "", NULL, 0) != 0) {
		take_over(keeper);
	} else {
		keeper->leaving = true;
		await(keeper, LEAVE_MS);
	}
}

static void
let_drain(struct keeper *keeper)
{
	for (struct program *program = keeper->programs; program; program = program->next)
		if (program->state == LEAVES)
			(void)tell(program, PTAH_KEEPER_DONE, 0, "", NULL, 0);
}

/* It is the old one's for the new one; who leaves may still have something for who serves. */
static void
pass_on(struct keeper *keeper, const struct program *from, const struct ptah_keeper_word *word, size_t len, const int *fds,
    unsigned n)
{
	struct program *to = from->state == LEAVES ? keeper->old : from == keeper->old ? keeper->new : NULL;
	int rc;

	if (!to || to->fd == -1)
		return;
	rc = ptah_pass_send(to->fd, word, len, fds, n);
	if (rc != 0 && to == keeper->new)
		give_up(keeper, true, "the new program does not take what it is given: %s", strerror(-rc));
}

static void
hear(struct keeper *keeper, struct program *program, const struct ptah_keeper_word *word)
{
	switch (word->what) {
	case PTAH_KEEPER_CHECKED:
		on_checked(keeper, program);
		break;
	case PTAH_KEEPER_READY:
		on_ready(keeper, program);
		break;
	case PTAH_KEEPER_FAILED:
		if (keeper->new && (program == keeper->new || program == keeper->old))
			give_up(keeper, program == keeper->old, "%s", word->text);
		break;
	case PTAH_KEEPER_UPGRADE:
		if (program == keeper->old)
			on_upgrade(keeper, program);
		break;
	case PTAH_KEEPER_GIVEN:
		if (program == keeper->old)
			on_given(keeper);
		break;
	case PTAH_KEEPER_BEGUN:
		if (program == keeper->old)
			let_drain(keeper);
		break;
	case PTAH_KEEPER_LEFT:
		if (program == keeper->old && keeper->leaving)
			take_over(keeper);
		break;
	default:
		break;
	}
}

/* One word, if there is one.  False: there is none. */
static bool
hear_one(struct keeper *keeper, struct program *program)
{
	struct ptah_keeper_word word;
	int fds[PTAH_PASS_MOST];
	unsigned n = PTAH_PASS_MOST;
	struct pollfd wait = { .fd = program->fd, .events = POLLIN };
	ssize_t len;

	if (program->fd == -1 || poll(&wait, 1, 0) < 1)
		return false;
	len = ptah_pass_receive(program->fd, &word, sizeof(word) - 1, fds, &n);
	if (len < (ssize_t)PTAH_KEEPER_HEAD) {
		close(program->fd);
		program->fd = -1;
		return false;
	}
	((char *)&word)[len] = '\0';
	if (word.what >= PTAH_KEEPER_PASSED && word.what <= PTAH_KEEPER_PASSED_LAST)
		pass_on(keeper, program, &word, (size_t)len, fds, n);
	else
		hear(keeper, program, &word);
	while (n > 0)
		close(fds[--n]);
	return true;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void
end_all(struct keeper *keeper, int number)
{
	keeper->ending = true;
	for (const struct program *program = keeper->programs; program; program = program->next)
		ask_for_end(program, program == keeper->new ? SIGKILL : number);
}

static void
on_new_ended(struct keeper *keeper, const struct program *program, int status)
{
	char why[PTAH_KEEPER_TEXT] = "";

	keeper->new = NULL;
	keeper->until_ns = 0;
	keeper->leaving = false;
	if (program->failed)
		memcpy(why, program->why, sizeof(why));
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the new program was ended by signal %d (%s) before it served", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof(why), "the new program ended with status %d before it served; its log says why",
		    WEXITSTATUS(status));
	if (keeper->old)
		(void)tell(keeper->old, PTAH_KEEPER_STAY, 0, why, NULL, 0);
	else if (keeper->status != 0)
		end_all(keeper, SIGTERM);
}

static void
on_old_ended(struct keeper *keeper, int status)
{
	keeper->old = NULL;
	let_drain(keeper); /* it may not have come to say so */
	keeper->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (keeper->new && keeper->new->ready)
		take_over(keeper);
	else if (keeper->new && keeper->new->state < OPENS)
		give_up(keeper, true, "the old program has ended");
	/* It did not end as it was asked to: whoever started us is to hear so soon. */
	if (keeper->status != 0 && !keeper->old && !keeper->new)
		end_all(keeper, SIGTERM);
}

static void
on_ended(struct keeper *keeper, struct program *program, int status)
{
	struct program **at = &keeper->programs;

	while (hear_one(keeper, program))
		continue;
	while (*at != program)
		at = &(*at)->next;
	*at = program->next;
	if (program == keeper->new)
		on_new_ended(keeper, program, status);
	else if (program == keeper->old)
		on_old_ended(keeper, status);
	if (program->fd != -1)
		close(program->fd);
	free(program);
}

static void
reap(struct keeper *keeper)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct program *program = keeper->programs;

		while (program && program->pid != pid)
			program = program->next;
		if (program)
			on_ended(keeper, program, status);
	}
}

static void
on_signal(struct keeper *keeper, int number)
{
	switch (number) {
	case SIGCHLD:
		reap(keeper);
		break;
	case SIGTERM:
		end_all(keeper, SIGTERM);
		break;
	case SIGINT: /* once: no new links; what leaves does so already */
		if (keeper->new)
			give_up(keeper, true, "ptah was asked to end");
		if (keeper->n_interrupts++ > 0)
			end_all(keeper, SIGINT);
		else if (keeper->old)
			ask_for_end(keeper->old, SIGINT);
		break;
	default: /* SIGHUP is for who will serve, too: its file may be the one before the change */
		if (keeper->old)
			(void)kill(keeper->old->pid, number);
		if (keeper->new)
			(void)kill(keeper->new->pid, number);
		break;
	}
}

static void
on_late(struct keeper *keeper)
{
	keeper->until_ns = 0;
	if (keeper->leaving)
		take_over(keeper); /* it serves already, and cannot be taken back */
	else if (keeper->new)
		give_up(keeper, true, "the new program did not serve within %u s", keeper->ready_s);
}

static void
turn(struct keeper *keeper)
{
	struct pollfd fds[2 + LEAVING_MOST + 2] = { { .fd = keeper->signals, .events = POLLIN } };
	struct program *programs[sizeof(fds) / sizeof(fds[0])], *next;
	uint64_t now = ptah_clock_now_ns();
	nfds_t n = 1;
	int number, ms = -1;

	for (struct program *one = keeper->programs; one && n < sizeof(fds) / sizeof(fds[0]); one = next) {
		next = one->next;
		programs[n] = one;
		fds[n++] = (struct pollfd){ .fd = one->fd, .events = POLLIN };
	}
	if (keeper->until_ns > 0)
		ms = keeper->until_ns > now ? (int)((keeper->until_ns - now) / PTAH_NS_PER_MS) + 1 : 0;
	if (poll(fds, n, ms) == -1)
		return;
	for (nfds_t i = 1; i < n; i++)
		if (fds[i].revents != 0)
			(void)hear_one(keeper, programs[i]);
	while ((number = ptah_process_next_signal(keeper->signals)) != 0)
		on_signal(keeper, number);
	if (keeper->until_ns > 0 && ptah_clock_now_ns() >= keeper->until_ns)
		on_late(keeper);
}

/* ---- birth ------------------------------------------------------------------------------------- */

/* As we were called, so that what lies there next time is what is started; or where we really are. */
static char *
find_program(void)
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

/* Ours, but for what is meant for one process. */
static char **
make_environment(char *const envp[])
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
	struct keeper keeper = { .argv = argv, .ready_s = ready_s, .path = find_program(), .env = make_environment(envp),
		.signals = take_signals() };
	char why[400] = "";

	if (!keeper.path || !keeper.env || keeper.signals == -1) {
		fprintf(stderr, "ptah: cannot keep a program: %s\n", strerror(errno));
		keeper.status = EX_OSERR;
	} else if (ptah_activation_take(&keeper.inherited, envp, why, sizeof(why)) != 0) {
		fprintf(stderr, "ptah: %s\n", why);
		keeper.status = EX_SOFTWARE;
	} else {
		argv[0] = keeper.path;
		keeper.old = start(&keeper);
		if (keeper.old) {
			keeper.old->state = SERVES;
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
