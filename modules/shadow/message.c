/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages: each is sealed and opened where it lies, and says itself where it
 * goes.  What is not authentic, late, or has come before is dropped without a
 * word.
 */
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define COOKIE_ANY 0u
#define PORT_DNS 53

/* What is in a packet. */
struct opened {
	struct ptah_span address, body;
};

static uint8_t *
writable(const struct ptah_msg *msg)
{
	return msg->room.at + (msg->body.at - msg->room.at);
}

static int
refuse(const struct shadow_link *link, uint32_t counter)
{
	link->host->count(link->self, counter, 1);
	return PTAH_REJECT;
}

static int
refuse_broken(const struct shadow_link *link, long rc)
{
	return rc == -ENOMEM ? -ENOMEM : refuse(link, SHADOW_COUNT_BROKEN);
}

/* ---- what a worker's links share ------------------------------------------- */

static int
desk_prepare(struct shadow_desk *desk, const struct shadow_options *conf)
{
	const struct shadow_cipher *cipher = shadow_cipher_find(conf->cipher);
	struct shadow_keys keys;
	char why[200]; /* nobody reads it: the options were checked before */
	int rc = cipher != NULL ? shadow_keys_read(&keys, cipher, conf->password, conf->key, why, sizeof(why)) : -EINVAL;

	if (rc < 0)
		return rc;
	rc = shadow_packets_init(&desk->packets, cipher, &keys, PTAH_SERVER);
	explicit_bzero(&keys, sizeof(keys));
	return rc;
}

/* 'conf': of a server, else NULL.  NULL: memory is short. */
static struct shadow_desk *
desk_of(struct shadow_worker *worker, const struct shadow_options *conf)
{
	struct shadow_desk *desk = worker->desk;

	if (desk != NULL)
		return desk;
	desk = calloc(1, sizeof(*desk));
	if (desk != NULL && conf != NULL && desk_prepare(desk, conf) < 0) {
		free(desk);
		desk = NULL;
	}
	worker->desk = desk;
	return desk;
}

void
shadow_worker_close(void *worker)
{
	struct shadow_desk *desk = ((struct shadow_worker *)worker)->desk;

	if (desk == NULL)
		return;
	shadow_packets_clear(&desk->packets);
	explicit_bzero(desk, sizeof(*desk));
	free(desk);
}

static struct shadow_gone *
gone_at(struct shadow_desk *desk, const uint8_t name[SHADOW_SESSION])
{
	return &desk->gone[ptah_bytes_get16be(name) % SHADOW_GONE];
}

/* The link goes, but what it has heard is good for as long as its times are. */
static void
remember(struct shadow_desk *desk, const struct shadow_hearing *in)
{
	struct shadow_gone *gone = gone_at(desk, in->session.name);

	memcpy(gone->name, in->session.name, SHADOW_SESSION);
	gone->next = in->window.next;
	gone->until_ns = in->heard_ns + SHADOW_SESSION_TTL_NS;
}

static void
recall(struct shadow_desk *desk, struct shadow_hearing *in, uint64_t now_ns)
{
	const struct shadow_gone *gone = gone_at(desk, in->session.name);

	if (now_ns < gone->until_ns && memcmp(gone->name, in->session.name, SHADOW_SESSION) == 0)
		shadow_window_fill(&in->window, gone->next);
}

/* ---- addresses ---------------------------------------------------------------- */

/* A server's: where this one goes, and may it?  0, or an answer. */
static int
find_dest(struct shadow_link *link, struct ptah_span address, const char **dest)
{
	struct shadow_place *place = &link->messages->heard;

	if (place->len != address.len || memcmp(place->address, address.at, address.len) != 0) {
		place->len = 0;
		if (shadow_address_read(address, place->text) != (int)address.len)
			return refuse(link, SHADOW_COUNT_BROKEN);
		if (link->conf->allow.n > 0 && !shadow_address_allowed(&link->conf->allow, place->text))
			return refuse(link, SHADOW_COUNT_FORBIDDEN);
		memcpy(place->address, address.at, address.len);
		place->len = address.len;
	}
	if (link->conf->allow.n > 0)
		*dest = place->text;
	return 0;
}

/* What stands before the body: a client's target, or whose word it is.  0, or an answer. */
static int
find_address(struct shadow_link *link, const struct ptah_msg *msg, struct ptah_span *address)
{
	struct shadow_place *place = &link->messages->said;
	int n;

	*address = (struct ptah_span){ link->address, link->address_len };
	if (link->profile == SHADOW_RAW || link->role == PTAH_CLIENT)
		return 0;
	/* A layer above may not say it: then it is who was asked. */
	*address = (struct ptah_span){ link->messages->heard.address, link->messages->heard.len };
	if (msg->peer == NULL)
		return 0;
	if (place->len == 0 || strcmp(place->text, msg->peer) != 0) {
		place->len = 0;
		n = strlen(msg->peer) < sizeof(place->text) ? shadow_address_write(msg->peer, place->address) : -EINVAL;
		if (n < 0)
			return PTAH_REJECT;
		strcpy(place->text, msg->peer);
		place->len = (size_t)n;
	}
	*address = (struct ptah_span){ place->address, place->len };
	return 0;
}

/* ---- AEAD ----------------------------------------------------------------------- */

static int
wrap_classic(struct shadow_link *link, const struct ptah_msg *msg, struct ptah_span address, struct ptah_span *packet)
{
	const size_t salt_len = link->cipher->key_len;
	uint8_t *at = writable(msg) - salt_len - address.len;
	int rc;

	link->host->random(link->self, at, salt_len);
	if (address.len > 0)
		memcpy(at + salt_len, address.at, address.len);
	rc = shadow_salted_seal(link->messages->packets, at, address.len + msg->body.len);
	if (rc < 0)
		return rc;
	/* So that nobody can send it back to us; how that is answered changes nothing. */
	(void)link->host->replay(link->self, shadow_link_scope(link), (struct ptah_span){ at, salt_len }, SHADOW_PACKET_TTL_S,
	    COOKIE_ANY);
	*packet = (struct ptah_span){ at, salt_len + address.len + msg->body.len + SHADOW_TAG };
	return 0;
}

static int
unwrap_classic(struct shadow_link *link, const struct ptah_msg *msg, struct opened *opened)
{
	const size_t salt_len = link->cipher->key_len;
	uint8_t *at = writable(msg);
	long len = shadow_salted_open(link->messages->packets, at, msg->body.len);
	int n = 0;

	if (len < 0)
		return refuse_broken(link, len);
	if (link->host->replay(link->self, shadow_link_scope(link), (struct ptah_span){ at, salt_len }, SHADOW_PACKET_TTL_S,
	        COOKIE_ANY) != 1)
		return refuse(link, SHADOW_COUNT_REPLAYED);
	opened->body = (struct ptah_span){ at + salt_len, (size_t)len };
	if (link->profile == SHADOW_SS) {
		n = shadow_address_len(opened->body);
		if (n <= 0)
			return refuse(link, SHADOW_COUNT_BROKEN);
	}
	opened->address = (struct ptah_span){ opened->body.at, (size_t)n };
	opened->body = ptah_span_from(opened->body, (size_t)n);
	return 0;
}

/* ---- 2022 ------------------------------------------------------------------------- */

/* Only questions of names and their answers are known by their lengths; others pad those, too. */
static size_t
draw_padding(const struct shadow_link *link, struct ptah_span address, size_t len)
{
	uint8_t random[4];

	if (len >= SHADOW_PADDING_MAX || ptah_bytes_get16be(address.at + address.len - 2) != PORT_DNS)
		return 0;
	link->host->random(link->self, random, sizeof(random));
	return 1 + (size_t)((uint64_t)ptah_bytes_get32le(random) * (SHADOW_PADDING_MAX - len) >> 32);
}

static int
wrap_modern(struct shadow_link *link, const struct ptah_msg *msg, struct ptah_span address, struct ptah_span *packet)
{
	struct shadow_messages *mine = link->messages;
	struct shadow_preamble preamble = {
		.time = link->host->wall_s(link->self),
		.session = link->role == PTAH_SERVER ? mine->in.session.name : NULL,
		.address = address,
		.padding = draw_padding(link, address, msg->body.len),
	};
	uint8_t block[SHADOW_BLOCK], *at;
	size_t front = shadow_front_len(mine->packets, link->role), head;
	int rc;

	head = shadow_preamble_len(&preamble) + preamble.padding;
	if (preamble.padding > 0) {
		at = link->worker->desk->padded;
		if (msg->body.len > 0)
			memcpy(at + front + head, msg->body.at, msg->body.len);
	} else {
		at = writable(msg) - head - front;
	}
	memcpy(block, mine->out.name, SHADOW_SESSION);
	ptah_bytes_put64be(block + SHADOW_SESSION, mine->number++);
	if (shadow_front_random(mine->packets) > 0)
		link->host->random(link->self, at, shadow_front_random(mine->packets));
	shadow_preamble_write(&preamble, at + front);
	rc = shadow_numbered_seal(mine->packets, &mine->out, block, at, head + msg->body.len);
	*packet = (struct ptah_span){ at, front + head + msg->body.len + SHADOW_TAG };
	return rc;
}

/* Whose packet is it?  One that nobody has is begun at 'fresh'.  NULL: it cannot be. */
static struct shadow_hearing *
find_hearing(struct shadow_link *link, const uint8_t name[SHADOW_SESSION], struct shadow_hearing *fresh, int *rc)
{
	struct shadow_messages *mine = link->messages;
	struct shadow_hearing *const both[] = { &mine->in, &mine->before };

	for (size_t i = 0; i < 2; i++)
		if (both[i]->session.live && memcmp(both[i]->session.name, name, SHADOW_SESSION) == 0)
			return both[i];
	/* A client's session is its link; a server may begin anew, but not all the time. */
	*rc = -EBADMSG;
	if ((link->role == PTAH_SERVER && mine->in.session.live) || (mine->before.session.live &&
	    link->host->now_ns(link->self) - mine->before.heard_ns < SHADOW_SESSION_TTL_NS))
		return NULL;
	*rc = shadow_session_init(&fresh->session, mine->packets, name, false);
	if (*rc < 0)
		return NULL;
	if (link->role == PTAH_SERVER)
		recall(link->worker->desk, fresh, link->host->now_ns(link->self));
	return fresh;
}

/* Open the packet at 'at' that 'hearing' has sent.  0, or an answer. */
static int
hear(struct shadow_link *link, struct shadow_hearing *hearing, const uint8_t block[SHADOW_BLOCK], uint8_t *at, size_t len,
    struct opened *opened)
{
	const uint32_t peer = link->role == PTAH_CLIENT ? PTAH_SERVER : PTAH_CLIENT;
	const uint64_t number = ptah_bytes_get64be(block + SHADOW_SESSION);
	const int64_t now = link->host->wall_s(link->self);
	struct shadow_preamble preamble;
	long n, body;

	if (!shadow_window_is_fresh(&hearing->window, number))
		return refuse(link, SHADOW_COUNT_REPLAYED);
	n = shadow_numbered_open(link->messages->packets, &hearing->session, block, at, len);
	if (n < 0)
		return refuse_broken(link, n);
	at += shadow_front_len(link->messages->packets, peer);
	body = shadow_preamble_read((struct ptah_span){ at, (size_t)n }, peer, &preamble);
	if (body < 0 || (preamble.session != NULL && memcmp(preamble.session, link->messages->out.name, SHADOW_SESSION) != 0))
		return refuse(link, SHADOW_COUNT_BROKEN);
	if (!shadow_time_is_good(preamble.time, now)) {
		shadow_link_log_skew(link, (int64_t)((uint64_t)preamble.time - (uint64_t)now));
		return refuse(link, SHADOW_COUNT_LATE);
	}
	shadow_window_mark(&hearing->window, number);
	hearing->heard_ns = link->host->now_ns(link->self);
	opened->address = preamble.address;
	opened->body = ptah_span_from((struct ptah_span){ at, (size_t)n }, (size_t)body);
	return 0;
}

static int
unwrap_modern(struct shadow_link *link, const struct ptah_msg *msg, struct opened *opened)
{
	struct shadow_messages *mine = link->messages;
	struct shadow_hearing fresh = { .heard_ns = 0 }, *hearing;
	uint8_t block[SHADOW_BLOCK], *at = writable(msg);
	int rc;

	rc = shadow_block_read(mine->packets, msg->body, block);
	if (rc == 0 && link->role == PTAH_SERVER)
		rc = shadow_identities_check(mine->packets, at, block);
	hearing = rc == 0 ? find_hearing(link, block, &fresh, &rc) : NULL;
	if (hearing == NULL)
		return refuse_broken(link, rc);
	rc = hear(link, hearing, block, at, msg->body.len, opened);
	if (hearing != &fresh)
		return rc;
	if (rc != 0) {
		shadow_session_clear(&fresh.session);
		return rc;
	}
	shadow_session_clear(&mine->before.session);
	mine->before = mine->in;
	mine->in = fresh;
	return 0;
}

/* ---- hooks -------------------------------------------------------------------------- */

int
shadow_message_key(const void *conf, void *worker, const struct ptah_msg *msg, uint8_t key[16])
{
	const struct shadow_desk *desk = desk_of(worker, conf);
	uint8_t block[SHADOW_BLOCK];
	int rc;

	if (desk == NULL)
		return -ENOMEM;
	if (!desk->packets.cipher->modern)
		return PTAH_PASS;
	rc = shadow_block_read(&desk->packets, msg->body, block);
	memcpy(key, block, rc == 0 ? SHADOW_SESSION : 0);
	return rc;
}

int
shadow_message_wrap(void *link, const struct ptah_msg *msg)
{
	struct shadow_link *mine = link;
	struct ptah_msg out = { .size = sizeof(out), .side = PTAH_SIDE_WIRE };
	struct ptah_span address;
	int rc = find_address(mine, msg, &address);

	if (rc == 0)
		rc = mine->cipher->modern ? wrap_modern(mine, msg, address, &out.body) : wrap_classic(mine, msg, address, &out.body);
	if (rc != 0)
		return rc;
	return mine->host->message(mine->self, &out) == -EMSGSIZE ? PTAH_REJECT : PTAH_GO;
}

int
shadow_message_unwrap(void *link, const struct ptah_msg *msg)
{
	struct shadow_link *mine = link;
	struct opened opened;
	struct ptah_msg out = { .size = sizeof(out), .side = PTAH_SIDE_PLAIN };
	int rc = mine->cipher->modern ? unwrap_modern(mine, msg, &opened) : unwrap_classic(mine, msg, &opened);

	if (rc == 0 && mine->role == PTAH_SERVER && mine->profile == SHADOW_SS)
		rc = find_dest(mine, opened.address, &out.dest);
	if (rc != 0)
		return rc;
	out.body = opened.body;
	(void)mine->host->message(mine->self, &out);
	if (mine->role == PTAH_CLIENT || mine->stage == SHADOW_AT_STREAM)
		return PTAH_GO;
	/* It is authentic: the plain end may be opened, and this one waits for it. */
	mine->stage = SHADOW_AT_STREAM;
	return PTAH_OPEN;
}

/* ---- life ------------------------------------------------------------------------------ */

static int
open_client(struct shadow_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct shadow_options *options = open->args;
	struct shadow_keys keys;
	char why[200]; /* nobody reads it: the options were checked before */
	int rc = shadow_link_aim(link, open, io);

	if (rc == 0)
		rc = shadow_keys_read(&keys, link->cipher, options->password, options->key, why, sizeof(why));
	if (rc < 0)
		return rc;
	rc = shadow_packets_init(&link->messages->mine, link->cipher, &keys, PTAH_CLIENT);
	explicit_bzero(&keys, sizeof(keys));
	link->messages->packets = &link->messages->mine;
	return rc < 0 ? rc : PTAH_OPEN;
}

int
shadow_messages_open(struct shadow_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	bool server = open->role == PTAH_SERVER;
	struct shadow_desk *desk = desk_of(link->worker, server ? open->conf : NULL);
	uint8_t name[SHADOW_SESSION];
	int rc = PTAH_GO;

	link->messages = desk != NULL ? calloc(1, sizeof(*link->messages)) : NULL;
	if (link->messages == NULL)
		return -ENOMEM;
	if (server) {
		link->conf = open->conf;
		link->messages->packets = &desk->packets;
	} else {
		rc = open_client(link, open, io);
	}
	if (rc < 0 || !link->cipher->modern)
		return rc;
	link->host->random(link->self, name, sizeof(name));
	int made = shadow_session_init(&link->messages->out, link->messages->packets, name, true);
	return made < 0 ? made : rc;
}

void
shadow_messages_close(struct shadow_link *link)
{
	struct shadow_messages *mine = link->messages;

	if (mine == NULL)
		return;
	if (link->role == PTAH_SERVER && mine->in.session.live)
		remember(link->worker->desk, &mine->in);
	shadow_session_clear(&mine->out);
	shadow_session_clear(&mine->in.session);
	shadow_session_clear(&mine->before.session);
	shadow_packets_clear(&mine->mine);
	explicit_bzero(mine, sizeof(*mine));
	free(mine);
	link->messages = NULL;
}
