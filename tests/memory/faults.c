/* SPDX-License-Identifier: BSD-3-Clause */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Small buffers of the kernel, so that a reader that rests is soon felt. */
#define SOCKET_BUFFER 16384

_Thread_local bool faults_off;

static atomic_int armed_kind;
static atomic_long left;
static atomic_bool many_fail, did_fail;

/* Break here to see who asks. */
static void __attribute__((noinline))
is_refused_now(int error)
{
	atomic_store(&did_fail, true);
	errno = error;
}

static bool
is_refused(enum faults_kind kind, int error)
{
	if (faults_off || atomic_load(&armed_kind) != (int)kind)
		return false;

	long now = atomic_fetch_sub(&left, 1);

	if (now > 0 || (now < 0 && !atomic_load(&many_fail)))
		return false;
	is_refused_now(error);
	return true;
}

void
faults_arm(enum faults_kind kind, long n, bool many)
{
	atomic_store(&left, n);
	atomic_store(&many_fail, many);
	atomic_store(&did_fail, false);
	atomic_store(&armed_kind, (int)kind);
}

bool
faults_disarm(void)
{
	atomic_store(&armed_kind, FAULTS_NONE);
	return atomic_load(&did_fail);
}

bool
faults_refused(void)
{
	return atomic_load(&did_fail);
}

/* ---- live memory: a table of addresses, open addressing ------------------- */

#define SLOTS (1u << 16)
#define GONE ((void *)1)

struct piece {
	void *at;
	size_t len;
	const void *by;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct piece pieces[SLOTS];
static size_t n_live;

static size_t
slot_of(const void *at)
{
	return (size_t)(((uintptr_t)at >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 48) % SLOTS;
}

static void *
note(void *at, size_t len, const void *by)
{
	if (at == NULL || faults_off)
		return at;
	pthread_mutex_lock(&lock);
	size_t i = slot_of(at);
	while (pieces[i].at != NULL && pieces[i].at != GONE)
		i = (i + 1) % SLOTS;
	pieces[i] = (struct piece){ at, len, by };
	n_live++;
	pthread_mutex_unlock(&lock);
	return at;
}

static void
forget(const void *at)
{
	if (at == NULL)
		return;
	pthread_mutex_lock(&lock);
	for (size_t i = slot_of(at); pieces[i].at != NULL; i = (i + 1) % SLOTS)
		if (pieces[i].at == at) {
			pieces[i].at = GONE;
			n_live--;
			break;
		}
	pthread_mutex_unlock(&lock);
}

size_t
faults_live(void)
{
	pthread_mutex_lock(&lock);
	size_t n = n_live;
	if (n == 0)
		memset(pieces, 0, sizeof(pieces));
	pthread_mutex_unlock(&lock);
	return n;
}

void
faults_show(void)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (pieces[i].at != NULL && pieces[i].at != GONE)
			fprintf(stderr, "    %zu bytes, asked for at %p (addr2line -e)\n", pieces[i].len, pieces[i].by);
}

int
faults_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -1; /* the folder itself */

	if (dir == NULL)
		return -1;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* ---- memory ------------------------------------------------------------------ */

#define BY __builtin_return_address(0)

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *old, size_t len);
void *__real_reallocarray(void *old, size_t n, size_t len);
void *__real_aligned_alloc(size_t align, size_t len);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
char *__real_realpath(const char *path, char *out);
void __real_free(void *at);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *old, size_t len);
void *__wrap_reallocarray(void *old, size_t n, size_t len);
void *__wrap_aligned_alloc(size_t align, size_t len);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
char *__wrap_realpath(const char *path, char *out);
int __wrap_vasprintf(char **out, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
void __wrap_free(void *at);

void *
__wrap_malloc(size_t len)
{
	return is_refused(FAULTS_MEMORY, ENOMEM) ? NULL : note(__real_malloc(len), len, BY);
}

void *
__wrap_calloc(size_t n, size_t len)
{
	return is_refused(FAULTS_MEMORY, ENOMEM) ? NULL : note(__real_calloc(n, len), n * len, BY);
}

static void *
resize(void *old, size_t len, const void *by)
{
	void *at;

	if (is_refused(FAULTS_MEMORY, ENOMEM))
		return NULL;
	/* First: another thread may get the old place at once. */
	forget(old);
	at = __real_realloc(old, len);
	return note(at, len, by);
}

void *
__wrap_realloc(void *old, size_t len)
{
	return resize(old, len, BY);
}

void *
__wrap_reallocarray(void *old, size_t n, size_t len)
{
	return resize(old, n * len, BY);
}

void *
__wrap_aligned_alloc(size_t align, size_t len)
{
	return is_refused(FAULTS_MEMORY, ENOMEM) ? NULL : note(__real_aligned_alloc(align, len), len, BY);
}

char *
__wrap_strdup(const char *text)
{
	return is_refused(FAULTS_MEMORY, ENOMEM) ? NULL : note(__real_strdup(text), strlen(text) + 1, BY);
}

char *
__wrap_strndup(const char *text, size_t len)
{
	return is_refused(FAULTS_MEMORY, ENOMEM) ? NULL : note(__real_strndup(text, len), len + 1, BY);
}

char *
__wrap_realpath(const char *path, char *out)
{
	if (is_refused(FAULTS_MEMORY, ENOMEM))
		return NULL;
	char *at = __real_realpath(path, out);
	return out == NULL ? note(at, 1, BY) : at;
}

static int __attribute__((format(printf, 2, 0)))
print(char **out, const char *format, va_list args, const void *by)
{
	va_list again;

	if (is_refused(FAULTS_MEMORY, ENOMEM))
		return -1;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	*out = note(__real_malloc((size_t)n + 1), (size_t)n + 1, by);
	return vsnprintf(*out, (size_t)n + 1, format, args);
}

int
__wrap_vasprintf(char **out, const char *format, va_list args)
{
	return print(out, format, args, BY);
}

int
__wrap___vasprintf_chk(char **out, int flag, const char *format, va_list args)
{
	(void)flag;
	return print(out, format, args, BY);
}

int
__wrap_asprintf(char **out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = print(out, format, args, BY);
	va_end(args);
	return n;
}

int
__wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	int n = print(out, format, args, BY);
	va_end(args);
	return n;
}

void
__wrap_free(void *at)
{
	forget(at);
	__real_free(at);
}

static void *
event_malloc(size_t len)
{
	return is_refused(FAULTS_MEMORY, ENOMEM) ? NULL : note(__real_malloc(len), len, BY);
}

static void *
event_realloc(void *old, size_t len)
{
	return resize(old, len, BY);
}

static void
event_free_memory(void *at)
{
	forget(at);
	__real_free(at);
}

/* libevent says on stderr what it was refused; we know. */
static void
no_words(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

void
faults_begin(void)
{
	event_set_log_callback(no_words);
	event_set_mem_functions(event_malloc, event_realloc, event_free_memory);
}

/* ---- descriptors ----------------------------------------------------------------- */

int __real_socket(int family, int type, int protocol);
int __real_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);
int __real_socketpair(int family, int type, int protocol, int fds[2]);
int __real_eventfd(unsigned n, int flags);
int __real_timerfd_create(int clock, int flags);
int __real_open(const char *path, int flags, ...);
int __wrap_socket(int family, int type, int protocol);
int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);
int __wrap_socketpair(int family, int type, int protocol, int fds[2]);
int __wrap_eventfd(unsigned n, int flags);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_open(const char *path, int flags, ...);

int
__wrap_socket(int family, int type, int protocol)
{
	int size = SOCKET_BUFFER;
	int fd = is_refused(FAULTS_DESCRIPTORS, EMFILE) ? -1 : __real_socket(family, type, protocol);

	if (fd != -1) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	return fd;
}

int
__wrap_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
	return is_refused(FAULTS_DESCRIPTORS, EMFILE) ? -1 : __real_accept4(fd, from, len, flags);
}

int
__wrap_socketpair(int family, int type, int protocol, int fds[2])
{
	return is_refused(FAULTS_DESCRIPTORS, EMFILE) ? -1 : __real_socketpair(family, type, protocol, fds);
}

int
__wrap_eventfd(unsigned n, int flags)
{
	return is_refused(FAULTS_DESCRIPTORS, EMFILE) ? -1 : __real_eventfd(n, flags);
}

int
__wrap_timerfd_create(int clock, int flags)
{
	return is_refused(FAULTS_DESCRIPTORS, EMFILE) ? -1 : __real_timerfd_create(clock, flags);
}

int
__wrap_open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	unsigned mode = (flags & O_CREAT) != 0 ? va_arg(args, unsigned) : 0;
	va_end(args);
	return is_refused(FAULTS_DESCRIPTORS, EMFILE) ? -1 : __real_open(path, flags, mode);
}

/* ---- threads: as memory, for the kernel needs some ---------------------------------- */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	return is_refused(FAULTS_MEMORY, EAGAIN) ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

/* ---- calls on sockets ---------------------------------------------------------------- */

ssize_t __real_read(int fd, void *at, size_t len);
ssize_t __real_recv(int fd, void *at, size_t len, int flags);
ssize_t __real_send(int fd, const void *at, size_t len, int flags);
int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
int __real_bind(int fd, const struct sockaddr *to, socklen_t len);
int __real_listen(int fd, int n);
int __real_shutdown(int fd, int how);
int __real_setsockopt(int fd, int level, int option, const void *at, socklen_t len);
int __real_getsockopt(int fd, int level, int option, void *at, socklen_t *len);
int __real_getsockname(int fd, struct sockaddr *at, socklen_t *len);
ssize_t __wrap_read(int fd, void *at, size_t len);
ssize_t __wrap_recv(int fd, void *at, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *at, size_t len, int flags);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_listen(int fd, int n);
int __wrap_shutdown(int fd, int how);
int __wrap_setsockopt(int fd, int level, int option, const void *at, socklen_t len);
int __wrap_getsockopt(int fd, int level, int option, void *at, socklen_t *len);
int __wrap_getsockname(int fd, struct sockaddr *at, socklen_t *len);

/* Both sides of a pair are ours: nobody resets that. */
static bool
is_connection(int fd)
{
	int family = AF_UNSPEC;
	socklen_t len = sizeof(family);

	return __real_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family != AF_UNIX;
}

/* A connection that was reset is gone for all who look at it. */
static ssize_t
broken(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (__real_connect(fd, &none, sizeof(none)) == -1)
		__real_shutdown(fd, SHUT_RDWR);
	errno = ECONNRESET;
	return -1;
}

ssize_t
__wrap_read(int fd, void *at, size_t len)
{
	if (is_connection(fd) && is_refused(FAULTS_CALLS, ECONNRESET))
		return broken(fd);
	return __real_read(fd, at, len);
}

ssize_t
__wrap_recv(int fd, void *at, size_t len, int flags)
{
	return is_connection(fd) && is_refused(FAULTS_CALLS, ECONNRESET) ? broken(fd) : __real_recv(fd, at, len, flags);
}

ssize_t
__wrap_send(int fd, const void *at, size_t len, int flags)
{
	return is_connection(fd) && is_refused(FAULTS_CALLS, ECONNRESET) ? broken(fd) : __real_send(fd, at, len, flags);
}

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	return is_refused(FAULTS_CALLS, ENETUNREACH) ? -1 : __real_connect(fd, to, len);
}

int
__wrap_bind(int fd, const struct sockaddr *to, socklen_t len)
{
	return is_refused(FAULTS_CALLS, EADDRINUSE) ? -1 : __real_bind(fd, to, len);
}

int
__wrap_listen(int fd, int n)
{
	return is_refused(FAULTS_CALLS, EADDRINUSE) ? -1 : __real_listen(fd, n);
}

int
__wrap_shutdown(int fd, int how)
{
	return is_connection(fd) && is_refused(FAULTS_CALLS, ENOTCONN) ? (int)broken(fd) : __real_shutdown(fd, how);
}

int
__wrap_setsockopt(int fd, int level, int option, const void *at, socklen_t len)
{
	return is_refused(FAULTS_CALLS, ENOBUFS) ? -1 : __real_setsockopt(fd, level, option, at, len);
}

int
__wrap_getsockopt(int fd, int level, int option, void *at, socklen_t *len)
{
	return is_refused(FAULTS_CALLS, ENOBUFS) ? -1 : __real_getsockopt(fd, level, option, at, len);
}

int
__wrap_getsockname(int fd, struct sockaddr *at, socklen_t *len)
{
	return is_refused(FAULTS_CALLS, ENOBUFS) ? -1 : __real_getsockname(fd, at, len);
}
