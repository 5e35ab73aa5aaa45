/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/manager.h: a run, as the service manager sees it: ready, reloading,
 * stopping, one line of status; and alive, as long as every thread answers.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_MANAGER_H
#define PTAH_HOST_MANAGER_H

#include <stdbool.h>

struct ptah_manager;
struct ptah_run;

/**
 * Tell whoever NOTIFY_SOCKET names how the run fares, until ptah_manager_end().  The run has its crew.
 * 'kept': the process that the manager knows is our parent.
 * Lends: envp, until ptah_manager_end().
 * Gives: *out; NULL when nobody wants to know.
 * Fails: -EINVAL: the variables make no sense; -ENOMEM; what socket(2) says.
 */
int ptah_manager_begin(struct ptah_manager **out, struct ptah_run *run, char *const envp[], bool kept);

/** Another program goes on in our place, and says how it fares: not a word from here on.  NULL is fine. */
void ptah_manager_hush(struct ptah_manager *manager);

/** It does not: say again how we fare.  NULL is fine. */
void ptah_manager_resume(struct ptah_manager *manager);

/** The crew has ended.  NULL is fine. */
void ptah_manager_end(struct ptah_manager *manager);

#endif
