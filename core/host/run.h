/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/run.h: "ptah run FILE": the services of a file, for as long as they are wanted.
 *
 * A service of the file that has not changed is not touched by a reload.  One
 * that has is started anew beside the old one, on the same listening sockets;
 * when it is ready the old one takes nothing new and ends with its last link.
 * If it does not start the old one goes on, and so do all others.
 *
 * Who wants to show or steer all this (a control socket, a service manager)
 * watches and asks; what is here knows neither.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_RUN_H
#define PTAH_HOST_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/addr.h"
#include "base/buf.h"
#include "config/plan.h"
#include "config/runfile.h"
#include "host/asked.h"

struct ptah_cell;
struct ptah_crew;
struct ptah_run;

/** A service: an old plan of it and a new one are two rows, as long as both are there. */
struct ptah_run_row {
	const char *label;
	const struct ptah_plan *plan; /* role, mode, bounds ...; its transport is plan->services[0].name */
	int state;                    /* PTAH_RUN_... */
	time_t since;                 /* when that began */
	const struct ptah_addr *bound; /* where it listens; NULL: nowhere yet */
	const char *address;          /* server: what clients are to be told; NULL: not known yet */
	const struct ptah_kv *bridge_args; /* the same; or NULL */
	const char *reason;           /* FAILED, or why the new plan of this label did not start; NULL: there is none */
	const struct ptah_dispatcher *dispatcher; /* NULL: FAILED, or isolated */
	struct ptah_cell *cell;       /* of an isolated one that has not FAILED; or NULL */
};

#define PTAH_RUN_STARTS 0 /* it is not ready yet */
#define PTAH_RUN_SERVES 1
#define PTAH_RUN_FAILED 2 /* it did not start, and the next reload tries again */
#define PTAH_RUN_DRAINS 3 /* it takes nothing new */
#define PTAH_RUN_ENDS 4

/** "starts", "serves", "failed", "drains", "ends". */
const char *ptah_run_state_name(int state);

/** Each row, in the order of the file, old plans last; anything but 0 ends it, and is what this returns. */
int ptah_run_each(const struct ptah_run *run, int (*fn)(const struct ptah_run_row *row, void *arg), void *arg);

const struct ptah_crew *ptah_run_crew(const struct ptah_run *run);
/** What is in force of the file; its plans have been taken out. */
const struct ptah_runfile *ptah_run_file(const struct ptah_run *run);

/** How a reload went. */
struct ptah_run_reload {
	size_t n_new, n_changed, n_gone, n_same; /* services */
	size_t n_errors, n_warnings;             /* in the file */
};

/**
 * Read the file again, and begin to do what it says.  'words', which may be NULL, gets a line for each fault.
 * Fails: -EINVAL: the file has errors, and nothing is changed; -EBUSY: it is not ready yet, or ends; -ENOMEM.
 */
int ptah_run_reload(struct ptah_run *run, struct ptah_run_reload *how, struct ptah_buf *words);

/** What keeps it from a change now, where it says -EBUSY: lent for ever. */
const char *ptah_run_busy_with(const struct ptah_run *run);

/** Is a start or a reload under way, or an end that waits for the last link? */
bool ptah_run_is_changing(const struct ptah_run *run);
bool ptah_run_is_draining(const struct ptah_run *run);
/** How many reloads there have been, and how many that changed nothing because the file was wrong. */
void ptah_run_reloads(const struct ptah_run *run, uint64_t *taken, uint64_t *refused);

/** Take nothing new, and end with the last link, or after so long; 0: as the file says. */
void ptah_run_drain(struct ptah_run *run, unsigned limit_s);
/** End now. */
void ptah_run_end(struct ptah_run *run, const char *why);

/**
 * Begin to put the program file, as it lies there now, in our place: a new process of it takes all sockets over, and once
 * it serves this one drains.  PTAH_RUN_EV_UPGRADED or _NOT_UPGRADED follows; a failed one changes nothing.
 * Fails, and 'why': -EOPNOTSUPP: there is no parent process that could start it; -EBUSY: not now.
 */
int ptah_run_upgrade(struct ptah_run *run, char *why, size_t room);
/** Why the last one failed; lent until the next. */
const char *ptah_run_upgrade_why(const struct ptah_run *run);

/* What a watcher hears. */
#define PTAH_RUN_EV_READY 0     /* once: each service serves, or has failed */
#define PTAH_RUN_EV_RELOADING 1
#define PTAH_RUN_EV_RELOADED 2  /* each service that it began serves, or has failed; or the file was refused */
#define PTAH_RUN_EV_DRAINING 3
#define PTAH_RUN_EV_ENDING 4
#define PTAH_RUN_EV_SERVICE 5   /* a row has another state */
#define PTAH_RUN_EV_LEAVING 6   /* another process is about to open what we have open beside the services: close it */
#define PTAH_RUN_EV_UPGRADED 8  /* it has; we drain */
#define PTAH_RUN_EV_NOT_UPGRADED 7
#define PTAH_RUN_EV_RETURNED 10 /* it will not, after PTAH_RUN_EV_LEAVING: open that again */
#define PTAH_RUN_EV_CUT_OFF 9   /* links of a row had their time, and are ended next */

/** Embed it; its memory stays as it is for the life of the run. */
struct ptah_run_watcher {
	struct ptah_run_watcher *next;
	void (*on_event)(struct ptah_run *run, int event, void *arg);
	void *arg;
};
void ptah_run_watch(struct ptah_run *run, struct ptah_run_watcher *watcher);

/** The subcommand. */
extern const struct ptah_ask ptah_run_flags[];
ptah_command_fn ptah_run_command;

#endif
