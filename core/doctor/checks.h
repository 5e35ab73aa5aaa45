/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * doctor/checks.h: all that is looked at, as a table.
 *
 * A check only looks: it may connect to what the configuration names as its
 * target, and bind an address and close it at once, and changes nothing.
 */
#ifndef PTAH_DOCTOR_CHECKS_H
#define PTAH_DOCTOR_CHECKS_H

#include <stdbool.h>

#include "doctor/exam.h"

struct ptah_check {
	const char *name;     /* stays the same from one version to the next */
	const char *looks_at; /* for the manual page; no stop, no mdoc */
	const char *fine;     /* what to say when nothing was found */
	/* Looks, and says what it finds; false: there is nothing of the kind. */
	bool (*run)(struct ptah_exam *exam);
};

/** The last has no name. */
extern const struct ptah_check ptah_checks[];

/** Do them all; one that has nothing to say says that it is fine.  -ENOMEM. */
int ptah_checks_run(struct ptah_exam *exam);

typedef bool ptah_check_fn(struct ptah_exam *exam);

/* tor.c */
ptah_check_fn ptah_check_torrc, ptah_check_tor, ptah_check_bridge;
/* modules.c */
ptah_check_fn ptah_check_configuration, ptah_check_folders, ptah_check_modules;
/* identity.c */
ptah_check_fn ptah_check_identity;
/* files.c */
ptah_check_fn ptah_check_state, ptah_check_cookie, ptah_check_reading, ptah_check_writing,
    ptah_check_unit;
/* programs.c */
ptah_check_fn ptah_check_program, ptah_check_started, ptah_check_apparmor;
/* network.c */
ptah_check_fn ptah_check_bind, ptah_check_activation, ptah_check_ipv6, ptah_check_outbound, ptah_check_target,
    ptah_check_proxy;
/* clock.c */
ptah_check_fn ptah_check_clock, ptah_check_files_time, ptah_check_synchronised;
/* machine.c */
ptah_check_fn ptah_check_descriptors, ptah_check_random, ptah_check_isolation;

/** Is there a file that who will run ptah cannot read?  Then the row of reading says so. */
bool ptah_check_is_closed(struct ptah_exam *exam, const char *path);

/** Is the address one of this machine? */
bool ptah_check_is_here(const struct ptah_addr *addr);

/** Wall clock less monotonic clock, in nanoseconds: it changes when somebody sets the clock. */
long long ptah_check_clock_now(void);

#endif
