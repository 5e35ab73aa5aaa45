/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * preamble.h: what stands before the body in a packet of Shadowsocks 2022,
 * once it is opened.
 *
 *     client    0 | time | n | n bytes of padding | address
 *     server    1 | time | session of the client | n | padding | address
 *
 * Times are seconds of Unix in 8 bytes, n is 2 bytes; big-endian.
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_SHADOW_PREAMBLE_H
#define PTAH_SHADOW_PREAMBLE_H

#include "opening.h"
#include "packet.h"

#define SHADOW_PREAMBLE_MAX (1 + 8 + SHADOW_SESSION + 2 + SHADOW_ADDRESS_MAX) /* without padding */

struct shadow_preamble {
	int64_t time;
	const uint8_t *session; /* the client's, in what a server sends; else NULL */
	size_t padding;
	struct ptah_span address;
};

/** Its length without padding. */
static inline size_t
shadow_preamble_len(const struct shadow_preamble *preamble)
{
	return 1u + 8u + (preamble->session != NULL ? SHADOW_SESSION : 0u) + 2u + preamble->address.len;
}

/** Write it, zeros as padding; 'out' has room. */
void shadow_preamble_write(const struct shadow_preamble *preamble, uint8_t *out);
/** Read what 'role' has sent.  The body's place in 'in', or -EPROTO.  Session and address lie in 'in'. */
long shadow_preamble_read(struct ptah_span in, uint32_t role, struct shadow_preamble *preamble);

#endif
