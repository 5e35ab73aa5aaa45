/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/hop.h: one layer of a link of messages, and how a message goes through it.
 *
 * Private to this room.  A side is where a message comes from: what comes from
 * the plain side goes through 'wrap_message' and leaves on the wire side, and
 * the reverse.
 */
#ifndef PTAH_RELAY_HOP_H
#define PTAH_RELAY_HOP_H

#include "relay/courier.h"
#include "relay/layer.h"

/* Memory around a message. */
struct space {
	struct ptah_room room;
	bool lasts; /* the owner's: good for longer than the hook's call */
};

/* A layer. */
struct hop {
	struct ptah_self self; /* self.state is the module's memory */
	struct ptah_courier *courier;
	enum phase phase;
	bool hooked;        /* 'open' was called, so 'close' must be */
	bool busy;          /* in one of its hooks */
	struct space space; /* of the message that its hook has */
};

/* A message that waits: for a layer that is not ready, or in one of its hooks; or for the plain end. */
struct held {
	struct held *next;
	int behind; /* it left this hop, */
	int from;   /* having come from this side */
	size_t len;
	char *peer, *dest; /* behind the body, or NULL */
	uint8_t body[];
};

struct ptah_courier {
	struct ptah_courier *prev, *next; /* all of the worker */
	struct ptah_worker *worker;
	struct ptah_stats *stats; /* where it is counted */
	struct ptah_instance *instance;
	const struct ptah_courier_ops *ops;
	void *arg;
	struct ptah_deadline deadline;
	uint64_t born_ns, got[2]; /* bytes that came from that side */
	uint8_t role, n_hops;
	bool begun, dead, open, asked, plain_done, plain_open;
	unsigned depth; /* hooks and calls that we are inside of */
	int rc, plain_rc;
	const char *reason;
	struct hop *hops; /* 0 is the top */
	struct held *held, **held_end;
	unsigned n_held;
	size_t held_bytes;
	uint64_t moved; /* hooks run and messages out, to see whether it still gets on */
	/* For its layers' birth. */
	struct ptah_args args;
	bool has_args;
	char server[PTAH_DEST_TEXT], peer[PTAH_ADDR_TEXT];
};

static inline void
ptah_courier_count(const struct ptah_courier *courier, enum ptah_stat stat)
{
	ptah_stats_add(courier->stats, stat, 1);
}

/** It is over; whoever is outermost buries it. */
void ptah_courier_die(struct ptah_courier *courier, int rc, const char *reason);

/**
 * Let a message that came from side 'from' go on behind hop 'behind' (exclusive): to the next layer, or out, or it waits.
 * 'space' is where the body lies, if that may be written to; 'answer' (may be NULL) hears that it was rejected.
 */
void ptah_hop_carry(struct ptah_courier *courier, int behind, int from, const struct ptah_msg *msg, const struct space *space,
    int *answer);
/** host->message() of a layer. */
int ptah_hop_message(struct ptah_self *self, const struct ptah_msg *msg);
/** What 'open' and 'endpoint' of layer i are given. */
struct ptah_open ptah_hop_open_of(struct ptah_courier *courier, unsigned i);
void ptah_hop_open(struct ptah_courier *courier, unsigned i);
void ptah_hop_event(struct ptah_courier *courier, struct hop *hop, const struct ptah_event *event);

/** What waits may go on now, or wait again, in order. */
void ptah_hops_release(struct ptah_courier *courier);
/** The first that waits, which there must be, for free(). */
struct held *ptah_held_pop(struct ptah_courier *courier);

#endif
