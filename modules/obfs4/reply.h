/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/reply.h: the handshake of the server's side, as functions of bytes.
 * hello.h draws the messages.
 */
#ifndef PTAH_OBFS4_REPLY_H
#define PTAH_OBFS4_REPLY_H

#include "hello.h"

/** A hello on its way in, and what was found in it. */
struct obfs4_heard {
	uint8_t mark[OBFS4_MARK_LEN];
	bool has_mark;
	bool has_hello;   /* its MAC is good */
	size_t len;       /* of the hello */
	uint64_t hour;    /* that it was made in */
	uint8_t mac[OBFS4_MARK_LEN]; /* for the replay filter */
};

/**
 * Look at all that has come.  As obfs4proxy, look for the mark at the very end
 * of it and nowhere else, so that bytes behind a hello make it none.
 * Returns 1 (good: ask the replay filter, and see that in.len is heard->len)
 * or 0 (more may come).  Fails: -EPROTO (8192 bytes and no mark), -EBADMSG (a
 * mark and no good MAC: its hour is wrong, or its sender), -ENOMEM.
 */
int obfs4_hello_read(struct obfs4_heard *heard, struct ptah_hmac *hmac,
    const uint8_t mac_key[static OBFS4_MAC_KEY_LEN], struct ptah_span in, uint64_t hour);

/**
 * Of a hello that failed with -EBADMSG: by how many hours is its sender's
 * clock before (above 0) or behind ours, at most a day?  0: it is not the clock.
 */
int obfs4_hello_skew(struct ptah_hmac *hmac, const uint8_t mac_key[static OBFS4_MAC_KEY_LEN],
    struct ptah_span in, uint64_t hour);

/**
 * Answer the hello that begins at 'hello', with 'pair' and so much padding.
 * Returns the reply's length, without frames, and the keys of the link.
 * Fails: -EBADMSG (its key is worth nothing), -ENOSPC, -ENOMEM.
 */
long obfs4_reply_make(const struct obfs4_heard *heard, struct ptah_hmac *hmac, const struct ptah_chance *chance,
    const struct obfs4_identity *identity, const struct ptah_ell2 *pair, const uint8_t *hello, size_t pad_len,
    struct ptah_room out, uint8_t keys[static PTAH_NTOR_LINK_KEYS_LEN]);

#endif
