/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/outlet.h: where a server's datagrams leave for the plain side: a socket
 * connected to the target, which follows its name; and for messages that name
 * a destination themselves a socket of each family.
 *
 * Nobody is heard but the target and those that were spoken to.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_PLAIN_OUTLET_H
#define PTAH_PLAIN_OUTLET_H

#include "base/addr.h"
#include "wire/post.h"

struct event;
struct ptah_dns;
struct ptah_outlet;
struct ptah_place;
struct ptah_stats;
struct ptah_worker;

/** Destinations of one outlet that are remembered, beside the target; the one that was not spoken to longest goes. */
#define PTAH_PLACES_MOST 64u
/** A target that answers with ICMP errors is looked up again, but not more often. */
#define PTAH_OUTLET_LOOK_MS 1000u

/** How one works.  Lent for its life. */
struct ptah_outlet_how {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	struct ptah_udp_batch *batch; /* what is read goes there */
	struct ptah_post *post;       /* NULL: no message names a destination, and its user sends by itself */
	const struct ptah_dest *target;
	int family;                   /* of names, the addresses of this one only; AF_UNSPEC: any */
	/** Pieces came, and from whom ("ip:port", good for the call).  false: the outlet is gone. */
	bool (*on_got)(struct ptah_outlet *outlet, const struct ptah_udp_got *got, const char *from);
	/** The pieces of one wake-up have all come.  Runs also when none did; not when the outlet is gone. */
	void (*on_turn)(struct ptah_outlet *outlet);
	/** The target's address is known (0), or is not (-errno).  Once; may run inside ptah_outlet_aim(). */
	void (*on_aimed)(struct ptah_outlet *outlet, int rc);
};

/** A socket, unconnected. */
struct ptah_outlet_free {
	struct ptah_outlet *outlet;
	int fd;
	struct event *event;
};

/** Embed it. */
struct ptah_outlet {
	const struct ptah_outlet_how *how;
	struct ptah_lane target; /* fd -1: not there yet */
	struct event *event;
	struct ptah_addr at;     /* the target's address */
	char at_text[PTAH_ADDR_TEXT];
	struct ptah_dns *dns;
	uint64_t looked_ns;
	bool aimed;
	struct ptah_outlet_free free[2]; /* of IPv4, IPv6; made when first wanted */
	struct ptah_place *places;       /* the one that was spoken to last first */
	unsigned n_places;
};

void ptah_outlet_init(struct ptah_outlet *outlet, const struct ptah_outlet_how *how);
void ptah_outlet_clear(struct ptah_outlet *outlet);

/** Find out where the target is; on_aimed runs.  -ENOMEM, and it does not. */
int ptah_outlet_aim(struct ptah_outlet *outlet);

/**
 * The way to 'dest' ("host:port"; NULL: the target, which must be known).
 * -EINPROGRESS: its name is looked up, so what is for it is lost, or waits: ptah_outlet_hold().  Else -errno.
 */
int ptah_outlet_lane(struct ptah_outlet *outlet, const char *dest, struct ptah_lane **lane);
/** After -EINPROGRESS: send a copy of this there, once the place is known.  -ENOBUFS, -ENOMEM. */
int ptah_outlet_hold(struct ptah_outlet *outlet, const char *dest, struct ptah_span body);

#endif
