/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/datagram.h: datagrams on a stream, and back (ipc.md 7.5, 7.6).
 *
 * Pure: no socket, no memory.  Transparent UDP puts a length before each
 * datagram; STUN messages and TURN channel data delimit themselves.
 *
 * Sources: PT 2.0 draft 3; RFC 8489 section 5, RFC 8656 section 12.5.
 */
#ifndef PTAH_PLAIN_DATAGRAM_H
#define PTAH_PLAIN_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

/** Longest datagram that UDP over IPv4 can carry, and the longest frame of one. */
#define PTAH_DATAGRAM_MAX 65535
#define PTAH_FRAME_MAX (PTAH_DATAGRAM_MAX + 4)

#define PTAH_FRAMING_BE 0   /* length in network order, as the documents say */
#define PTAH_FRAMING_LE 1   /* in little-endian, as one peer does */
#define PTAH_FRAMING_STUN 2

/** Frame 'datagram' into 'out' (PTAH_FRAME_MAX).  Its length, or 0: this is no datagram of the mode; drop it. */
size_t ptah_datagram_frame(int framing, struct ptah_span datagram, uint8_t *out);

/** Is it one of the mode?  What a message carries is not framed, so nothing else looks. */
bool ptah_datagram_is_fit(int framing, struct ptah_span datagram);

/**
 * Of whole frames that stand one behind the other: how many bytes of 'frames' fit into 'room', and in *n how many
 * frames that is.
 */
size_t ptah_datagram_fit(int framing, struct ptah_span frames, size_t room, size_t *n);

/**
 * The first frame of a stream: sets *datagram inside 'in' and *len, what the frame takes.
 * Returns 1, 0 (more bytes are needed), or -EPROTO: the stream is broken.
 */
int ptah_datagram_unframe(int framing, struct ptah_span in, struct ptah_span *datagram, size_t *len);

#endif
