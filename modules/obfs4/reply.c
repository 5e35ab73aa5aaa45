/* SPDX-License-Identifier: BSD-3-Clause */
#include "reply.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#define SKEW_MOST 24

/* Begin the MAC of all but the last 16 bytes; the hour follows by ptah_hmac_peek(). */
static int
begin(struct ptah_hmac *hmac, const uint8_t mac_key[static OBFS4_MAC_KEY_LEN], const uint8_t *at, size_t len)
{
	int rc = ptah_hmac_start(hmac, (struct ptah_span){ mac_key, OBFS4_MAC_KEY_LEN });

	return rc == 0 ? ptah_hmac_add(hmac, (struct ptah_span){ at, len }) : rc;
}

/* 1 if 'mac' is the one for this hour, 0 if not, -ENOMEM. */
static int
is_of_hour(struct ptah_hmac *hmac, uint64_t hour, const uint8_t *mac)
{
	char epoch[PTAH_EPOCH_MAX];
	uint8_t ours[PTAH_HMAC_LEN];
	size_t len = ptah_epoch_text(epoch, hour);
	int rc = ptah_hmac_peek(hmac, (struct ptah_span){ (const uint8_t *)epoch, len }, ours);

	return rc < 0 ? rc : sodium_memcmp(ours, mac, OBFS4_MARK_LEN) == 0;
}

int
obfs4_hello_read(struct obfs4_heard *heard, struct ptah_hmac *hmac,
    const uint8_t mac_key[static OBFS4_MAC_KEY_LEN], struct ptah_span in, uint64_t hour)
{
	size_t n = in.len < OBFS4_SHAKE_MAX ? in.len : OBFS4_SHAKE_MAX;
	const uint64_t hours[] = { hour, hour - 1, hour + 1 };
	const uint8_t *mark = in.at + n - OBFS4_TRAILER_LEN, *mac = in.at + n - OBFS4_MARK_LEN;
	int rc;

	if (n < OBFS4_HELLO_MIN)
		return 0;
	if (!heard->has_mark) {
		rc = obfs4_mark_make(hmac, mac_key, (struct ptah_span){ in.at, PTAH_ELL2_LEN }, heard->mark);
		if (rc < 0)
			return rc;
		heard->has_mark = true;
	}
	if (sodium_memcmp(mark, heard->mark, OBFS4_MARK_LEN) != 0)
		return in.len < OBFS4_SHAKE_MAX ? 0 : -EPROTO;
	rc = begin(hmac, mac_key, in.at, n - OBFS4_MARK_LEN);
	/* All three, whichever it is: what it takes tells nothing. */
	for (size_t i = 0; rc == 0 && i < sizeof(hours) / sizeof(hours[0]); i++) {
		int is = is_of_hour(hmac, hours[i], mac);

		if (is < 0)
			rc = is;
		if (is > 0 && !heard->has_hello) {
			heard->has_hello = true;
			heard->hour = hours[i];
		}
	}
	if (rc < 0)
		return rc;
	heard->len = n;
	memcpy(heard->mac, mac, OBFS4_MARK_LEN);
	return heard->has_hello ? 1 : -EBADMSG;
}

int
obfs4_hello_skew(struct ptah_hmac *hmac, const uint8_t mac_key[static OBFS4_MAC_KEY_LEN],
    struct ptah_span in, uint64_t hour)
{
	size_t n = in.len < OBFS4_SHAKE_MAX ? in.len : OBFS4_SHAKE_MAX;

	if (begin(hmac, mac_key, in.at, n - OBFS4_MARK_LEN) < 0)
		return 0;
	for (int skew = 2; skew <= SKEW_MOST; skew++) {
		if (is_of_hour(hmac, hour + (uint64_t)skew, in.at + n - OBFS4_MARK_LEN) > 0)
			return skew;
		if (is_of_hour(hmac, hour - (uint64_t)skew, in.at + n - OBFS4_MARK_LEN) > 0)
			return -skew;
	}
	return 0;
}

long
obfs4_reply_make(const struct obfs4_heard *heard, struct ptah_hmac *hmac, const struct obfs4_chance *chance,
    const struct obfs4_identity *identity, const struct ptah_ell2 *pair, const uint8_t *hello, size_t pad_len,
    struct ptah_room out, uint8_t keys[static PTAH_NTOR_LINK_KEYS_LEN])
{
	size_t len = OBFS4_REPLY_HEAD + pad_len + OBFS4_TRAILER_LEN;
	uint8_t x_public[PTAH_ELL2_LEN], mac_key[OBFS4_MAC_KEY_LEN], mac[PTAH_HMAC_LEN];
	uint8_t *mark = out.at + OBFS4_REPLY_HEAD + pad_len;
	char epoch[PTAH_EPOCH_MAX];
	struct ptah_ntor ntor = { { 0 }, { 0 } };
	size_t epoch_len;
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
	obfs4_chance_bytes(chance, out.at + OBFS4_REPLY_HEAD, pad_len);
	obfs4_mac_key(&identity->bridge, mac_key);
	rc = obfs4_mark_make(hmac, mac_key, (struct ptah_span){ out.at, PTAH_ELL2_LEN }, mark);
	if (rc == 0)
		rc = begin(hmac, mac_key, out.at, len - OBFS4_MARK_LEN);
	/* The client's hour, whatever ours is. */
	epoch_len = ptah_epoch_text(epoch, heard->hour);
	if (rc == 0)
		rc = ptah_hmac_peek(hmac, (struct ptah_span){ (const uint8_t *)epoch, epoch_len }, mac);
	if (rc == 0)
		memcpy(mark + OBFS4_MARK_LEN, mac, OBFS4_MARK_LEN);

out:
	ptah_ntor_clear(&ntor);
	return rc < 0 ? rc : (long)len;
}
