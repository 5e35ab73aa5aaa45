/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/tunnel.h: ask an upstream proxy for a tunnel: socks5, socks4a, http.
 *
 * A pure machine: it is given what came and says what to send.  It eats all of
 * it, but never a byte behind the proxy's answer: those belong to the tunnel.
 *
 * Sources: RFC 1928, RFC 1929, the SOCKS 4A note, RFC 9110 section 9.3.6.
 */
#ifndef PTAH_WIRE_TUNNEL_H
#define PTAH_WIRE_TUNNEL_H

#include <stdint.h>

#include <ptah/span.h>

#include "base/addr.h"
#include "base/buf.h"
#include "config/proxyuri.h"

/** Longest header of an http answer. */
#define PTAH_TUNNEL_HEADER_MAX 16384

#define PTAH_TUNNEL_MORE 0  /* wants more input */
#define PTAH_TUNNEL_OPEN 1  /* the tunnel is there */
#define PTAH_TUNNEL_FAIL 2  /* it is not: see rep and reason */

struct ptah_tunnel {
	const struct ptah_proxy *proxy;
	const struct ptah_dest *dest;
	int state;
	uint8_t rep;        /* of FAIL: the SOCKS reply code (1 to 8) that says why */
	const char *reason; /* of FAIL, without credentials */
	struct ptah_buf kept; /* the answer so far */
};

/** Lends: proxy and dest, as long as the machine lives.  Appends what is to be sent first to 'out'; -ENOMEM. */
int ptah_tunnel_begin(struct ptah_tunnel *tunnel, const struct ptah_proxy *proxy,
    const struct ptah_dest *dest, struct ptah_buf *out);

/** Take what came; *eaten says how much of it.  Appends answers to 'out'.  PTAH_TUNNEL_..., or -ENOMEM. */
int ptah_tunnel_feed(struct ptah_tunnel *tunnel, struct ptah_span in, size_t *eaten, struct ptah_buf *out);

void ptah_tunnel_clear(struct ptah_tunnel *tunnel);

#endif
