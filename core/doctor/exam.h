/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * doctor/exam.h: what is looked at, and what was found.
 *
 * The cases are the services of a configuration file and the transports of a
 * torrc, both as plans, so that most checks need not know whose they are.
 *
 * Threads: the only one of the process.
 */
#ifndef PTAH_DOCTOR_EXAM_H
#define PTAH_DOCTOR_EXAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/runfile.h"
#include "doctor/guise.h"
#include "doctor/torrc.h"
#include "doctor/unit.h"
#include "transport/registry.h"

/** One service, or one transport that Tor asks for. */
struct ptah_case {
	struct ptah_plan *plan;
	struct ptah_service *service;
	struct ptah_registry *registry;
	const struct ptah_torrc_line *line; /* that starts it; NULL: it is of the configuration file */
	const char *program; /* that Tor starts; NULL: none */
	char label[128];
	char where[512];   /* what to change: "\"bridge\" in FILE", "FILE line 7" */
	bool bridge;       /* of a Bridge line: 'service' is its own, and owned */
	bool messages;     /* its wire is UDP: it carries each datagram as one */
	bool missing;      /* there is no such transport, or it is refused */
};

#define PTAH_FOUND_FINE 0
#define PTAH_FOUND_WARNING 1
#define PTAH_FOUND_FAULT 2

struct ptah_finding {
	const char *check; /* name of the check */
	int state;         /* PTAH_FOUND_... */
	char *about;       /* the case; NULL: all of it */
	char *path;        /* of the file or folder that is at fault, to know it again; NULL: none was named */
	char *text;        /* one line */
	char *cure;        /* a line or command for each line of it; NULL: none */
};

struct ptah_exam {
	/* Given. */
	const char *root;          /* before the paths of the system; "" but in tests */
	char *const *envp;
	const char *path;          /* of the configuration file; NULL: none */
	const char *torrc_path;    /* NULL: none */
	const char *self;          /* path of this program */

	/* Read. */
	struct ptah_runfile file;
	struct ptah_faults faults; /* of the file */
	struct ptah_torrc torrc;
	struct ptah_guise guise;
	struct ptah_unit unit;     /* of systemd, that runs the file */
	struct ptah_registry *registry; /* of the file, or the usual one; Tor's cases may have others */
	struct ptah_plan **plans;  /* of Tor's cases */
	struct ptah_registry **registries; /* as the plans */
	size_t n_plans;
	struct ptah_case *cases;
	size_t n_cases;
	long long clock_ns;        /* how far wall clock and monotonic one were apart when it began */

	/* Found. */
	const char *check;         /* that looks now */
	struct ptah_finding *findings;
	size_t n_findings, n_faults, n_warnings;
	/* The root of more that would be found: that is not said again. */
	bool bad_folder, bad_clock;
	bool no_folder;            /* one of modules is not there, or closed */
	int rc;                    /* -ENOMEM sticks */
};

/** Add a case of 'plan' and its service.  NULL: ENOMEM. */
struct ptah_case *ptah_exam_case(struct ptah_exam *exam, struct ptah_plan *plan, struct ptah_service *service,
    struct ptah_registry *registry);

/** Say what was found, in a sentence without its stop; 'one' is the case that it is about, or NULL. */
void ptah_exam_fine(struct ptah_exam *exam, const struct ptah_case *one, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ptah_exam_warn(struct ptah_exam *exam, const struct ptah_case *one, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ptah_exam_fault(struct ptah_exam *exam, const struct ptah_case *one, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Behind one of these: add a line that cures it, or a sentence that says how. */
void ptah_exam_cure(struct ptah_exam *exam, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Behind one of these: which file or folder is at fault. */
void ptah_exam_path(struct ptah_exam *exam, const char *path);
/** Has the check that looks now said something of it? */
bool ptah_exam_has_path(const struct ptah_exam *exam, const char *path);

/** The path of a file of the system: with the root before it. */
const char *ptah_exam_system(const struct ptah_exam *exam, const char *path, char out[static PATH_MAX]);

/** Does this case take part in that? */
bool ptah_case_serves(const struct ptah_case *one);
static inline bool
ptah_case_is_udp(const struct ptah_case *one)
{
	return ptah_mode_is_udp(one->plan->mode);
}

/** Address 'i' where it listens, the first is 0; NULL: there are no more. */
const struct ptah_addr *ptah_case_listen(const struct ptah_case *one, size_t i);

void ptah_exam_clear(struct ptah_exam *exam);

#endif
