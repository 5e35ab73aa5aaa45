/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * secretboxframe.h: the frames and packets of obfs4.
 *
 *     0        2                18    19        21
 *     | length |  Poly1305 tag  | type | length | payload | zeros |
 *       masked                  \____ XSalsa20, at most 1430 ____/
 *
 * Lengths are big-endian; the first counts what follows it, and is masked by
 * the next block of a SipHash DRBG.  Frames are sealed and opened straight
 * from span to span, many in one pass.  Nothing here knows when to pad.
 *
 * Threads: one struct ptah_boxer per worker; sealers and openers belong to
 * their link's worker.
 */
#ifndef PTAH_COMMON_SECRETBOXFRAME_H
#define PTAH_COMMON_SECRETBOXFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ptah/span.h>

#include "drbg.h"

#define PTAH_FRAME_KEYS_LEN 72 /* box key, nonce prefix, DRBG seed */
#define PTAH_FRAME_MAX 1448
#define PTAH_FRAME_HEAD 18   /* length and tag */
#define PTAH_FRAME_EMPTY 21  /* a frame around a packet of nothing */
#define PTAH_PACKET_MAX 1427 /* payload and padding of one packet */

#define PTAH_PACKET_PAYLOAD 0
#define PTAH_PACKET_SEED 1

#define PTAH_FRAME_NO_PADDING 0xffffu

/** The tools of a worker: whatever its CPU does best.  All its links share one. */
struct ptah_boxer;

/**
 * Gives: the tools; free them with ptah_boxer_free().
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_boxer *ptah_boxer_new(void);
/**
 * The same with the code of that name ("libsodium", "avx2", "avx512").
 * Fails: NULL and errno (ENOMEM, ENOTSUP if this CPU has it not).
 */
struct ptah_boxer *ptah_boxer_new_with(const char *vectors);
/** The name of the code that was chosen. */
const char *ptah_boxer_vectors(const struct ptah_boxer *boxer);
/** NULL is fine. */
void ptah_boxer_free(struct ptah_boxer *boxer);

/** The key of one direction, derived once; the direction's own key is not in it. */
struct ptah_frame_key {
	uint8_t subkey[32];
	uint64_t counter; /* of the next frame; 0 when they have run out */
	struct ptah_drbg lengths;
};

/** One link's way out.  Embed it; {0} is dead. */
struct ptah_sealer {
	struct ptah_frame_key key;
};

void ptah_sealer_init(struct ptah_sealer *sealer, const uint8_t keys[PTAH_FRAME_KEYS_LEN]);
void ptah_sealer_clear(struct ptah_sealer *sealer);

/** How long a payload becomes, without padding. */
size_t ptah_frame_sealed_len(size_t payload);

/** The payload that surely fits into so much room, padding to any target included. */
size_t ptah_frame_fits(size_t room);

/**
 * How many bytes of frames bring a burst of 'len' to 'target' (0 .. 1448)
 * modulo 1448, by the arithmetic of every obfs4 so far: where 1 to 21 bytes
 * are missing it overshoots the target by 21.
 */
size_t ptah_frame_padding(size_t len, unsigned target);

/**
 * Seal 'payload' as packets without padding, the last one short, and pad the
 * burst to 'target' with ptah_frame_padding() more bytes, unless that is
 * PTAH_FRAME_NO_PADDING.  'burst' bytes of the same burst stand before it.
 * An empty payload makes padding only.
 *
 * The payload and the room may not overlap.
 *
 * Returns the bytes made.  Fails, having done nothing: -ENOSPC (see
 * ptah_frame_fits()), -EOVERFLOW if the counter would run out: close the
 * link.  -ENOMEM: close it too, the sealer is dead.
 */
ssize_t ptah_sealer_burst(struct ptah_sealer *sealer, struct ptah_boxer *boxer,
    struct ptah_span payload, size_t burst, unsigned target, struct ptah_room out);

/** Seal one packet of any type; payload and padding together are at most PTAH_PACKET_MAX. */
ssize_t ptah_sealer_packet(struct ptah_sealer *sealer, struct ptah_boxer *boxer, uint8_t type,
    struct ptah_span payload, size_t padding, struct ptah_room out);

/** One link's way in.  Embed it; {0} is dead. */
struct ptah_opener {
	struct ptah_frame_key key;
	uint16_t pending; /* length of the box that comes next, 0 if not read yet */
	bool bad;         /* that length was a lie: fail when it is here */
};

void ptah_opener_init(struct ptah_opener *opener, const uint8_t keys[PTAH_FRAME_KEYS_LEN]);
void ptah_opener_clear(struct ptah_opener *opener);

/** Hears each packet that is not payload, of any type and length, in its turn;
 * it may use the boxer, but not the opener. */
typedef void ptah_packet_fn(uint8_t type, struct ptah_span payload, void *arg);

/** What one pass did, also when it failed. */
struct ptah_opened {
	size_t eaten; /* whole frames of 'in' */
	size_t made;  /* payload in 'out' */
	size_t need;  /* so many bytes of 'in', from where it was not eaten, make the next frame */
};

/**
 * Open the frames that are whole and whose payload surely fits, in order.
 * Room for PTAH_PACKET_MAX bytes opens at least one.  What is not eaten must stand first in
 * the next call.  'in' and 'out' may not overlap.  'on_packet' may be NULL.
 *
 * Returns 0, also when nothing could be done.  Fails for good, with what came
 * before the bad frame in 'out': -EBADMSG if it is not authentic or its length was none,
 * -EPROTO if the packet in it is malformed, -EOVERFLOW if the counter has run
 * out or it has failed before; -ENOMEM.
 */
int ptah_opener_open(struct ptah_opener *opener, struct ptah_boxer *boxer, struct ptah_span in,
    struct ptah_room out, ptah_packet_fn *on_packet, void *arg, struct ptah_opened *opened);

#endif
