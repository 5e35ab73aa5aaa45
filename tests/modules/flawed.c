/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flawed: a codec that keeps to the contract, and, compiled with -DFLAW=n,
 * one that does not, in one place.  For tests of "ptah check-module".
 *
 *     client                            server
 *     nonce (8), tag (8)  ->            is the tag right, and the nonce new?
 *                         <-  nonce (8), tag (8)
 *     length (2), tag (4), masked bytes: frames both ways; length 0: no more
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/host.h>

#ifndef FLAW
#define FLAW 0
#endif

#define HAS(flaw) (FLAW == (flaw))
#define NO_HELP 1
#define NO_SUMMARY 2
#define STRANGE_EXAMPLE 3
#define SHORT_COPY 4
#define WHOLE_HELLO 5
#define WIDE_ROOM 6
#define LOSES_PATIENCE 7
#define PILES_UP 8
#define SHARES_KEY 9
#define CLOSES_BOTH 10
#define LEAKS_EARLY 11
#define LEAKS 12
#define OPENS_ANYWAY 13
#define BYTE_TOO_FAR 14
#define SMALL_LIFE 15
#define WRITES_INPUT 16
#define KEEPS_ARGS 17
#define TRUSTS_MALLOC 18
#define TIMER_NOW 19
#define TIMER_OFTEN 20
#define SAYS_FIRST 21
#define HALF_A_TAG 22
#define TRUSTS_NONCE 23
#define TRUSTS_LENGTH 24
#define IGNORES_REPLAY 25
#define OPENS_TWICE 26
#define STANDS_STILL 27
#define EATS_TOO_MUCH 28
#define LOOPS 29
#define MISMATCHED 30
#define LOSES_BYTE 31
#define LEAKS_HOME 32
#define TRUSTS_TIMER 33

#define NONCE_LEN 8u
#define HELLO_LEN 16u
#define HEAD_LEN 6u
#define BODY_MOST 1000u
#define UNIT (HEAD_LEN + BODY_MOST)

struct flawed_args {
	const char *password;
};

struct flawed_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	uint64_t key;
	uint32_t role, open, admitted, said_eof, heard_eof, looked;
	uint32_t sent, heard, calls;
	uint8_t nonce[NONCE_LEN];
	uint8_t *notes; /* something from the heap */
	uint8_t *pile;
	size_t piled;
	const struct flawed_args *args;
	uint8_t last[8];
};

struct flawed_home {
	uint8_t *notes;
};

/* What a module may not have. */
static uint64_t shared_key;

static const struct ptah_option options[] = {
	{ .name = "password", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_REQUIRED | PTAH_SECRET,
	    .offset = offsetof(struct flawed_args, password), .help = HAS(NO_HELP) ? "" : "what both ends know" },
	{ .name = NULL },
};

static uint64_t
digest(uint64_t key, const uint8_t *at, size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ key;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum ^ sum >> 29;
}

static void
mask(const struct flawed_link *mine, uint32_t number, uint8_t *to, const uint8_t *from, size_t len)
{
	uint64_t key = (HAS(SHARES_KEY) ? shared_key : mine->key) + number;

	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(from[i] ^ (key * UINT64_C(0x9e3779b97f4a7c15) >> (i % 8) * 8));
}

static int
flawed_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room)
{
	const struct flawed_args *mine = args;
	char text[32];

	(void)conf;
	(void)role;
	if (HAS(SHORT_COPY)) {
		volatile char *to = text;

		for (size_t i = 0; mine->password[i] != '\0'; i++)
			to[i] = mine->password[i];
	}
	if (mine->password[0] != '\0')
		return 0;
	snprintf(why, room, "option \"password\" is empty");
	return -EINVAL;
}

static void
make_hello(const struct flawed_link *mine, uint64_t key, uint8_t *at)
{
	uint64_t tag = digest(key, mine->nonce, NONCE_LEN);

	memcpy(at, mine->nonce, NONCE_LEN);
	memcpy(at + NONCE_LEN, &tag, sizeof(tag));
}

static int
set_timer(struct flawed_link *mine)
{
	uint64_t after = HAS(TIMER_NOW) ? 1 : HAS(TIMER_OFTEN) ? 100000000 : UINT64_C(3600000000000);
	int rc = mine->host->timer(mine->self, 0, after);

	if (HAS(TRUSTS_TIMER) && rc < 0)
		abort();
	return rc;
}

static int
flawed_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct flawed_link *mine = link;
	const struct flawed_args *args = open->args;

	mine->host = open->host;
	mine->self = open->self;
	mine->role = open->role;
	mine->args = args;
	mine->key = digest(0, (const uint8_t *)args->password, strlen(args->password));
	mine->notes = malloc(100);
	if (mine->notes == NULL && !HAS(TRUSTS_MALLOC))
		return -ENOMEM;
	memset(mine->notes, 1, 100);
	mine->host->random(mine->self, mine->nonce, NONCE_LEN);
	mine->nonce[0] &= 0x7f;
	io->plain.want = PTAH_NEVER;
	io->wire.want = HELLO_LEN;
	if (HAS(WHOLE_HELLO) || HAS(STANDS_STILL))
		io->wire.want = 1;
	if (mine->role == PTAH_CLIENT) {
		make_hello(mine, mine->key, io->wire.out.at);
		io->wire.made = HELLO_LEN;
	}
	return set_timer(mine);
}

/* ---- the handshake --------------------------------------------------------- */

static int
opened(struct flawed_link *mine, struct ptah_io *io)
{
	mine->open = 1;
	io->plain.want = 0;
	io->wire.want = HAS(LOSES_PATIENCE) ? 0 : HEAD_LEN;
	return PTAH_OPEN;
}

static int
reject(struct ptah_io *io)
{
	io->reason = "not from somebody who knows the password";
	io->manner = PTAH_SILENT;
	return PTAH_REJECT;
}

static int
judge_nonce(struct flawed_link *mine, int fresh, struct ptah_io *io)
{
	if (fresh == -EINPROGRESS) {
		io->wire.want = PTAH_NEVER;
		return PTAH_GO;
	}
	if (fresh < 0)
		return fresh;
	if (fresh == 0 && !HAS(IGNORES_REPLAY))
		return reject(io);
	mine->admitted = 1;
	io->wire.want = PTAH_NEVER;
	return PTAH_ADMIT;
}

static int
shake_hands(struct flawed_link *mine, struct ptah_io *io)
{
	static const uint8_t scope[] = "flawed";
	const uint8_t *hello = io->wire.in.at;
	uint64_t tag, key = mine->key;

	if (mine->looked)
		return PTAH_GO;
	if (io->wire.in.len < HELLO_LEN) {
		if (HAS(WHOLE_HELLO) && io->wire.in.len > 0)
			return -EPROTO;
		return io->wire.ended ? -ECONNRESET : PTAH_GO;
	}
	if (HAS(TRUSTS_NONCE) && hello[0] >= 0x80)
		abort();
	tag = digest(key, hello, NONCE_LEN);
	if (memcmp(&tag, hello + NONCE_LEN, sizeof(tag)) != 0)
		return mine->role == PTAH_SERVER ? reject(io) : -EBADMSG;
	mine->looked = 1;
	io->wire.eaten = HELLO_LEN;
	mine->key = digest(key, hello, mine->role == PTAH_SERVER ? NONCE_LEN : 0);
	if (mine->role == PTAH_CLIENT) {
		mine->key = digest(key, mine->nonce, NONCE_LEN);
		shared_key = mine->key;
		return opened(mine, io);
	}
	shared_key = mine->key;
	memcpy(mine->last, &key, sizeof(key));
	return judge_nonce(mine, mine->host->replay(mine->self, (struct ptah_span){ scope, sizeof(scope) },
	    (struct ptah_span){ hello, NONCE_LEN }, 3600, 0), io);
}

static int
flawed_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct flawed_link *mine = link;
	uint64_t key;

	if (event->what == PTAH_EV_TIMER)
		return set_timer(mine);
	if (event->what == PTAH_EV_REPLAY)
		return judge_nonce(mine, (int)event->val, io);
	if (event->what != PTAH_EV_PLAIN || mine->open)
		return PTAH_GO;
	if (event->val != 0 && !HAS(OPENS_ANYWAY))
		return (int)event->val;
	if (io->wire.out.len < HELLO_LEN)
		return -ENOBUFS;
	memcpy(&key, mine->last, sizeof(key));
	make_hello(mine, key, io->wire.out.at);
	io->wire.made = HELLO_LEN;
	return opened(mine, io);
}

/* ---- frames ------------------------------------------------------------------- */

static uint32_t
tag_of(const struct flawed_link *mine, uint32_t number, const uint8_t *frame, size_t len)
{
	size_t looked = HAS(HALF_A_TAG) && len > 150 ? len - 64 : len;
	uint8_t head[2] = { frame[0], frame[1] };
	uint64_t key = HAS(SHARES_KEY) ? shared_key : mine->key;

	return (uint32_t)digest(digest(key + number, head, 2), frame + HEAD_LEN, looked);
}

static void
make_frame(struct flawed_link *mine, uint8_t *to, const uint8_t *from, size_t len)
{
	/* Each direction has numbers of its own, so that a frame cannot be sent back. */
	uint32_t number = mine->sent++ * 2 + (mine->role == PTAH_SERVER), tag;

	to[0] = (uint8_t)(len >> 8);
	to[1] = (uint8_t)len;
	mask(mine, number, to + HEAD_LEN, from, len);
	tag = tag_of(mine, number, to, len);
	memcpy(to + 2, &tag, sizeof(tag));
}

static int
flawed_wrap(void *link, struct ptah_io *io)
{
	struct flawed_link *mine = link;
	const uint8_t *from = io->plain.in.at;
	size_t left = io->plain.in.len, room = io->wire.out.len, made = 0;

	if (HAS(WIDE_ROOM) && room < 4096)
		return PTAH_GO;
	while (left > 0 && room >= made + HEAD_LEN + 1) {
		size_t n = left < BODY_MOST ? left : BODY_MOST;

		if (n > room - made - HEAD_LEN)
			n = room - made - HEAD_LEN;
		make_frame(mine, io->wire.out.at + made, from, n);
		from += n;
		left -= n;
		made += HEAD_LEN + n;
	}
	if (io->plain.ended && left == 0 && !mine->said_eof && room >= made + HEAD_LEN) {
		make_frame(mine, io->wire.out.at + made, NULL, 0);
		made += HEAD_LEN;
		mine->said_eof = 1;
		if (mine->heard_eof)
			io->wire.finish = PTAH_FINISH_STREAM;
		else
			io->wire.finish = PTAH_FINISH_INSIDE;
	}
	if (HAS(BYTE_TOO_FAR) && made > 0)
		io->wire.out.at[made] = 0;
	if (HAS(OPENS_TWICE) && mine->sent == 3)
		return PTAH_OPEN;
	io->plain.eaten = io->plain.in.len - left + (HAS(EATS_TOO_MUCH) ? 1 : 0);
	io->wire.made = made;
	while (HAS(LOOPS) && mine->sent > 5)
		;
	return PTAH_GO;
}

/* One frame: its length with the head, 0: not here yet, or -errno. */
static long
take_frame(struct flawed_link *mine, struct ptah_io *io, const uint8_t *from, size_t left, size_t *made)
{
	uint32_t number = mine->heard * 2 + (mine->role == PTAH_CLIENT), tag, is;
	size_t n;

	if (left < HEAD_LEN)
		return 0;
	n = (size_t)from[0] << 8 | from[1];
	if (n > BODY_MOST || mine->heard_eof)
		return -EPROTO;
	if (left < HEAD_LEN + n) {
		io->wire.want = HAS(LOSES_PATIENCE) ? 0 : HEAD_LEN + n;
		if (HAS(TRUSTS_LENGTH) && io->wire.ended)
			abort();
		return io->wire.ended ? -ECONNRESET : 0;
	}
	if (io->plain.out.len - *made < n)
		return 0;
	tag = tag_of(mine, number, from, n);
	memcpy(&is, from + 2, sizeof(is));
	if (HAS(SAYS_FIRST)) {
		mask(mine, number, io->plain.out.at + *made, from + HEAD_LEN, n);
		if (tag != is)
			io->plain.made = *made + n;
	}
	if (tag != is)
		return -EBADMSG;
	mine->heard++;
	if (HAS(WRITES_INPUT) && n > 0)
		*(volatile uint8_t *)(uintptr_t)from = from[0];
	mask(mine, number, io->plain.out.at + *made, from + HEAD_LEN, n);
	*made += n;
	if (n == 0)
		mine->heard_eof = 1;
	if (HAS(LOSES_BYTE) && n == 17)
		*made -= 1;
	return (long)(HEAD_LEN + n);
}

/* Bytes that nobody takes: a module that keeps them is a module that grows. */
static int
pile_up(struct flawed_link *mine, struct ptah_io *io)
{
	uint8_t *more;

	if (io->plain.out.len >= UNIT || io->wire.in.len == 0)
		return 0;
	more = realloc(mine->pile, mine->piled + io->wire.in.len);
	if (more == NULL)
		return -ENOMEM;
	mine->pile = more;
	memcpy(more + mine->piled, io->wire.in.at, io->wire.in.len);
	mine->piled += io->wire.in.len;
	io->wire.eaten = io->wire.in.len;
	return 1;
}

static int
flawed_unwrap(void *link, struct ptah_io *io)
{
	struct flawed_link *mine = link;
	const uint8_t *from = io->wire.in.at;
	size_t left = io->wire.in.len, made = 0;

	if (!mine->open)
		return shake_hands(mine, io);
	if (HAS(STANDS_STILL) && mine->heard == 3) {
		io->wire.want = 1;
		return PTAH_GO;
	}
	if (HAS(PILES_UP) && mine->heard > 0 && io->plain.out.len == 0)
		return pile_up(mine, io) < 0 ? -ENOMEM : PTAH_GO;
	if (HAS(KEEPS_ARGS) && mine->args->password == NULL)
		return -EINVAL;
	io->wire.want = HAS(LOSES_PATIENCE) ? 0 : HEAD_LEN;
	for (;;) {
		long n = take_frame(mine, io, from, left, &made);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		from += n;
		left -= (size_t)n;
	}
	if (HAS(LOSES_PATIENCE) && left > 0 && ++mine->calls > 1500)
		return -EPROTO;
	if (HAS(SMALL_LIFE))
		mine->last[7] = (uint8_t)left;
	io->wire.eaten = io->wire.in.len - left;
	io->plain.made = made;
	if (mine->heard_eof) {
		io->plain.finish = 1;
		if (mine->said_eof || HAS(CLOSES_BOTH))
			io->wire.finish = PTAH_FINISH_STREAM;
	}
	return PTAH_GO;
}

static void
flawed_close(void *link, int why)
{
	struct flawed_link *mine = link;

	(void)why;
	free(mine->pile);
	if (!HAS(LEAKS) && !(HAS(LEAKS_EARLY) && !mine->open))
		free(mine->notes);
}

/* ---- the rest --------------------------------------------------------------------- */

static int
flawed_home_open(void *home, const struct ptah_start *start)
{
	struct flawed_home *mine = home;

	mine->notes = malloc(50);
	if (mine->notes == NULL)
		return -ENOMEM;
	start->host->ready(start->self, 0, NULL, NULL, NULL);
	return 0;
}

static void
flawed_home_close(void *home)
{
	struct flawed_home *mine = home;

	if (!HAS(LEAKS_HOME))
		free(mine->notes);
}

static int
flawed_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client)
{
	int n = snprintf((char *)server.at, server.len, "{\"password\": \"made\"}");
	int m = snprintf((char *)client.at, client.len, "{\"password\": \"%s\", \"serverAddress\": \"%s\"}",
	    HAS(MISMATCHED) ? "other" : "made", advertise);

	(void)conf;
	return n > 0 && (size_t)n < server.len && m > 0 && (size_t)m < client.len ? 0 : -ENOSPC;
}

PTAH_MODULE(flawed) = {
	.head = PTAH_HEAD(0),
	.name = "flawed",
	.version = "1",
	.summary = HAS(NO_SUMMARY) ? "" : "for tests: keeps to the contract, or does not",
	.example = HAS(STRANGE_EXAMPLE) ? "{\"server\": {\"password\": \"p\"}, \"client\": {\"password\": \"p\", \"pasword\": \"p\"}}" :
	    "{\"server\": {\"password\": \"p\"}, \"client\": {\"password\": \"p\"}}",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.options = options,
	.args_size = sizeof(struct flawed_args),
	.home_size = sizeof(struct flawed_home),
	.link_size = sizeof(struct flawed_link) - (HAS(SMALL_LIFE) ? 8 : 0),
	.unit = UNIT,
	.args_check = flawed_args_check,
	.home_open = flawed_home_open,
	.home_close = flawed_home_close,
	.open = flawed_open,
	.wrap = flawed_wrap,
	.unwrap = flawed_unwrap,
	.event = flawed_event,
	.close = flawed_close,
	.generate = flawed_generate,
};
