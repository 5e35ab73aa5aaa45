/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * ntor.h: the key exchange of obfs4, which is Tor's ntor with other words in
 * other places.
 *
 * It knows public keys, not representatives (see elligator2.h), and nothing
 * of marks, padding or frames.
 *
 * Threads: those of the struct ptah_hmac.
 */
#ifndef PTAH_COMMON_NTOR_H
#define PTAH_COMMON_NTOR_H

#include <stdint.h>

#include "hmac.h"

#define PTAH_NTOR_KEY_LEN 32
#define PTAH_NTOR_NODE_LEN 20
#define PTAH_NTOR_LINK_KEYS_LEN 144 /* client to server, then server to client */

/** What both sides know afterwards; wipe it with ptah_ntor_clear(). */
struct ptah_ntor {
	uint8_t key_seed[PTAH_NTOR_KEY_LEN];
	uint8_t auth[PTAH_NTOR_KEY_LEN]; /* the server sends it, the client compares */
};

/** Make the clean public key of a long-term secret, clamped or not. */
void ptah_ntor_identity(uint8_t public[PTAH_NTOR_KEY_LEN], const uint8_t secret[PTAH_NTOR_KEY_LEN]);

/**
 * Be the client: 'x' and 'x_public' are its own, 'y_public' the server's for
 * this handshake, 'b_public' and 'node' the server's identity.
 * Fails: -EBADMSG if a product is zero, -ENOMEM; 'out' is all zeros then.
 */
int ptah_ntor_client(struct ptah_hmac *hmac, const uint8_t x[PTAH_NTOR_KEY_LEN],
    const uint8_t x_public[PTAH_NTOR_KEY_LEN], const uint8_t y_public[PTAH_NTOR_KEY_LEN],
    const uint8_t b_public[PTAH_NTOR_KEY_LEN], const uint8_t node[PTAH_NTOR_NODE_LEN],
    struct ptah_ntor *out);

/** Be the server: 'y' and 'y_public' for this handshake, 'b' and 'b_public' for life. */
int ptah_ntor_server(struct ptah_hmac *hmac, const uint8_t y[PTAH_NTOR_KEY_LEN],
    const uint8_t y_public[PTAH_NTOR_KEY_LEN], const uint8_t b[PTAH_NTOR_KEY_LEN],
    const uint8_t b_public[PTAH_NTOR_KEY_LEN], const uint8_t node[PTAH_NTOR_NODE_LEN],
    const uint8_t x_public[PTAH_NTOR_KEY_LEN], struct ptah_ntor *out);

/** Compare the server's word with ours in constant time: 0 or -EBADMSG. */
int ptah_ntor_check(const struct ptah_ntor *mine, const uint8_t auth[PTAH_NTOR_KEY_LEN]);

/** Expand the seed to the key material of both directions.  -ENOMEM. */
int ptah_ntor_link_keys(struct ptah_hmac *hmac, const struct ptah_ntor *ntor,
    uint8_t keys[PTAH_NTOR_LINK_KEYS_LEN]);

void ptah_ntor_clear(struct ptah_ntor *ntor);

#endif
