/* SPDX-License-Identifier: BSD-3-Clause */
#include "hello.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "flight.h"

int
obfs4_mark_make(struct ptah_hmac *hmac, const uint8_t mac_key[static OBFS4_MAC_KEY_LEN],
    struct ptah_span bytes, uint8_t mark[static OBFS4_MARK_LEN])
{
	uint8_t mac[PTAH_HMAC_LEN];
	int rc = ptah_hmac_once(hmac, (struct ptah_span){ mac_key, OBFS4_MAC_KEY_LEN }, bytes, mac);

	if (rc == 0)
		memcpy(mark, mac, OBFS4_MARK_LEN);
	return rc;
}

/* The MAC of a message: of its first 'len' bytes and the hour. */
static int
mac_of(struct ptah_hmac *hmac, const struct obfs4_hello *hello, const uint8_t *at, size_t len, uint8_t mac[PTAH_HMAC_LEN])
{
	int rc = ptah_hmac_start(hmac, (struct ptah_span){ hello->mac_key, OBFS4_MAC_KEY_LEN });

	if (rc == 0)
		rc = ptah_hmac_add(hmac, (struct ptah_span){ at, len });
	if (rc == 0)
		rc = ptah_hmac_add(hmac, (struct ptah_span){ (const uint8_t *)hello->epoch, hello->epoch_len });
	return rc == 0 ? ptah_hmac_end(hmac, mac) : rc;
}

long
obfs4_hello_make(struct obfs4_hello *hello, struct ptah_hmac *hmac, const struct obfs4_chance *chance,
    uint64_t hour, size_t pad_len, struct ptah_room out)
{
	size_t len = PTAH_ELL2_LEN + pad_len + OBFS4_TRAILER_LEN;
	uint8_t mac[PTAH_HMAC_LEN], *mark = out.at + PTAH_ELL2_LEN + pad_len;
	int rc;

	if (pad_len > OBFS4_HELLO_PAD_MAX || out.len < len)
		return -ENOSPC;
	obfs4_mac_key(&hello->bridge, hello->mac_key);
	hello->epoch_len = ptah_epoch_text(hello->epoch, hour);
	hello->searched = OBFS4_REPLY_HEAD;
	hello->has_mark = false;
	memcpy(out.at, hello->pair.repr, PTAH_ELL2_LEN);
	if (hello->shaped && pad_len >= OBFS4_HELLO_PAD_MIN)
		obfs4_flight_pad(chance, (struct ptah_room){ out.at + PTAH_ELL2_LEN, pad_len }, PTAH_ELL2_LEN, OBFS4_TRAILER_LEN);
	else
		obfs4_chance_bytes(chance, out.at + PTAH_ELL2_LEN, pad_len);
	rc = obfs4_mark_make(hmac, hello->mac_key, (struct ptah_span){ out.at, PTAH_ELL2_LEN }, mark);
	if (rc == 0)
		rc = mac_of(hmac, hello, out.at, len - OBFS4_MARK_LEN, mac);
	if (rc < 0)
		return rc;
	memcpy(mark + OBFS4_MARK_LEN, mac, OBFS4_MARK_LEN);
	return (long)len;
}

/* Where the mark stands, 0 if it is not there yet, -errno. */
static long
find_mark(struct obfs4_hello *hello, struct ptah_hmac *hmac, struct ptah_span window)
{
	const uint8_t *at;

	if (!hello->has_mark) {
		int rc = obfs4_mark_make(hmac, hello->mac_key, (struct ptah_span){ window.at, PTAH_ELL2_LEN }, hello->mark);

		if (rc < 0)
			return rc;
		hello->has_mark = true;
	}
	at = memmem(window.at + hello->searched, window.len - hello->searched, hello->mark, OBFS4_MARK_LEN);
	if (at != NULL) {
		hello->searched = (size_t)(at - window.at); /* nothing before it: look here again */
		return at - window.at;
	}
	hello->searched = window.len - OBFS4_MARK_LEN + 1;
	return 0;
}

static int
agree(struct obfs4_hello *hello, struct ptah_hmac *hmac, const uint8_t *reply,
    uint8_t keys[static PTAH_NTOR_LINK_KEYS_LEN], const char **why)
{
	uint8_t y_public[PTAH_ELL2_LEN];
	struct ptah_ntor ntor = { { 0 }, { 0 } };
	int rc;

	*why = "the bridge's answer is not by the bridge that the cert names";
	ptah_ell2_decode(y_public, reply);
	rc = ptah_ntor_client(hmac, hello->pair.secret, hello->pair.public, y_public, hello->bridge.public_key,
	    hello->bridge.node_id, &ntor);
	if (rc == 0)
		rc = ptah_ntor_check(&ntor, reply + PTAH_ELL2_LEN);
	if (rc == 0)
		rc = ptah_ntor_link_keys(hmac, &ntor, keys);
	ptah_ntor_clear(&ntor);
	return rc;
}

int
obfs4_reply_read(struct obfs4_hello *hello, struct ptah_hmac *hmac, struct ptah_span in,
    uint8_t keys[static PTAH_NTOR_LINK_KEYS_LEN], size_t *eaten, const char **why)
{
	struct ptah_span window = { in.at, in.len < OBFS4_SHAKE_MAX ? in.len : OBFS4_SHAKE_MAX };
	uint8_t mac[PTAH_HMAC_LEN];
	long mark;
	int rc;

	if (window.len < OBFS4_REPLY_MIN)
		return 0;
	mark = find_mark(hello, hmac, window);
	if (mark < 0)
		return (int)mark;
	if (mark == 0 || (size_t)mark + OBFS4_TRAILER_LEN > window.len) {
		*why = "what answers is no obfs4 bridge, or not the one that the cert names";
		return window.len < OBFS4_SHAKE_MAX ? 0 : -EPROTO;
	}
	rc = mac_of(hmac, hello, window.at, (size_t)mark + OBFS4_MARK_LEN, mac);
	if (rc < 0)
		return rc;
	if (sodium_memcmp(mac, window.at + mark + OBFS4_MARK_LEN, OBFS4_MARK_LEN) != 0) {
		*why = "the MAC of the bridge's answer is wrong";
		return -EBADMSG;
	}
	rc = agree(hello, hmac, window.at, keys, why);
	if (rc < 0)
		return rc;
	*eaten = (size_t)mark + OBFS4_TRAILER_LEN;
	return 1;
}
