/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * ptah/module.h: what a transport is to its host.
 *
 * A module is a shared object NAME.so that exports one const descriptor (see
 * PTAH_MODULE at the end) and links no symbol of the host's.  It has one of
 * two shapes:
 *
 *   codec     turns bytes into bytes on one stream that the host opened
 *   carrier   makes its own streams and hands the host one end (ptah/host.h)
 *
 *     plain end --> wrap ---> wire end        plain: the side that trusts us
 *     plain end <-- unwrap <- wire end        wire:  the side a censor may read
 *
 * Four lives, whose memory the host allocates (zeroed, aligned to 64), wipes
 * and frees; a size of 0 is fine:
 *
 *   conf     the instance's options, read-only once it is open
 *   home     one per instance, on one worker: what all its links share
 *   worker   one per instance and worker: scratch, tables
 *   link     one per carried connection
 *
 * Threads: the hooks of a link, and of its worker life, run on that link's
 * worker; the hooks of a home on the home's; the rest on the main thread.  No
 * hook may wait for disk, network or another process.  A module keeps no
 * mutable static state.  No hook runs after close.
 *
 * Errors: 0 or a PTAH_ answer, else a negative errno value, which ends what
 * the hook was called for; io->reason may say why in words.
 *
 * Growth: structs grow at the end only, within one major; 'size' says how much
 * of a struct its maker knew.  Functions that are NULL mean "the usual".
 */
#ifndef PTAH_MODULE_H
#define PTAH_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/option.h>
#include <ptah/span.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PTAH_ABI_MAGIC 0x70746168u /* "ptah" */
#define PTAH_ABI_MAJOR 1
#define PTAH_ABI_MINOR 1

struct ptah_host; /* the services: ptah/host.h */
struct ptah_self; /* the host's name for a home, a worker life or a link; first argument of every service */
struct ptah_event; /* ptah/host.h */
struct ptah_msg;

/* ---- what a step of a link sees and answers --------------------------- */

#define PTAH_CLIENT 1u
#define PTAH_SERVER 2u

/* Answers of open, wrap, unwrap and event. */
#define PTAH_GO 0     /* call me again when there is something for me */
#define PTAH_OPEN 1   /* my handshake is over; say it once */
#define PTAH_ADMIT 2  /* server, once: the peer is good; open the plain end (to io->dest, if set); PTAH_EV_PLAIN tells how that went; OPEN comes later, or, without an event hook, of itself */
#define PTAH_PASS 3   /* as OPEN, and from here on the bytes pass me by, both ways; what I did not eat goes first */
#define PTAH_REJECT 4 /* the peer failed to authenticate: the host ends it as io->manner says */

/* Manners of PTAH_REJECT. */
#define PTAH_SILENT 0u /* read on, answer nothing, close at a moment that tells nothing, or when the peer has sent EOF */
#define PTAH_SHUT 1u   /* the same after an EOF */
#define PTAH_NOW 2u    /* close at once */

#define PTAH_NEVER SIZE_MAX /* as 'want': not for input */

/* How the wire is told that nothing more comes. */
#define PTAH_FINISH_STREAM 1u /* the stream below ends that way */
#define PTAH_FINISH_INSIDE 2u /* the peer knows by my own protocol: the stream stays as it is, for as long as the peer answers */

/** One side of a link during one call. */
struct ptah_side {
	struct ptah_span in;  /* all that came from this side and is not eaten yet, in one piece */
	struct ptah_room out; /* room towards this side: the module's 'unit' at least, or nothing while it is full */
	uint32_t ended;       /* nothing will come after 'in' */
	/* Answers.  'want' and 'hold' stand preset to what was answered last. */
	uint32_t finish;      /* send EOF this way after what I made; PTAH_FINISH_ on the wire side */
	uint32_t hold;        /* do not read from this side until I clear it */
	uint32_t more;        /* I have more for this side: call me again, without input too, once there is room */
	size_t eaten, made;
	size_t want;          /* 0: call me at each arrival; n: when n bytes are here; PTAH_NEVER: not for input */
};

/** A carrier and a message link see no bytes in it: only 'reason' counts there. */
struct ptah_io {
	uint32_t size;
	uint32_t flush;   /* answer: what I made on the wire is one write of its own */
	struct ptah_side plain, wire;
	uint32_t manner;  /* answer, of PTAH_REJECT */
	uint32_t close_s; /* answer, of PTAH_REJECT: close this long after accept, or at the peer's EOF; 0: the host draws the moment */
	/* Answers, with PTAH_ADMIT, OPEN or PASS of a server; must outlive the call only. */
	const char *dest; /* where the plain end goes, "host:port"; NULL: as configured */
	const char *peer; /* who the peer is, "ip:port"; "": has no address; NULL: as the host sees it */
	/* Answer, with an error or REJECT: a static text of a line, no secrets in it. */
	const char *reason;
};

/** What a home, or a worker life, is born with.  'conf', 'self' and 'host' stay; the rest lives for one call. */
struct ptah_start {
	uint32_t size, role;
	const void *conf;
	const char *name;     /* the PT name that was asked for: mine, an alias, or what a NAME.json defines */
	const char *settings; /* all options of the instance as compact JSON, unknown keys too; NULL for a server without any */
	const char *bind;     /* server: where it will listen, "ip:port"; NULL when nobody has said */
	const char *folder;   /* where programs that it starts may keep their state; NULL: nowhere */
	const char *proxy;    /* client: the upstream proxy as URI, for programs that it starts; NULL: none */
	struct ptah_self *self;
	const struct ptah_host *host;
};

/** What a link is born with.  Lives for one call, but for 'conf', 'home', 'worker', 'self' and 'host': copy what you keep. */
struct ptah_open {
	uint32_t size, role; /* PTAH_CLIENT or PTAH_SERVER */
	uint32_t messages;   /* this link carries messages, not a stream */
	uint32_t layer;      /* 0 is the top of the stack */
	uint32_t attempt;    /* client: how many dials and handshakes of this link have failed */
	uint32_t reserved;
	const void *conf;
	void *worker;
	const void *args;      /* this link's options */
	const char *settings;  /* all of them as compact JSON, unknown keys too; NULL for a server without any */
	const char *server;    /* client: where the host dialled, or would dial */
	const char *dest;      /* client: where the application wants to go, if it said so and that is not 'server' */
	const char *peer;      /* "ip:port" at the other end of the stream below; "" when it has none */
	struct ptah_self *self;
	const struct ptah_host *host;
	const void *home;      /* what must not change once the home has said ready(): its worker may be another one */
};

/* ---- abilities --------------------------------------------------------- */

#define PTAH_CAN_CLIENT 0x0001u
#define PTAH_CAN_SERVER 0x0002u
#define PTAH_CAN_STREAM 0x0004u
#define PTAH_CAN_MESSAGE 0x0008u /* has wrap_message and unwrap_message */
#define PTAH_CAN_HALF_CLOSE 0x0010u /* an EOF means nothing to it: the host passes it on when all before it is eaten */
#define PTAH_IS_CARRIER 0x0020u
#define PTAH_IS_FREE 0x0040u     /* the application names the destination, not the configuration */
#define PTAH_NO_ADDRESS 0x0080u  /* a client needs no server address */
#define PTAH_OWN_SOCKETS 0x0100u /* cannot go through the host's dialer, so never through an upstream proxy */
#define PTAH_NAMED_ONLY 0x0200u  /* '*' leaves it out */
#define PTAH_UNMAPS 0x0400u      /* may be unloaded when its last instance is gone */
#define PTAH_SPAWNS 0x0800u      /* starts programs */
#define PTAH_MESSAGES_ASKED 0x1000u /* carries messages only where the host's option "messages" says so; else they are framed in its stream */
#define PTAH_ANSWERS_ALL 0x2000u /* a server answers whoever connects, by design: a probe finds it, and the host warns */
#define PTAH_HOLDS_EOF 0x4000u   /* the usual peer closes at an EOF, and a reply with it: unless told otherwise (half-close), a client keeps its own back */
#define PTAH_PASSES_OPTIONS 0x8000u /* what it does not know among its options is for somebody behind it: no unknown keys */

/* ---- the descriptor ---------------------------------------------------- */

struct ptah_head {
	uint32_t magic;
	uint16_t major, minor, needs_minor, reserved;
	uint32_t size, option_size;
};

struct ptah_module {
	struct ptah_head head; /* PTAH_HEAD(0): the lowest minor of the host's ABI that I need */

	const char *name;           /* as in NAME.so; a PT name */
	const char *const *aliases; /* NULL, or more names with NULL at the end */
	const char *version, *summary;
	const char *example;        /* {"server": {...}, "client": {...}}: options for a conformance run, "" for none needed */
	const char *const *counters; /* names for host->count(), NULL at the end */
	uint32_t abilities;
	uint32_t handshake_ms;      /* limit for my handshake, or a carrier's for its dial; 0: 30 s */
	const struct ptah_option *options;
	uint32_t conf_size, args_size, home_size, worker_size, link_size;
	uint32_t unit;              /* least room in bytes that a step may count on; 0: 1 */
	uint32_t msg_head, msg_tail; /* bytes that a message grows by, before and behind */

	/* Rules that no single option can say; 'why' gets a line. */
	int (*conf_check)(const void *conf, uint32_t role, char *why, size_t room);
	int (*args_check)(const void *conf, const void *args, uint32_t role, char *why, size_t room);

	/* Home.  Without home_open an instance is ready at once. */
	int (*home_open)(void *home, const struct ptah_start *); /* ends, now or later, in host->ready() */
	int (*home_event)(void *home, const struct ptah_event *);
	void (*home_close)(void *home);

	int (*worker_open)(void *worker, const struct ptah_start *);
	int (*worker_event)(void *worker, const struct ptah_event *); /* a timer; an error is logged, and no more */
	void (*worker_close)(void *worker);

	/* A codec.  'open' runs when the stream below is open. */
	int (*open)(void *link, const struct ptah_open *, struct ptah_io *);
	int (*wrap)(void *link, struct ptah_io *);   /* for input or EOF of the plain side, and again once there is room */
	int (*unwrap)(void *link, struct ptah_io *); /* the same of the wire side */
	int (*event)(void *link, const struct ptah_event *, struct ptah_io *); /* a timer, mail ... */
	void (*close)(void *link, int why);          /* 0, or the -errno that ended it */

	/* Client, before the host dials: where to, at this attempt, of 64 at most; -ENOENT when there is no other.  A link
	 * whose handshake failed (not by -ENOMEM or -ECANCELED) is closed, and opened anew at the next place. */
	int (*endpoint)(const struct ptah_open *, char *server, size_t room);

	/* A carrier.  'dial' ends in host->give(); 'listen', when the home is ready, in host->arrive() for each connection. */
	int (*dial)(void *link, const struct ptah_open *, struct ptah_io *);
	int (*listen)(void *home, const char *bind);

	/*
	 * Messages.  The answers are those of a step; REJECT drops the message, and a link whose
	 * peer was found good by no layer yet.  What they make goes by host->message(), as often as they like.  Of a link whose 'key' is known a
	 * message from another address moves the peer there, unless it is rejected: so reject what is not authentic.
	 */
	int (*key)(const void *conf, void *worker, const struct ptah_msg *, uint8_t key[16]); /* server, bottom layer: which link owns a datagram that came in?  0; PTAH_PASS: its source address says so, as it does when this is NULL; anything else drops it */
	int (*wrap_message)(void *link, const struct ptah_msg *);   /* from the plain side; only when the link is open */
	int (*unwrap_message)(void *link, const struct ptah_msg *); /* from the wire side */

	/* For people.  Both write JSON objects as text and return its length.  A home says its bridge arguments itself, in ready(). */
	int (*generate)(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client);
	int (*bridge_args)(const void *conf, const char *bound, struct ptah_room args);
};

#define PTAH_HEAD(needs) \
	{ \
		PTAH_ABI_MAGIC, PTAH_ABI_MAJOR, PTAH_ABI_MINOR, (needs), 0, \
		    (uint32_t)sizeof(struct ptah_module), (uint32_t)sizeof(struct ptah_option) \
	}

/**
 * Begin the descriptor of module 'id':
 *
 *     PTAH_MODULE(veil) = {
 *         .head = PTAH_HEAD(0),
 *         .name = "veil",
 *         ...
 *     };
 */
#ifdef __cplusplus
#define PTAH_MODULE(id) \
	extern "C" __attribute__((visibility("default"))) const struct ptah_module id##_LTX_ptah_module; \
	extern "C" const struct ptah_module id##_LTX_ptah_module
#else
#define PTAH_MODULE(id) \
	extern __attribute__((visibility("default"))) const struct ptah_module id##_LTX_ptah_module; \
	const struct ptah_module id##_LTX_ptah_module
#endif

#ifdef __cplusplus
}
#endif

#endif
