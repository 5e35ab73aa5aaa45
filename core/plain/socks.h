/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/socks.h: the server's side of a SOCKS handshake: SOCKS5 with its
 * methods none, login (PT 1 arguments) and JSON block, SOCKS4 and 4a.
 *
 * A pure machine: it is given what came, and says what to send and what was
 * asked for.  It opens nothing, looks at no clock and knows no transport; a
 * connection needs it only until the request is answered.
 *
 * Sources: ipc.md section 4; RFC 1928, RFC 1929.
 */
#ifndef PTAH_PLAIN_SOCKS_H
#define PTAH_PLAIN_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/json.h"

/* The whole handshake, and how long after a bad block the request may take. */
#define PTAH_SOCKS_HANDSHAKE_MS 5000
#define PTAH_SOCKS_HURRY_MS 1000
/* After a failure: shut down, then read on so long and so much, then close. */
#define PTAH_SOCKS_DRAIN_MS 1000
#define PTAH_SOCKS_DRAIN_BYTES 65536

/** Largest JSON block. */
#define PTAH_SOCKS_BLOCK_MAX 65536
/** Room for any reply. */
#define PTAH_SOCKS_REPLY_MAX 10

#define PTAH_SOCKS_MORE 0    /* wants more input */
#define PTAH_SOCKS_REQUEST 1 /* asks for a connection: answer with ptah_socks_reply() */
#define PTAH_SOCKS_FAILED 2  /* send what is in 'out', shut down, drain, close */
#define PTAH_SOCKS_CLOSED 3  /* close without a word */

#define PTAH_SOCKS_NONE 0x00
#define PTAH_SOCKS_LOGIN 0x02
#define PTAH_SOCKS_JSON 0x09
#define PTAH_SOCKS_OLD_JSON 0x80 /* only with 'legacy80' */
#define PTAH_SOCKS_V4 0x04       /* no method: the client speaks SOCKS4 */

/* Reply codes (4.8; 4.4 for the last four). */
#define PTAH_REP_OK 0x00
#define PTAH_REP_GENERAL 0x01
#define PTAH_REP_NOT_ALLOWED 0x02
#define PTAH_REP_NET_UNREACHABLE 0x03
#define PTAH_REP_HOST_UNREACHABLE 0x04
#define PTAH_REP_REFUSED 0x05
#define PTAH_REP_TIMED_OUT 0x06
#define PTAH_REP_COMMAND 0x07
#define PTAH_REP_ADDRESS 0x08
#define PTAH_REP_BLOCK_LONG 0x10
#define PTAH_REP_BLOCK_LATE 0x11
#define PTAH_REP_BLOCK_BAD 0x12
#define PTAH_REP_SETTINGS 0x13

struct ptah_socks {
	/* For the driver to read. */
	int status;     /* PTAH_SOCKS_... */
	bool hurry;     /* the block was bad: PTAH_SOCKS_HURRY_MS from now on, then ptah_socks_timeout() */
	uint8_t method; /* PTAH_SOCKS_...: which replies are due */
	uint8_t out[16]; /* to send, in this order, before anything else */
	uint8_t out_len; /* set it back to 0 when that is sent */
	const char *why; /* of FAILED and CLOSED, for the log; a constant */
	/* Of a request. */
	struct ptah_dest dest;  /* "" if there is none: all zeros, or a name that cannot be one */
	bool dest_bad;          /* ... the latter */
	struct ptah_json *args; /* an object; NULL: none were sent */

	/* The machine's own. */
	uint8_t dialect, step, offered, rep;
	bool legacy80;
	uint8_t small[18], n_small;
	uint16_t port;
	uint32_t left;
	struct ptah_buf text;
	struct ptah_json_scan scan;
};

/** Begin.  'dialect' is PTAH_D1 ...; 'legacy80' switches method 80 on.  End with ptah_socks_clear(). */
void ptah_socks_init(struct ptah_socks *socks, int dialect, bool legacy80);

/** Free what the machine holds, also 'args': take that before, and set it NULL. */
void ptah_socks_clear(struct ptah_socks *socks);

/**
 * Take what came.  Returns how much was eaten: all of it while status is MORE;
 * after REQUEST the rest is early data; after a failure it is of no use.
 */
size_t ptah_socks_feed(struct ptah_socks *socks, struct ptah_span in);

/** The time is up, or the client has closed its side: status becomes FAILED or CLOSED. */
void ptah_socks_timeout(struct ptah_socks *socks);

/**
 * Make the answer to a request in 'out'; dialect 1 gets no code that its
 * parents do not know.  Returns its length.
 */
size_t ptah_socks_reply(int dialect, uint8_t method, unsigned rep, uint8_t out[static PTAH_SOCKS_REPLY_MAX]);

/** Reply code of -errno, or of what a dial says of its proxy; 0 is OK. */
unsigned ptah_socks_rep(int rc);

/**
 * Choose where to connect (4.7): 'server' is the serverAddress of the
 * connection's options, "" without; 'own' when it came with the connection.
 * Returns PTAH_REP_OK with *dest, whose host is "" when there is none and
 * 'needed' is false; else the reply code.
 */
unsigned ptah_socks_choose(const struct ptah_socks *socks, const char *server, bool own, bool needed,
    struct ptah_dest *dest);

#endif
