/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/courier.h: a link of messages: datagrams go through its layers one by
 * one, each as it is, and no stream stands anywhere.
 *
 * It lives as a link of bytes does: layers shake hands from the bottom up, a
 * server asks for its plain end once the peer is good, a deadline ends what
 * does not come to that.  It knows no socket: its owner brings what came, and
 * takes what leaves.
 *
 * Threads: a courier is born, lives and dies on one worker.
 */
#ifndef PTAH_RELAY_COURIER_H
#define PTAH_RELAY_COURIER_H

#include <stdbool.h>
#include <stddef.h>

#include <ptah/host.h>

#include "transport/instance.h"

struct ptah_courier;
struct ptah_worker;

/** No datagram is longer. */
#define PTAH_MESSAGE_MAX 65535u
/** What waits in one courier for a layer or a plain end to be there; what comes then is dropped. */
#define PTAH_COURIER_HELD_MOST 80u
#define PTAH_COURIER_HELD_BYTES ((size_t)128 * 1024)

/** What the owner of a courier hears.  None may end it; each may run inside any call on it. */
struct ptah_courier_ops {
	/** Its layers are open, and on a server the plain end too: messages of the plain side are welcome now. */
	void (*on_open)(struct ptah_courier *courier, void *arg);
	/** Server: the peer is good; open the plain end, then ptah_courier_plain_opened(), now or later. */
	void (*on_admit)(struct ptah_courier *courier, void *arg);
	/**
	 * A message leaves on msg->side; 'dest' and 'peer' as its layers said.  With 'lasts' its bytes lie in what
	 * ptah_courier_take() was given and stay as they are until that memory is used again; else they live for the call.
	 */
	void (*on_message)(struct ptah_courier *courier, const struct ptah_msg *msg, bool lasts, void *arg);
	/** It is over: -errno, and why in words or NULL.  Gone after this call. */
	void (*on_closed)(int rc, const char *reason, void *arg);
};

/** How one is born.  Lives for the call. */
struct ptah_courier_how {
	struct ptah_instance *instance; /* shared (counted) */
	uint8_t role;                   /* PTAH_CLIENT, PTAH_SERVER */
	struct ptah_args *args;         /* client: of the top layer; taken, but not if the call fails.  NULL: the global ones */
	const char *server;             /* client: what the options say of where its datagrams go, or NULL */
	const char *peer;               /* server: "ip:port" at the other end of the wire */
};

/** Fails: NULL and errno (ENOMEM). */
struct ptah_courier *ptah_courier_new(struct ptah_worker *worker, const struct ptah_courier_how *how,
    const struct ptah_courier_ops *ops, void *arg);

/** Client, before it goes: where to, as its bottom layer or else the options say.  -errno. */
int ptah_courier_find_server(struct ptah_courier *courier, struct ptah_dest *server);

/** The owner knows it now: let its layers open.  0, or -errno: it is over, and on_closed has run. */
int ptah_courier_go(struct ptah_courier *courier);

/**
 * Here is a message that came from msg->side; what comes from the plain side before it is open waits.  msg->room is
 * memory to write to around the body, from the plain side with what ptah_courier_margins() says.
 * Returns PTAH_GO, PTAH_REJECT (dropped by a layer), or -errno: it is over, and on_closed has run.
 */
int ptah_courier_take(struct ptah_courier *courier, const struct ptah_msg *msg);

/** Server: the plain end is there (0), or is not (-errno), which the owner has logged. */
int ptah_courier_plain_opened(struct ptah_courier *courier, int rc);

bool ptah_courier_is_open(const struct ptah_courier *courier);
/** Server: the peer was found good. */
bool ptah_courier_is_admitted(const struct ptah_courier *courier);

/** End it; on_closed runs before this returns.  Not from inside an op of its own. */
void ptah_courier_end(struct ptah_courier *courier, int rc);

/** The bytes that messages of this stack grow by: before and behind. */
void ptah_courier_margins(const struct ptah_instance *instance, size_t *head, size_t *tail);

/** A message of 'piece', in memory with so much room before and behind it. */
static inline struct ptah_msg
ptah_courier_msg(uint32_t side, struct ptah_room piece, size_t head, size_t tail)
{
	return (struct ptah_msg){
		.size = sizeof(struct ptah_msg), .side = side, .body = { piece.at, piece.len },
		.room = { piece.at - head, head + piece.len + tail },
	};
}

/** How long its handshake may take. */
unsigned ptah_courier_handshake_ms(const struct ptah_instance *instance);

#endif
