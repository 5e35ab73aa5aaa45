/* SPDX-License-Identifier: BSD-3-Clause */
#include "reply.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

int
obfs4_hello_read(struct obfs4_heard *heard, struct ptah_hmac *hmac,
    const uint8_t mac_key[static OBFS4_MAC_KEY_LEN], struct ptah_span in, uint64_t hour)
{
	size_t n = in.len < OBFS4_SHAKE_MAX ? in.len : OBFS4_SHAKE_MAX;
	struct ptah_span key = { mac_key, OBFS4_MAC_KEY_LEN };
	const uint8_t *mark, *mac;
	int rc;

	if (n < OBFS4_HELLO_MIN)
		return 0;
	mark = in.at + n - OBFS4_TRAILER_LEN;
	mac = in.at + n - OBFS4_MARK_LEN;
	if (!heard->has_mark) {
		rc = ptah_mark_make(hmac, key, (struct ptah_span){ in.at, PTAH_ELL2_LEN }, heard->mark);
		if (rc < 0)
			return rc;
		heard->has_mark = true;
	}
	if (sodium_memcmp(mark, heard->mark, OBFS4_MARK_LEN) != 0)
		return in.len < OBFS4_SHAKE_MAX ? 0 : -EPROTO;
	rc = ptah_mark_hour(hmac, key, (struct ptah_span){ in.at, n - OBFS4_MARK_LEN }, mac, hour, &heard->hour);
	if (rc < 0)
		return rc;
	heard->has_hello = rc > 0;
	heard->len = n;
	memcpy(heard->mac, mac, OBFS4_MARK_LEN);
	return heard->has_hello ? 1 : -EBADMSG;
}

int
obfs4_hello_skew(struct ptah_hmac *hmac, const uint8_t mac_key[static OBFS4_MAC_KEY_LEN],
    struct ptah_span in, uint64_t hour)
{
	size_t n = in.len < OBFS4_SHAKE_MAX ? in.len : OBFS4_SHAKE_MAX;

	return ptah_mark_skew(hmac, (struct ptah_span){ mac_key, OBFS4_MAC_KEY_LEN },
	    (struct ptah_span){ in.at, n - OBFS4_MARK_LEN }, in.at + n - OBFS4_MARK_LEN, hour);
}

long
obfs4_reply_make(const struct obfs4_heard *heard, struct ptah_hmac *hmac, const struct ptah_chance *chance,
    const struct obfs4_identity *identity, const struct ptah_ell2 *pair, const uint8_t *hello, size_t pad_len,
    struct ptah_room out, uint8_t keys[static PTAH_NTOR_LINK_KEYS_LEN])
{
	size_t len = OBFS4_REPLY_HEAD + pad_len + OBFS4_TRAILER_LEN;
	uint8_t x_public[PTAH_ELL2_LEN], mac_key[OBFS4_MAC_KEY_LEN];
	struct ptah_span key = { mac_key, OBFS4_MAC_KEY_LEN };
	uint8_t *mark = out.at + OBFS4_REPLY_HEAD + pad_len;
	struct ptah_ntor ntor = { { 0 }, { 0 } };
	int rc;

	if (pad_len > OBFS4_REPLY_PAD_MAX || out.len < len)
		return -ENOSPC;
	ptah_ell2_decode(x_public, hello);
	rc = ptah_ntor_server(hmac, pair->secret, pair->public, identity->private_key, identity->bridge.public_key,
	    identity->bridge.node_id, x_public, &ntor);
	if (rc == 0)
		rc = ptah_ntor_link_keys(hmac, &ntor, keys);
	if (rc < 0)
		goto out;
	memcpy(out.at, pair->repr, PTAH_ELL2_LEN);
	memcpy(out.at + PTAH_ELL2_LEN, ntor.auth, OBFS4_AUTH_LEN);
	ptah_chance_bytes(chance, out.at + OBFS4_REPLY_HEAD, pad_len);
	obfs4_mac_key(&identity->bridge, mac_key);
	rc = ptah_mark_make(hmac, key, (struct ptah_span){ out.at, PTAH_ELL2_LEN }, mark);
	/* The client's hour, whatever ours is. */
	if (rc == 0)
		rc = ptah_mark_mac(hmac, key, (struct ptah_span){ out.at, len - OBFS4_MARK_LEN }, heard->hour, mark + OBFS4_MARK_LEN);

out:
	ptah_ntor_clear(&ntor);
	return rc < 0 ? rc : (long)len;
}
