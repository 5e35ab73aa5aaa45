/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * keys.h: the keys that both ends know, out of what the operator wrote.
 *
 * Shadowsocks 2022 takes keys, as base64, and a server may stand behind others
 * (SIP023): the key of each hop and at last the user's, with colons.  For each
 * hop an identity header stands behind the salt, which says to who has that
 * hop's key whose is the next.  These headers are blocks of AES: who has no
 * AES has none.
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_SHADOW_KEYS_H
#define PTAH_SHADOW_KEYS_H

#include <ptah/span.h>

#include "cipher.h"

#define SHADOW_HOPS_MAX 3
#define SHADOW_IDENTITY 16 /* bytes of a header */

struct shadow_keys {
	uint8_t hop[SHADOW_HOPS_MAX + 1][SHADOW_KEY_MAX];
	unsigned n_hops; /* with identity headers; the key behind them is the one that is used */
};

/**
 * Of 'password', or of 'key' as it is if there are bytes in it.
 * Fails: -EINVAL and a line in 'why'; -ENOMEM.
 */
int shadow_keys_read(struct shadow_keys *keys, const struct shadow_cipher *cipher, const char *password,
    struct ptah_span key, char *why, size_t room);

/** The one that session keys are made of. */
static inline const uint8_t *
shadow_keys_own(const struct shadow_keys *keys)
{
	return keys->hop[keys->n_hops];
}

/** All identity headers that go with this salt: n_hops times SHADOW_IDENTITY bytes.  -ENOMEM. */
int shadow_keys_identities(const struct shadow_keys *keys, const struct shadow_cipher *cipher, const uint8_t *salt,
    uint8_t *out);

#endif
