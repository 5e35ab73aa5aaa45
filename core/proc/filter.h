/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * proc/filter.h: which calls of the kernel this process may still make.
 *
 * Two tables, each made into a program that the kernel runs before a call
 * (seccomp): PTAH_FILTER_CELL names what is allowed, and everything else is
 * refused; PTAH_FILTER_HOST names what is refused.  A refused call fails with
 * an errno like any other: the caller is not killed for asking.
 *
 * Written by hand and not with libseccomp: two tables and sixty lines make
 * them, and nothing of it changes while the program runs.
 */
#ifndef PTAH_PROC_FILTER_H
#define PTAH_PROC_FILTER_H

#include <stdbool.h>

/** A process that only moves bytes between descriptors which others made. */
#define PTAH_FILTER_CELL 0
/** No new threads, loops and pipes either; for after a PTAH_FILTER_CELL. */
#define PTAH_FILTER_THREADS 1
/** The program itself: nothing that looks into other processes, or changes the machine. */
#define PTAH_FILTER_HOST 2
/** Nor starts programs; beside a PTAH_FILTER_HOST. */
#define PTAH_FILTER_PROGRAMS 3

/**
 * Put the filter over all threads of this process, for ever; it adds to those that are there.
 * Needs no_new_privs.  -errno: -ENOSYS where this kernel, or this ptah on this processor, has no filters.
 */
int ptah_filter_install(int which);

/** Could it? */
bool ptah_filter_is_there(void);

#endif
