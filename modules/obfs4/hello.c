/* SPDX-License-Identifier: BSD-3-Clause */
#include "hello.h"

#include <errno.h>
#include <string.h>

#include "flight.h"

long
obfs4_hello_make(struct obfs4_hello *hello, struct ptah_hmac *hmac, const struct ptah_chance *chance,
    uint64_t hour, size_t pad_len, struct ptah_room out)
{
	size_t len = PTAH_ELL2_LEN + pad_len + OBFS4_TRAILER_LEN;
	uint8_t *mark = out.at + PTAH_ELL2_LEN + pad_len;
	struct ptah_span key = { hello->mac_key, OBFS4_MAC_KEY_LEN };
	int rc;

	if (pad_len > OBFS4_HELLO_PAD_MAX || out.len < len)
		return -ENOSPC;
	obfs4_mac_key(&hello->bridge, hello->mac_key);
	hello->hour = hour;
	hello->searched = OBFS4_REPLY_HEAD;
	hello->has_mark = false;
	memcpy(out.at, hello->pair.repr, PTAH_ELL2_LEN);
	if (hello->shaped && pad_len >= OBFS4_HELLO_PAD_MIN)
		obfs4_flight_pad(chance, (struct ptah_room){ out.at + PTAH_ELL2_LEN, pad_len }, PTAH_ELL2_LEN, OBFS4_TRAILER_LEN);
	else
		ptah_chance_bytes(chance, out.at + PTAH_ELL2_LEN, pad_len);
	rc = ptah_mark_make(hmac, key, (struct ptah_span){ out.at, PTAH_ELL2_LEN }, mark);
	if (rc == 0)
		rc = ptah_mark_mac(hmac, key, (struct ptah_span){ out.at, len - OBFS4_MARK_LEN }, hour, mark + OBFS4_MARK_LEN);
	return rc < 0 ? rc : (long)len;
}

/* Where the mark stands, 0 if it is not there yet, -errno. */
static long
find_mark(struct obfs4_hello *hello, struct ptah_hmac *hmac, struct ptah_span window)
{
	const uint8_t *at;

	if (!hello->has_mark) {
		int rc = ptah_mark_make(hmac, (struct ptah_span){ hello->mac_key, OBFS4_MAC_KEY_LEN },
		    (struct ptah_span){ window.at, PTAH_ELL2_LEN }, hello->mark);

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
	struct ptah_span key = { hello->mac_key, OBFS4_MAC_KEY_LEN };
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
	rc = ptah_mark_is(hmac, key, (struct ptah_span){ window.at, (size_t)mark + OBFS4_MARK_LEN }, hello->hour,
	    window.at + mark + OBFS4_MARK_LEN);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		*why = "the MAC of the bridge's answer is wrong";
		return -EBADMSG;
	}
	rc = agree(hello, hmac, window.at, keys, why);
	if (rc < 0)
		return rc;
	*eaten = (size_t)mark + OBFS4_TRAILER_LEN;
	return 1;
}
