/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/runfile.h: the file of "ptah run": several services, and what is one for the process.
 *
 * Each service becomes a plan of its own, as if it had been asked for alone
 * (config/plan.h): one that has a label, and n_services 1.  Which options a
 * module takes is not known here: host/checkfile.h asks the modules; that belongs
 * to every reading of a file, too.
 *
 * Threads: any; one at a time.
 */
#ifndef PTAH_CONFIG_RUNFILE_H
#define PTAH_CONFIG_RUNFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/json.h"
#include "config/faults.h"
#include "config/plan.h"

/** Longest path of a socket. */
#define PTAH_SOCKET_PATH_MAX 107
/** Longest file. */
#define PTAH_RUNFILE_MAX (1024 * 1024)
/** Most services of one file. */
#define PTAH_RUNFILE_SERVICES 1024

#define PTAH_LOG_PLAIN 0
#define PTAH_LOG_JOURNAL 1 /* lines with a priority before them, as journald and syslog want it */
#define PTAH_LOG_JSON 2    /* one object a line */
#define PTAH_LOG_AUTO 3    /* journal where stderr is the journal (JOURNAL_STREAM), else plain; the usual */

/** Read it freely; the functions below change it. */
struct ptah_runfile {
	struct ptah_plan **plans; /* in the order of the file; each has all of what is below that concerns it */
	size_t n_plans;

	/* Of the process. */
	unsigned workers;     /* 0: as many as there are processors, at most 8 */
	char *module_dir;     /* NULL: none */
	char *module_path;    /* folders with colons; NULL: none */
	char *state_dir;      /* absolute; a service's own is <state_dir>/<label> */
	bool replay_state;    /* servers: remember in <state_dir>/ptah_replay which handshakes came */
	unsigned peer_timeout_s;
	int log_level;        /* PTAH_LOG_ERROR ... */
	int log_format;       /* PTAH_LOG_PLAIN ... */
	char *log_file;       /* absolute; NULL: stderr */
	bool log_unsafe;
	char *control;        /* absolute path of the control socket; NULL: none */
	char *metrics_path;   /* absolute path of a socket for metrics; NULL: none */
	struct ptah_addr metrics; /* loopback address for the same; AF_UNSPEC: none */
	unsigned drain_s;     /* old links may go on for so long after a change, or when all is to end */
	bool watch;           /* reload when modules change */
	bool harden;          /* once all is started, give up what is not needed any more */

	bool exposed;         /* everybody may read the file */

	/* For what is looked at later (transport/judge.h); ptah_runfile_forget() wipes both. */
	char *text;           /* of the file, NUL-terminated */
	size_t text_len;
	struct ptah_json *json; /* the file as a tree with places */
};

/**
 * Read a file, and all that is wrong with it into 'faults' ({0} to begin), in the order of the file.
 *
 * 'envp' is for PTAH_MODULE_PATH and STATE_DIRECTORY, which count where the file says nothing.
 *
 * Lends: all; nothing of envp is kept.
 * Gives: a file for ptah_runfile_clear(), also on failure; faults, which may be warnings only.
 * Fails: -EINVAL and faults with an error among them; -ENOMEM.
 */
int ptah_runfile_read(struct ptah_runfile *file, const char *path, char *const envp[], struct ptah_faults *faults);

/** The same from a text in memory; relative paths are against the current folder, as there. */
int ptah_runfile_parse(struct ptah_runfile *file, const char *text, size_t len, char *const envp[],
    struct ptah_faults *faults);

/** The plan of this label, or NULL. */
struct ptah_plan *ptah_runfile_get(const struct ptah_runfile *file, const char *label);

/** Take a plan out of the file.  Gives: the plan, for ptah_plan_free(). */
struct ptah_plan *ptah_runfile_take(struct ptah_runfile *file, size_t i);

/** It is checked: wipe the text and the tree; the plans keep their options until they are open. */
void ptah_runfile_forget(struct ptah_runfile *file);

void ptah_runfile_clear(struct ptah_runfile *file);

/** The object of a service in the tree, or NULL. */
const struct ptah_json *ptah_runfile_service(const struct ptah_runfile *file, const char *label);

/**
 * Say what is wrong ('how': PTAH_FAULT_...) with a value of the tree, or a copy of one, at its place and with its path
 * in the file; 'more' is put behind that (".listen"), NULL: nothing.  Something that is not of the tree (NULL, or
 * without a place) is said of the file as a whole.  -ENOMEM.
 */
int ptah_runfile_fault(const struct ptah_runfile *file, struct ptah_faults *faults, unsigned how,
    const struct ptah_json *value, const char *more, const char *format, ...) __attribute__((format(printf, 6, 7)));
int ptah_runfile_vfault(const struct ptah_runfile *file, struct ptah_faults *faults, unsigned how,
    const struct ptah_json *value, const char *more, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));

#endif
