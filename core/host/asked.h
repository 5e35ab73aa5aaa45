/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/asked.h: what a subcommand can be asked, as a table, and what it was.
 *
 * The parser, --help, the manual page and the completions all read the table.
 * One word, the operand, and flags: --NAME VALUE or --NAME=VALUE, one dash or
 * two, in any order.
 */
#ifndef PTAH_HOST_ASKED_H
#define PTAH_HOST_ASKED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define PTAH_ASKED_FLAGS 12

/** A flag, or the operand, which has no name. */
struct ptah_ask {
	const char *name;         /* without dashes */
	const char *value;        /* what to call the value; NULL for a switch */
	const char *help;
	int type;                 /* PTAH_VALUE_ of config/flag.h: what the shells offer */
	const char *const *words; /* of a WORD, NULL at the end: anything else is refused */
	bool required;            /* a flag, for the synopsis; who runs says what is missing */
	bool optional;            /* the operand may be left out */
};

struct ptah_asked {
	const char *operand;
	const char *value[PTAH_ASKED_FLAGS]; /* as the rows of 'flags': NULL, or the value; "" of a switch */
};

/** Run it, and give the exit status. */
typedef int ptah_command_fn(const struct ptah_asked *asked, char *envp[]);

/** What an exit status means: "the exit status is STATUS when WHEN". */
struct ptah_exit {
	int status;
	const char *when; /* without its stop; no mdoc */
};

struct ptah_command {
	const char *name;
	struct ptah_ask operand; /* without a value: takes none */
	const char *help;        /* one line */
	const char *about;       /* sentences behind it in --help and the manual page, or NULL; no mdoc */
	const struct ptah_exit *exits; /* those that are its own, 0 first, the last has no 'when'; or NULL */
	const struct ptah_ask *flags; /* PTAH_ASKED_FLAGS at most, the last has no name; or NULL */
	ptah_command_fn *run;
};

/** Read what stands behind the subcommand's name, argv[0].  1: --help.  -EINVAL, and a line on stderr that says why. */
int ptah_asked_read(struct ptah_asked *out, const struct ptah_command *command, int argc, char *argv[]);

/** Say on stderr what is wrong with what the subcommand 'command' was asked: -EINVAL. */
int ptah_asked_wrong(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** "ptah NAME OPERAND --needed VALUE [--other VALUE]". */
int ptah_asked_synopsis(struct ptah_buf *out, const struct ptah_command *command);
/** What --help says, and the part of the manual page (mdoc). */
int ptah_asked_usage(struct ptah_buf *out, const struct ptah_command *command);
int ptah_asked_manual(struct ptah_buf *out, const struct ptah_command *command);

/** What it means when 'command' ends with this status, or NULL. */
const char *ptah_asked_exit(const struct ptah_command *command, int status);

/** How many flags it has. */
size_t ptah_asked_count(const struct ptah_command *command);

#endif
