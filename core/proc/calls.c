/* SPDX-License-Identifier: BSD-3-Clause */
#include "proc/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ALL 0xffffffffu
#define ANY \
	{ \
		.word = PTAH_CALL_ANY \
	}
#define NONE \
	{ \
		ANY, ANY, ANY \
	}
#define IS(arg, bits) \
	{ \
		.word = 2 * (arg), .mask = ALL, .value = (uint32_t)(bits) \
	}
#define HAS(arg, bits_of, bits) \
	{ \
		.word = 2 * (arg), .mask = (uint32_t)(bits_of), .value = (uint32_t)(bits) \
	}
#define OWN(arg) \
	{ \
		.word = 2 * (arg), .mask = ALL, .pid = 1 \
	}
#define UPPER_IS(arg, bits) \
	{ \
		.word = 2 * (arg) + 1, .mask = ALL, .value = (bits) \
	}

#define MAY(name) { SYS_##name, 0, NONE }
#define MAY_IF(name, ...) { SYS_##name, 0, { __VA_ARGS__ } }
#define NOT(name) { SYS_##name, EPERM, NONE }

#define A_THREAD (CLONE_THREAD | CLONE_VM | CLONE_SIGHAND)
#define NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

/*
 * For a cell.  What is not here and why: socket, connect, bind and listen, for
 * its sockets are made by the parent; execve and fork; kill, ptrace and all
 * that reaches another process; truncate, chmod, chown, utime and xattr, for
 * Landlock does not look at all of these.  Rows with conditions cost a few
 * instructions at each call; those without are looked up in one step.
 */
static const struct ptah_call cell[] = {
	/* Bytes. */
	MAY(read), MAY(write), MAY(readv), MAY(writev), MAY(pread64), MAY(pwrite64), MAY(close), MAY(lseek),
	/* No sendmsg: descriptors that are on their way are counted by user, and few of them would stop the parent's. */
	MAY(sendto), MAY(recvfrom), MAY(recvmsg), MAY(accept4), MAY(accept),
	MAY(getsockname), MAY(getpeername), MAY(getsockopt),
	/* SHUT_RD of a listening socket would end it for the parent, too. */
	MAY_IF(shutdown, IS(1, SHUT_WR), ANY, ANY),
	/* A datagram socket of this family could speak to a path. */
	MAY_IF(socketpair, IS(0, AF_UNIX), HAS(1, 0xf, SOCK_STREAM), ANY),
	MAY_IF(socketpair, IS(0, AF_UNIX), HAS(1, 0xf, SOCK_SEQPACKET), ANY),
	/* What is set on a listening socket is set for the parent and the next cell, too: these are undone (wire/listen.h). */
	MAY_IF(setsockopt, IS(1, SOL_SOCKET), IS(2, SO_LINGER), ANY),
	MAY_IF(setsockopt, IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE), ANY),
	MAY_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY), ANY),
	MAY_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPIDLE), ANY),
	MAY_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPINTVL), ANY),
	MAY_IF(setsockopt, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPCNT), ANY),

	/* Waiting. */
	MAY(epoll_create1), MAY(epoll_ctl), MAY(epoll_pwait), MAY(ppoll), MAY(pselect6), MAY(eventfd2),
	MAY(timerfd_create), MAY(timerfd_settime), MAY(timerfd_gettime), MAY(signalfd4),
	MAY(nanosleep), MAY(clock_nanosleep), MAY(clock_gettime), MAY(clock_getres), MAY(gettimeofday),
	MAY(futex), MAY(sched_yield), MAY(restart_syscall),

	/* Descriptors. */
	MAY(dup), MAY(dup3), MAY(pipe2), MAY(close_range), MAY(flock),
	MAY_IF(fcntl, IS(1, F_DUPFD), ANY, ANY), MAY_IF(fcntl, IS(1, F_DUPFD_CLOEXEC), ANY, ANY),
	MAY_IF(fcntl, IS(1, F_GETFD), ANY, ANY), MAY_IF(fcntl, IS(1, F_SETFD), ANY, ANY),
	/*
	 * Not with O_ASYNC, which sends signals; nor without O_NONBLOCK, for what it shares with the parent, listening
	 * sockets above all, would block there, too.
	 */
	MAY_IF(fcntl, IS(1, F_GETFL), ANY, ANY), MAY_IF(fcntl, IS(1, F_SETFL), HAS(2, O_ASYNC | O_NONBLOCK, O_NONBLOCK), ANY),
	MAY_IF(fcntl, IS(1, F_SETLK), ANY, ANY), MAY_IF(fcntl, IS(1, F_GETLK), ANY, ANY),
	MAY_IF(ioctl, IS(1, FIONREAD), ANY, ANY),
	MAY_IF(ioctl, IS(1, SIOCOUTQ), ANY, ANY),

	/* Files, where Landlock lets them be. */
	MAY(openat), MAY(newfstatat), MAY(fstat), MAY(statx), MAY(faccessat), MAY(faccessat2), MAY(readlinkat),
	MAY(getdents64), MAY(mkdirat), MAY(unlinkat), MAY(renameat2), MAY(ftruncate), MAY(fsync), MAY(fdatasync),
	MAY(fadvise64), MAY(getcwd), MAY(umask),

	/*
	 * Memory.  None that others share, not even to read: it could be made writable later, and no limit of data counts
	 * it.  None that is both written and run.
	 */
	MAY_IF(mmap, HAS(3, MAP_SHARED, 0), HAS(2, PROT_EXEC, 0), ANY),
	MAY_IF(mmap, HAS(3, MAP_SHARED, 0), HAS(2, PROT_WRITE, 0), ANY),
	MAY_IF(mprotect, HAS(2, PROT_EXEC, 0), ANY, ANY),
	MAY(munmap), MAY(mremap), MAY(madvise), MAY(brk), MAY(mlock), MAY(munlock), MAY(mlock2),

	/* Threads of its own, and what the C library does for them. */
	MAY_IF(clone, HAS(0, A_THREAD | NAMESPACES, A_THREAD), ANY, ANY),
	MAY(set_robust_list), MAY(set_tid_address), MAY(gettid), MAY(getpid), MAY(getppid),
	MAY(getuid), MAY(geteuid), MAY(getgid), MAY(getegid), MAY(exit), MAY(exit_group),
	MAY(rt_sigaction), MAY(rt_sigprocmask), MAY(rt_sigreturn), MAY(sigaltstack),
	MAY_IF(tgkill, OWN(0), ANY, ANY), /* abort() */
	MAY_IF(prctl, IS(0, PR_SET_NAME), ANY, ANY), MAY_IF(prctl, IS(0, PR_GET_NAME), ANY, ANY),
	/* Of itself, and only to read. */
	MAY_IF(prlimit64, IS(0, 0), IS(2, 0), UPPER_IS(2, 0)),
	/* One more lock, once all threads are there. */
	MAY_IF(seccomp, IS(0, SECCOMP_SET_MODE_FILTER), ANY, ANY),
	MAY(sched_getaffinity), MAY(getrandom), MAY(uname), MAY(sysinfo), MAY(getrusage), MAY(getcpu),

#ifdef SYS_open
	/* The older forms, which only the oldest processors have. */
	MAY(open), MAY(stat), MAY(lstat), MAY(access), MAY(readlink), MAY(mkdir), MAY(rmdir), MAY(unlink),
	MAY(rename), MAY(pipe), MAY(dup2), MAY(poll), MAY(select), MAY(epoll_wait), MAY(epoll_create), MAY(eventfd),
	MAY(time),
#endif
#ifdef SYS_renameat
	MAY(renameat),
#endif
#ifdef SYS_getrlimit
	MAY(getrlimit),
#endif
#ifdef SYS_rseq
	MAY(rseq),
#endif
#ifdef SYS_clone3
	/* Its flags stand where no filter can look; the C library then takes clone. */
	{ SYS_clone3, ENOSYS, NONE },
#endif
};

static const struct ptah_call threads[] = {
	{ SYS_clone, EAGAIN, NONE },
	NOT(seccomp),
	/* The loops are there.  Watches, and what pipes hold, are counted by user: the parent would have none left. */
	NOT(epoll_create1), NOT(pipe2),
#ifdef SYS_open
	NOT(epoll_create), NOT(pipe),
#endif
#ifdef SYS_clone3
	{ SYS_clone3, EAGAIN, NONE },
#endif
};

static const struct ptah_call host[] = {
	/* Other processes. */
	NOT(ptrace), NOT(process_vm_readv), NOT(process_vm_writev), NOT(kcmp), NOT(perf_event_open),
	/* Ways around this table. */
	NOT(bpf), NOT(userfaultfd), NOT(personality),
	/* Namespaces and mounts. */
	NOT(unshare), NOT(setns), NOT(mount), NOT(umount2), NOT(pivot_root), NOT(chroot),
	/* The machine. */
	NOT(init_module), NOT(finit_module), NOT(delete_module), NOT(kexec_load), NOT(reboot), NOT(swapon), NOT(swapoff),
	NOT(acct), NOT(quotactl), NOT(sethostname), NOT(setdomainname), NOT(settimeofday), NOT(clock_settime),
	NOT(clock_adjtime), NOT(adjtimex), NOT(syslog), NOT(vhangup),
	/* Keys, and files by number. */
	NOT(add_key), NOT(request_key), NOT(keyctl), NOT(open_by_handle_at), NOT(name_to_handle_at),
	/* Whom it runs as. */
	NOT(setuid), NOT(setgid), NOT(setreuid), NOT(setregid), NOT(setresuid), NOT(setresgid), NOT(setgroups),
	NOT(setfsuid), NOT(setfsgid),
#ifdef SYS_io_uring_setup
	/* It makes calls that no filter sees. */
	NOT(io_uring_setup), NOT(io_uring_enter), NOT(io_uring_register),
#endif
#ifdef SYS_open_tree
	NOT(open_tree), NOT(move_mount), NOT(fsopen), NOT(fsconfig), NOT(fsmount), NOT(fspick),
#endif
#ifdef SYS_mount_setattr
	NOT(mount_setattr),
#endif
#ifdef SYS_pidfd_getfd
	NOT(pidfd_getfd),
#endif
#ifdef SYS_kexec_file_load
	NOT(kexec_file_load),
#endif
#ifdef SYS_iopl
	NOT(iopl), NOT(ioperm), NOT(modify_ldt),
#endif
};

static const struct ptah_call programs[] = {
	NOT(execve), NOT(execveat),
	{ SYS_clone, EPERM, { HAS(0, CLONE_THREAD, 0), ANY, ANY } },
#ifdef SYS_fork
	NOT(fork), NOT(vfork),
#endif
#ifdef SYS_clone3
	{ SYS_clone3, ENOSYS, NONE },
#endif
};

#define TABLE(rows, otherwise) { rows, sizeof(rows) / sizeof((rows)[0]), otherwise }

const struct ptah_calls ptah_calls[4] = {
	TABLE(cell, EPERM),
	TABLE(threads, 0),
	TABLE(host, 0),
	TABLE(programs, 0),
};
