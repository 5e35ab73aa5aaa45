/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * exec/call.h: the application's side of SOCKS, as a transport program's
 * client wants it: its arguments travel as login (pt-spec 3.5).
 *
 * Pure: bytes in, bytes out.
 */
#ifndef PTAH_EXEC_CALL_H
#define PTAH_EXEC_CALL_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

/** Longest arguments that fit into user name and password of SOCKS5. */
#define EXEC_ARGS_MAX ((size_t)510)

/** Room for whatever is to be said at once. */
#define EXEC_CALL_ROOM ((size_t)1200)

enum exec_call_step { EXEC_GREETED, EXEC_LOGGED_IN, EXEC_ASKED };

struct exec_call {
	unsigned socks;           /* 4 or 5 */
	enum exec_call_step step; /* what the next bytes answer */
	const char *args;         /* "k=v;k=v" or ""; lent for the call */
	const char *host;         /* an address or a name; lent */
	uint16_t port;
	const char *why;          /* of an error: a static text */
};

/** What is said first; its length, or -EINVAL ('why'): the arguments or the name are too long. */
long exec_call_begin(struct exec_call *call, uint8_t out[EXEC_CALL_ROOM]);

/**
 * Hear what has come.  Returns 1 when the stream is open, 0 when more must come, or -errno with 'why'.
 * *eaten of it is used; out[0..*said) is to be said.
 */
int exec_call_hear(struct exec_call *call, struct ptah_span in, size_t *eaten, uint8_t out[EXEC_CALL_ROOM], size_t *said);

#endif
