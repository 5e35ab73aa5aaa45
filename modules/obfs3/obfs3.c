/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * obfs3: noise on the wire, against an eye that only looks.  README.md draws
 * it.  keys.c has what is computed, bench.c what a worker has ready; here is
 * the link.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "bench.h"
#include "keys.h"
#include "oldobfs.h"

#define TIMER_HANDSHAKE 0u
#define TIMER_MAGIC 1u

/*
 * For the word that comes before a client's first byte; obfs4proxy waits for
 * ever.  A server whose own side has spoken waits as well: then the client
 * may only be listening.
 */
#define MAGIC_LEAST_NS UINT64_C(60000000000)
#define MAGIC_SPREAD_MS 60000u

/* Padding, magic, and something to say behind them, in one write. */
#define UNIT 8192u

enum {
	AWAIT_PUBLIC, /* of the peer */
	MUTE,         /* the peer's public value is worth nothing: this never ends well, and says nothing */
	AWAIT_MAGIC,
	AWAIT_NOTHING,
};

/* What is needed until both sides have said their first byte. */
struct shake {
	struct ptah_udh_pair pair;
	struct obfs3_search search;
	uint8_t magic[OBFS3_MAGIC_LEN]; /* ours */
};

struct obfs3_link {
	struct ptah_aesctr send, receive;
	struct shake *shake;
	struct obfs3_bench *bench;
	const struct ptah_host *host;
	struct ptah_chance chance;
	uint8_t role, stage;
	bool spoke; /* our magic is on its way */
};

static void
end_shake(struct obfs3_link *link)
{
	if (link->shake == NULL)
		return;
	OPENSSL_cleanse(link->shake, sizeof(*link->shake));
	free(link->shake);
	link->shake = NULL;
}

static void
end_shake_if_over(struct obfs3_link *link)
{
	if (link->spoke && link->stage == AWAIT_NOTHING)
		end_shake(link);
}

static int
obfs3_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct obfs3_link *mine = link;
	size_t pad_len;
	int rc;

	mine->role = (uint8_t)open->role;
	mine->bench = open->worker;
	mine->host = open->host;
	mine->chance = (struct ptah_chance){ open->host->random, open->self };
	mine->shake = calloc(1, sizeof(*mine->shake));
	if (mine->shake == NULL)
		return -ENOMEM;
	rc = ptah_udhpool_take(&mine->bench->pool, &mine->shake->pair);
	if (rc < 0)
		return rc;
	pad_len = ptah_chance_below(&mine->chance, OBFS3_PAD_MAX + 1);
	if (io->wire.out.len < PTAH_UDH_LEN + pad_len)
		return -ENOBUFS;
	memcpy(io->wire.out.at, mine->shake->pair.public, PTAH_UDH_LEN);
	ptah_chance_bytes(&mine->chance, io->wire.out.at + PTAH_UDH_LEN, pad_len);
	io->wire.made = PTAH_UDH_LEN + pad_len;
	io->flush = 1;
	io->wire.want = PTAH_UDH_LEN;
	io->plain.want = PTAH_NEVER;
	return open->host->timer(open->self, TIMER_HANDSHAKE, PTAH_OLDOBFS_HANDSHAKE_NS) < 0 ? -ENOMEM : PTAH_GO;
}

/* ---- wire to plain -------------------------------------------------------------- */

static int
start_streams(struct obfs3_link *link, const struct obfs3_keys *keys)
{
	bool client = link->role == PTAH_CLIENT;
	const struct obfs3_side *own = client ? &keys->initiator : &keys->responder;
	const struct obfs3_side *peer = client ? &keys->responder : &keys->initiator;
	int rc = ptah_aesctr_open(&link->send, link->bench->aes, own->key, sizeof(own->key), own->counter);

	if (rc == 0)
		rc = ptah_aesctr_open(&link->receive, link->bench->aes, peer->key, sizeof(peer->key), peer->counter);
	memcpy(link->shake->magic, own->magic, OBFS3_MAGIC_LEN);
	memcpy(link->shake->search.magic, peer->magic, OBFS3_MAGIC_LEN);
	return rc;
}

static int
take_public(struct obfs3_link *link, struct ptah_io *io)
{
	const struct ptah_host *host = link->host;
	uint8_t secret[PTAH_UDH_LEN];
	struct obfs3_keys keys;
	int rc;

	if (io->wire.in.len < PTAH_UDH_LEN) {
		io->reason = "the peer closed before it said its key";
		return io->wire.ended ? -ECONNRESET : PTAH_GO;
	}
	rc = ptah_udh_secret(link->bench->pool.udh, &link->shake->pair, io->wire.in.at, secret);
	if (rc == -EBADMSG) {
		link->stage = MUTE; /* and the clock goes on as if nothing had come */
		io->wire.want = 0;
		return PTAH_GO;
	}
	ptah_udh_pair_clear(&link->shake->pair);
	if (rc == 0)
		rc = obfs3_keys_make(&keys, link->bench->hmac, secret);
	if (rc == 0)
		rc = start_streams(link, &keys);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(&keys, sizeof(keys));
	if (rc < 0)
		return rc;
	io->wire.eaten = PTAH_UDH_LEN;
	io->wire.want = OBFS3_MAGIC_LEN;
	io->plain.want = 0;
	link->stage = AWAIT_MAGIC;
	(void)host->timer(link->chance.self, TIMER_HANDSHAKE, 0);
	if (link->role == PTAH_SERVER)
		(void)host->timer(link->chance.self, TIMER_MAGIC,
		    MAGIC_LEAST_NS + UINT64_C(1000000) * ptah_chance_below(&link->chance, MAGIC_SPREAD_MS + 1));
	return PTAH_OPEN;
}

static int
seek_magic(struct obfs3_link *link, struct ptah_io *io)
{
	int rc = obfs3_search_step(&link->shake->search, io->wire.in, &io->wire.eaten);

	if (rc < 0)
		return ptah_oldobfs_fail(link->role, io, rc, "what the peer sent is not obfs3");
	if (rc == 0 && io->wire.ended)
		io->wire.eaten = io->wire.in.len; /* it had nothing to say */
	if (rc == 0) {
		io->wire.want = OBFS3_MAGIC_LEN;
		return PTAH_GO;
	}
	io->wire.want = 0;
	link->stage = AWAIT_NOTHING;
	if (link->role == PTAH_SERVER)
		(void)link->host->timer(link->chance.self, TIMER_MAGIC, 0);
	end_shake_if_over(link);
	return PTAH_GO;
}

static int
obfs3_unwrap(void *link, struct ptah_io *io)
{
	struct obfs3_link *mine = link;
	size_t len = io->wire.in.len < io->plain.out.len ? io->wire.in.len : io->plain.out.len;

	switch (mine->stage) {
	case AWAIT_PUBLIC:
		return take_public(mine, io);
	case MUTE:
		io->wire.eaten = io->wire.in.len;
		return io->wire.ended ? -ECONNRESET : PTAH_GO;
	case AWAIT_MAGIC:
		return seek_magic(mine, io);
	default:
		io->wire.eaten = io->plain.made = len;
		return ptah_aesctr_apply(&mine->receive, (struct ptah_span){ io->wire.in.at, len }, io->plain.out.at);
	}
}

/* ---- plain to wire -------------------------------------------------------------- */

/* Before our first byte: padding, and the word that ends it. */
static size_t
speak(struct obfs3_link *link, struct ptah_io *io)
{
	size_t pad_len = ptah_chance_below(&link->chance, OBFS3_PAD_MAX + 1);

	ptah_chance_bytes(&link->chance, io->wire.out.at, pad_len);
	memcpy(io->wire.out.at + pad_len, link->shake->magic, OBFS3_MAGIC_LEN);
	link->spoke = true;
	io->flush = 1;
	(void)link->host->timer(link->chance.self, TIMER_MAGIC, 0);
	end_shake_if_over(link);
	return pad_len + OBFS3_MAGIC_LEN;
}

static int
obfs3_wrap(void *link, struct ptah_io *io)
{
	struct obfs3_link *mine = link;
	size_t made = 0, len = io->plain.in.len;

	if (mine->stage < AWAIT_MAGIC || len == 0)
		return PTAH_GO;
	if (!mine->spoke) {
		if (io->wire.out.len < UNIT) {
			io->wire.more = 1;
			return PTAH_GO;
		}
		made = speak(mine, io);
	}
	if (len > io->wire.out.len - made)
		len = io->wire.out.len - made;
	io->plain.eaten = len;
	io->wire.made = made + len;
	return ptah_aesctr_apply(&mine->send, (struct ptah_span){ io->plain.in.at, len }, io->wire.out.at + made);
}

/* ---- life -------------------------------------------------------------------------- */

static int
obfs3_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct obfs3_link *mine = link;

	if (event->what != PTAH_EV_TIMER)
		return PTAH_GO;
	if (event->val == TIMER_HANDSHAKE && mine->stage < AWAIT_MAGIC)
		return ptah_oldobfs_fail(mine->role, io, -ETIMEDOUT, "no key of the peer's within 30 s");
	if (event->val == TIMER_MAGIC && mine->stage == AWAIT_MAGIC && !mine->spoke)
		return ptah_oldobfs_fail(mine->role, io, -ETIMEDOUT, "the peer has a key and says nothing");
	return PTAH_GO;
}

static void
obfs3_close(void *link, int why)
{
	struct obfs3_link *mine = link;

	(void)why;
	end_shake(mine);
	ptah_aesctr_close(&mine->send);
	ptah_aesctr_close(&mine->receive);
}

PTAH_MODULE(obfs3) = {
	.head = PTAH_HEAD(0),
	.name = "obfs3",
	.version = "1",
	.summary = "noise, for old bridges only: a server answers whoever connects, so a probe finds it",
	.example = "{\"server\": {}, \"client\": {}}",
	.abilities = PTAH_OLDOBFS_ABILITIES,
	.handshake_ms = PTAH_OLDOBFS_HOST_MS,
	.worker_size = sizeof(struct obfs3_bench),
	.link_size = sizeof(struct obfs3_link),
	.unit = UNIT,
	.worker_open = obfs3_bench_open,
	.worker_event = obfs3_bench_event,
	.worker_close = obfs3_bench_close,
	.open = obfs3_open,
	.wrap = obfs3_wrap,
	.unwrap = obfs3_unwrap,
	.event = obfs3_event,
	.close = obfs3_close,
	.generate = ptah_oldobfs_generate,
};
