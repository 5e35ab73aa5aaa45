/* SPDX-License-Identifier: BSD-3-Clause */
/** config/source.h: flags and variables as one thing to ask (ipc.md 2.3). */
#ifndef PTAH_CONFIG_SOURCE_H
#define PTAH_CONFIG_SOURCE_H

#include <stdbool.h>

#include "config/argv.h"
#include "config/version.h"

struct ptah_source {
	const struct ptah_argv *argv;
	char *const *envp;
	const struct ptah_version *version;
	int role; /* 0 until it is known; variables of the other role are not there */
	int mode; /* -1 until it is known */
};

/** Value of a variable; NULL if it is unset or empty. */
const char *ptah_env_get(char *const envp[], const char *name);

/** Was the flag itself given (perhaps empty)? */
bool ptah_source_given(const struct ptah_source *source, int id);
/** A switch that was given as true. */
bool ptah_source_true(const struct ptah_source *source, int id);
/** The variable's value if variables count and our role has it; else NULL. */
const char *ptah_source_env(const struct ptah_source *source, int id);
/** The flag's value (perhaps ""), else the variable's, else NULL. */
const char *ptah_source_value(const struct ptah_source *source, int id);
/** What to call the place where ptah_source_value() comes from: "-state", "TOR_PT_STATE_LOCATION". */
const char *ptah_source_where(const struct ptah_source *source, int id, char out[static 64]);

#endif
