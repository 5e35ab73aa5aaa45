/* SPDX-License-Identifier: BSD-3-Clause */
#include "keys.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

static int
mac_of(struct ptah_hmac *hmac, const uint8_t *secret, const char *words, uint8_t out[static PTAH_HMAC_LEN])
{
	return ptah_hmac_once(hmac, (struct ptah_span){ secret, PTAH_UDH_LEN },
	    (struct ptah_span){ (const uint8_t *)words, strlen(words) }, out);
}

static int
make_side(struct obfs3_side *side, struct ptah_hmac *hmac, const uint8_t *secret, const char *data, const char *magic)
{
	uint8_t both[PTAH_HMAC_LEN];
	int rc = mac_of(hmac, secret, data, both);

	memcpy(side->key, both, sizeof(side->key));
	memcpy(side->counter, both + sizeof(side->key), sizeof(side->counter));
	OPENSSL_cleanse(both, sizeof(both));
	return rc == 0 ? mac_of(hmac, secret, magic, side->magic) : rc;
}

int
obfs3_keys_make(struct obfs3_keys *keys, struct ptah_hmac *hmac, const uint8_t secret[static PTAH_UDH_LEN])
{
	int rc = make_side(&keys->initiator, hmac, secret, "Initiator obfuscated data", "Initiator magic");

	if (rc == 0)
		rc = make_side(&keys->responder, hmac, secret, "Responder obfuscated data", "Responder magic");
	return rc;
}

int
obfs3_search_step(struct obfs3_search *search, struct ptah_span in, size_t *eaten)
{
	const uint8_t *found = in.len > 0 ? memmem(in.at, in.len, search->magic, sizeof(search->magic)) : NULL;
	size_t at = found != NULL ? (size_t)(found - in.at) :
	    in.len >= OBFS3_MAGIC_LEN ? in.len - (OBFS3_MAGIC_LEN - 1) : 0;

	/* Where it was found, or else where it may begin at the earliest. */
	*eaten = 0;
	if (at > OBFS3_MAGIC_AT_MAX - search->gone)
		return -EPROTO;
	*eaten = found != NULL ? at + OBFS3_MAGIC_LEN : at;
	search->gone += (uint32_t)at;
	return found != NULL;
}
