/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * doctor/torrc.h: the lines of a torrc, each with its place.
 *
 * It knows how lines are written, and none of Tor's options.
 *
 * Source: tor(1), "The configuration file format".
 */
#ifndef PTAH_DOCTOR_TORRC_H
#define PTAH_DOCTOR_TORRC_H

#include <stdbool.h>
#include <stddef.h>

/** Longest file that is read, and most lines of all. */
#define PTAH_TORRC_MAX (1024 * 1024)
#define PTAH_TORRC_LINES 20000

struct ptah_torrc_line {
	char *file;
	unsigned line;
	char *key;    /* as it is written, without a sign before it */
	char *value;  /* all behind it, without blanks and comment */
	char **words; /* the same, cut at blanks; NULL at the end */
	size_t n_words;
	const char *wrong; /* it cannot be read: why; a constant */
};

/** {0}: no lines. */
struct ptah_torrc {
	struct ptah_torrc_line *lines;
	size_t n;
};

/** Add the lines of a text.  -ENOMEM, -E2BIG. */
int ptah_torrc_parse(struct ptah_torrc *torrc, const char *file, const char *text, size_t len);

/**
 * Add the lines of a file, and of those that it includes.
 * A file that is included and cannot be read is a line that is wrong.
 * Fails: what open and read say of the file itself.
 */
int ptah_torrc_read(struct ptah_torrc *torrc, const char *path);

/** Is it a line of this option?  Tor takes any case. */
bool ptah_torrc_is(const struct ptah_torrc_line *line, const char *key);
/** The line of this option that counts, the last, or NULL. */
const struct ptah_torrc_line *ptah_torrc_last(const struct ptah_torrc *torrc, const char *key);

void ptah_torrc_clear(struct ptah_torrc *torrc);

#endif
