/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/hello.h: the handshake's messages, as functions of bytes.
 *
 *     UniformDH, both ways    | X or Y 192 | padding 0..1308 | mark 16 | MAC 16 |
 *     ticket, the client's    | ticket 112 | padding 0..1388 | mark 16 | MAC 16 |
 *
 * The first is keyed with what the bridge line has, the second with the MAC
 * key of the client's side of the link that the ticket is for.  It knows no
 * socket, no clock and no message behind the handshake.
 */
#ifndef PTAH_SCRAMBLESUIT_HELLO_H
#define PTAH_SCRAMBLESUIT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "chance.h"
#include "hmac.h"
#include "hourmark.h"
#include "message.h"
#include "ticket.h"
#include "uniformdh.h"

#define SCRAMBLE_SECRET_LEN 20u /* of the bridge: k_B */
#define SCRAMBLE_SHAKE_MAX 1532u
#define SCRAMBLE_UDH_MIN (PTAH_UDH_LEN + PTAH_MARK_TRAILER_LEN)
#define SCRAMBLE_UDH_PAD_MAX (SCRAMBLE_SHAKE_MAX - SCRAMBLE_UDH_MIN)
#define SCRAMBLE_REDEEM_MIN (SCRAMBLE_TICKET_LEN + PTAH_MARK_TRAILER_LEN)
#define SCRAMBLE_REDEEM_PAD_MAX (SCRAMBLE_SHAKE_MAX - SCRAMBLE_REDEEM_MIN)
/**
 * A server pads less: obfs4proxy 0.0.14 ends when the last 16 bytes of an
 * answer come after the others, so the answer must be one segment.
 */
#define SCRAMBLE_REPLY_PAD_MAX (SCRAMBLE_MESSAGE_MAX - SCRAMBLE_UDH_MIN)

/** A client's handshake by UniformDH under way; wipe it. */
struct scramble_hello {
	uint8_t secret[SCRAMBLE_SECRET_LEN];
	struct ptah_udh_pair pair;
	uint64_t hour; /* of the hello; the answer must say the same */
};

/**
 * Write the hello of 'hello->secret' and 'hello->pair' with so much padding.
 * Its length; -ENOSPC, -ENOMEM.
 */
long scramble_hello_make(struct scramble_hello *hello, struct ptah_hmac *hmac, const struct ptah_chance *chance,
    uint64_t hour, size_t pad_len, struct ptah_room out);
/**
 * Look at all that has come of the answer.
 * Returns 1, the master key, and in *eaten where the messages begin; 0 if more
 * must come.  Fails: -EPROTO (1532 bytes and no mark), -EBADMSG (its MAC is
 * wrong, or its key worth nothing), -ENOMEM; *why says which.
 */
int scramble_reply_read(struct scramble_hello *hello, struct ptah_hmac *hmac, struct ptah_udh *udh, struct ptah_span in,
    uint8_t master[SCRAMBLE_MASTER_LEN], size_t *eaten, const char **why);

/** Write the handshake that shows a ticket; 'keys' are those of the link.  As scramble_hello_make(). */
long scramble_redeem_make(const uint8_t ticket[SCRAMBLE_TICKET_LEN], const uint8_t keys[SCRAMBLE_KEYS_LEN],
    struct ptah_hmac *hmac, const struct ptah_chance *chance, uint64_t hour, size_t pad_len, struct ptah_room out);

/** A client's handshake on its way in, and what was found in it; wipe it. */
struct scramble_heard {
	bool has_kind, by_ticket; /* is it a ticket of ours that it begins with? */
	bool has_mark;
	uint8_t mark[PTAH_MARK_LEN];
	uint8_t keys[SCRAMBLE_KEYS_LEN]; /* of a ticket */
	size_t searched; /* up to here there is no mark */
	size_t len;      /* of the handshake */
	uint64_t hour;   /* that it was made in */
	uint8_t mac[PTAH_MARK_LEN]; /* for the replay filter */
};

/** What a server knows: the bridge's secret, its tickets' keys, the time. */
struct scramble_door {
	const uint8_t *secret;
	const struct scramble_ring *ring;
	int64_t unix_s;
	struct ptah_hmac *hmac;
};

/**
 * Look at all that has come.
 * Returns 1 (good: ask the replay filter; behind a UniformDH nothing may stand,
 * so see that in.len is heard->len) or 0 (more may come).
 * Fails: -EPROTO (1532 bytes and no mark), -EBADMSG (a mark and no good MAC), -ENOMEM.
 */
int scramble_heard_read(struct scramble_heard *heard, const struct scramble_door *door, struct ptah_span in);

/** Of one that was -EBADMSG: by how many hours is its sender's clock off?  As ptah_mark_skew(). */
int scramble_heard_skew(const struct scramble_heard *heard, const struct scramble_door *door, struct ptah_span in);

/**
 * Answer the UniformDH that begins at 'hello', with 'pair' and so much padding.
 * Returns the answer's length, and the master key.
 * Fails: -EBADMSG (its key is worth nothing), -ENOSPC, -ENOMEM.
 */
long scramble_reply_make(const struct scramble_heard *heard, const struct scramble_door *door, struct ptah_udh *udh,
    const struct ptah_udh_pair *pair, const struct ptah_chance *chance, const uint8_t *hello, size_t pad_len,
    struct ptah_room out, uint8_t master[SCRAMBLE_MASTER_LEN]);

#endif
