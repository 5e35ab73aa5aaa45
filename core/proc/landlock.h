/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * proc/landlock.h: which files this process may still reach.
 *
 * Landlock of the kernel (5.13 and later), by its own calls; what a kernel
 * does not know yet is left out, and 'level' says how much it knew.  A rule
 * stands on a file or folder, not on its name: a folder's holds for what is
 * put there later, a file's does not for the one that takes its place.
 *
 * Threads: it holds for the thread that asks, and those that it makes.
 */
#ifndef PTAH_PROC_LANDLOCK_H
#define PTAH_PROC_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

#define PTAH_JAIL_READ 1u    /* read it, and what lies below */
#define PTAH_JAIL_WRITE 2u   /* and make, change and remove files there */
#define PTAH_JAIL_SOCKETS 4u /* and make Unix sockets there */
#define PTAH_JAIL_EXEC 8u    /* and become it */

/** A path that is not there is left out. */
struct ptah_jail_path {
	const char *path;
	unsigned may; /* PTAH_JAIL_... */
};

struct ptah_landlock_how {
	const struct ptah_jail_path *paths;
	size_t n_paths;
	bool no_tcp;    /* neither bind nor connect */
	bool no_abstract; /* speaks to no abstract Unix socket made outside */
};

/** How much the kernel knows: 0 for nothing, else the number of its interface. */
int ptah_landlock_level(void);

/**
 * From now on these paths, no others; no signals to processes outside.
 * Needs no_new_privs.  -errno: -EOPNOTSUPP where the kernel has none.
 */
int ptah_landlock_enter(const struct ptah_landlock_how *how);

#endif
