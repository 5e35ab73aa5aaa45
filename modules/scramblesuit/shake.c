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

/* A handshake is good for the hour of its making and one on either side. */
#define REPLAY_TTL_S (3u * 3600u)
/* A home that does not answer: then without a ticket. */
#define ASK_NS UINT64_C(2000000000)

enum stage {
	ASK,   /* the home is asked: for a ticket, for the keys of tickets */
	SPEAK, /* client: its hello goes out as soon as there is room */
	HEAR,  /* the peer's message is on its way */
	JUDGE, /* server: the replay filter is asked */
};

struct scramble_shake {
	enum stage stage;
	struct scramble_hello hello; /* client */
	bool has_ticket;
	uint8_t ticket[SCRAMBLE_TICKET_PAYLOAD_LEN]; /* client: master key, ticket */
	struct scramble_heard heard; /* server */
};

int
scramble_reject(struct ptah_io *io, const char *reason)
{
	io->manner = PTAH_SILENT;
	io->reason = reason;
	return PTAH_REJECT;
}

void
scramble_shake_end(struct scramble_link *link)
{
	if (link->shake == NULL)
		return;
	sodium_memzero(link->shake, sizeof(*link->shake));
	free(link->shake);
	link->shake = NULL;
}

static struct ptah_chance
chance_of(const struct scramble_link *link)
{
	return (struct ptah_chance){ link->host->random, link->self };
}

static uint64_t
hour_of(const struct scramble_link *link)
{
	return ptah_epoch_hour(link->host->wall_s(link->self));
}

/* Both directions have their keys, which are wiped here.  A server has more to say at once. */
static int
be_open(struct scramble_link *link, struct ptah_io *io, uint8_t keys[static SCRAMBLE_KEYS_LEN])
{
	bool client = link->role == PTAH_CLIENT;
	int rc = scramble_way_open(&link->send, link->bench->aes, keys, client);

	if (rc == 0)
		rc = scramble_way_open(&link->receive, link->bench->aes, keys, !client);
	sodium_memzero(keys, SCRAMBLE_KEYS_LEN);
	scramble_shake_end(link);
	(void)link->host->timer(link->self, SCRAMBLE_TIMER_HELLO, 0);
	io->wire.want = 0;
	io->plain.want = 0;
	link->owes_gifts = io->wire.more = !client;
	return rc < 0 ? rc : PTAH_OPEN;
}

static int
be_open_by(struct scramble_link *link, struct ptah_io *io, uint8_t master[static SCRAMBLE_MASTER_LEN])
{
	uint8_t keys[SCRAMBLE_KEYS_LEN];
	int rc = scramble_keys_make(link->bench->hmac, master, keys);

	sodium_memzero(master, SCRAMBLE_MASTER_LEN);
	return rc < 0 ? rc : be_open(link, io, keys);
}

/* ---- client ------------------------------------------------------------------ */

/* The ticket, and without waiting for anything the link is open. */
static int
show_ticket(struct scramble_link *link, struct ptah_io *io)
{
	const struct ptah_chance chance = chance_of(link);
	struct scramble_shake *shake = link->shake;
	uint8_t keys[SCRAMBLE_KEYS_LEN];
	long n = scramble_keys_make(link->bench->hmac, shake->ticket, keys);

	if (n == 0)
		n = scramble_redeem_make(shake->ticket + SCRAMBLE_MASTER_LEN, keys, link->bench->hmac, &chance, hour_of(link),
		    ptah_chance_below(&chance, SCRAMBLE_REDEEM_PAD_MAX + 1), io->wire.out);
	if (n < 0) {
		sodium_memzero(keys, sizeof(keys));
		return (int)n;
	}
	io->wire.made = (size_t)n;
	io->flush = 1;
	return be_open(link, io, keys);
}

static int
say_hello(struct scramble_link *link, struct ptah_io *io)
{
	const struct ptah_chance chance = chance_of(link);
	struct scramble_hello *hello = &link->shake->hello;
	long n;

	if (io->wire.out.len < SCRAMBLE_UNIT) {
		io->wire.more = 1;
		return PTAH_GO;
	}
	if (link->shake->has_ticket)
		return show_ticket(link, io);
	n = ptah_udhpool_take(&link->bench->pool, &hello->pair);
	if (n == 0)
		n = scramble_hello_make(hello, link->bench->hmac, &chance, hour_of(link),
		    ptah_chance_below(&chance, SCRAMBLE_UDH_PAD_MAX + 1), io->wire.out);
	if (n < 0)
		return (int)n;
	link->shake->stage = HEAR;
	io->wire.made = (size_t)n;
	io->flush = 1;
	io->wire.want = SCRAMBLE_UDH_MIN;
	return PTAH_GO;
}

/* Ask for a ticket; where that cannot be, go on without. */
static int
open_client(struct scramble_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct scramble_args *args = open->args;
	const char *why;
	char letter[1 + SCRAMBLE_SERVER_MAX];
	size_t len = open->server != NULL ? strlen(open->server) : 0;

	if (args->password == NULL || scramble_password_read(args->password, link->shake->hello.secret, &why) < 0)
		return -EINVAL;
	link->timing = args->timing;
	io->wire.want = PTAH_NEVER;
	if (len > 0 && len <= SCRAMBLE_SERVER_MAX) {
		link->server = strdup(open->server);
		if (link->server == NULL)
			return -ENOMEM;
		letter[0] = SCRAMBLE_MAIL_TAKE;
		memcpy(letter + 1, open->server, len);
		if (link->host->mail(link->self, PTAH_HOME, (struct ptah_span){ (const uint8_t *)letter, 1 + len }) == 0 &&
		    link->host->timer(link->self, SCRAMBLE_TIMER_ASK, ASK_NS) == 0)
			return PTAH_GO;
	}
	link->shake->stage = SPEAK;
	return say_hello(link, io);
}

static int
hear_reply(struct scramble_link *link, struct ptah_io *io)
{
	uint8_t master[SCRAMBLE_MASTER_LEN];
	const char *why = NULL;
	size_t eaten = 0;
	int rc = scramble_reply_read(&link->shake->hello, link->bench->hmac, link->bench->pool.udh, io->wire.in, master,
	    &eaten, &why);

	if (rc < 0)
		io->reason = why;
	if (rc <= 0) {
		io->wire.want = 0;
		return rc;
	}
	io->wire.eaten = eaten;
	return be_open_by(link, io, master);
}

/* ---- server ------------------------------------------------------------------- */

static int
await_hello(struct scramble_link *link, struct ptah_io *io)
{
	link->shake->stage = HEAR;
	io->wire.want = SCRAMBLE_REDEEM_MIN;
	return PTAH_GO;
}

static int
open_server(struct scramble_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct scramble_conf *conf = open->conf;
	const uint8_t letter = SCRAMBLE_MAIL_KEYS;
	int rc;

	if (link->home == NULL || link->home->identity == NULL)
		return -EINVAL;
	link->timing = conf->timing;
	rc = link->host->timer(link->self, SCRAMBLE_TIMER_HELLO, SCRAMBLE_SERVER_NS);
	if (rc < 0)
		return rc;
	if (link->bench->has_ring && !scramble_ring_is_due(link->bench->ring, link->host->wall_s(link->self)))
		return await_hello(link, io);
	io->wire.want = PTAH_NEVER;
	return link->host->mail(link->self, PTAH_HOME, (struct ptah_span){ &letter, 1 });
}

/* The handshake is good and new: answer it.  Tickets get no answer of their own. */
static int
answer(struct scramble_link *link, struct ptah_io *io, const struct scramble_door *door)
{
	const struct ptah_chance chance = chance_of(link);
	struct scramble_heard *heard = &link->shake->heard;
	uint8_t master[SCRAMBLE_MASTER_LEN];
	struct ptah_udh_pair pair;
	long n;

	if (heard->by_ticket) {
		link->host->count(link->self, SCRAMBLE_COUNT_REDEEMED, 1);
		io->wire.eaten = heard->len;
		return be_open(link, io, heard->keys);
	}
	if (io->wire.in.len != heard->len)
		return scramble_reject(io, "there were bytes behind the hello");
	n = ptah_udhpool_take(&link->bench->pool, &pair);
	if (n == 0)
		n = scramble_reply_make(heard, door, link->bench->pool.udh, &pair, &chance, io->wire.in.at,
		    ptah_chance_below(&chance, SCRAMBLE_REPLY_PAD_MAX + 1), io->wire.out, master);
	ptah_udh_pair_clear(&pair);
	if (n == -EBADMSG)
		return scramble_reject(io, "the key in the hello is worth nothing");
	if (n < 0)
		return (int)n;
	io->wire.eaten = io->wire.in.len;
	io->wire.made = (size_t)n;
	io->flush = 1;
	return be_open_by(link, io, master);
}

static struct scramble_door
door_of(const struct scramble_link *link)
{
	return (struct scramble_door){ link->home->identity->secret, link->bench->ring, link->host->wall_s(link->self),
		link->bench->hmac };
}

/* What the replay filter said. */
static int
judge(struct scramble_link *link, struct ptah_io *io, int fresh)
{
	const struct scramble_door door = door_of(link);

	if (fresh == 1)
		return answer(link, io, &door);
	if (fresh == 0)
		link->host->count(link->self, SCRAMBLE_COUNT_REPLAYED, 1);
	return scramble_reject(io, fresh == 0 ? "a handshake that came before" : "the replay filter cannot say whether it is new");
}

/* One set for both kinds of a bridge's; its name must not tell the secret. */
static int
ask_replay(struct scramble_link *link)
{
	static const char words[] = "replays of ScrambleSuit";
	uint8_t scope[PTAH_HMAC_LEN];
	int rc = ptah_hmac_once(link->bench->hmac, (struct ptah_span){ link->home->identity->secret, SCRAMBLE_SECRET_LEN },
	    (struct ptah_span){ (const uint8_t *)words, sizeof(words) - 1 }, scope);

	return rc < 0 ? rc : link->host->replay(link->self, (struct ptah_span){ scope, sizeof(scope) },
	    (struct ptah_span){ link->shake->heard.mac, PTAH_MARK_LEN }, REPLAY_TTL_S, 0);
}

/* A mark and no MAC: whoever sent this knows the bridge.  Once, see whether it is the clock. */
static void
look_at_clock(struct scramble_link *link, const struct scramble_door *door, struct ptah_span in)
{
	int skew;

	if (atomic_flag_test_and_set(link->home->skew_said))
		return;
	skew = scramble_heard_skew(&link->shake->heard, door, in);
	if (skew == 0) {
		atomic_flag_clear(link->home->skew_said);
		return;
	}
	link->host->count(link->self, SCRAMBLE_COUNT_SKEWED, 1);
	ptah_mark_log_skew(link->host, link->self, "ScrambleSuit", skew);
}

static int
hear_hello(struct scramble_link *link, struct ptah_io *io)
{
	const struct scramble_door door = door_of(link);
	int rc;

	if (io->wire.out.len < SCRAMBLE_UNIT) {
		io->wire.more = 1;
		return PTAH_GO;
	}
	rc = scramble_heard_read(&link->shake->heard, &door, io->wire.in);
	if (rc == 0)
		io->wire.want = 0;
	if (rc == -EPROTO)
		return scramble_reject(io, "no handshake for this bridge");
	if (rc == -EBADMSG) {
		look_at_clock(link, &door, io->wire.in);
		return scramble_reject(io, "a handshake of another hour, or with a wrong MAC");
	}
	if (rc <= 0)
		return rc;
	rc = ask_replay(link);
	if (rc == -EINPROGRESS) {
		link->shake->stage = JUDGE;
		io->wire.want = PTAH_NEVER;
		return PTAH_GO;
	}
	return judge(link, io, rc);
}

/* ---- both ----------------------------------------------------------------------- */

int
scramble_shake_open(struct scramble_link *link, const struct ptah_open *open, struct ptah_io *io)
{
	link->shake = calloc(1, sizeof(*link->shake));
	if (link->shake == NULL)
		return -ENOMEM;
	io->plain.want = PTAH_NEVER;
	return link->role == PTAH_CLIENT ? open_client(link, open, io) : open_server(link, open, io);
}

int
scramble_shake_step(struct scramble_link *link, struct ptah_io *io)
{
	switch (link->shake->stage) {
	case SPEAK:
		return say_hello(link, io);
	case HEAR:
		return link->role == PTAH_CLIENT ? hear_reply(link, io) : hear_hello(link, io);
	default:
		return PTAH_GO;
	}
}

/* What the home said. */
static int
on_mail(struct scramble_link *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct scramble_shake *shake = link->shake;
	uint8_t kind = event->body.len > 0 ? event->body.at[0] : 0;
	struct ptah_span rest = event->body.len > 0 ? ptah_span_from(event->body, 1) : event->body;

	if (link->role == PTAH_CLIENT) {
		shake->has_ticket = kind == SCRAMBLE_MAIL_TAKE && rest.len == sizeof(shake->ticket);
		if (shake->has_ticket)
			memcpy(shake->ticket, rest.at, sizeof(shake->ticket));
		shake->stage = SPEAK;
		(void)link->host->timer(link->self, SCRAMBLE_TIMER_ASK, 0);
		return say_hello(link, io);
	}
	if (kind != SCRAMBLE_MAIL_KEYS || rest.len != sizeof(*link->bench->ring))
		return PTAH_GO;
	memcpy(link->bench->ring, rest.at, sizeof(*link->bench->ring));
	link->bench->has_ring = true;
	(void)await_hello(link, io);
	return io->wire.in.len >= SCRAMBLE_REDEEM_MIN ? hear_hello(link, io) : PTAH_GO;
}

int
scramble_shake_event(struct scramble_link *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct scramble_shake *shake = link->shake;

	if (event->what == PTAH_EV_MAIL && shake->stage == ASK)
		return on_mail(link, event, io);
	if (event->what == PTAH_EV_REPLAY && shake->stage == JUDGE)
		return judge(link, io, (int)event->val);
	if (event->what == PTAH_EV_TIMER && event->val == SCRAMBLE_TIMER_ASK && shake->stage == ASK) {
		shake->stage = SPEAK;
		return say_hello(link, io);
	}
	if (event->what == PTAH_EV_TIMER && event->val == SCRAMBLE_TIMER_HELLO)
		return scramble_reject(io, "no handshake within 30 s");
	return PTAH_GO;
}
