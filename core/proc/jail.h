/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * proc/jail.h: what this process may still do, from now on and for ever.
 *
 * Four locks, each of which would hold alone for what it covers: limits and
 * capabilities that are given away, no new privileges, Landlock for files and
 * signals, and a filter of the kernel's calls.  Descriptors that are open stay
 * what they are: they are what a process in a jail lives on.
 *
 * Threads: before there are others.
 */
#ifndef PTAH_PROC_JAIL_H
#define PTAH_PROC_JAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "proc/landlock.h"

struct ptah_jail_how {
	const struct ptah_jail_path *paths;
	size_t n_paths;
	size_t memory;        /* bytes that it may have for data; 0: no limit of its own */
	size_t file;          /* bytes that a file may grow to; 0: the same */
	unsigned descriptors; /* 0: the same */
	bool programs;        /* the program itself: it may start those whose file has PTAH_JAIL_EXEC */
	bool abstract;        /* the program itself: it speaks to abstract sockets (a service manager's) */
};

/** How far it came; for the log. */
struct ptah_jail_got {
	int landlock; /* level, 0: there is none */
	bool filter;
};

/**
 * For a process that runs code which nobody trusts: no file but these, no
 * socket that it makes, no other process, no privilege.
 * Fails: -errno, with a text in 'why'; the process then has some of the locks, and is to end.
 */
int ptah_jail_enter_cell(const struct ptah_jail_how *how, char *why, size_t room);

/** The threads and loops that a cell needs are there. */
int ptah_jail_close_cell(void);

/**
 * For the program itself, which needs sockets, names and its children: as far
 * as this kernel can.  -errno only where a lock that is there would not close.
 */
int ptah_jail_enter_host(const struct ptah_jail_how *how, struct ptah_jail_got *got, char *why, size_t room);

#endif
