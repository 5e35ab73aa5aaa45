/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/layer.h: one transport of one link, and how bytes go through it.
 *
 * Private to this room.  A side is where input comes from: what comes from the
 * plain side goes through 'wrap' and leaves on the wire side, and the reverse.
 */
#ifndef PTAH_RELAY_LAYER_H
#define PTAH_RELAY_LAYER_H

#include "loop/deadline.h"
#include "loop/end.h"
#include "loop/worker.h"
#include "relay/flock.h"
#include "relay/link.h"
#include "relay/stack.h"
#include "relay/tail.h"
#include "stats/stats.h"
#include "transport/self.h"

#define PLAIN 0
#define WIRE 1

/** Before its bytes, a scratch has room for what the next layer kept of the last ones. */
#define PTAH_SCRATCH_HEAD ((size_t)64 * 1024)

enum phase {
	PHASE_NEW,      /* 'open' has not been called */
	PHASE_OPENING,  /* its handshake is under way */
	PHASE_ADMITTED, /* server: it awaits its plain side */
	PHASE_OPEN,
	PHASE_PASSED,   /* bytes pass it by */
};

struct layer {
	struct ptah_self self; /* self.state is the module's memory */
	struct ptah_link *link;
	enum phase phase;
	bool carrier;     /* makes the wire end; no byte goes through it */
	bool hooked;      /* 'open' or 'dial' was called, so 'close' must be */
	bool ended[2];    /* nothing more comes from that side */
	bool told[2];     /* ... and its module has been called with that */
	bool finished[2]; /* EOF was sent towards that side */
	bool inside;      /* its peer knows, by its own protocol, that nothing more comes from the plain side */
	bool hold[2];
	bool parked[2];   /* its step wants more than there is */
	bool starved[2];  /* its step wants more room towards that side */
	bool waits[2];    /* its step for that side's input may want room to answer there */
	size_t want[2];
	struct ptah_tail tail[2];
};

enum stage {
	STAGE_DIAL,   /* client: the wire end is being opened */
	STAGE_LAYERS, /* handshakes */
	STAGE_RELAY,  /* both ends are there */
};

struct ptah_link {
	struct ptah_worker *worker;
	struct ptah_stats *stats;      /* where it is counted */
	struct ptah_link *prev, *next; /* of its flock */
	const struct ptah_link_ops *ops;
	void *arg;
	struct ptah_instance *instance; /* the top's */
	struct ptah_end end[2];
	struct ptah_deadline deadline;
	enum stage stage;
	uint8_t role, n_layers;
	bool asked;      /* server: the plain end was asked for */
	bool plain_wait; /* server: ... and is not there yet */
	bool plain_open;
	bool plain_told; /* the layers know */
	bool eof[2];     /* read from that end */
	bool dead, aborting;
	bool held;       /* all is said but for the wire's EOF, and 'deadline' waits for that */
	bool rejected;
	bool believed;   /* what came by the wire has reached the plain side */
	uint8_t manner;
	uint8_t half_close; /* PTAH_HALF_CLOSE_ */
	uint8_t busy;    /* we are inside one of its entry points */
	uint8_t n_idle;  /* calls of steps on end, in this turn, that moved nothing */
	uint16_t n_still; /* half-closed: looks since what waits became less, or (held) a byte came; broken: looks since then */
	uint32_t close_s; /* as io->close_s */
	uint32_t waited; /* half-closed: bytes that waited at the last look */
	int rc;
	const char *reason;
	uint64_t born_ns;
	struct birth *birth; /* what only the handshake needs; freed when it is over */
	struct layer *layers; /* n_layers of them; 0 is the top */
	uint64_t got[2];     /* bytes read from that end */
	uint64_t moved;      /* bytes read since 'deadline' was set, to see whether a half-closed link still lives */
};

/** What a link needs until it relays. */
struct birth {
	struct ptah_dial *dial;
	const struct ptah_dial_how *how;
	struct ptah_args args;
	bool has_args;
	bool has_server;
	struct ptah_dest server;
	char dest[PTAH_DEST_TEXT];   /* client: for a free transport; server: as the codec said */
	bool has_dest;
	char peer[PTAH_ADDR_TEXT];
	int given_fd;                /* from a carrier */
	bool given;
	uint32_t attempt;
	unsigned dial_ms;
	uint64_t dialed_ns;          /* when the dial began: a client's, or a server's owner's for the plain end */
	struct ptah_span early[2];   /* heap: bytes that came before their reader was there */
	int plain_fd;                /* server: has come, is not yet taken */
	bool plain_done;
	int plain_rc;
	struct ptah_instance *from;  /* server: whose carrier brought the stream and was not told of the plain end (a reference) */
	uint64_t cookie;
};

/** What 'open' and 'endpoint' of layer i are given, but for the addresses. */
struct ptah_open ptah_layer_open_of(struct ptah_link *link, unsigned i);
/** Call a layer's 'open'.  0 or -errno. */
int ptah_layer_open(struct ptah_link *link, unsigned i);
/** Bring input from side 's' to layer i or to what lies behind it; 'head' bytes before it may be overwritten. */
int ptah_layer_feed(struct ptah_link *link, int i, int s, struct ptah_span in, size_t head, bool ended);
/** Go on with what layers kept, now that there may be room.  1 if anything moved, 0 if not, -errno. */
int ptah_layer_kick(struct ptah_link *link);
/** Call a layer's 'event'. */
int ptah_layer_event(struct ptah_link *link, struct layer *layer, const struct ptah_event *event);
void ptah_layer_close(struct layer *layer, int why);

/* link.c: life and death. */
struct ptah_link *ptah_link_new(struct ptah_worker *worker, struct ptah_instance *instance, uint8_t role,
    const struct ptah_link_ops *ops, void *arg);
/** What the option half-close says: auto holds a client's EOF where a transport of the stack wants that. */
void ptah_link_set_half_close(struct ptah_link *link, int said);
void ptah_link_free(struct ptah_link *link);
/** All of them, none opened.  -errno; ptah_layers_free() takes what there is. */
int ptah_layers_new(struct ptah_link *link);
void ptah_layers_free(struct ptah_link *link, int why);
/** It is over; ptah_link_settle() will bury it. */
void ptah_link_die(struct ptah_link *link, int rc);
/** It dies unless this is called again, or its deadline cleared, within 'ms'. */
void ptah_link_limit(struct ptah_link *link, unsigned ms);
/** Do what has become possible; the link may be gone when this returns.  Every entry from the loop ends with it. */
void ptah_link_settle(struct ptah_link *link);
static inline void
ptah_link_stat(const struct ptah_link *link, enum ptah_stat stat, uint64_t n)
{
	ptah_stats_add(link->stats, stat, n);
}

/* birth.c: on the way to the relay. */
/** One step; 1 if it should be looked at again, 0 if there is nothing to do, -errno. */
int ptah_birth_step(struct ptah_link *link);
/** A client's handshake has failed: true if it lives again, on its way to another place. */
bool ptah_birth_again(struct ptah_link *link);
/** Keep bytes that came before their reader was there.  -ENOMEM. */
int ptah_birth_keep_early(struct ptah_link *link, int s, struct ptah_span early);
void ptah_birth_free(struct ptah_link *link);

/* traffic.c: bytes. */
extern const struct ptah_end_ops ptah_link_end_ops;
void ptah_link_set_readers(struct ptah_link *link);
/** Let it die when all has been said, or cannot be said any more. */
void ptah_link_look_whether_over(struct ptah_link *link);

/** First layer behind index i (exclusive) that bytes from side 's' must go through, or must not overtake what it kept; n_layers or -1: the end itself. */
int ptah_layer_next(const struct ptah_link *link, int i, int s);
/** Bytes for an end.  0 or -errno. */
int ptah_link_out(struct ptah_link *link, int side, struct ptah_span bytes, bool finish);

/** Why and since when a peer is kept in the dark. */
struct ptah_rejection {
	struct ptah_stats *stats; /* where it is counted; NULL: with its worker */
	uint64_t born_ns;
	uint32_t manner;
	uint32_t close_s; /* as io->close_s */
	bool asked;       /* its plain end was */
	bool believed;    /* ... and has got what it sent: it had been good */
};

/** Keep a rejected peer's descriptor open, silently, until its hour comes or it has sent EOF.  Takes: fd. */
void ptah_drain_begin(struct ptah_worker *worker, int fd, const struct ptah_rejection *how);
/** Draw how long, for one that is so old. */
double ptah_drain_life_s(double age_s, const struct ptah_rejection *how);
void ptah_drain_end_all(struct ptah_worker *worker);

/** What this room keeps per worker. */
struct ptah_relay {
	struct ptah_flock own; /* links of instances that name no flock */
	struct drained **drained; /* eldest first */
	unsigned n_drained, drained_most;
	double drain_scale; /* of how long they live: 1 */
};
struct ptah_relay *ptah_relay_of(struct ptah_worker *worker);

#endif
