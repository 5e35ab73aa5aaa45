/* SPDX-License-Identifier: BSD-3-Clause */
#include "message.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "bytes.h"

/* Where in the keys what stands. */
#define KEY_CLIENT 0u
#define KEY_SERVER 40u
#define PREFIX_LEN 8u
#define MAC_CLIENT 80u
#define MAC_SERVER 112u

#define MAC_LEN PTAH_HMAC128_LEN
#define PLAIN_HEAD_LEN (SCRAMBLE_HEAD_LEN - MAC_LEN)
/* A padding message that one segment cannot hold becomes this one and the rest. */
#define PAD_FIRST 700u

int
scramble_keys_make(struct ptah_hmac *hmac, const uint8_t master[static SCRAMBLE_MASTER_LEN],
    uint8_t keys[static SCRAMBLE_KEYS_LEN])
{
	return ptah_hkdf_expand(hmac, master, (struct ptah_span){ NULL, 0 }, (struct ptah_room){ keys, SCRAMBLE_KEYS_LEN });
}

const uint8_t *
scramble_keys_client_mac(const uint8_t keys[static SCRAMBLE_KEYS_LEN])
{
	return keys + MAC_CLIENT;
}

int
scramble_way_open(struct scramble_way *way, const struct ptah_aes *aes, const uint8_t keys[static SCRAMBLE_KEYS_LEN],
    bool client_sends)
{
	const uint8_t *key = keys + (client_sends ? KEY_CLIENT : KEY_SERVER);
	uint8_t counter[PTAH_AESCTR_COUNTER_LEN];

	memcpy(counter, key + PTAH_AESCTR_KEY256_LEN, PREFIX_LEN);
	ptah_bytes_put64be(counter + PREFIX_LEN, 1); /* not 0, whatever one expects */
	memcpy(way->mac_key, keys + (client_sends ? MAC_CLIENT : MAC_SERVER), SCRAMBLE_MAC_KEY_LEN);
	way->has_head = false;
	return ptah_aesctr_open(&way->stream, aes, key, PTAH_AESCTR_KEY256_LEN, counter);
}

void
scramble_way_close(struct scramble_way *way)
{
	ptah_aesctr_close(&way->stream);
	sodium_memzero(way, sizeof(*way));
}

static int
mac_of(const struct scramble_way *way, struct ptah_hmac *hmac, struct ptah_span bytes, uint8_t mac[static PTAH_HMAC_LEN])
{
	return ptah_hmac_once(hmac, (struct ptah_span){ way->mac_key, SCRAMBLE_MAC_KEY_LEN }, bytes, mac);
}

/* ---- sealing ------------------------------------------------------------------- */

ssize_t
scramble_seal(struct scramble_way *way, struct ptah_hmac *hmac, uint8_t flag, struct ptah_span payload, size_t padding,
    struct ptah_room out)
{
	size_t total = payload.len + padding, len = SCRAMBLE_HEAD_LEN + total;
	uint8_t mac[PTAH_HMAC_LEN], *head = out.at + MAC_LEN;
	struct ptah_span sealed = { head, len - MAC_LEN };
	int rc;

	if (total > SCRAMBLE_PAYLOAD_MAX)
		return -EINVAL;
	if (out.len < len)
		return -ENOSPC;
	ptah_bytes_put16be(head, (uint16_t)total);
	ptah_bytes_put16be(head + 2, (uint16_t)payload.len);
	head[4] = flag;
	if (payload.len > 0)
		memcpy(head + PLAIN_HEAD_LEN, payload.at, payload.len);
	memset(head + PLAIN_HEAD_LEN + payload.len, 0, padding);
	rc = ptah_aesctr_apply(&way->stream, sealed, head);
	if (rc == 0)
		rc = mac_of(way, hmac, sealed, mac);
	if (rc < 0)
		return rc;
	memcpy(out.at, mac, MAC_LEN);
	return (ssize_t)len;
}

size_t
scramble_pad_len(size_t len, unsigned target)
{
	size_t need = (target + SCRAMBLE_MESSAGE_MAX - len % SCRAMBLE_MESSAGE_MAX) % SCRAMBLE_MESSAGE_MAX;

	return need < SCRAMBLE_HEAD_LEN ? need + SCRAMBLE_MESSAGE_MAX : need;
}

/* Nothing but padding, 'need' bytes of it on the wire. */
static ssize_t
seal_padding(struct scramble_way *way, struct ptah_hmac *hmac, size_t need, struct ptah_room out)
{
	const struct ptah_span none = { NULL, 0 };
	ssize_t first = 0, n;

	if (out.len < need)
		return -ENOSPC;
	if (need > SCRAMBLE_MESSAGE_MAX) {
		first = scramble_seal(way, hmac, SCRAMBLE_PAYLOAD, none, PAD_FIRST - SCRAMBLE_HEAD_LEN, out);
		if (first < 0)
			return first;
	}
	n = scramble_seal(way, hmac, SCRAMBLE_PAYLOAD, none, need - (size_t)first - SCRAMBLE_HEAD_LEN,
	    (struct ptah_room){ out.at + first, out.len - (size_t)first });
	return n < 0 ? n : first + n;
}

ssize_t
scramble_seal_burst(struct scramble_way *way, struct ptah_hmac *hmac, uint8_t flag, struct ptah_span payload,
    unsigned target, struct ptah_room out)
{
	size_t made = 0;
	ssize_t n;

	while (payload.len > 0) {
		size_t len = payload.len < SCRAMBLE_PAYLOAD_MAX ? payload.len : SCRAMBLE_PAYLOAD_MAX;

		n = scramble_seal(way, hmac, flag, (struct ptah_span){ payload.at, len }, 0,
		    (struct ptah_room){ out.at + made, out.len - made });
		if (n < 0)
			return n;
		made += (size_t)n;
		payload = ptah_span_from(payload, len);
	}
	n = seal_padding(way, hmac, scramble_pad_len(made, target), (struct ptah_room){ out.at + made, out.len - made });
	return n < 0 ? n : (ssize_t)made + n;
}

/* ---- opening ------------------------------------------------------------------- */

/* Its lengths are looked at before its MAC can be: they say where it ends. */
static int
open_head(struct scramble_way *way, const uint8_t *at)
{
	uint8_t head[PLAIN_HEAD_LEN];
	int rc = ptah_aesctr_apply(&way->stream, (struct ptah_span){ at + MAC_LEN, sizeof(head) }, head);

	if (rc < 0)
		return rc;
	way->total = ptah_bytes_get16be(head);
	way->payload = ptah_bytes_get16be(head + 2);
	way->flag = head[4];
	way->has_head = true;
	return way->total > SCRAMBLE_PAYLOAD_MAX || way->payload > way->total ? -EPROTO : 0;
}

/* Anything else ends a link of obfs4proxy too. */
static bool
is_known(const struct scramble_way *way)
{
	switch (way->flag) {
	case SCRAMBLE_PAYLOAD:
		return true;
	case SCRAMBLE_TICKET:
		return way->payload == SCRAMBLE_TICKET_PAYLOAD_LEN;
	case SCRAMBLE_SEED:
		return way->payload == SCRAMBLE_SEED_LEN;
	default:
		return false;
	}
}

/* The message is all there, and there is room for its payload. */
static int
open_body(struct scramble_way *way, struct ptah_hmac *hmac, const uint8_t *at, uint8_t *out,
    scramble_message_fn *on_message, void *arg)
{
	uint8_t mac[PTAH_HMAC_LEN], spare[SCRAMBLE_PAYLOAD_MAX];
	struct ptah_span body = { at + SCRAMBLE_HEAD_LEN, way->payload };
	uint8_t *to = way->flag == SCRAMBLE_PAYLOAD ? out : spare;
	int rc = mac_of(way, hmac, (struct ptah_span){ at + MAC_LEN, SCRAMBLE_HEAD_LEN - MAC_LEN + way->total }, mac);

	if (rc < 0)
		return rc;
	if (sodium_memcmp(mac, at, MAC_LEN) != 0)
		return -EBADMSG;
	if (!is_known(way))
		return -EPROTO;
	rc = ptah_aesctr_apply(&way->stream, body, to);
	if (rc == 0 && way->flag != SCRAMBLE_PAYLOAD)
		on_message(way->flag, (struct ptah_span){ spare, way->payload }, arg);
	if (way->flag != SCRAMBLE_PAYLOAD)
		sodium_memzero(spare, way->payload);
	/* The stream runs through the padding as well. */
	if (rc == 0)
		rc = ptah_aesctr_apply(&way->stream,
		    (struct ptah_span){ body.at + body.len, (size_t)way->total - way->payload }, spare);
	return rc;
}

int
scramble_open(struct scramble_way *way, struct ptah_hmac *hmac, struct ptah_span in, struct ptah_room out,
    scramble_message_fn *on_message, void *arg, struct scramble_opened *opened)
{
	memset(opened, 0, sizeof(*opened));
	for (;;) {
		size_t left = in.len - opened->eaten, payload;
		int rc = 0;

		opened->need = way->has_head ? SCRAMBLE_HEAD_LEN + way->total : SCRAMBLE_HEAD_LEN;
		if (left < opened->need)
			return 0;
		if (!way->has_head) {
			rc = open_head(way, in.at + opened->eaten);
			if (rc < 0)
				return rc;
			continue;
		}
		payload = way->flag == SCRAMBLE_PAYLOAD ? way->payload : 0;
		if (out.len - opened->made < payload)
			return 0;
		rc = open_body(way, hmac, in.at + opened->eaten, payload > 0 ? out.at + opened->made : NULL, on_message, arg);
		if (rc < 0)
			return rc;
		opened->eaten += opened->need;
		opened->made += payload;
		way->has_head = false;
	}
}
