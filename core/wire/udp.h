/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/udp.h: UDP sockets, and many datagrams in one call.
 *
 * Threads: whoever owns the socket.
 */
#ifndef PTAH_WIRE_UDP_H
#define PTAH_WIRE_UDP_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/** Datagrams in one call, at most. */
#define PTAH_UDP_BATCH 32

/** A datagram that came: 'at' is good until the next call on the same batch. */
struct ptah_udp_got {
	const uint8_t *at;
	size_t len;
	struct ptah_addr from;
};

/** Room for a batch, for ptah_udp_batch_free(); about 2 MiB of address space, of which only what is used is memory. */
struct ptah_udp_batch;
struct ptah_udp_batch *ptah_udp_batch_new(void);
void ptah_udp_batch_free(struct ptah_udp_batch *batch);

/** A socket bound to this address, and which that came to be.  -errno, or the descriptor. */
int ptah_udp_listen(const struct ptah_addr *addr, struct ptah_addr *bound);

/** A socket of the target's family, connected to it, so that the kernel drops what others send.  -errno, or the descriptor. */
int ptah_udp_connect(const struct ptah_addr *target);

/** Read what is there, at most a batch.  Datagrams, 0 for none, or -errno. */
int ptah_udp_read(int fd, struct ptah_udp_batch *batch, struct ptah_udp_got *got);

/** Send one; 'to' NULL for a connected socket.  0 or -errno; UDP may lose it, so callers seldom care. */
int ptah_udp_send(int fd, const struct ptah_addr *to, const uint8_t *at, size_t len);

#endif
