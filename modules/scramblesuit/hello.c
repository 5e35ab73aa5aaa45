/* SPDX-License-Identifier: BSD-3-Clause */
#include "hello.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

/* ---- both messages, both sides ------------------------------------------------------ */

/* 'first', padding, mark, MAC. */
static long
make(struct ptah_span first, struct ptah_span key, struct ptah_hmac *hmac, const struct ptah_chance *chance,
    uint64_t hour, size_t pad_len, struct ptah_room out)
{
	size_t at = first.len + pad_len, len = at + PTAH_MARK_TRAILER_LEN;
	int rc;

	if (len > SCRAMBLE_SHAKE_MAX || out.len < len)
		return -ENOSPC;
	memcpy(out.at, first.at, first.len);
	ptah_chance_bytes(chance, out.at + first.len, pad_len);
	rc = ptah_mark_make(hmac, key, first, out.at + at);
	if (rc == 0)
		rc = ptah_mark_mac(hmac, key, (struct ptah_span){ out.at, at + PTAH_MARK_LEN }, hour, out.at + at + PTAH_MARK_LEN);
	return rc < 0 ? rc : (long)len;
}

static struct ptah_span
window_of(struct ptah_span in)
{
	return (struct ptah_span){ in.at, in.len < SCRAMBLE_SHAKE_MAX ? in.len : SCRAMBLE_SHAKE_MAX };
}

/*
 * Where the mark stands: not so near to the end of the longest message that
 * its MAC would have no place.  0: not there so far.
 */
static size_t
find_mark(struct ptah_span window, size_t from, const uint8_t *mark)
{
	const uint8_t *at = NULL;

	if (window.len > SCRAMBLE_SHAKE_MAX - PTAH_MARK_LEN)
		window.len = SCRAMBLE_SHAKE_MAX - PTAH_MARK_LEN;
	if (from < window.len)
		at = memmem(window.at + from, window.len - from, mark, PTAH_MARK_LEN);
	return at != NULL ? (size_t)(at - window.at) : 0;
}

static void
master_of(const uint8_t shared[static PTAH_UDH_LEN], uint8_t master[static SCRAMBLE_MASTER_LEN])
{
	crypto_hash_sha256(master, shared, PTAH_UDH_LEN);
}

static struct ptah_span
secret_of(const uint8_t *secret)
{
	return (struct ptah_span){ secret, SCRAMBLE_SECRET_LEN };
}

/* ---- client ------------------------------------------------------------------------ */

long
scramble_hello_make(struct scramble_hello *hello, struct ptah_hmac *hmac, const struct ptah_chance *chance,
    uint64_t hour, size_t pad_len, struct ptah_room out)
{
	hello->hour = hour;
	return make((struct ptah_span){ hello->pair.public, PTAH_UDH_LEN }, secret_of(hello->secret), hmac, chance, hour,
	    pad_len, out);
}

long
scramble_redeem_make(const uint8_t ticket[static SCRAMBLE_TICKET_LEN], const uint8_t keys[static SCRAMBLE_KEYS_LEN],
    struct ptah_hmac *hmac, const struct ptah_chance *chance, uint64_t hour, size_t pad_len, struct ptah_room out)
{
	return make((struct ptah_span){ ticket, SCRAMBLE_TICKET_LEN },
	    (struct ptah_span){ scramble_keys_client_mac(keys), SCRAMBLE_MAC_KEY_LEN }, hmac, chance, hour, pad_len, out);
}

int
scramble_reply_read(struct scramble_hello *hello, struct ptah_hmac *hmac, struct ptah_udh *udh, struct ptah_span in,
    uint8_t master[static SCRAMBLE_MASTER_LEN], size_t *eaten, const char **why)
{
	struct ptah_span window = window_of(in);
	uint8_t mark[PTAH_MARK_LEN], shared[PTAH_UDH_LEN];
	size_t at;
	int rc;

	if (window.len < SCRAMBLE_UDH_MIN)
		return 0;
	rc = ptah_mark_make(hmac, secret_of(hello->secret), (struct ptah_span){ window.at, PTAH_UDH_LEN }, mark);
	if (rc < 0)
		return rc;
	at = find_mark(window, PTAH_UDH_LEN, mark);
	if (at == 0 || at + PTAH_MARK_TRAILER_LEN > window.len) {
		*why = "what answers is no ScrambleSuit bridge, or not one with this password";
		return window.len < SCRAMBLE_SHAKE_MAX ? 0 : -EPROTO;
	}
	rc = ptah_mark_is(hmac, secret_of(hello->secret), (struct ptah_span){ window.at, at + PTAH_MARK_LEN }, hello->hour,
	    window.at + at + PTAH_MARK_LEN);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		*why = "the MAC of the bridge's answer is wrong";
		return -EBADMSG;
	}
	rc = ptah_udh_secret(udh, &hello->pair, window.at, shared);
	if (rc == 0)
		master_of(shared, master);
	sodium_memzero(shared, sizeof(shared));
	*why = "the bridge's key is worth nothing";
	*eaten = at + PTAH_MARK_TRAILER_LEN;
	return rc < 0 ? rc : 1;
}

/* ---- server ------------------------------------------------------------------------- */

/* Does it begin with a ticket of ours? */
static int
look_at_ticket(struct scramble_heard *heard, const struct scramble_door *door, struct ptah_span in)
{
	uint8_t master[SCRAMBLE_MASTER_LEN] = { 0 };
	int rc = scramble_ticket_open(door->ring, door->hmac, in.at, door->unix_s, master);

	if (rc > 0) {
		int made = scramble_keys_make(door->hmac, master, heard->keys);

		rc = made < 0 ? made : rc;
	}
	sodium_memzero(master, sizeof(master));
	if (rc < 0)
		return rc;
	heard->has_kind = true;
	heard->by_ticket = rc > 0;
	return 0;
}

static struct ptah_span
key_of(const struct scramble_heard *heard, const struct scramble_door *door)
{
	return heard->by_ticket ? (struct ptah_span){ scramble_keys_client_mac(heard->keys), SCRAMBLE_MAC_KEY_LEN } :
	    secret_of(door->secret);
}

int
scramble_heard_read(struct scramble_heard *heard, const struct scramble_door *door, struct ptah_span in)
{
	struct ptah_span window = window_of(in);
	size_t first, at;
	int rc = 0;

	if (!heard->has_kind && window.len >= SCRAMBLE_REDEEM_MIN)
		rc = look_at_ticket(heard, door, in);
	if (rc < 0 || !heard->has_kind)
		return rc;
	first = heard->by_ticket ? SCRAMBLE_TICKET_LEN : PTAH_UDH_LEN;
	if (window.len < first + PTAH_MARK_TRAILER_LEN)
		return 0;
	if (!heard->has_mark) {
		rc = ptah_mark_make(door->hmac, key_of(heard, door), (struct ptah_span){ in.at, first }, heard->mark);
		if (rc < 0)
			return rc;
		heard->has_mark = true;
		heard->searched = first;
	}
	at = find_mark(window, heard->searched, heard->mark);
	if (at == 0)
		heard->searched = window.len - PTAH_MARK_LEN + 1;
	if (at == 0 || at + PTAH_MARK_TRAILER_LEN > window.len)
		return window.len < SCRAMBLE_SHAKE_MAX ? 0 : -EPROTO;
	heard->len = at + PTAH_MARK_TRAILER_LEN;
	memcpy(heard->mac, in.at + at + PTAH_MARK_LEN, PTAH_MARK_LEN);
	rc = ptah_mark_hour(door->hmac, key_of(heard, door), (struct ptah_span){ in.at, at + PTAH_MARK_LEN }, heard->mac,
	    ptah_epoch_hour(door->unix_s), &heard->hour);
	return rc == 0 ? -EBADMSG : rc;
}

int
scramble_heard_skew(const struct scramble_heard *heard, const struct scramble_door *door, struct ptah_span in)
{
	return ptah_mark_skew(door->hmac, key_of(heard, door), (struct ptah_span){ in.at, heard->len - PTAH_MARK_LEN },
	    heard->mac, ptah_epoch_hour(door->unix_s));
}

long
scramble_reply_make(const struct scramble_heard *heard, const struct scramble_door *door, struct ptah_udh *udh,
    const struct ptah_udh_pair *pair, const struct ptah_chance *chance, const uint8_t *hello, size_t pad_len,
    struct ptah_room out, uint8_t master[static SCRAMBLE_MASTER_LEN])
{
	uint8_t shared[PTAH_UDH_LEN];
	int rc = ptah_udh_secret(udh, pair, hello, shared);

	if (rc == 0)
		master_of(shared, master);
	sodium_memzero(shared, sizeof(shared));
	if (rc < 0)
		return rc;
	/* The client's hour, whatever ours is. */
	return make((struct ptah_span){ pair->public, PTAH_UDH_LEN }, secret_of(door->secret), door->hmac, chance, heard->hour,
	    pad_len, out);
}
