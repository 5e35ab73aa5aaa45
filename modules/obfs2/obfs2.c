/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * obfs2: noise whose key is sent along.  README.md draws the wire; keys.c has
 * what is computed; here is the link.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <ptah/host.h>

#include "aesctr.h"
#include "chance.h"
#include "keys.h"
#include "oldobfs.h"

#define TIMER_HANDSHAKE 0u
#define TIMER_DERIVE 1u

/* With a shared secret: so many hashes (some 0.3 ms) in one turn of the loop. */
#define HASHES_AT_ONCE 2000u

#define HELLO_MAX (OBFS2_SEED_LEN + OBFS2_HEAD_LEN + OBFS2_PAD_MAX)

struct obfs2_args {
	const char *shared_secret;
};

struct obfs2_bench {
	struct ptah_aes *aes;
	struct obfs2_hasher *hasher;
};

enum {
	DERIVE_OWN, /* the key of our padding */
	AWAIT_SEED,
	DERIVE_PEER, /* the key of the peer's padding */
	AWAIT_HEAD,
	SKIP_PAD,
	DERIVE_INITIATOR, /* the keys of the link */
	DERIVE_RESPONDER,
	STREAM,
};

/* What the handshake alone needs. */
struct shake {
	struct obfs2_key key; /* under way */
	uint8_t initiator[OBFS2_SEED_LEN], responder[OBFS2_SEED_LEN]; /* in this order */
	uint8_t secret[32];
	uint32_t pad_left;
	uint8_t has_secret;
};

struct obfs2_link {
	struct ptah_aesctr send, receive;
	struct shake *shake;
	struct obfs2_bench *bench;
	const struct ptah_host *host;
	struct ptah_chance chance;
	uint8_t role, stage;
};

static const struct ptah_option options[] = {
	{ .name = "shared-secret", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_SECRET,
	    .offset = offsetof(struct obfs2_args, shared_secret), .min = 1, .max = 1024,
	    .help = "password that both ends know; obfs4proxy's obfs2 has none" },
	{ .name = NULL },
};

/* ---- keys, a piece at a time ---------------------------------------------------- */

static const char *
words_of(uint8_t role, const char *initiator, const char *responder)
{
	return role == PTAH_CLIENT ? initiator : responder;
}

/* What is derived at a stage. */
static int
begin(struct obfs2_link *link, uint8_t stage)
{
	static const char initiator_pad[] = "Initiator obfuscation padding", responder_pad[] = "Responder obfuscation padding";
	struct shake *shake = link->shake;
	const struct ptah_span first = { shake->initiator, OBFS2_SEED_LEN }, second = { shake->responder, OBFS2_SEED_LEN };
	const struct ptah_span both = { shake->initiator, 2 * (size_t)OBFS2_SEED_LEN };
	uint8_t client = link->role == PTAH_CLIENT;
	struct ptah_span seeds = both;
	const char *words;

	link->stage = stage;
	switch (stage) {
	case DERIVE_OWN:
		seeds = client ? first : second;
		words = words_of(link->role, initiator_pad, responder_pad);
		break;
	case DERIVE_PEER:
		seeds = client ? second : first;
		words = words_of(link->role, responder_pad, initiator_pad);
		break;
	case DERIVE_INITIATOR:
		words = "Initiator obfuscated data";
		break;
	default:
		words = "Responder obfuscated data";
	}
	return obfs2_key_begin(&shake->key, link->bench->hasher, words, seeds, shake->has_secret ? shake->secret : NULL);
}

/* ---- the handshake ---------------------------------------------------------------- */

static int
say_hello(struct obfs2_link *link, struct ptah_io *io)
{
	const uint8_t *seed = link->role == PTAH_CLIENT ? link->shake->initiator : link->shake->responder;
	uint32_t pad_len = ptah_chance_below(&link->chance, OBFS2_PAD_MAX + 1);
	size_t len = OBFS2_HEAD_LEN + pad_len;
	struct ptah_aesctr ctr = { NULL };
	uint8_t *head;
	int rc;

	if (io->wire.out.len < OBFS2_SEED_LEN + len)
		return -ENOBUFS;
	memcpy(io->wire.out.at, seed, OBFS2_SEED_LEN);
	head = io->wire.out.at + OBFS2_SEED_LEN;
	obfs2_head_write(head, pad_len);
	ptah_chance_bytes(&link->chance, head + OBFS2_HEAD_LEN, pad_len);
	rc = obfs2_key_open(&link->shake->key, link->bench->aes, &ctr);
	if (rc == 0)
		rc = ptah_aesctr_apply(&ctr, (struct ptah_span){ head, len }, head);
	ptah_aesctr_close(&ctr);
	io->wire.made = OBFS2_SEED_LEN + len;
	io->flush = 1;
	link->stage = AWAIT_SEED;
	return rc;
}

static int
be_open(struct obfs2_link *link, struct ptah_io *io)
{
	OPENSSL_cleanse(link->shake, sizeof(*link->shake));
	free(link->shake);
	link->shake = NULL;
	(void)link->host->timer(link->chance.self, TIMER_HANDSHAKE, 0);
	io->wire.want = 0;
	io->plain.want = 0;
	link->stage = STREAM;
	return PTAH_OPEN;
}

/* A key is there: use it. */
static int
use_key(struct obfs2_link *link, struct ptah_io *io)
{
	struct obfs2_key *key = &link->shake->key;
	struct ptah_aesctr *initiator = link->role == PTAH_CLIENT ? &link->send : &link->receive;
	struct ptah_aesctr *responder = link->role == PTAH_CLIENT ? &link->receive : &link->send;
	int rc;

	switch (link->stage) {
	case DERIVE_OWN:
		return say_hello(link, io);
	case DERIVE_PEER:
		link->stage = AWAIT_HEAD;
		return obfs2_key_open(key, link->bench->aes, &link->receive);
	case DERIVE_INITIATOR:
		rc = obfs2_key_open(key, link->bench->aes, initiator);
		return rc == 0 ? begin(link, DERIVE_RESPONDER) : rc;
	default:
		rc = obfs2_key_open(key, link->bench->aes, responder);
		return rc == 0 ? be_open(link, io) : rc;
	}
}

static int
is_deriving(const struct obfs2_link *link)
{
	return link->stage == DERIVE_OWN || link->stage == DERIVE_PEER || link->stage == DERIVE_INITIATOR ||
	    link->stage == DERIVE_RESPONDER;
}

/* How much of the wire the stage needs. */
static size_t
want_of(const struct obfs2_link *link)
{
	return link->stage == AWAIT_SEED ? OBFS2_SEED_LEN : link->stage == AWAIT_HEAD ? OBFS2_HEAD_LEN : 0;
}

/* One stage that eats; 1 if it came to its end, 0 if it needs more, or what to answer. */
static int
eat(struct obfs2_link *link, struct ptah_io *io)
{
	struct ptah_span in = ptah_span_from(io->wire.in, io->wire.eaten);
	struct shake *shake = link->shake;
	uint8_t head[OBFS2_HEAD_LEN];
	size_t n;

	switch (link->stage) {
	case AWAIT_SEED:
		if (in.len < OBFS2_SEED_LEN)
			return 0;
		memcpy(link->role == PTAH_CLIENT ? shake->responder : shake->initiator, in.at, OBFS2_SEED_LEN);
		io->wire.eaten += OBFS2_SEED_LEN;
		return begin(link, DERIVE_PEER) == 0 ? 1 : -ENOMEM;
	case AWAIT_HEAD:
		if (in.len < OBFS2_HEAD_LEN)
			return 0;
		if (ptah_aesctr_apply(&link->receive, (struct ptah_span){ in.at, OBFS2_HEAD_LEN }, head) < 0)
			return -EIO;
		if (obfs2_head_read(head, &shake->pad_left) < 0)
			return -EPROTO;
		io->wire.eaten += OBFS2_HEAD_LEN;
		link->stage = SKIP_PAD;
		return 1;
	default:
		n = in.len < shake->pad_left ? in.len : shake->pad_left;
		io->wire.eaten += n;
		shake->pad_left -= (uint32_t)n;
		if (shake->pad_left > 0)
			return 0;
		return begin(link, DERIVE_INITIATOR) == 0 ? 1 : -ENOMEM;
	}
}

/* As far as it goes without more bytes, or more time. */
static int
handshake(struct obfs2_link *link, struct ptah_io *io)
{
	int rc = 1;

	while (rc == 1) {
		if (!is_deriving(link)) {
			rc = eat(link, io);
			continue;
		}
		if (link->shake->key.left > 0) {
			io->wire.hold = 1;
			rc = link->host->timer(link->chance.self, TIMER_DERIVE, 1);
			return rc < 0 ? rc : PTAH_GO;
		}
		rc = use_key(link, io);
		if (rc < 0)
			return rc;
		io->wire.hold = 0;
		if (link->stage == STREAM)
			return rc;
		rc = 1;
	}
	if (rc == -EPROTO)
		return ptah_oldobfs_fail(link->role, io, rc, "what the peer sent is not obfs2, or has another shared secret");
	if (rc < 0)
		return rc;
	if (io->wire.ended) {
		io->reason = "the peer closed inside of the handshake";
		return -ECONNRESET;
	}
	io->wire.want = want_of(link);
	return PTAH_GO;
}

static int
obfs2_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct obfs2_args *args = open->args;
	struct obfs2_link *mine = link;
	int rc;

	mine->role = (uint8_t)open->role;
	mine->bench = open->worker;
	mine->host = open->host;
	mine->chance = (struct ptah_chance){ open->host->random, open->self };
	mine->shake = calloc(1, sizeof(*mine->shake));
	if (mine->shake == NULL)
		return -ENOMEM;
	if (args->shared_secret != NULL) {
		const struct ptah_span secret = { (const uint8_t *)args->shared_secret, strlen(args->shared_secret) };

		if (obfs2_secret_hash(mine->bench->hasher, secret, mine->shake->secret) < 0)
			return -ENOMEM;
		mine->shake->has_secret = 1;
	}
	ptah_chance_bytes(&mine->chance, mine->role == PTAH_CLIENT ? mine->shake->initiator : mine->shake->responder,
	    OBFS2_SEED_LEN);
	if (open->host->timer(open->self, TIMER_HANDSHAKE, PTAH_OLDOBFS_HANDSHAKE_NS) < 0)
		return -ENOMEM;
	io->plain.want = PTAH_NEVER;
	rc = begin(mine, DERIVE_OWN);
	return rc < 0 ? rc : handshake(mine, io);
}

static int
obfs2_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct obfs2_link *mine = link;
	int rc;

	if (event->what != PTAH_EV_TIMER || mine->shake == NULL)
		return PTAH_GO;
	if (event->val == TIMER_HANDSHAKE)
		return ptah_oldobfs_fail(mine->role, io, -ETIMEDOUT, "the handshake did not end within 30 s");
	if (event->val != TIMER_DERIVE || !is_deriving(mine))
		return PTAH_GO;
	rc = obfs2_key_go_on(&mine->shake->key, mine->bench->hasher, HASHES_AT_ONCE);
	return rc < 0 ? rc : handshake(mine, io);
}

/* ---- bytes ---------------------------------------------------------------------------- */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int
obfs2_wrap(void *link, struct ptah_io *io)
{
	struct obfs2_link *mine = link;
	size_t len = least(io->plain.in.len, io->wire.out.len);

	if (mine->stage != STREAM)
		return PTAH_GO;
	io->plain.eaten = io->wire.made = len;
	return ptah_aesctr_apply(&mine->send, (struct ptah_span){ io->plain.in.at, len }, io->wire.out.at);
}

static int
obfs2_unwrap(void *link, struct ptah_io *io)
{
	struct obfs2_link *mine = link;
	size_t len = least(io->wire.in.len, io->plain.out.len);

	if (mine->stage != STREAM)
		return is_deriving(mine) ? PTAH_GO : handshake(mine, io);
	io->wire.eaten = io->plain.made = len;
	return ptah_aesctr_apply(&mine->receive, (struct ptah_span){ io->wire.in.at, len }, io->plain.out.at);
}

/* ---- life ------------------------------------------------------------------------------- */

static void
obfs2_close(void *link, int why)
{
	struct obfs2_link *mine = link;

	(void)why;
	if (mine->shake != NULL)
		OPENSSL_cleanse(mine->shake, sizeof(*mine->shake));
	free(mine->shake);
	mine->shake = NULL;
	ptah_aesctr_close(&mine->send);
	ptah_aesctr_close(&mine->receive);
}

static int
obfs2_worker_open(void *worker, const struct ptah_start *start)
{
	struct obfs2_bench *bench = worker;

	(void)start;
	bench->aes = ptah_aes_new();
	bench->hasher = obfs2_hasher_new();
	return bench->aes != NULL && bench->hasher != NULL ? 0 : -ENOMEM;
}

static void
obfs2_worker_close(void *worker)
{
	struct obfs2_bench *bench = worker;

	ptah_aes_free(bench->aes);
	obfs2_hasher_free(bench->hasher);
}

PTAH_MODULE(obfs2) = {
	.head = PTAH_HEAD(0),
	.name = "obfs2",
	.version = "1",
	.summary = "noise that anybody can read, for old bridges only: a server answers whoever connects",
	.example = "{\"server\": {}, \"client\": {}}",
	.abilities = PTAH_OLDOBFS_ABILITIES,
	.handshake_ms = PTAH_OLDOBFS_HOST_MS,
	.options = options,
	.args_size = sizeof(struct obfs2_args),
	.worker_size = sizeof(struct obfs2_bench),
	.link_size = sizeof(struct obfs2_link),
	.unit = HELLO_MAX,
	.worker_open = obfs2_worker_open,
	.worker_close = obfs2_worker_close,
	.open = obfs2_open,
	.wrap = obfs2_wrap,
	.unwrap = obfs2_unwrap,
	.event = obfs2_event,
	.close = obfs2_close,
	.generate = ptah_oldobfs_generate,
};
