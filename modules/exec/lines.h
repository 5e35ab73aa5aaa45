/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * exec/lines.h: what a transport program says on its stdout, line by line
 * (pt-spec version 1, as Tor reads it; plus the LOG and STATUS lines of later
 * programs).
 *
 * Pure: no line is too strange to be read, it is only told as what it is.
 */
#ifndef PTAH_EXEC_LINES_H
#define PTAH_EXEC_LINES_H

#include <stddef.h>
#include <stdint.h>

/** Longest line that is listened to, without its LF. */
#define EXEC_LINE_MAX ((size_t)8 * 1024)

enum exec_word {
	EXEC_UNKNOWN,       /* a keyword that we need not know */
	EXEC_MALFORMED,     /* one that we know, but not so: 'text' says what is wrong */
	EXEC_VERSION,       /* text: which */
	EXEC_VERSION_ERROR, /* text */
	EXEC_ENV_ERROR,     /* text */
	EXEC_PROXY_DONE,
	EXEC_PROXY_ERROR,   /* text */
	EXEC_CMETHOD,       /* name, address, socks */
	EXEC_CMETHOD_ERROR, /* name, text */
	EXEC_CMETHODS_DONE,
	EXEC_SMETHOD,       /* name, address, args */
	EXEC_SMETHOD_ERROR, /* name, text */
	EXEC_SMETHODS_DONE,
	EXEC_LOG,           /* level, text */
	EXEC_STATUS,        /* text: all behind the keyword */
};

/** Texts lie in the line; those that the word above has not are "". */
struct exec_line {
	enum exec_word word;
	const char *name, *address, *args, *text;
	unsigned socks; /* 4 or 5 */
	uint32_t level; /* PTAH_LOG_LEVEL_ */
};

/** Read 'line', without its LF, which is cut into pieces. */
void exec_line_read(char *line, struct exec_line *out);

/** The bytes of a stream as lines. */
struct exec_reader {
	size_t len;
	int skipping; /* the line was longer than EXEC_LINE_MAX: up to its end nothing is kept */
	char line[EXEC_LINE_MAX + 1];
};

/**
 * Take bytes from 'at' on until a line is whole.
 * Returns how many were taken; *line is the line in the reader's memory, valid until the next call, or NULL.
 */
size_t exec_reader_take(struct exec_reader *reader, const uint8_t *at, size_t len, char **line);

#endif
