/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/argv.h: the command line, by the rules of Go's flag package.
 *
 * Knows the table of flags and nothing of what they mean.
 */
#ifndef PTAH_CONFIG_ARGV_H
#define PTAH_CONFIG_ARGV_H

#include <stdbool.h>
#include <stddef.h>

#include "config/flag.h"

/* Who we are started as. */
#define PTAH_AS_PTAH 0
#define PTAH_AS_OBFS4PROXY 1

struct ptah_argv {
	const char *value[PTAH_FLAG_COUNT]; /* points into argv; NULL: not given */
	bool truth[PTAH_FLAG_COUNT];        /* of a switch that was given */
	bool help, version;                 /* asked for before anything was wrong */
	char error[512];                    /* the first thing wrong; "" if nothing */
};

/** Which program do we play, by the last part of argv[0]? */
int ptah_argv_who(const char *argv0);

/**
 * Read argv[1] and on.  Goes on behind an error, because -ptversion decides
 * how the error is told.
 *
 * Lends: argv; the values point into it.
 */
void ptah_argv_read(struct ptah_argv *out, int who, int argc, char *const argv[]);

/** Overwrite the values of secret flags where they lie: every user of a machine may read a command line. */
void ptah_argv_hide(int who, int argc, char *const argv[]);

#endif
