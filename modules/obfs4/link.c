/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data phase: plain bytes in bursts of at most 32768, each padded so that
 * its last segment has a length drawn from the table, each one write; and
 * frames back into plain bytes.
 */
#include "link.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "bench.h"
#include "hello.h"
#include "home.h"
#include "nudge.h"
#include "shake.h"

/*
 * obfs4 cannot say EOF: a link ends whole.  Two of us tell one another by
 * packets of a type that it does not know, and so ignores:
 *
 *     "eof"    nothing more comes from my plain side
 *     "ack"    I have heard that, and go on: wait for me
 */
#define PACKET_WORD 112u
#define WORD_LEN 3u
/* Mostly our own EOF comes at once, and then that is said alone: one message, and one wake-up, less. */
#define ACK_AFTER_NS UINT64_C(2000000)
#define TRIES_MOST 64u

/*
 * What a client of obfs4proxy reads at once before a nudge (nudge.h): of more it hears a second time anyway.
 * One that has said something by then is nudged, too, for that may be no answer: in obfs3, standing on this, both
 * speak first, and wait.
 */
#define HELD_MOST OBFS4_SHAKE_MAX

static void
random_of_link(struct ptah_self *self, void *out, size_t len)
{
	const struct obfs4_link *link = (const void *)self;

	obfs4_bench_random(link->bench, out, len);
}

static struct ptah_chance
chance_of(const struct obfs4_link *link)
{
	return (struct ptah_chance){ random_of_link, (struct ptah_self *)(uintptr_t)link };
}

/* A client that has not heard its bridge's seed draws one of its own. */
static int
need_tables(struct obfs4_link *link)
{
	const struct ptah_chance chance = chance_of(link);
	const uint8_t *seed = link->role == PTAH_SERVER ? link->home->identity->seed : NULL;

	return ptah_tables_need(&link->tables, &link->bench->cache, seed, &chance);
}

static int
fail(struct ptah_io *io, int rc)
{
	io->reason = rc == -EOVERFLOW ? "this link has carried all that its keys are good for" : "a frame cannot be made";
	return rc;
}

/* ---- plain to wire -------------------------------------------------------------- */

static struct ptah_span
next_burst(const struct ptah_io *io)
{
	struct ptah_span plain = io->plain.in;

	if (plain.len > OBFS4_BURST_MAX)
		plain.len = OBFS4_BURST_MAX;
	return plain;
}

static int
send_burst(struct obfs4_link *link, struct ptah_io *io)
{
	const struct ptah_chance chance = chance_of(link);
	struct ptah_span plain = next_burst(io);
	ssize_t n;

	n = ptah_sealer_burst(&link->sealer, link->bench->boxer, plain, 0, ptah_tables_length(link->tables, &chance),
	    io->wire.out);
	if (n < 0)
		return fail(io, (int)n);
	io->plain.eaten = plain.len;
	io->wire.made = (size_t)n;
	io->flush = 1;
	io->wire.more = io->plain.ended && plain.len == io->plain.in.len; /* the EOF */
	return PTAH_GO;
}

/* One piece of a burst, and a rest behind it: the plain side is not read meanwhile. */
static int
send_piece(struct obfs4_link *link, struct ptah_io *io)
{
	const struct obfs4_tools tools = { &link->sealer, link->bench->boxer, link->tables, chance_of(link) };
	uint64_t rest_ns = 0;
	ssize_t n;

	if (link->pieces.at == NULL) {
		struct ptah_span plain = next_burst(io);
		int rc = obfs4_pieces_fill(&link->pieces, &tools, link->iat_mode, plain);

		if (rc < 0)
			return fail(io, rc);
		io->plain.eaten = plain.len;
	}
	n = obfs4_pieces_next(&link->pieces, &tools, link->iat_mode, io->wire.out, &rest_ns);
	if (n < 0)
		return fail(io, (int)n);
	io->wire.made = (size_t)n;
	io->flush = 1;
	io->plain.hold = 1;
	link->resting = 1;
	return link->host->timer(link->self, OBFS4_TIMER_REST, rest_ns > 0 ? rest_ns : 1);
}

/* A frame of its own that has a length of the table: a word, or (NULL) nothing but padding. */
static int
send_word(struct obfs4_link *link, struct ptah_io *io, const char *word)
{
	const struct ptah_chance chance = chance_of(link);
	struct ptah_span payload = { (const uint8_t *)word, word != NULL ? WORD_LEN : 0 };
	unsigned least = PTAH_FRAME_EMPTY + WORD_LEN, len = 0;
	ssize_t n;

	for (unsigned i = 0; i < TRIES_MOST && len < least; i++)
		len = ptah_tables_length(link->tables, &chance);
	if (len < least)
		len = PTAH_FRAME_MAX;
	n = ptah_sealer_packet(&link->sealer, link->bench->boxer, word != NULL ? PACKET_WORD : PTAH_PACKET_PAYLOAD, payload,
	    len - PTAH_FRAME_EMPTY - payload.len, io->wire.out);
	if (n < 0)
		return fail(io, (int)n);
	io->wire.made = (size_t)n;
	io->flush = 1;
	return PTAH_GO;
}

/* Not before the pieces of a burst that wait: their frames come first. */
static bool
has_words(const struct obfs4_link *link, const struct ptah_io *io)
{
	return link->pieces.at == NULL &&
	    (link->ack_due || (io->plain.ended && io->plain.in.len == 0 && !link->said_eof));
}

static int
send_words(struct obfs4_link *link, struct ptah_io *io)
{
	const char *word = "ack";

	if (io->plain.ended && io->plain.in.len == 0 && !link->said_eof) {
		word = "eof";
		link->said_eof = 1;
		if (link->heard_eof)
			io->wire.finish = PTAH_FINISH_STREAM;
	}
	link->owes_ack = link->ack_due = 0; /* an EOF says it too */
	return send_word(link, io, word);
}

/* A server's first burst, before anything came. */
static void
think_of_nudge(struct obfs4_link *link)
{
	if (link->role == PTAH_SERVER && link->said == 0 && !link->heard)
		(void)link->host->timer(link->self, OBFS4_TIMER_NUDGE, ptah_nudge_after_ns(0));
}

/* A stream that runs has no padding between its bursts. */
static bool
wants_nudge(const struct obfs4_link *link)
{
	return link->said <= HELD_MOST && !link->resting && link->pieces.at == NULL && (link->n_nudges == 0 || link->quiet);
}

static int
nudge(struct obfs4_link *link, struct ptah_io *io)
{
	if (!wants_nudge(link) || io->wire.out.len < OBFS4_UNIT)
		return PTAH_GO;
	link->quiet = 1;
	if (++link->n_nudges < PTAH_NUDGES_MOST)
		(void)link->host->timer(link->self, OBFS4_TIMER_NUDGE, ptah_nudge_after_ns(link->n_nudges));
	return send_word(link, io, NULL);
}

static int
wrap(struct obfs4_link *link, struct ptah_io *io)
{
	int rc;

	if (link->resting)
		return PTAH_GO;
	if (link->pieces.at != NULL && obfs4_pieces_left(&link->pieces) == 0) {
		obfs4_pieces_clear(&link->pieces);
		io->plain.hold = 0;
	}
	if (link->pieces.at == NULL && io->plain.in.len == 0 && !has_words(link, io))
		return PTAH_GO;
	if (io->wire.out.len < OBFS4_UNIT) {
		io->wire.more = 1;
		return PTAH_GO;
	}
	rc = need_tables(link);
	if (rc < 0)
		return rc;
	if (has_words(link, io)) {
		rc = send_words(link, io);
		io->wire.more = io->plain.in.len > 0;
		return rc;
	}
	think_of_nudge(link);
	rc = link->iat_mode == 0 ? send_burst(link, io) : send_piece(link, io);
	if (link->said <= HELD_MOST)
		link->said += (uint16_t)io->wire.made;
	return rc;
}

int
obfs4_link_wrap(void *link, struct ptah_io *io)
{
	struct obfs4_link *mine = link;

	return mine->shake != NULL ? PTAH_GO : wrap(mine, io);
}

/* ---- wire to plain -------------------------------------------------------------- */

static void
on_packet(uint8_t type, struct ptah_span payload, void *arg)
{
	struct obfs4_link *link = arg;

	if (type == PACKET_WORD && payload.len == WORD_LEN) {
		if (memcmp(payload.at, "eof", WORD_LEN) == 0 && !link->heard_eof)
			link->heard_eof = link->owes_ack = 1;
		else if (memcmp(payload.at, "ack", WORD_LEN) == 0 && link->said_eof)
			link->acked = 1;
	}
	if (type == PTAH_PACKET_SEED && payload.len == OBFS4_SEED_LEN && link->role == PTAH_CLIENT)
		ptah_tables_change(&link->tables, &link->bench->cache, payload.at);
}

static const char *
what_broke(int rc)
{
	switch (rc) {
	case -EPROTO:
		return "the peer sent a packet that cannot be";
	case -EOVERFLOW:
		return "this link has carried all that its keys are good for";
	default:
		return "a frame is not authentic";
	}
}

/* The peer has said EOF, or heard ours. */
static int
after_words(struct obfs4_link *link, struct ptah_io *io)
{
	if (link->acked)
		io->wire.finish = PTAH_FINISH_INSIDE;
	if (!link->heard_eof)
		return PTAH_GO;
	io->plain.finish = 1;
	if (link->said_eof) {
		link->owes_ack = 0; /* who has said all waits for nothing */
		io->wire.finish = PTAH_FINISH_STREAM;
	}
	if (link->owes_ack && link->host->timer(link->self, OBFS4_TIMER_ACK, ACK_AFTER_NS) < 0)
		io->wire.more = link->ack_due = 1;
	return PTAH_GO;
}

static int
unwrap(struct obfs4_link *link, struct ptah_io *io)
{
	struct ptah_opened opened = { 0 };
	size_t left;
	int rc;

	if (io->wire.in.len > 0) {
		link->heard = 1;
		link->quiet = 0;
	}
	if (link->heard_eof) {
		io->wire.eaten = io->wire.in.len; /* nothing that counts */
		return PTAH_GO;
	}
	rc = ptah_opener_open(&link->opener, link->bench->boxer, io->wire.in, io->plain.out, on_packet, link, &opened);

	io->wire.eaten = opened.eaten;
	io->plain.made = opened.made;
	if (rc < 0 && rc != -ENOMEM) {
		link->host->count(link->self, OBFS4_COUNT_BROKEN, 1);
		io->reason = what_broke(rc);
		/* Not at once: who flips a bit to see a server hang up sees nothing. */
		return link->role == PTAH_SERVER && !link->compat ? obfs4_reject(link, io, what_broke(rc)) : rc;
	}
	if (rc < 0)
		return rc;
	left = io->wire.in.len - opened.eaten;
	io->wire.want = opened.need;
	if (opened.need > 0 && left >= opened.need)
		io->plain.more = 1; /* it is here, and there is no room for it */
	return after_words(link, io);
}

int
obfs4_link_unwrap(void *link, struct ptah_io *io)
{
	struct obfs4_link *mine = link;

	return mine->shake != NULL ? obfs4_shake_step(mine, io) : unwrap(mine, io);
}

/* ---- life -------------------------------------------------------------------------- */

int
obfs4_link_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct obfs4_link *mine = link;

	mine->role = (uint8_t)open->role;
	mine->bench = open->worker;
	mine->home = open->home;
	mine->host = open->host;
	mine->self = open->self;
	return obfs4_shake_open(mine, open, io);
}

int
obfs4_link_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct obfs4_link *mine = link;

	if (mine->shake != NULL)
		return obfs4_shake_event(mine, event, io);
	if (event->what != PTAH_EV_TIMER)
		return PTAH_GO;
	if (event->val == OBFS4_TIMER_NUDGE)
		return nudge(mine, io);
	if (event->val == OBFS4_TIMER_ACK)
		mine->ack_due = mine->owes_ack;
	else if (event->val == OBFS4_TIMER_REST)
		mine->resting = 0;
	else
		return PTAH_GO;
	return wrap(mine, io);
}

void
obfs4_link_close(void *link, int why)
{
	struct obfs4_link *mine = link;

	(void)why;
	obfs4_shake_end(mine);
	ptah_tables_unref(mine->tables);
	obfs4_pieces_clear(&mine->pieces);
	ptah_sealer_clear(&mine->sealer);
	ptah_opener_clear(&mine->opener);
}
