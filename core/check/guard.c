/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/guard.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check/trial.h"

#define PATTERN 0xc5
/* Around what was placed so much is painted at most. */
#define PAINT_MOST 4096u
#define ALT_STACK (64u * 1024)

/* Global, because a signal handler must find them. */
static struct ptah_guard *all;
static uint8_t alt_stack[ALT_STACK];

static size_t
page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- faults ---------------------------------------------------------------- */

static noreturn void
say_fault(const struct ptah_guard *guard, const uint8_t *at)
{
	if (at < guard->begin)
		ptah_trial_fail("it touches memory %zu bytes before %s", (size_t)(guard->at - at), guard->what);
	if (at >= guard->begin + guard->len)
		ptah_trial_fail("it touches memory %zu bytes behind %s, which is %zu bytes long",
		    (size_t)(at - (guard->at + guard->placed)), guard->what, guard->placed);
	ptah_trial_fail("it touches %s where it may not, or no longer: byte %td of %zu", guard->what, at - guard->at,
	    guard->placed);
}

static void
on_fault(int sig, siginfo_t *info, void *context)
{
	const uint8_t *at = info->si_addr;

	(void)context;
	for (const struct ptah_guard *guard = all; sig != SIGABRT && guard != NULL; guard = guard->next)
		if (at >= guard->map && at < guard->map + guard->map_len)
			say_fault(guard, at);
	if (sig == SIGSEGV && (uintptr_t)at < page())
		ptah_trial_fail("it crashes: it follows a NULL pointer (address %p)", (const void *)at);
	if (sig == SIGABRT)
		ptah_trial_fail("it crashes: something called abort()");
	ptah_trial_fail("it crashes: %s, at address %p, which is none of its memory", strsignal(sig), (const void *)at);
}

void
ptah_guard_watch(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	const stack_t stack = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* ---- memory ---------------------------------------------------------------- */

/* Twice the same memory: once to read, for the module, once to write, for us. */
static void
map_twice(struct ptah_guard *guard)
{
	int fd = memfd_create("ptah-check", MFD_CLOEXEC);

	if (fd == -1 || ftruncate(fd, (off_t)guard->len) == -1 ||
	    mmap(guard->begin, guard->len, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    (guard->alias = mmap(NULL, guard->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
		ptah_trial_na("no memory to look at the module with");
	close(fd);
}

void
ptah_guard_make(struct ptah_guard *guard, const char *what, size_t len, bool read_only)
{
	size_t whole = (len + page() - 1) / page() * page();

	if (whole == 0)
		whole = page();
	*guard = (struct ptah_guard){ .what = what, .len = whole, .map_len = whole + 2 * page(), .next = all };
	guard->map = mmap(NULL, guard->map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (guard->map == MAP_FAILED)
		ptah_trial_na("no memory to look at the module with");
	guard->begin = guard->alias = guard->map + page();
	if (read_only)
		map_twice(guard);
	else
		mprotect(guard->begin, guard->len, PROT_READ | PROT_WRITE);
	guard->at = guard->begin;
	all = guard;
}

void
ptah_guard_free(struct ptah_guard *guard)
{
	struct ptah_guard **at = &all;

	if (guard->map == NULL)
		return;
	while (*at != guard)
		at = &(*at)->next;
	*at = guard->next;
	if (guard->alias != guard->begin)
		munmap(guard->alias, guard->len);
	munmap(guard->map, guard->map_len);
	memset(guard, 0, sizeof(*guard));
}

uint8_t *
ptah_guard_place(struct ptah_guard *guard, size_t len, size_t align, size_t slack)
{
	if (len + slack > guard->len)
		ptah_trial_na("%s is larger than what this check has for it", guard->what);
	guard->at = guard->begin + (guard->len - slack - len) / align * align;
	guard->placed = len;
	return guard->at;
}

uint8_t *
ptah_guard_alias(const struct ptah_guard *guard)
{
	return guard->alias + (guard->at - guard->begin);
}

/* What is painted: up to a page before it, and all behind it. */
static size_t
margin_before(const struct ptah_guard *guard)
{
	size_t before = (size_t)(guard->at - guard->begin);

	return before < PAINT_MOST ? before : PAINT_MOST;
}

static size_t
margin_behind(const struct ptah_guard *guard)
{
	size_t behind = (size_t)(guard->begin + guard->len - guard->at) - guard->placed;

	return behind < PAINT_MOST ? behind : PAINT_MOST;
}

void
ptah_guard_paint(struct ptah_guard *guard)
{
	uint8_t *at = ptah_guard_alias(guard);

	memset(at - margin_before(guard), PATTERN, margin_before(guard));
	memset(at + guard->placed, PATTERN, margin_behind(guard));
}

static bool
is_painted(const uint8_t *at, size_t len)
{
	while (len > 0 && *at == PATTERN) {
		at++;
		len--;
	}
	return len == 0;
}

int
ptah_guard_look(const struct ptah_guard *guard)
{
	const uint8_t *at = ptah_guard_alias(guard);

	if (!is_painted(at - margin_before(guard), margin_before(guard)))
		return -1;
	return is_painted(at + guard->placed, margin_behind(guard)) ? 0 : 1;
}

void
ptah_guard_protect(struct ptah_guard *guard, int how)
{
	mprotect(guard->begin, guard->len, how);
}
