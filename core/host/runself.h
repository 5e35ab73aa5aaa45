/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/runself.h: what the files of a run share; run.h is for everybody else.
 *
 *	run.c         who serves, and what a reload changes
 *	runread.c     the file, whole and without an error
 *	runupgrade.c  another program in our place
 *	runlog.c      where the log goes
 *	runcommand.c  the command: its birth, its signals, its end
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_RUNSELF_H
#define PTAH_HOST_RUNSELF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "config/runfile.h"
#include "host/harden.h"
#include "host/process.h"
#include "host/run.h"
#include "host/upgrade.h"

struct event;
struct ptah_manager;
struct ptah_office;
struct ptah_tenant;
struct ptah_watch;
struct ptah_worker;

struct ptah_run {
	const char *path;
	char **envp;
	struct ptah_runfile file; /* in force */
	struct ptah_signals signals;
	struct ptah_worker *loop;
	struct ptah_crew *crew;
	struct event *on_end, *on_other;
	struct ptah_tenant *tenants; /* in the order of the file; then those whose time is over */
	struct ptah_run_watcher *watchers;
	struct ptah_manager *manager;
	struct ptah_office *office;
	uint64_t n_reloads, n_refused;
	struct ptah_watch *watch; /* NULL: the file does not want it */
	struct ptah_upgrade *upgrade; /* NULL: we have no keeper */
	char *upgrade_why;            /* the last one failed */
	bool upgrading;
	ptah_log_output_fn *log_output; /* NULL: a file, or none yet */
	int log_format; /* as the command was asked; -1: it was not */
	bool changing; /* a start or a reload is under way */
	bool ready;    /* the start is over */
	bool busy;     /* who is whose heir is not settled yet */
	bool again;    /* SIGHUP came when it could not be followed */
	bool draining, ending, over;
	bool cut_off;  /* a drain has ended links */
	bool spawns;   /* a service of the file that was read last starts programs */
	struct ptah_hardened hardened;
	int rc;
};

/** Tell all watchers: PTAH_RUN_EV_... */
void ptah_run_tell(struct ptah_run *run, int event);

/**
 * Read the file, and ask the modules about it.  'words', which may be NULL, gets a line for each fault.
 * Gives: *file, for ptah_runfile_clear().
 * Fails: -EINVAL: it has errors, which are in the log; -ENOMEM.
 */
int ptah_run_read_file(struct ptah_run *run, struct ptah_runfile *file, struct ptah_run_reload *how, struct ptah_buf *words);
/** Say what of 'now' takes no effect, because it is one for the process. */
void ptah_run_warn_of_process(const struct ptah_runfile *now, const struct ptah_runfile *then);

/** Do what the plans of the file say.  Takes: them. */
void ptah_run_change(struct ptah_run *run, struct ptah_runfile *file, struct ptah_run_reload *how);
/** Watch the modules' folders, and the files that options of its plans name, if the file in force wants it. */
void ptah_run_watch_disk(struct ptah_run *run);
/** All that could start has started: we serve from here on. */
void ptah_run_begin(struct ptah_run *run);
/** Follow a SIGHUP that came when it could not be followed. */
void ptah_run_reload_again(struct ptah_run *run);

extern const struct ptah_upgrade_says ptah_run_upgrade_says;
/** Let the service manager, ctl and the page see us: one process of ours at a time.  -errno. */
int ptah_run_open_outside(struct ptah_run *run);

/** Words of --log-format, by PTAH_LOG_PLAIN ... of config/runfile.h; NULL at the end. */
extern const char *const ptah_run_log_formats[];
/** Let the log go where the command or the file says.  -errno. */
int ptah_run_open_log(struct ptah_run *run);

#endif
