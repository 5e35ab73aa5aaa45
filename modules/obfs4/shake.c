/* SPDX-License-Identifier: BSD-3-Clause */
#include "shake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "bench.h"
#include "hello.h"
#include "home.h"
#include "options.h"
#include "reply.h"
#include "seed.h"

/* A hello is good for the hour of its making and one on either side. */
#define REPLAY_TTL_S (3u * 3600u)
#define COMPAT_LEAST_S 30u

struct obfs4_shake {
	struct obfs4_hello hello; /* client */
	struct obfs4_heard heard; /* server */
	bool asked_replay;        /* ... whose answer comes by an event */
};

int
obfs4_reject(const struct obfs4_link *link, struct ptah_io *io, const char *reason)
{
	io->manner = PTAH_SILENT;
	io->reason = reason;
	if (link->compat)
		io->close_s = COMPAT_LEAST_S + obfs4_seed_close_s(link->home->identity->seed);
	return PTAH_REJECT;
}

/* Padding is kilobytes, for which the kernel takes several times as long as a stream cipher. */
static void
random_of_link(struct ptah_self *self, void *out, size_t len)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	const struct obfs4_link *link = (const void *)self;
	uint8_t key[crypto_stream_chacha20_KEYBYTES];

	if (len <= sizeof(key)) {
		obfs4_bench_random(link->bench, out, len);
		return;
	}
	obfs4_bench_random(link->bench, key, sizeof(key));
	(void)crypto_stream_chacha20(out, len, nonce, key); /* a fresh key each time */
	sodium_memzero(key, sizeof(key));
}

static struct ptah_chance
chance_of(struct obfs4_link *link)
{
	return (struct ptah_chance){ random_of_link, (struct ptah_self *)(void *)link };
}

static uint64_t
hour_of(const struct obfs4_link *link)
{
	return ptah_epoch_hour(link->host->wall_s(link->self));
}

void
obfs4_shake_end(struct obfs4_link *link)
{
	if (link->shake == NULL)
		return;
	sodium_memzero(link->shake, sizeof(*link->shake));
	free(link->shake);
	link->shake = NULL;
}

/* Both directions have their keys. */
static int
be_open(struct obfs4_link *link, struct ptah_io *io, uint8_t keys[static PTAH_NTOR_LINK_KEYS_LEN])
{
	bool client = link->role == PTAH_CLIENT;

	ptah_sealer_init(&link->sealer, client ? keys : keys + PTAH_FRAME_KEYS_LEN);
	ptah_opener_init(&link->opener, client ? keys + PTAH_FRAME_KEYS_LEN : keys);
	sodium_memzero(keys, PTAH_NTOR_LINK_KEYS_LEN);
	obfs4_shake_end(link);
	io->wire.want = 0;
	io->plain.want = 0;
	return PTAH_OPEN;
}

/* ---- client ------------------------------------------------------------------ */

static int
open_client(struct obfs4_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct ptah_chance chance = chance_of(link);
	const struct obfs4_args *args = open->args;
	struct obfs4_hello *hello = &link->shake->hello;
	size_t pad_len;
	long n;

	hello->shaped = args->first_flight != 0;
	if (obfs4_args_bridge(args, &hello->bridge, &link->iat_mode) < 0)
		return -EINVAL;
	obfs4_bench_take(link->bench, &hello->pair);
	pad_len = OBFS4_HELLO_PAD_MIN + ptah_chance_below(&chance, OBFS4_HELLO_PAD_MAX - OBFS4_HELLO_PAD_MIN + 1);
	n = obfs4_hello_make(hello, link->bench->hmac, &chance, hour_of(link), pad_len, io->wire.out);
	if (n < 0)
		return (int)n;
	io->wire.made = (size_t)n;
	io->flush = 1;
	io->wire.want = OBFS4_REPLY_MIN;
	io->plain.want = PTAH_NEVER;
	return PTAH_GO;
}

static int
step_client(struct obfs4_link *link, struct ptah_io *io)
{
	uint8_t keys[PTAH_NTOR_LINK_KEYS_LEN];
	const char *why = NULL;
	size_t eaten = 0;
	int rc = obfs4_reply_read(&link->shake->hello, link->bench->hmac, io->wire.in, keys, &eaten, &why);

	if (rc < 0)
		io->reason = why;
	if (rc <= 0) {
		io->wire.want = 0;
		return rc;
	}
	io->wire.eaten = eaten;
	return be_open(link, io, keys);
}

/* ---- server ------------------------------------------------------------------- */

static int
open_server(struct obfs4_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct obfs4_conf *conf = open->conf;

	if (link->home == NULL || link->home->identity == NULL)
		return -EINVAL;
	link->iat_mode = link->home->identity->iat_mode;
	link->compat = conf->compat;
	io->wire.want = OBFS4_HELLO_MIN;
	io->plain.want = PTAH_NEVER;
	return link->host->timer(link->self, OBFS4_TIMER_HELLO, OBFS4_SERVER_NS) < 0 ? -ENOMEM : PTAH_GO;
}

/* A mark and no MAC: whoever sent this knows the bridge.  Once, see whether it is the clock. */
static void
look_at_clock(struct obfs4_link *link, struct ptah_span in, const uint8_t mac_key[static OBFS4_MAC_KEY_LEN])
{
	int skew;

	if (atomic_flag_test_and_set(link->home->skew_said))
		return;
	skew = obfs4_hello_skew(link->bench->hmac, mac_key, in, hour_of(link));
	if (skew == 0) {
		atomic_flag_clear(link->home->skew_said);
		return;
	}
	link->host->count(link->self, OBFS4_COUNT_SKEWED, 1);
	ptah_mark_log_skew(link->host, link->self, "obfs4", skew);
}

/* The hello is good and new: answer it. */
static int
answer(struct obfs4_link *link, struct ptah_io *io)
{
	const struct obfs4_identity *identity = link->home->identity;
	const struct ptah_chance chance = chance_of(link);
	uint8_t keys[PTAH_NTOR_LINK_KEYS_LEN];
	struct ptah_ell2 pair;
	size_t pad_len;
	ssize_t seed_len;
	long n;

	if (io->wire.in.len != link->shake->heard.len)
		return obfs4_reject(link, io, "there were bytes behind the hello");
	obfs4_bench_take(link->bench, &pair);
	pad_len = ptah_chance_below(&chance, OBFS4_REPLY_PAD_MAX + 1);
	n = obfs4_reply_make(&link->shake->heard, link->bench->hmac, &chance, identity, &pair, io->wire.in.at, pad_len,
	    io->wire.out, keys);
	ptah_ell2_clear(&pair);
	if (n == -EBADMSG)
		return obfs4_reject(link, io, "the key in the hello is worth nothing");
	if (n < 0)
		return (int)n;
	io->wire.eaten = io->wire.in.len;
	(void)be_open(link, io, keys);
	(void)link->host->timer(link->self, OBFS4_TIMER_HELLO, 0);
	seed_len = ptah_sealer_packet(&link->sealer, link->bench->boxer, PTAH_PACKET_SEED,
	    (struct ptah_span){ identity->seed, OBFS4_SEED_LEN }, 0,
	    (struct ptah_room){ io->wire.out.at + n, io->wire.out.len - (size_t)n });
	if (seed_len < 0)
		return (int)seed_len;
	io->wire.made = (size_t)n + (size_t)seed_len;
	io->flush = 1;
	return PTAH_OPEN;
}

/* What the replay filter said. */
static int
judge(struct obfs4_link *link, struct ptah_io *io, int fresh)
{
	if (fresh == 1)
		return answer(link, io);
	if (fresh == 0)
		link->host->count(link->self, OBFS4_COUNT_REPLAYED, 1);
	return obfs4_reject(link, io, fresh == 0 ? "a hello that came before" : "the replay filter cannot say whether it is new");
}

static int
step_server(struct obfs4_link *link, struct ptah_io *io)
{
	struct obfs4_heard *heard = &link->shake->heard;
	uint8_t mac_key[OBFS4_MAC_KEY_LEN];
	int rc;

	if (link->shake->asked_replay)
		return PTAH_GO;
	if (io->wire.out.len < OBFS4_UNIT) {
		io->wire.more = 1;
		return PTAH_GO;
	}
	obfs4_mac_key(&link->home->identity->bridge, mac_key);
	rc = obfs4_hello_read(heard, link->bench->hmac, mac_key, io->wire.in, hour_of(link));
	if (rc == 0)
		io->wire.want = 0;
	if (rc == -EPROTO)
		return obfs4_reject(link, io, "no hello for this bridge");
	if (rc == -EBADMSG) {
		look_at_clock(link, io->wire.in, mac_key);
		return obfs4_reject(link, io, "a hello of another hour, or with a wrong MAC");
	}
	if (rc <= 0)
		return rc;
	rc = link->host->replay(link->self, (struct ptah_span){ mac_key, sizeof(mac_key) },
	    (struct ptah_span){ heard->mac, sizeof(heard->mac) }, REPLAY_TTL_S, 0);
	if (rc == -EINPROGRESS) {
		link->shake->asked_replay = true;
		io->wire.want = PTAH_NEVER;
		return PTAH_GO;
	}
	return judge(link, io, rc);
}

/* ---- both ----------------------------------------------------------------------- */

int
obfs4_shake_open(struct obfs4_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	link->shake = calloc(1, sizeof(*link->shake));
	if (link->shake == NULL)
		return -ENOMEM;
	return link->role == PTAH_CLIENT ? open_client(link, open, io) : open_server(link, open, io);
}

int
obfs4_shake_step(struct obfs4_link *link, struct ptah_io *io)
{
	return link->role == PTAH_CLIENT ? step_client(link, io) : step_server(link, io);
}

int
obfs4_shake_event(struct obfs4_link *link, const struct ptah_event *event, struct ptah_io *io)
{
	if (event->what == PTAH_EV_REPLAY && link->shake->asked_replay) {
		link->shake->asked_replay = false;
		return judge(link, io, (int)event->val);
	}
	if (event->what == PTAH_EV_TIMER && event->val == OBFS4_TIMER_HELLO)
		return obfs4_reject(link, io, "no hello within 30 s");
	return PTAH_GO;
}
