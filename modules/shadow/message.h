/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * message.h: a link of messages, each a packet of its own.
 *
 * Threads: its worker.
 */
#ifndef PTAH_SHADOW_MESSAGE_H
#define PTAH_SHADOW_MESSAGE_H

#include "link.h"
#include "packet.h"
#include "preamble.h"
#include "window.h"

/** Room before and behind a body. */
#define SHADOW_MSG_HEAD (SHADOW_BLOCK + SHADOW_HOPS_MAX * SHADOW_IDENTITY + SHADOW_PREAMBLE_MAX)
#define SHADOW_MSG_TAIL SHADOW_TAG

/** Salts of packets are kept apart from those of streams, which are worth more and are fewer. */
#define SHADOW_PACKET_TTL_S 3600
/** A session that is gone, or a server's that was before, is remembered for this long after its last packet. */
#define SHADOW_SESSION_TTL_NS UINT64_C(60000000000)
#define SHADOW_GONE 512 /* sessions that a worker remembers */

/** A session that had a link: what it sent must not come again. */
struct shadow_gone {
	uint8_t name[SHADOW_SESSION];
	uint64_t next, until_ns;
};

/** What the links of messages on one worker share. */
struct shadow_desk {
	struct shadow_packets packets; /* of a server */
	struct shadow_gone gone[SHADOW_GONE];
	uint8_t padded[SHADOW_MSG_HEAD + SHADOW_PADDING_MAX + SHADOW_TAG];
};

/** An address in both spellings, so that one that comes again and again is spelled once. */
struct shadow_place {
	char text[SHADOW_DEST_TEXT];
	uint8_t address[SHADOW_ADDRESS_MAX];
	size_t len; /* 0: none yet */
};

/** What a session of the peer's has sent. */
struct shadow_hearing {
	struct shadow_session session;
	struct shadow_window window;
	uint64_t heard_ns;
};

/** What a link of messages has that one of a stream has not. */
struct shadow_messages {
	struct shadow_packets mine;     /* a client's own */
	struct shadow_packets *packets; /* those, or the worker's */
	struct shadow_place heard, said; /* server: where the last one went, and whose the last answer was */
	/* Shadowsocks 2022. */
	struct shadow_session out;
	uint64_t number;
	struct shadow_hearing in, before; /* before: client; a server that began anew */
};

int shadow_messages_open(struct shadow_link *link, const struct ptah_open *open, struct ptah_io *io);
void shadow_messages_close(struct shadow_link *link);
int shadow_message_key(const void *conf, void *worker, const struct ptah_msg *msg, uint8_t key[16]);
int shadow_message_wrap(void *link, const struct ptah_msg *msg);
int shadow_message_unwrap(void *link, const struct ptah_msg *msg);
void shadow_worker_close(void *worker);

#endif
