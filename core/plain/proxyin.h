/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/proxyin.h: the PROXY protocol's header, as a proxy before us sends it:
 * for whom it speaks.
 *
 * A pure machine: it is given what came, in any pieces, and keeps of it what
 * addresses need.  Bytes behind the header belong to the stream.
 *
 *   version 1   "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443" CR LF, at most 107 bytes
 *   version 2   [signature:12][version, command:1][family, protocol:1][length:2]
 *               [addresses][fields, each [type:1][length:2][value]]
 *
 * Source: The PROXY protocol, versions 1 and 2 (haproxy.org).
 */
#ifndef PTAH_PLAIN_PROXYIN_H
#define PTAH_PLAIN_PROXYIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "base/addr.h"

/** Longest line of version 1, with its CR LF. */
#define PTAH_PROXYIN_LINE 107
/** What may follow the 16 bytes that every header of version 2 has.  Known proxies need a tenth. */
#define PTAH_PROXYIN_BODY 4096u

#define PTAH_PROXYIN_MORE 0 /* wants more input */
#define PTAH_PROXYIN_DONE 1

struct ptah_proxyin {
	bool told;            /* else the connection is the proxy's own, or it does not know: its address counts */
	struct ptah_addr from, to; /* of the client, and where it connected to; AF_UNSPEC: no IP address */
	const char *why;      /* of a failure, for the log; a constant */

	/* The machine's own. */
	uint8_t head[16 + 216]; /* a line, or the fixed part and the longest addresses */
	size_t n, left;       /* in 'head'; of the body */
	bool wants_fields;
	uint8_t field[3];
	size_t n_field, field_left;
	bool has_sum;
	uint8_t sum[4];       /* what the header says */
	uint32_t crc;         /* what it is */
};

void ptah_proxyin_init(struct ptah_proxyin *in);

/**
 * Take what came; *eaten says how much of it.
 * Fails: -EPROTO: it is no such header; -EMSGSIZE: it is too long; -EBADMSG: its checksum is wrong.
 */
int ptah_proxyin_feed(struct ptah_proxyin *in, struct ptah_span bytes, size_t *eaten);

#endif
