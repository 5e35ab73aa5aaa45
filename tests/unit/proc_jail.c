/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process in a jail still can do, and what it cannot: each row in a child of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/filter.h"
#include "proc/jail.h"

/* A sanitizer's shadow memory is beyond any limit. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHADOWED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOWED
#endif
#ifdef SHADOWED
#define MEMORY ((size_t)0)
#else
#define MEMORY ((size_t)64 * 1024 * 1024)
#endif
#define CRASHED 200

static char folder[64], inside[96], outside[96];
static int listener, port; /* a TCP socket that the child is given */
static char secret[] = "the parent's own";

static int
make_folders(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(any);

	(void)state;
	strcpy(folder, "/tmp/ptah-jail-XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(inside, sizeof(inside), "%s/inside", folder);
	snprintf(outside, sizeof(outside), "%s/outside", folder);
	int fd = open(outside, O_WRONLY | O_CREAT, 0600);

	if (mkdir(inside, 0700) == -1 || fd == -1 || write(fd, "x", 1) != 1 || close(fd) == -1)
		return 1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener == -1 || bind(listener, (struct sockaddr *)&any, len) == -1 || listen(listener, 5) == -1 ||
	    getsockname(listener, (struct sockaddr *)&any, &len) == -1)
		return 1;
	port = any.sin_port;
	return 0;
}

static int
drop_folders(void **state)
{
	char command[128];

	(void)state;
	close(listener);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

/* 0, or the errno of what failed. */
static int
told(long rc)
{
	return rc == -1 ? errno : 0;
}

/* --- what it tries ------------------------------------------------------------- */

static int
try_read_outside(void)
{
	return told(open(outside, O_RDONLY));
}

static int
try_write_outside(void)
{
	return told(open(outside, O_WRONLY | O_APPEND));
}

static int
try_make_outside(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/new", folder);
	return told(open(path, O_WRONLY | O_CREAT, 0600));
}

static int
try_move_in(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/moved", inside);
	return told(rename(outside, path));
}

static int
try_link_in(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/linked", inside);
	return told(link(outside, path));
}

static int
try_symlink(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/soft", inside);
	return told(symlink(outside, path));
}

static int
try_dotdot(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/../outside", inside);
	return told(open(path, O_RDONLY));
}

static int
try_truncate_outside(void)
{
	return told(truncate(outside, 0));
}

static int
try_chmod(void)
{
	return told(chmod(inside, 0777));
}

static int
try_proc(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
	return told(open(path, O_RDWR));
}

static int
try_own_proc(void)
{
	return told(open("/proc/self/environ", O_RDONLY));
}

static int
try_handle(void)
{
	struct {
		struct file_handle head;
		unsigned char room[128];
	} handle = { .head = { .handle_bytes = 128 } };
	int mount;

	return told(name_to_handle_at(AT_FDCWD, outside, &handle.head, &mount, 0));
}

static int
try_socket(void)
{
	return told(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_udp(void)
{
	return told(socket(AF_INET, SOCK_DGRAM, 0));
}

static int
try_unix(void)
{
	return told(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
try_datagram_pair(void)
{
	int pair[2];

	return told(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
}

static int
try_netlink(void)
{
	return told(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int
try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = (in_port_t)port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return told(connect(listener, (struct sockaddr *)&to, sizeof(to)));
}

static int
try_bind(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };

	return told(bind(listener, (struct sockaddr *)&any, sizeof(any)));
}

static int
try_listen(void)
{
	return told(listen(listener, 1));
}

/* It would end the listening socket for everybody who holds it. */
static int
try_shut_listener(void)
{
	return told(shutdown(listener, SHUT_RD));
}

/* Whoever accepts there next, in another process, would wait in the call. */
static int
try_block_listener(void)
{
	return told(fcntl(listener, F_SETFL, 0));
}

static int
try_block_listener_by_ioctl(void)
{
	int off = 0;

	return told(ioctl(listener, FIONBIO, &off));
}

static int
try_filter_listener(void)
{
	int on = 1;

	return told(setsockopt(listener, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on)));
}

static int
try_exec(void)
{
	char *argv[] = { (char *)"true", NULL };

	return told(execve("/bin/true", argv, argv + 1));
}

static int
try_memfd(void)
{
	return told(memfd_create("code", 0));
}

static int
try_exec_fd(void)
{
	char *argv[] = { (char *)"", NULL };

	return told(syscall(SYS_execveat, listener, "", argv, argv + 1, AT_EMPTY_PATH));
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return told(pid);
}

static int
try_vfork_flags(void)
{
	return told(syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0L, 0L, 0L, 0L));
}

static int
try_clone3(void)
{
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD };

	return told(syscall(SYS_clone3, args, sizeof(args)));
}

static int
try_ptrace(void)
{
	return told(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int
try_read_parent(void)
{
	char copy[sizeof(secret)];
	struct iovec here = { copy, sizeof(copy) }, there = { secret, sizeof(secret) };

	return told(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static int
try_kill_parent(void)
{
	return told(kill(getppid(), 0));
}

static int
try_kill_all(void)
{
	return told(kill(-1, 0));
}

static int
try_tgkill_parent(void)
{
	return told(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int
try_queue(void)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	return told(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info));
}

static int
try_pidfd(void)
{
	return told(syscall(SYS_pidfd_open, getppid(), 0));
}

static int
try_own_signals(void)
{
	return told(fcntl(listener, F_SETOWN, getppid()));
}

static int
try_raise_limit(void)
{
	struct rlimit more = { RLIM_INFINITY, RLIM_INFINITY };

	return told(setrlimit(RLIMIT_DATA, &more));
}

static int
try_limit_parent(void)
{
	struct rlimit less = { 3, 3 };

	return told(prlimit(getppid(), RLIMIT_NOFILE, &less, NULL));
}

static int
try_mount(void)
{
	return told(mount("none", inside, "tmpfs", 0, NULL));
}

static int
try_namespace(void)
{
	return told(unshare(CLONE_NEWUSER));
}

static int
try_io_uring(void)
{
	char room[128] = "";

	return told(syscall(425, 4, room));
}

static int
try_keys(void)
{
	return told(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1));
}

static int
try_bpf(void)
{
	return told(syscall(SYS_bpf, 0, NULL, 0));
}

static int
try_shared_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

/* To be made writable afterwards, and counted by no limit. */
static int
try_shared_to_read(void)
{
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

/* What is on its way counts against all processes of the same user. */
static int
try_descriptors_on_their_way(void)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec part = { secret, 1 };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		return -1;
	memcpy(CMSG_DATA(&control.head), &listener, sizeof(listener));
	return told(sendmsg(pair[0], &msg, 0));
}

/* TCP can connect by a send; a socket that listens or is connected cannot. */
static int
try_fast_open(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = (in_port_t)port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return told(sendto(listener, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)));
}

static int
try_send_to_abstract(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "\0ptah-nobody" };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return -1;
	return told(sendto(pair[0], "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)));
}

/* All that the kernel offers to reach others or to go round the table; of none do the arguments matter. */
static int
try_all_calls(void)
{
	static const long calls[] = {
		SYS_userfaultfd, SYS_perf_event_open, SYS_kcmp, SYS_process_vm_writev, SYS_tkill, SYS_rt_tgsigqueueinfo,
		SYS_add_key, SYS_request_key, SYS_open_by_handle_at, SYS_setns, SYS_pivot_root, SYS_chroot, SYS_mknodat,
		SYS_inotify_init1, SYS_fanotify_init, SYS_timer_create, SYS_sendmmsg, SYS_recvmmsg, SYS_splice, SYS_tee, SYS_vmsplice,
		SYS_sendfile, SYS_copy_file_range, SYS_mq_open, SYS_semget, SYS_msgget, SYS_io_setup, SYS_personality,
		SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_ioprio_set, SYS_syslog, SYS_fchmod, SYS_fchown, SYS_fallocate,
		SYS_linkat, SYS_symlinkat, SYS_utimensat, SYS_fsetxattr, SYS_mincore, SYS_remap_file_pages, SYS_mlockall,
		SYS_move_pages, SYS_migrate_pages, SYS_waitid, SYS_wait4, SYS_setpgid, SYS_setrlimit, SYS_sync, SYS_swapon,
		/* By number where the headers are older: pidfd_send_signal, io_uring_enter and _register, the mount calls, */
		424, 426, 427, 428, 429, 430, 431, 432, 433,
		/* pidfd_open, openat2, pidfd_getfd, process_madvise, mount_setattr, Landlock's, memfd_secret, process_mrelease. */
		434, 437, 438, 440, 442, 444, 445, 446, 447, 448,
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (syscall(calls[i], 0L, 0L, 0L, 0L, 0L, 0L) == -1 && errno == EPERM)
			continue;
		fprintf(stderr, "call %ld: %s\n", calls[i], strerror(errno));
		return -1;
	}
	return EPERM;
}

#ifdef __x86_64__
/* The same processor knows two more families of calls, with numbers of their own. */
static int
try_x32(void)
{
	return told(syscall(0x40000000L | SYS_getpid));
}

static void
on_no_such_family(int sig)
{
	(void)sig;
	_exit(EPERM);
}

static int
try_i386(void)
{
	long rc = 20; /* its getpid */

	signal(SIGSEGV, on_no_such_family); /* a kernel that has it not */
	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
	return rc < 0 ? (int)-rc : 0;
}
#endif

static int
try_shmget(void)
{
	return told(syscall(SYS_shmget, 0, 4096, 0600));
}

static int
try_written_code(void)
{
	return mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int
try_turn_into_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? -1 : told(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int
try_dumpable(void)
{
	return told(prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L));
}

static int
try_outlive_parent(void)
{
	return told(prctl(PR_SET_PDEATHSIG, 0L, 0L, 0L, 0L));
}

static int
try_setuid(void)
{
	return told(setuid(65534));
}

static int
try_nice(void)
{
	return told(setpriority(PRIO_PROCESS, (id_t)getppid(), 19));
}

static int
try_clock(void)
{
	struct timespec now = { 0, 0 };

	return told(syscall(SYS_clock_settime, CLOCK_REALTIME, &now));
}

static int
try_session(void)
{
	return told(setsid());
}

#ifndef SHADOWED
static int
try_memory(void)
{
	return malloc(2 * MEMORY) ? 0 : errno;
}

/* Piece by piece, as a leak does. */
static int
try_leak(void)
{
	static volatile char *last;

	for (size_t used = 0; used < 4 * MEMORY; used += 1 << 20) {
		last = malloc(1 << 20);
		if (!last)
			return errno;
		for (size_t i = 0; i < 1 << 20; i += 4096)
			last[i] = 1;
	}
	return 0;
}
#endif

static int
try_big_file(void)
{
	char path[128];
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	snprintf(path, sizeof(path), "%s/big", inside);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	return fd == -1 ? -1 : told(ftruncate(fd, 1 << 30));
}

static int
try_descriptors(void)
{
	for (int i = 0; i < 1000; i++)
		if (dup(listener) == -1)
			return errno;
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(void);
	int rc, or_rc; /* what it gets; of two, where kernels and machines differ */
} forbidden[] = {
	{ "read a file outside", try_read_outside, EACCES, 0 },
	{ "write to a file outside", try_write_outside, EACCES, 0 },
	{ "make a file outside", try_make_outside, EACCES, 0 },
	{ "move a file from outside in", try_move_in, EACCES, EXDEV },
	{ "link a file from outside in", try_link_in, EPERM, EACCES },
	{ "make a symbolic link", try_symlink, EPERM, EACCES },
	{ "go up and read", try_dotdot, EACCES, 0 },
	{ "truncate a file outside", try_truncate_outside, EPERM, 0 },
	{ "change a mode", try_chmod, EPERM, 0 },
	{ "open the parent's memory", try_proc, EACCES, 0 },
	{ "read its own /proc", try_own_proc, EACCES, 0 },
	{ "open a file by its handle", try_handle, EPERM, 0 },
	{ "make a TCP socket", try_socket, EPERM, 0 },
	{ "make a UDP socket", try_udp, EPERM, 0 },
	{ "make a Unix socket", try_unix, EPERM, 0 },
	{ "make a pair of datagram sockets", try_datagram_pair, EPERM, 0 },
	{ "make a netlink socket", try_netlink, EPERM, 0 },
	{ "connect", try_connect, EPERM, 0 },
	{ "bind", try_bind, EPERM, 0 },
	{ "listen", try_listen, EPERM, 0 },
	{ "shut the parent's listener", try_shut_listener, EPERM, 0 },
	{ "make the parent's listener block", try_block_listener, EPERM, 0 },
	{ "make it block by ioctl", try_block_listener_by_ioctl, EPERM, 0 },
	{ "touch the listener's filter", try_filter_listener, EPERM, 0 },
	{ "become a program", try_exec, EPERM, 0 },
	{ "make a file of memory", try_memfd, EPERM, 0 },
	{ "become what a descriptor holds", try_exec_fd, EPERM, 0 },
	{ "fork", try_fork, EPERM, 0 },
	{ "vfork", try_vfork_flags, EPERM, 0 },
	{ "clone3", try_clone3, ENOSYS, 0 },
	{ "trace the parent", try_ptrace, EPERM, 0 },
	{ "read the parent's memory", try_read_parent, EPERM, 0 },
	{ "signal the parent", try_kill_parent, EPERM, 0 },
	{ "signal everybody", try_kill_all, EPERM, 0 },
	{ "signal the parent's thread", try_tgkill_parent, EPERM, 0 },
	{ "queue a signal", try_queue, EPERM, 0 },
	{ "hold the parent's pidfd", try_pidfd, EPERM, 0 },
	{ "have the kernel signal the parent", try_own_signals, EPERM, 0 },
	{ "raise a limit", try_raise_limit, EPERM, 0 },
	{ "lower the parent's limit", try_limit_parent, EPERM, 0 },
	{ "mount", try_mount, EPERM, 0 },
	{ "enter a namespace", try_namespace, EPERM, 0 },
	{ "make an io_uring", try_io_uring, EPERM, 0 },
	{ "look for keys", try_keys, EPERM, 0 },
	{ "load a bpf program", try_bpf, EPERM, 0 },
	{ "share memory", try_shared_memory, EPERM, 0 },
	{ "share memory that it only reads", try_shared_to_read, EPERM, 0 },
	{ "share memory by System V", try_shmget, EPERM, 0 },
	{ "have descriptors on their way", try_descriptors_on_their_way, EPERM, 0 },
	{ "connect by a first packet", try_fast_open, EISCONN, EOPNOTSUPP },
	{ "send to an abstract socket", try_send_to_abstract, EISCONN, 0 },
	{ "make any call that reaches others", try_all_calls, EPERM, 0 },
#ifdef __x86_64__
	{ "call by x32's numbers", try_x32, EPERM, 0 },
	{ "call by i386's numbers", try_i386, EPERM, 0 },
#endif
	{ "write code", try_written_code, EPERM, 0 },
	{ "turn data into code", try_turn_into_code, EPERM, 0 },
	{ "be dumpable again", try_dumpable, EPERM, 0 },
	{ "outlive the parent", try_outlive_parent, EPERM, 0 },
	{ "be somebody else", try_setuid, EPERM, 0 },
	{ "slow the parent down", try_nice, EPERM, 0 },
	{ "set the clock", try_clock, EPERM, 0 },
	{ "leave the session", try_session, EPERM, 0 },
#ifndef SHADOWED
	{ "have more memory than it may", try_memory, ENOMEM, 0 },
	{ "leak", try_leak, ENOMEM, 0 },
#endif
	{ "fill the disk", try_big_file, EFBIG, 0 },
	{ "use up descriptors", try_descriptors, EMFILE, 0 },
};

/* --- what it needs --------------------------------------------------------------- */

static void *
add_one(void *arg)
{
	++*(int *)arg;
	return NULL;
}

static int
do_thread(void)
{
	pthread_t thread;
	int n = 0;
	int rc = pthread_create(&thread, NULL, add_one, &n);

	if (rc == 0)
		rc = pthread_join(thread, NULL);
	return rc != 0 ? rc : n == 1 ? 0 : -1;
}

static int
do_files(void)
{
	char from[128], to[128];
	int fd;

	snprintf(from, sizeof(from), "%s/new.tmp", inside);
	snprintf(to, sizeof(to), "%s/new", inside);
	fd = open(from, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, "text", 4) != 4 || fsync(fd) == -1 || rename(from, to) == -1)
		return errno;
	return told(unlink(to));
}

static int
do_accept(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;

	/* Nobody has connected: that is what it says, and not that it may not. */
	if (fd != -1 || errno != EAGAIN)
		return errno;
	return told(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}

static int
do_pair(void)
{
	int pair[2];
	char got;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == -1 ||
	    send(pair[0], "x", 1, MSG_NOSIGNAL) != 1 || recv(pair[1], &got, 1, 0) != 1)
		return errno;
	return told(shutdown(pair[0], SHUT_WR));
}

static int
do_wait(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (fd == -1 || timerfd_settime(fd, 0, &soon, NULL) == -1 || poll(&wait, 1, 5000) != 1)
		return errno;
	return 0;
}

static int
do_memory(void)
{
	char *some = malloc(8 << 20);

	if (!some)
		return errno;
	memset(some, 1, 8 << 20);
	free(some);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(void);
} allowed[] = {
	{ "a thread", do_thread },
	{ "files of its folder", do_files },
	{ "a listening socket", do_accept },
	{ "a pair of sockets", do_pair },
	{ "waiting", do_wait },
	{ "memory", do_memory },
};

/* --- the children -------------------------------------------------------------------- */

static int
enter_cell(void)
{
	const struct ptah_jail_path paths[] = {
		{ inside, PTAH_JAIL_WRITE },
		{ "/nowhere/at/all", PTAH_JAIL_READ },
	};
	const struct ptah_jail_how how = {
		.paths = paths, .n_paths = 2, .memory = MEMORY, .file = 1 << 20, .descriptors = 64,
	};
	char why[256] = "";
	int rc = ptah_jail_enter_cell(&how, why, sizeof(why));

	if (rc != 0)
		fprintf(stderr, "no cell: %s\n", why);
	return rc;
}

/* What 'fn' said in a child of ours: an errno, or CRASHED and more. */
static int
ask_child(int (*enter)(void), int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0)
		_exit(enter() == 0 ? fn() & 0xff : CRASHED);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : CRASHED + WTERMSIG(status);
}

static void
a_cell_refuses_all_that_reaches_out(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int rc = ask_child(enter_cell, forbidden[i].fn);

		if (rc == forbidden[i].rc || (forbidden[i].or_rc != 0 && rc == forbidden[i].or_rc))
			continue;
		fprintf(stderr, "%s: %d (%s), not %d\n", forbidden[i].name, rc, strerror(rc), forbidden[i].rc);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void
a_cell_has_what_a_relay_needs(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		int rc = ask_child(enter_cell, allowed[i].fn);

		if (rc == 0)
			continue;
		fprintf(stderr, "%s: %d (%s)\n", allowed[i].name, rc, strerror(rc));
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static int
enter_closed_cell(void)
{
	return enter_cell() == 0 ? ptah_jail_close_cell() : -1;
}

/* Both are counted by user, and those of the parent would be among them. */
static int
try_loop(void)
{
	return told(epoll_create1(0));
}

static int
try_pipe(void)
{
	int fds[2];

	return told(pipe(fds));
}

static void
a_closed_cell_makes_no_more_threads_and_loops(void **state)
{
	(void)state;
	assert_int_equal(ask_child(enter_cell, try_loop), 0);
	assert_int_equal(ask_child(enter_closed_cell, try_loop), EPERM);
	assert_int_equal(ask_child(enter_closed_cell, try_pipe), EPERM);
	assert_int_equal(ask_child(enter_closed_cell, do_thread), EAGAIN);
	assert_int_equal(ask_child(enter_closed_cell, try_fork), EAGAIN);
	assert_int_equal(ask_child(enter_closed_cell, do_files), 0);
}

/* abort() must still end it, and by the right signal. */
static int
do_abort(void)
{
	abort();
}

static void
a_cell_can_abort(void **state)
{
	(void)state;
	assert_int_equal(ask_child(enter_cell, do_abort), CRASHED + SIGABRT);
}

static int
enter_host_with(bool programs)
{
	const struct ptah_jail_path paths[] = {
		{ inside, PTAH_JAIL_WRITE },
		{ "/lib", PTAH_JAIL_READ }, { "/lib64", PTAH_JAIL_READ | PTAH_JAIL_EXEC },
		{ "/usr/lib", PTAH_JAIL_READ | PTAH_JAIL_EXEC }, { "/etc", PTAH_JAIL_READ },
		{ "/bin/true", PTAH_JAIL_EXEC },
	};
	const struct ptah_jail_how how = { .paths = paths, .n_paths = 6, .programs = programs };
	struct ptah_jail_got got;
	char why[256] = "";
	int rc = ptah_jail_enter_host(&how, &got, why, sizeof(why));

	if (rc != 0 || got.landlock == 0 || !got.filter)
		fprintf(stderr, "no host: %s\n", why);
	return rc;
}

static int
enter_host(void)
{
	return enter_host_with(false);
}

static int
enter_host_of_cells(void)
{
	return enter_host_with(true);
}

static int
run(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, "1", (char *)NULL);
		_exit(errno);
	}
	if (pid == -1)
		return errno;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
run_true(void)
{
	return run("/bin/true");
}

static int
run_other(void)
{
	return run("/bin/sleep");
}

static void
the_host_keeps_its_network_and_loses_the_rest(void **state)
{
	static int (*const lost[])(void) = { try_exec, try_fork, try_ptrace, try_read_parent, try_mount, try_namespace,
		try_io_uring, try_keys, try_bpf, try_clock, try_handle, try_setuid };

	(void)state;
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		assert_int_equal(ask_child(enter_host, lost[i]), EPERM);
	assert_int_equal(ask_child(enter_host, try_read_outside), EACCES);
	/* By Landlock, where it is new enough. */
	if (ptah_landlock_level() >= 6)
		assert_int_equal(ask_child(enter_host, try_kill_parent), EPERM);
	assert_int_equal(ask_child(enter_host, try_socket), 0);
	assert_int_equal(ask_child(enter_host, try_udp), 0);
	assert_int_equal(ask_child(enter_host, do_thread), 0);
	assert_int_equal(ask_child(enter_host, do_files), 0);
}

static void
a_host_with_cells_starts_its_own_program_and_no_other(void **state)
{
	(void)state;
	assert_int_equal(ask_child(enter_host_of_cells, run_true), 0);
	assert_int_equal(ask_child(enter_host_of_cells, run_other), EACCES);
}

/* Both locks again inside: what a host's child is. */
static int
enter_cell_in_host(void)
{
	return enter_host_of_cells() == 0 ? enter_cell() : -1;
}

static void
a_cell_fits_into_a_host(void **state)
{
	(void)state;
	assert_int_equal(ask_child(enter_cell_in_host, try_read_outside), EACCES);
	assert_int_equal(ask_child(enter_cell_in_host, do_files), 0);
	assert_int_equal(ask_child(enter_cell_in_host, do_thread), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cell_refuses_all_that_reaches_out),
		cmocka_unit_test(a_cell_has_what_a_relay_needs),
		cmocka_unit_test(a_closed_cell_makes_no_more_threads_and_loops),
		cmocka_unit_test(a_cell_can_abort),
		cmocka_unit_test(the_host_keeps_its_network_and_loses_the_rest),
		cmocka_unit_test(a_host_with_cells_starts_its_own_program_and_no_other),
		cmocka_unit_test(a_cell_fits_into_a_host),
	};

	if (ptah_landlock_level() == 0 || !ptah_filter_is_there()) {
		fprintf(stderr, "this kernel has no Landlock, or no seccomp: nothing to test\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, make_folders, drop_folders);
}
