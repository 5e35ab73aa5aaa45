/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * exec/orport.h: the relay's side of the Extended ORPort, which a transport
 * program's server connects to: it proves that it read the cookie, and says
 * who the client is (Tor's ext-orport specification, proposals 196 and 217).
 *
 * Pure, but for the cookie file.
 */
#ifndef PTAH_EXEC_ORPORT_H
#define PTAH_EXEC_ORPORT_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#define EXEC_COOKIE_LEN 32
#define EXEC_NONCE_LEN 32

/** Longest peer address that is taken, with its NUL. */
#define EXEC_PEER_ROOM 64

/** Room for whatever is to be said at once. */
#define EXEC_ORPORT_ROOM ((size_t)128)

enum exec_orport_step { EXEC_TYPE, EXEC_NONCE, EXEC_PROOF, EXEC_COMMANDS, EXEC_DONE };

struct exec_orport {
	enum exec_orport_step step;
	uint8_t proof[32];         /* what the program's must be */
	unsigned commands;         /* how many it has sent */
	char peer[EXEC_PEER_ROOM]; /* "ip:port", or "" */
	const char *why;           /* of an error: a static text */
};

/** What is said first. */
size_t exec_orport_begin(struct exec_orport *orport, uint8_t out[EXEC_ORPORT_ROOM]);

/**
 * Hear what has come; 'nonce' is fresh randomness, used once.
 * Returns 1 when the client's stream begins behind *eaten, 0 when more must come, -EACCES or -EPROTO with 'why'.
 * Call it again while it eats something; out[0..*said) is to be said.
 */
int exec_orport_hear(struct exec_orport *orport, const uint8_t cookie[EXEC_COOKIE_LEN],
    const uint8_t nonce[EXEC_NONCE_LEN], struct ptah_span in, size_t *eaten, uint8_t out[EXEC_ORPORT_ROOM], size_t *said);

/** Write the cookie into a file that only its owner reads.  -errno. */
int exec_cookie_write(const char *path, const uint8_t cookie[EXEC_COOKIE_LEN]);

#endif
