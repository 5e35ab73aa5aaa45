/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a stream of Shadowsocks 2022 begins: the request of a client, and the
 * response of a server with the first bytes that it has to say.
 *
 * A server judges what its first read gave it.  It never waits for the rest of
 * a first header, so how much somebody sent before it gave up says nothing
 * about what it wanted.  A client has no such thing to hide, and waits.
 */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

/* The log hears of wrong clocks no more often than this. */
#define SKEW_LOG_NS UINT64_C(60000000000)

static size_t
identities_len(const struct shadow_link *link)
{
	return (size_t)link->keys.n_hops * SHADOW_IDENTITY;
}

/* What has come before the first box. */
static size_t
before_box(const struct shadow_link *link)
{
	return link->cipher->key_len + (link->role == PTAH_SERVER ? identities_len(link) : 0);
}

static size_t
first_box(const struct shadow_link *link)
{
	return link->role == PTAH_SERVER ? SHADOW_REQUEST_BOX : shadow_response_box(link->cipher);
}

/* ---- plain to wire -------------------------------------------------------- */

/* Short requests get padding, so that their length is not that of what is in them. */
static size_t
draw_padding(struct shadow_link *link, size_t payload)
{
	uint8_t random[4];
	uint32_t n;

	if (payload >= SHADOW_PADDING_MAX)
		return 0;
	link->host->random(link->self, random, sizeof(random));
	memcpy(&n, random, sizeof(n));
	return 1 + (size_t)((uint64_t)n * SHADOW_PADDING_MAX >> 32);
}

static long
seal_request(struct shadow_link *link, struct ptah_io *io, uint8_t *out)
{
	static const uint8_t zeros[SHADOW_PADDING_MAX];
	struct shadow_request request = {
		.time = link->host->wall_s(link->self),
		.address = { link->address, link->address_len },
		.padding = { zeros, draw_padding(link, io->plain.in.len) },
		.payload = io->plain.in,
	};
	size_t most = link->cipher->chunk_max - 2u - link->address_len - request.padding.len;

	if (request.payload.len > most)
		request.payload.len = most;
	io->plain.eaten = request.payload.len;
	return shadow_request_seal(&link->sealer, &request, out);
}

static long
seal_response(struct shadow_link *link, struct ptah_io *io, uint8_t *out)
{
	struct ptah_span payload = io->plain.in;

	if (payload.len > link->cipher->chunk_max)
		payload.len = link->cipher->chunk_max;
	io->plain.eaten = payload.len;
	return shadow_response_seal(&link->sealer, link->cipher, link->host->wall_s(link->self), link->their_salt, payload, out);
}

int
shadow_modern_begin(struct shadow_link *link, struct ptah_io *io)
{
	uint8_t *out = io->wire.out.at;
	size_t len = link->cipher->key_len;
	long n;
	int rc = shadow_link_say_salt(link);

	if (rc < 0)
		return rc;
	memcpy(out, link->salt, len);
	if (link->role == PTAH_CLIENT) {
		rc = shadow_keys_identities(&link->keys, link->cipher, link->salt, out + len);
		if (rc < 0)
			return rc;
		len += identities_len(link);
		n = seal_request(link, io, out + len);
	} else {
		n = seal_response(link, io, out + len);
	}
	if (n < 0)
		return (int)n;
	io->wire.made = len + (size_t)n;
	io->flush = 1;
	return 0;
}

/* ---- wire to plain -------------------------------------------------------- */

void
shadow_link_log_skew(const struct shadow_link *link, int64_t skew)
{
	uint64_t now = link->host->now_ns(link->self);
	char text[96];
	int n;

	if (link->worker->skew_said_ns != 0 && now - link->worker->skew_said_ns < SKEW_LOG_NS)
		return;
	link->worker->skew_said_ns = now;
	n = snprintf(text, sizeof(text), "timestamp off by %lld s: a clock is wrong, here or there", (long long)skew);
	link->host->log(link->self, PTAH_LOG_LEVEL_WARN, text, (size_t)n);
}

/* Are the identities behind the salt those of our keys? */
static int
check_identities(const struct shadow_link *link, const uint8_t *salt)
{
	uint8_t want[SHADOW_HOPS_MAX * SHADOW_IDENTITY];
	int rc = shadow_keys_identities(&link->keys, link->cipher, salt, want);

	if (rc == 0 && identities_len(link) > 0 &&
	    CRYPTO_memcmp(want, salt + link->cipher->key_len, identities_len(link)) != 0)
		rc = -EBADMSG;
	return rc;
}

/* Open the first box at 'at', and take its length. */
static int
read_box(struct shadow_link *link, const uint8_t *at, int64_t *time)
{
	uint8_t head[SHADOW_RESPONSE_MAX];
	int rc = shadow_box_open(&link->opener.boxes, at, first_box(link) - SHADOW_TAG, head);

	if (rc < 0)
		return rc;
	return link->role == PTAH_SERVER ? shadow_request_read(head, time, &link->opener.length) :
	    shadow_response_read(link->cipher, head, link->salt, time, &link->opener.length);
}

static const char *
reason_of(const struct shadow_link *link, int rc)
{
	if (link->role == PTAH_SERVER)
		return rc == -EPROTO ? "this is no request" : "the peer has another key or cipher";
	return rc == -EPROTO ? "auth: this is no response" : "auth: not a response to this request, or another key or cipher";
}

int
shadow_modern_read_salt(struct shadow_link *link, struct ptah_io *io)
{
	const uint8_t *in = io->wire.in.at;
	int64_t time, now;
	int rc;

	if (io->wire.in.len < before_box(link) + first_box(link)) {
		if (link->role == PTAH_SERVER && io->wire.in.len > 0)
			return shadow_link_refuse(link, io, SHADOW_COUNT_BROKEN, "the first read is too short for a header");
		io->wire.want = before_box(link) + first_box(link);
		return PTAH_GO;
	}
	rc = shadow_link_hear_salt(link, in);
	if (rc == 0 && link->role == PTAH_SERVER)
		rc = check_identities(link, in);
	if (rc == 0)
		rc = read_box(link, in + before_box(link), &time);
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return shadow_link_refuse(link, io, SHADOW_COUNT_BROKEN, reason_of(link, rc));
	now = link->host->wall_s(link->self);
	if (!shadow_time_is_good(time, now)) {
		shadow_link_log_skew(link, (int64_t)((uint64_t)time - (uint64_t)now));
		return shadow_link_refuse(link, io, SHADOW_COUNT_LATE, "auth: the timestamp is too far from our clock");
	}
	return shadow_link_ask_replay(link, io, SHADOW_SALT_TTL_S);
}

int
shadow_modern_is_fresh(struct shadow_link *link, struct ptah_io *io)
{
	io->wire.eaten = before_box(link) + first_box(link);
	io->wire.want = 0;
	link->opener.has_length = true;
	if (link->role == PTAH_SERVER) {
		link->stage = SHADOW_AT_ADDRESS;
		return shadow_modern_read_address(link, io);
	}
	link->stage = SHADOW_AT_STREAM;
	return PTAH_GO;
}

int
shadow_modern_read_address(struct shadow_link *link, struct ptah_io *io)
{
	int rc = shadow_link_keep_early(link, io);
	long at;

	if (rc < 0)
		return shadow_link_refuse_broken(link, io, rc);
	if (rc > 0)
		return PTAH_GO;
	at = shadow_request_read_rest((struct ptah_span){ link->early, link->early_len }, link->dest);
	if (at < 0)
		return shadow_link_refuse(link, io, SHADOW_COUNT_BROKEN, "the second header is none");
	return shadow_link_admit(link, io, (size_t)at);
}
