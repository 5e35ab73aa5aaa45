/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostile: a server that does one forbidden thing when a peer has spoken, and
 * tells the peer what it got: the name of an errno, "done", or nothing at all,
 * should it not survive.  Compiled by its test with -DDEED='"name"', once for
 * each row of the table below; option 'at' says on what.
 * With AMBUSH, a path, it makes that file as it is loaded.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <ptah/host.h>

struct hostile_conf {
	const char *at; /* a path, or host:port */
};

struct hostile_link {
	struct ptah_self *self;
	const struct ptah_host *host;
	const char *at;
	struct ptah_stream *stream;
	char told[64];
	int has_begun, is_told;
};

static const struct ptah_option hostile_options[] = {
	{ .name = "at", .type = PTAH_STRING, .offset = offsetof(struct hostile_conf, at), .help = "on what" },
	{ 0 },
};

#define WAITS 1 /* the answer comes later */

static int
told(long rc)
{
	return rc == -1 ? -errno : 0;
}

/* ---- files ------------------------------------------------------------------- */

static int
do_read(struct hostile_link *link)
{
	return told(open(link->at, O_RDONLY));
}

static int
do_write(struct hostile_link *link)
{
	return told(open(link->at, O_WRONLY | O_CREAT, 0600));
}

static int
do_remove(struct hostile_link *link)
{
	return told(unlink(link->at));
}

static int
do_list(struct hostile_link *link)
{
	return opendir(link->at) ? 0 : -errno;
}

static int
do_parent_memory(struct hostile_link *link)
{
	char path[64];

	(void)link;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
	return told(open(path, O_RDWR));
}

static int
do_parent_environment(struct hostile_link *link)
{
	char path[64];

	(void)link;
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)getppid());
	return told(open(path, O_RDONLY));
}

/* ---- network ------------------------------------------------------------------- */

static int
do_connect(struct hostile_link *link)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	const char *port = strchr(link->at, ':');
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd == -1 ? -errno : told(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

/* By the service that every module has. */
static int
do_dial(struct hostile_link *link)
{
	link->stream = link->host->dial(link->self, PTAH_OUT, link->at, NULL);
	return link->stream ? WAITS : -errno;
}

static int
do_dial_local(struct hostile_link *link)
{
	link->stream = link->host->dial(link->self, PTAH_LOCAL, link->at, NULL);
	return link->stream ? WAITS : -errno;
}

static int
do_udp(struct hostile_link *link)
{
	(void)link;
	return told(socket(AF_INET, SOCK_DGRAM, 0));
}

static int
do_bind(struct hostile_link *link)
{
	(void)link;
	return told(socket(AF_INET6, SOCK_STREAM, 0));
}

/* Every listening socket that it holds is the parent's, too. */
static int
do_shut(struct hostile_link *link)
{
	int rc = -ENOTSOCK;

	(void)link;
	for (int fd = 0; fd < 256; fd++) {
		int listens = 0;
		socklen_t len = sizeof(listens);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens)
			rc = told(shutdown(fd, SHUT_RDWR));
	}
	return rc;
}

/* To whoever hears its channels: nonsense, and asks for a place of its own choice. */
static int
do_babble(struct hostile_link *link)
{
	union {
		struct {
			uint64_t id;
			uint32_t what;
			char dest[200];
		} ask;
		char bytes[9000];
	} word;

	for (int fd = 3; fd < 256; fd++) {
		int domain = 0, type = 0;
		socklen_t len = sizeof(int);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == -1 || domain != AF_UNIX ||
		    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 || type != SOCK_SEQPACKET)
			continue;
		memset(&word, 0xff, sizeof(word));
		for (uint32_t what = 0; what < 40; what++) {
			word.ask.what = what;
			(void)send(fd, &word, (what * 233) % sizeof(word), MSG_NOSIGNAL | MSG_DONTWAIT);
		}
		word.ask.id = 1;
		word.ask.what = 1;
		snprintf(word.ask.dest, sizeof(word.ask.dest), "%s", link->at);
		(void)send(fd, &word, sizeof(word.ask), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	return 0;
}

/* Make what listeners accept from now on as bad as it can be: also what others will accept. */
static int
do_spoil(struct hostile_link *link)
{
	static const int options[] = { SO_RCVBUF, SO_SNDBUF, SO_RCVLOWAT, SO_PRIORITY, SO_MARK, SO_DETACH_FILTER };
	const int one = 1;

	(void)link;
	for (int fd = 3; fd < 256; fd++)
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			if (setsockopt(fd, SOL_SOCKET, options[i], &one, sizeof(one)) == 0)
				return 0;
	return told(setsockopt(3, SOL_SOCKET, SO_RCVBUF, &one, sizeof(one)));
}

/* Say to the parent what only the cell may say, and more of it than can be asked for: its links, without an end. */
static int
do_flood_links(struct hostile_link *link)
{
	struct {
		uint32_t what, reserved;
		uint64_t value;
		char text[8000];
	} word = { .what = 22 };

	(void)link;
	memset(word.text, '\033', sizeof(word.text));
	for (;;) {
		for (int fd = 3; fd < 16; fd++)
			/* Any number that a list has had so far, and any that it may have. */
			for (uint64_t number = 0; number < 64; number++) {
				word.value = number << 32 | UINT32_MAX;
				(void)send(fd, &word, sizeof(word), MSG_NOSIGNAL | MSG_DONTWAIT);
			}
	}
}

/* ---- processes ------------------------------------------------------------------ */

static int
do_exec(struct hostile_link *link)
{
	char *argv[] = { (char *)"sh", NULL };

	(void)link;
	return told(execve("/bin/sh", argv, argv + 1));
}

static int
do_fork(struct hostile_link *link)
{
	pid_t pid = fork();

	(void)link;
	if (pid == 0)
		for (;;)
			pause();
	return told(pid);
}

static void *
wait_for_ever(void *arg)
{
	pause();
	return arg;
}

static int
do_thread(struct hostile_link *link)
{
	pthread_t thread;

	(void)link;
	return -pthread_create(&thread, NULL, wait_for_ever, NULL);
}

static int
do_ptrace(struct hostile_link *link)
{
	(void)link;
	return told(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
}

static int
do_read_parent(struct hostile_link *link)
{
	char some[16];
	struct iovec here = { some, sizeof(some) }, there = { &errno, sizeof(some) };

	(void)link;
	return told(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static int
do_kill_parent(struct hostile_link *link)
{
	(void)link;
	return told(kill(getppid(), SIGTERM));
}

static int
do_kill_all(struct hostile_link *link)
{
	(void)link;
	return told(kill(0, SIGKILL));
}

static int
do_outlive(struct hostile_link *link)
{
	(void)link;
	return told(prctl(PR_SET_PDEATHSIG, 0L, 0L, 0L, 0L));
}

static int
do_limit(struct hostile_link *link)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	(void)link;
	return told(setrlimit(RLIMIT_DATA, &all));
}

static int
do_namespace(struct hostile_link *link)
{
	(void)link;
	return told(syscall(SYS_unshare, 0x10000000L));
}

static int
do_uring(struct hostile_link *link)
{
	char params[128] = "";

	(void)link;
	return told(syscall(425L, 4L, params));
}

static int
do_share(struct hostile_link *link)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)link;
	return at == MAP_FAILED ? -errno : 0;
}

/* To be made writable when nobody looks; no limit of data counts it. */
static int
do_share_to_read(struct hostile_link *link)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)link;
	return at == MAP_FAILED ? -errno : 0;
}

/* Descriptors that nobody takes, on their way to itself, count against every process of this user. */
static int
do_pass_descriptors(struct hostile_link *link)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec part = { link->told, 1 };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return -errno;
	memcpy(CMSG_DATA(&control.head), pair, sizeof(int));
	return told(sendmsg(pair[0], &msg, MSG_DONTWAIT));
}

/* So do what epolls watch. */
static int
do_watch(struct hostile_link *link)
{
	(void)link;
	return told(epoll_create1(0));
}

/* Whoever holds a channel's other end can be had as a pidfd; it must be of no use. */
static int
do_peer(struct hostile_link *link)
{
	(void)link;
	for (int fd = 0; fd < 256; fd++) {
		int domain = 0, pidfd = -1;
		socklen_t len = sizeof(int);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == -1 || domain != AF_UNIX)
			continue;
		len = sizeof(int);
		if (getsockopt(fd, SOL_SOCKET, 77, &pidfd, &len) == -1) /* SO_PEERPIDFD, where there is one */
			pidfd = fd;
		if (syscall(424L, pidfd, 0L, NULL, 0L) == 0 || errno != EPERM || /* pidfd_send_signal */
		    syscall(438L, pidfd, 0L, 0L) != -1 || errno != EPERM || /* pidfd_getfd */
		    syscall(SYS_setns, pidfd, 0x10000000L) != -1 || errno != EPERM || /* CLONE_NEWUSER */
		    syscall(SYS_ioctl, pidfd, 0xff04L, 0L) != -1 || errno != EPERM) /* PIDFD_GET_NET_NAMESPACE */
			return 0;
	}
	return -EPERM;
}

/* Ask for connections and take none of the answers: all of it stays with who gives them. */
static int
do_hoard(struct hostile_link *link)
{
	struct {
		uint64_t id;
		uint32_t what;
		char dest[200];
	} ask = { .what = 1 };
	int ways[64], n = 0;

	snprintf(ask.dest, sizeof(ask.dest), "%s", link->at);
	for (int fd = 3; fd < 256 && n < 64; fd++) {
		int domain = 0, type = 0;
		socklen_t len = sizeof(int);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
		    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET)
			ways[n++] = fd;
	}
	for (int i = 0; i < n; i++) {
		/* Who reads there has another socket from now on. */
		int pair[2], own = dup(ways[i]);

		if (own == -1 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == -1 || dup2(pair[0], ways[i]) == -1)
			return -errno;
		for (ask.id = 1ull << 40; ask.id < (1ull << 40) + 600; ask.id++) /* more than the parent has descriptors for */
			while (send(own, &ask, 16 + strlen(ask.dest), MSG_NOSIGNAL | MSG_DONTWAIT) == -1 && errno == EAGAIN)
				sched_yield();
	}
	return 0;
}

/* ---- what it has -------------------------------------------------------------------- */

static int
do_eat_memory(struct hostile_link *link)
{
	(void)link;
	for (;;) {
		volatile char *some = malloc(1 << 20);

		if (!some)
			return -errno;
		for (size_t i = 0; i < 1 << 20; i += 4096)
			some[i] = 1;
	}
}

static int
do_eat_descriptors(struct hostile_link *link)
{
	(void)link;
	while (dup(0) != -1)
		continue;
	return -errno;
}

/* ---- and its own end ------------------------------------------------------------------ */

static int
do_crash(struct hostile_link *link)
{
	volatile int *nowhere = NULL;

	(void)link;
	signal(SIGSEGV, SIG_DFL); /* a sanitizer would take it for news */
	*nowhere = 1;
	return 0;
}

static int
do_abort(struct hostile_link *link)
{
	(void)link;
	signal(SIGABRT, SIG_DFL);
	abort();
}

static int
do_exit(struct hostile_link *link)
{
	(void)link;
	exit(0);
}

static int
do_loop(struct hostile_link *link)
{
	volatile int on = 1;

	(void)link;
	while (on)
		continue;
	return 0;
}

/* Not this time. */
static int
do_nothing(struct hostile_link *link)
{
	(void)link;
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(struct hostile_link *link);
} deeds[] = {
	{ "read", do_read }, { "write", do_write }, { "remove", do_remove }, { "list", do_list },
	{ "parent-memory", do_parent_memory }, { "parent-environment", do_parent_environment },
	{ "connect", do_connect }, { "dial", do_dial }, { "dial-local", do_dial_local }, { "udp", do_udp },
	{ "bind", do_bind }, { "shut", do_shut }, { "spoil", do_spoil }, { "babble", do_babble },
	{ "flood-links", do_flood_links },
	{ "exec", do_exec }, { "fork", do_fork }, { "thread", do_thread }, { "ptrace", do_ptrace },
	{ "read-parent", do_read_parent }, { "kill-parent", do_kill_parent }, { "kill-all", do_kill_all },
	{ "outlive", do_outlive }, { "limit", do_limit }, { "namespace", do_namespace }, { "uring", do_uring },
	{ "share", do_share }, { "share-to-read", do_share_to_read }, { "pass-descriptors", do_pass_descriptors },
	{ "watch", do_watch }, { "peer", do_peer }, { "hoard", do_hoard },
	{ "eat-memory", do_eat_memory }, { "eat-descriptors", do_eat_descriptors },
	{ "crash", do_crash }, { "abort", do_abort }, { "exit", do_exit }, { "loop", do_loop },
	{ "nothing", do_nothing },
};

#ifdef AMBUSH
/* Before any hook: what a file does just because it is loaded, and wherever it is. */
static int ambush_rc;

__attribute__((constructor)) static void
ambush(void)
{
	ambush_rc = told(open(AMBUSH, O_WRONLY | O_CREAT, 0600));
}
#endif

static int
do_deed(struct hostile_link *link)
{
#ifdef AMBUSH
	return ambush_rc;
#endif
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (strcmp(deeds[i].name, DEED) == 0)
			return deeds[i].fn(link);
	return -ENOSYS;
}

static void
note(struct hostile_link *link, int rc)
{
	snprintf(link->told, sizeof(link->told), "%s\n", rc == 0 ? "done" : strerrorname_np(-rc));
}

/* ---- the codec -------------------------------------------------------------------------- */

static int
hostile_open(void *state, const struct ptah_open *open, struct ptah_io *io)
{
	struct hostile_link *link = state;

	(void)io;
	link->self = open->self;
	link->host = open->host;
	link->at = ((const struct hostile_conf *)open->conf)->at;
	return PTAH_GO;
}

static int
tell(struct hostile_link *link, struct ptah_io *io)
{
	size_t len = strlen(link->told);

	if (link->is_told || len == 0 || io->wire.out.len < len)
		return PTAH_GO;
	memcpy(io->wire.out.at, link->told, len);
	io->wire.made = len;
	link->is_told = 1;
	return PTAH_GO;
}

static int
hostile_unwrap(void *state, struct ptah_io *io)
{
	struct hostile_link *link = state;
	int rc;

	io->wire.eaten = io->wire.in.len;
	if (!link->has_begun && io->wire.in.len > 0) {
		link->has_begun = 1;
		rc = do_deed(link);
		if (rc != WAITS)
			note(link, rc);
	}
	return tell(link, io);
}

static int
hostile_event(void *state, const struct ptah_event *event, struct ptah_io *io)
{
	struct hostile_link *link = state;

	if (event->what != PTAH_EV_STREAM || link->told[0] != '\0')
		return tell(link, io);
	if ((event->val & PTAH_STREAM_FAILED) != 0)
		note(link, event->rc);
	else if ((event->val & PTAH_STREAM_OPENED) != 0)
		note(link, 0);
	return tell(link, io);
}

PTAH_MODULE(hostile) = {
	.head = PTAH_HEAD(0),
	.name = "hostile",
	.version = "1",
	.summary = "for tests: does what it must not",
	.abilities = PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.options = hostile_options,
	.conf_size = sizeof(struct hostile_conf),
	.link_size = sizeof(struct hostile_link),
	.unit = 64,
	.open = hostile_open,
	.unwrap = hostile_unwrap,
	.event = hostile_event,
};
