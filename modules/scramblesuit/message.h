/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/message.h: the messages of a link, one direction each.
 *
 *     0           16      18        20     21
 *     | HMAC 16   | total | payload | flag | payload, zeros |
 *                 ╰─ AES-256-CTR, one stream for all messages ─╯
 *
 * The HMAC covers all behind it, as it stands on the wire.
 */
#ifndef PTAH_SCRAMBLESUIT_MESSAGE_H
#define PTAH_SCRAMBLESUIT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ptah/span.h>

#include "aesctr.h"
#include "hmac.h"

#define SCRAMBLE_MASTER_LEN 32u /* k_t, which all keys of a link are made of */
#define SCRAMBLE_KEYS_LEN 144u
#define SCRAMBLE_MAC_KEY_LEN 32u
#define SCRAMBLE_TICKET_LEN 112u
#define SCRAMBLE_SEED_LEN 32u

#define SCRAMBLE_HEAD_LEN 21u
#define SCRAMBLE_MESSAGE_MAX 1448u
#define SCRAMBLE_PAYLOAD_MAX (SCRAMBLE_MESSAGE_MAX - SCRAMBLE_HEAD_LEN)

/* Flags; no two at once. */
#define SCRAMBLE_PAYLOAD 1u
#define SCRAMBLE_TICKET 2u /* k_t of the next link, and its ticket */
#define SCRAMBLE_SEED 4u
#define SCRAMBLE_TICKET_PAYLOAD_LEN (SCRAMBLE_MASTER_LEN + SCRAMBLE_TICKET_LEN)

/** One direction; zeroed is closed. */
struct scramble_way {
	struct ptah_aesctr stream;
	uint8_t mac_key[SCRAMBLE_MAC_KEY_LEN];
	/* Of what is being opened. */
	bool has_head;
	uint8_t flag;
	uint16_t total, payload;
};

/** All keys of a link, from its master key; wipe them.  -ENOMEM. */
int scramble_keys_make(struct ptah_hmac *hmac, const uint8_t master[SCRAMBLE_MASTER_LEN], uint8_t keys[SCRAMBLE_KEYS_LEN]);
/** The key of the MACs that a client sends. */
const uint8_t *scramble_keys_client_mac(const uint8_t keys[SCRAMBLE_KEYS_LEN]);

/** Begin a direction: what the client sends, or what the server does.  -ENOMEM. */
int scramble_way_open(struct scramble_way *way, const struct ptah_aes *aes, const uint8_t keys[SCRAMBLE_KEYS_LEN], bool client_sends);
/** Wipe and free. */
void scramble_way_close(struct scramble_way *way);

/** Seal one message.  Its length; -ENOSPC, -EINVAL (it is too long), -ENOMEM, -EIO. */
ssize_t scramble_seal(struct scramble_way *way, struct ptah_hmac *hmac, uint8_t flag, struct ptah_span payload,
    size_t padding, struct ptah_room out);
/**
 * Seal 'payload' in as many messages as it takes, and padding behind it, which
 * brings the last segment to 'target' bytes (21 .. 1448).  As scramble_seal().
 */
ssize_t scramble_seal_burst(struct scramble_way *way, struct ptah_hmac *hmac, uint8_t flag, struct ptah_span payload,
    unsigned target, struct ptah_room out);
/** How many bytes of padding messages stand behind a burst of 'len' bytes. */
size_t scramble_pad_len(size_t len, unsigned target);

/** Hears of what is no payload; 'body' lives for the call. */
typedef void scramble_message_fn(uint8_t flag, struct ptah_span body, void *arg);

struct scramble_opened {
	size_t eaten, made;
	size_t need; /* so many bytes of the input must be there to go on */
};

/**
 * Open all messages that are whole and that there is room for.  Also after a
 * failure 'opened' says what was good before it.
 * Fails: -EBADMSG (a MAC is wrong), -EPROTO (what no ScrambleSuit says), -ENOMEM, -EIO.
 */
int scramble_open(struct scramble_way *way, struct ptah_hmac *hmac, struct ptah_span in, struct ptah_room out,
    scramble_message_fn *on_message, void *arg, struct scramble_opened *opened);

#endif
