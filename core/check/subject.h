/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * check/subject.h: the module that is looked at, and the options that it is
 * looked at with.
 *
 * Threads: the one of the trial.
 */
#ifndef PTAH_CHECK_SUBJECT_H
#define PTAH_CHECK_SUBJECT_H

#include <ptah/module.h>

#include "base/json.h"
#include "transport/loader.h"
#include "transport/options.h"

#define PTAH_CHECK_WHY 512

/** What was asked for: it goes to each trial. */
struct ptah_subject_wish {
	char *path;                    /* absolute */
	char name[128];                /* NAME of NAME.so */
	const struct ptah_json *given; /* --options, or NULL */
	const char *folder;            /* where state may be kept while it is looked at */
};

struct ptah_subject {
	const struct ptah_subject_wish *wish;
	struct ptah_loaded *loaded;
	const struct ptah_module *module;
	struct ptah_json *options[2]; /* of the client (0) and the server (1); NULL: nobody has said */
	char why[PTAH_CHECK_WHY];     /* why there are none */
};

#define PTAH_AT_CLIENT 0
#define PTAH_AT_SERVER 1

/** PTAH_CLIENT or PTAH_SERVER of 0 or 1. */
uint32_t ptah_subject_role(int who);

/** Load it.  -errno and 'why'. */
int ptah_subject_load(struct ptah_subject *subject, const struct ptah_subject_wish *wish, char *why, size_t why_room);

/** One role's instance options and link options, as the host would hand them to the module. */
struct ptah_filling {
	struct ptah_filled conf, args;
	char *settings;
};

/**
 * Fill them from 'options', with the module's own checks.
 * Gives: *out, for ptah_filling_clear(), also on failure.
 * Fails: -errno and 'why'.
 */
int ptah_filling_make(struct ptah_filling *out, const struct ptah_module *module, uint32_t role,
    const struct ptah_json *options, char *why, size_t why_room);
void ptah_filling_clear(struct ptah_filling *filling);

#endif
