/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/link.h: one carried connection: a plain end, a wire end, and the
 * layers between them.
 *
 * A link dials its wire end (client) or is born on one (server), lets the
 * layers do their handshakes from the bottom up, and then moves bytes both
 * ways until both ends are done.  It knows nothing of SOCKS or of ORPorts:
 * its owner does.
 *
 * Threads: a link is born, lives and dies on one worker.
 */
#ifndef PTAH_RELAY_LINK_H
#define PTAH_RELAY_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <ptah/span.h>

#include "base/addr.h"
#include "transport/instance.h"
#include "wire/dial.h"

struct ptah_link;

/** Without a byte for this long, a wire that is held open after our EOF is closed. */
#define PTAH_HOLD_MS 60000

/** What the owner of a link hears.  All run on the worker, from ptah_link_go() on. */
struct ptah_link_ops {
	/**
	 * Client: all handshakes are over.  Returns what the plain end must be
	 * told before any byte of the peer (a SOCKS reply); it need live for the call only.
	 */
	struct ptah_span (*on_open)(struct ptah_link *link, void *arg);
	/**
	 * Client: it did not come to that.  Takes: plain_fd, to say so and close.
	 * 'reason' is a line, or NULL.  The link is gone after this call.
	 */
	void (*on_failed)(int plain_fd, int rc, const char *reason, void *arg);
	/**
	 * Server: the peer is good; open the plain end, to 'dest' if that is not
	 * NULL, and call ptah_link_plain_opened() or _failed(), now or later.  'peer' is a
	 * text "ip:port", or "" when the peer has no address.
	 */
	void (*on_admit)(struct ptah_link *link, const char *dest, const char *peer, void *arg);
	/** It is over after it was open (rc 0 or -errno), or a server link ended before.  The link is gone after this call. */
	void (*on_closed)(int rc, void *arg);
	/**
	 * Not NULL: the plain end is no descriptor but this function and
	 * ptah_link_push() (UDP modes).  It takes all of 'bytes'; it may not end the link.  -errno ends it.
	 */
	int (*on_bytes)(struct ptah_link *link, struct ptah_span bytes, void *arg);
};

struct ptah_link_client {
	struct ptah_instance *instance;
	const struct ptah_dial_how *how;
	int plain_fd;                 /* -1 with on_bytes */
	struct ptah_span early;       /* plain bytes that came already */
	struct ptah_args *args;       /* of the top layer; moved from */
	const struct ptah_dest *server; /* where the wire end goes; NULL: the instance says, or needs none */
	const char *dest;             /* of a free transport: where the application wants to go, or NULL */
	unsigned dial_ms;
};

/**
 * Begin a client link.
 * Takes: plain_fd and args, but not if this call fails.
 * Shares: the instance (counted).
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_link *ptah_link_client_new(struct ptah_worker *worker, const struct ptah_link_client *how,
    const struct ptah_link_ops *ops, void *arg);

/**
 * Begin a server link on a stream that came in.
 * Takes: wire_fd, also on failure.
 * Shares: the instance (counted).
 * Fails: NULL and errno (ENOMEM).
 */
struct ptah_link *ptah_link_server_new(struct ptah_worker *worker, struct ptah_instance *instance, int wire_fd,
    const char *peer, const struct ptah_link_ops *ops, void *arg);

/** Server, before ptah_link_go(): these bytes came already; they are copied. */
void ptah_link_early(struct ptah_link *link, struct ptah_span early);
/** Server, before ptah_link_go(): a carrier brought the stream, with these early bytes, and wants to hear of the plain end. */
void ptah_link_arrived(struct ptah_link *link, const struct ptah_arrival *arrival);

/** The owner knows the link now: let it live.  It may be over when this returns. */
void ptah_link_go(struct ptah_link *link);

/** Another owner from here on; runs nothing. */
void ptah_link_own(struct ptah_link *link, const struct ptah_link_ops *ops, void *arg);

/** What may wait in a link for its wire to take it, before ptah_link_push() refuses more. */
#define PTAH_PUSH_MOST ((size_t)256 * 1024)

/**
 * Bytes from a plain end that is no descriptor: all of them, or -EAGAIN when
 * too much waits already.  The link may be over when this returns.
 */
int ptah_link_push(struct ptah_link *link, struct ptah_span bytes);
/** How many bytes ptah_link_push() would take now. */
size_t ptah_link_push_room(const struct ptah_link *link);

/** Server: here is the plain end, and what it has said already.  Takes: fd (-1 with on_bytes). */
void ptah_link_plain_opened(struct ptah_link *link, int fd, struct ptah_span early);
/** Server: there is none, for this -errno, which the owner has logged. */
void ptah_link_plain_failed(struct ptah_link *link, int rc);

/** End it; on_failed or on_closed run before this returns.  Not from inside an op of this link. */
void ptah_link_end(struct ptah_link *link, int rc);

/** All links of this worker's own flock (relay/flock.h) end now, and all rejected peers that are being drained. */
void ptah_links_end_all(struct ptah_worker *worker, int rc);
/** How many that flock has. */
unsigned ptah_links_count(const struct ptah_worker *worker);
/** How many rejected peers this worker may keep open; past it one of the eldest goes.  Before the first link; default PTAH_REJECTED_MOST. */
#define PTAH_REJECTED_MOST 4096u
void ptah_links_keep_rejected(struct ptah_worker *worker, unsigned most);

/** Let rejected peers live so many times as long: for tests. */
void ptah_links_hurry_rejected(struct ptah_worker *worker, double scale);

/** A worker's relay memory, made with the first link. */
void ptah_links_free(struct ptah_worker *worker);

#endif
