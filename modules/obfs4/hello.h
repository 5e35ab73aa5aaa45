/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/hello.h: the handshake of the client's side, as functions of bytes.
 *
 *     hello    | X' 32 | padding 77..8128 | mark 16 | MAC 16 |
 *     reply    | Y' 32 | AUTH 32 | padding 0..8051 | mark 16 | MAC 16 | frames ...
 *
 * X' and Y' are representatives of keys for this handshake.  A mark is the MAC
 * of what stands first, a MAC covers all before it and the hour.  It knows no
 * socket, no clock and no frame.
 */
#ifndef PTAH_OBFS4_HELLO_H
#define PTAH_OBFS4_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#include "chance.h"
#include "elligator2.h"
#include "hmac.h"
#include "hourmark.h"
#include "identity.h"
#include "ntor.h"

#define OBFS4_SHAKE_MAX 8192u /* longest message, either way */
#define OBFS4_MARK_LEN PTAH_MARK_LEN
#define OBFS4_TRAILER_LEN PTAH_MARK_TRAILER_LEN
#define OBFS4_AUTH_LEN 32u

#define OBFS4_HELLO_PAD_MIN 77u
#define OBFS4_HELLO_PAD_MAX 8128u
#define OBFS4_HELLO_MIN (PTAH_ELL2_LEN + OBFS4_HELLO_PAD_MIN + OBFS4_TRAILER_LEN)

#define OBFS4_REPLY_HEAD (PTAH_ELL2_LEN + OBFS4_AUTH_LEN)
#define OBFS4_REPLY_MIN (OBFS4_REPLY_HEAD + OBFS4_TRAILER_LEN)
#define OBFS4_REPLY_PAD_MAX 8051u

/** A client's handshake under way; wipe it. */
struct obfs4_hello {
	struct obfs4_bridge bridge;
	struct ptah_ell2 pair;
	uint8_t mac_key[OBFS4_MAC_KEY_LEN];
	uint8_t mark[OBFS4_MARK_LEN]; /* of the reply */
	bool has_mark;
	uint64_t hour; /* of the hello; the reply must say the same */
	size_t searched; /* up to here the reply holds no mark */
	bool shaped;     /* let the padding be that of flight.h */
};

/**
 * Write the hello of 'hello->bridge' and 'hello->pair' with so much padding.
 * Returns its length; -ENOSPC, -ENOMEM.
 */
long obfs4_hello_make(struct obfs4_hello *hello, struct ptah_hmac *hmac, const struct ptah_chance *chance,
    uint64_t hour, size_t pad_len, struct ptah_room out);

/**
 * Look at all that has come of the reply.
 * Returns 1, the keys of the link, and in *eaten where the frames begin; 0 if
 * more must come.  Fails: -EPROTO (8192 bytes without a mark), -EBADMSG (a MAC
 * or AUTH is wrong), -ENOMEM; *why says which.
 */
int obfs4_reply_read(struct obfs4_hello *hello, struct ptah_hmac *hmac, struct ptah_span in,
    uint8_t keys[static PTAH_NTOR_LINK_KEYS_LEN], size_t *eaten, const char **why);

#endif
