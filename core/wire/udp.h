/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/udp.h: UDP sockets, and many datagrams in one call.
 *
 * Threads: whoever owns the socket.
 */
#ifndef PTAH_WIRE_UDP_H
#define PTAH_WIRE_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "base/addr.h"

struct ptah_bounds;

/** Pieces that are read in one call, at most. */
#define PTAH_UDP_BATCH 128
/** Datagrams that are sent in one call, at most. */
#define PTAH_UDP_SEND_MOST 64
/** Datagrams that come joined to one, at most: a peer on this machine may send more in one piece than the network brings. */
#define PTAH_UDP_JOIN_MOST 128

/** Our own address that a datagram was sent to; AF_UNSPEC: not known. */
struct ptah_udp_local {
	sa_family_t family;
	union {
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	};
};

/**
 * What came from one source: a datagram, or several that the kernel put
 * together, each 'each' bytes long but the last, which may be shorter.  'at' is
 * good until the next call on the same batch.
 */
struct ptah_udp_got {
	const uint8_t *at;
	size_t len, each;
	struct ptah_addr from;
	struct ptah_udp_local local;
};

/** What sending has taught about a socket; {0} knows nothing. */
struct ptah_udp_out {
	bool refused;     /* an ICMP error said that nobody is there; clear it when you have seen it */
	uint16_t no_join; /* datagrams of this length and more are not joined (GSO); 0: no limit is known */
};

/** Where to: both NULL on a connected socket. */
struct ptah_udp_to {
	const struct ptah_addr *addr;
	const struct ptah_udp_local *local; /* leave from there; NULL or AF_UNSPEC: from where the kernel likes */
};

/** Room for a batch, for ptah_udp_batch_free(); about 8 MiB of address space, of which only what is used is memory. */
struct ptah_udp_batch;
struct ptah_udp_batch *ptah_udp_batch_new(void);
/** One whose datagrams can be written to, and grow by so many bytes before and behind: ptah_udp_pieces(). */
struct ptah_udp_batch *ptah_udp_batch_new_roomy(size_t head, size_t tail);
void ptah_udp_batch_free(struct ptah_udp_batch *batch);

/**
 * Bind sockets for 'n' workers to one address; the kernel keeps each source
 * with one of them.  Gives: n descriptors, and the address that was bound.  -errno.
 */
int ptah_udp_listen(const struct ptah_addr *addr, int *fds, unsigned n, struct ptah_addr *bound);
/** The same as 'bounds' want it: interface, and of [::] no IPv4 if they say IPv6. */
int ptah_udp_listen_within(const struct ptah_bounds *bounds, const struct ptah_addr *addr, int *fds, unsigned n,
    struct ptah_addr *bound);

/** A socket of the target's family, connected to it, so that the kernel drops what others send.  -errno, or the descriptor. */
int ptah_udp_connect(const struct ptah_addr *target);

/** The same, from an address of ours (its port is 0 as a rule), or NULL. */
int ptah_udp_connect_from(const struct ptah_addr *from, const struct ptah_addr *target);

/** One of that family that is neither bound nor connected. */
int ptah_udp_open(sa_family_t family);

/** Shall the kernel join what comes on this socket?  It does where it can, unless told. */
void ptah_udp_join(int fd, bool on);
/** Is there room to take apart what was joined?  If not, tell the kernel. */
bool ptah_udp_batch_may_join(const struct ptah_udp_batch *batch);
/**
 * The datagrams of a piece that came in a roomy batch, at most PTAH_UDP_JOIN_MOST, each with its room around it.
 * One that came alone stays where it is; joined ones move apart, so ask once.
 */
size_t ptah_udp_pieces(const struct ptah_udp_batch *batch, const struct ptah_udp_got *got, struct ptah_room *pieces);

/** Read what is there, at most a batch.  How many of 'got', 0 for none, or -errno. */
int ptah_udp_read(int fd, struct ptah_udp_batch *batch, struct ptah_udp_got *got);

/**
 * Send 'n' datagrams (at most PTAH_UDP_SEND_MOST) to one place, in order, in as
 * few calls as the kernel allows.  Returns how many it took; UDP may lose any.
 */
size_t ptah_udp_send(int fd, struct ptah_udp_out *out, const struct ptah_udp_to *to, const struct ptah_span *datagrams,
    size_t n);

#endif
