/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/confine.h: which files ptah still needs once it knows what to do, and
 * the jail (proc/jail.h) that leaves it these.
 *
 * Threads: the main one, before there are others.
 */
#ifndef PTAH_HOST_CONFINE_H
#define PTAH_HOST_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/plan.h"
#include "proc/jail.h"

/**
 * A cell: its state folder to write, modules, libraries and its files to read, and what OpenSSL looks at.
 * 'libraries': LD_LIBRARY_PATH, or NULL.
 * Fails: -errno and 'why'; end then.
 */
int ptah_confine_cell(const struct ptah_plan *plan, const char *libraries, char *why, size_t room);

/** What "ptah run" has to reach, beside what every program needs. */
struct ptah_confine_host {
	const struct ptah_jail_path *paths;
	size_t n_paths;
	const char *libraries; /* LD_LIBRARY_PATH, or NULL */
	bool cells;    /* it starts itself, in cells, and nothing else */
	bool programs; /* a module starts programs: nothing can be taken away but what no program needs */
	bool abstract; /* the service manager hears us on an abstract socket */
};

/** As far as this kernel can; the log says how far.  -errno: a lock that is there did not close. */
int ptah_confine_host(const struct ptah_confine_host *how);

#endif
