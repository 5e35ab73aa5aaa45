/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data phase: plain bytes in bursts of at most 32768, each padded so that
 * its last segment has a length drawn from the table, each one write; and
 * messages back into plain bytes.
 */
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "bench.h"
#include "home.h"
#include "nudge.h"
#include "shake.h"

/** The most plain bytes of one burst: obfs4proxy reads so many at once. */
#define BURST_MAX 32768u

static struct ptah_chance
chance_of(const struct scramble_link *link)
{
	return (struct ptah_chance){ link->host->random, link->self };
}

/* A client that has not heard its bridge's seed draws one of its own. */
static int
need_tables(struct scramble_link *link)
{
	const struct ptah_chance chance = chance_of(link);
	const uint8_t *seed = link->role == PTAH_SERVER ? link->home->identity->seed : NULL;

	return ptah_tables_need(&link->tables, &link->bench->cache, seed, &chance);
}

static unsigned
draw_length(const struct scramble_link *link)
{
	const struct ptah_chance chance = chance_of(link);

	return ptah_tables_length(link->tables, &chance);
}

/* ---- plain to wire -------------------------------------------------------------- */

/* A burst of its own behind what this call has made. */
static int
add_burst(struct scramble_link *link, struct ptah_io *io, uint8_t flag, struct ptah_span payload)
{
	struct ptah_room room = { io->wire.out.at + io->wire.made, io->wire.out.len - io->wire.made };
	ssize_t n = scramble_seal_burst(&link->send, link->bench->hmac, flag, payload, draw_length(link), room);

	if (n < 0) {
		io->reason = "a message cannot be made";
		return (int)n;
	}
	io->wire.made += (size_t)n;
	io->flush = 1;
	return 0;
}

/* The ticket for the client's next link, and what our lengths are drawn from. */
static int
send_gifts(struct scramble_link *link, struct ptah_io *io)
{
	const struct ptah_chance chance = chance_of(link);
	uint8_t body[SCRAMBLE_TICKET_PAYLOAD_LEN], iv[SCRAMBLE_TICKET_IV_LEN];
	int rc;

	ptah_chance_bytes(&chance, body, SCRAMBLE_MASTER_LEN);
	ptah_chance_bytes(&chance, iv, sizeof(iv));
	rc = scramble_ticket_seal(&link->bench->ring->now, link->bench->hmac, iv, link->host->wall_s(link->self), body,
	    body + SCRAMBLE_MASTER_LEN);
	if (rc == 0)
		rc = add_burst(link, io, SCRAMBLE_TICKET, (struct ptah_span){ body, sizeof(body) });
	sodium_memzero(body, sizeof(body));
	if (rc == 0)
		rc = add_burst(link, io, SCRAMBLE_SEED, (struct ptah_span){ link->home->identity->seed, SCRAMBLE_SEED_LEN });
	link->owes_gifts = 0;
	return rc;
}

/* So much of the plain bytes that it is one segment, and a rest behind it: the plain side is not read meanwhile. */
static int
send_segment(struct scramble_link *link, struct ptah_io *io)
{
	const struct ptah_chance chance = chance_of(link);
	uint64_t rest_ns = ptah_tables_delay_ns(link->tables, &chance);
	struct ptah_span plain = io->plain.in;
	int rc = 0;

	if (plain.len < SCRAMBLE_PAYLOAD_MAX) {
		rc = add_burst(link, io, SCRAMBLE_PAYLOAD, plain);
	} else {
		plain.len = SCRAMBLE_PAYLOAD_MAX;
		ssize_t n = scramble_seal(&link->send, link->bench->hmac, SCRAMBLE_PAYLOAD, plain, 0, io->wire.out);

		if (n < 0)
			return (int)n;
		io->wire.made = (size_t)n;
		io->flush = 1;
	}
	io->plain.eaten = plain.len;
	io->plain.hold = 1;
	link->resting = 1;
	return rc < 0 ? rc : link->host->timer(link->self, SCRAMBLE_TIMER_REST, rest_ns > 0 ? rest_ns : 1);
}

static int
send_burst(struct scramble_link *link, struct ptah_io *io)
{
	struct ptah_span plain = io->plain.in;

	if (plain.len > BURST_MAX)
		plain.len = BURST_MAX;
	io->plain.eaten = plain.len;
	return add_burst(link, io, SCRAMBLE_PAYLOAD, plain);
}

/* A server's first burst, before anything came. */
static void
think_of_nudge(struct scramble_link *link)
{
	if (link->role == PTAH_SERVER && !link->spoke && !link->heard)
		(void)link->host->timer(link->self, SCRAMBLE_TIMER_NUDGE, ptah_nudge_after_ns(0));
	link->spoke = 1;
}

static int
wrap(struct scramble_link *link, struct ptah_io *io)
{
	int rc;

	if (link->resting)
		return PTAH_GO;
	io->plain.hold = 0;
	if (io->plain.in.len == 0 && !link->owes_gifts)
		return PTAH_GO;
	if (io->wire.out.len < SCRAMBLE_UNIT) {
		io->wire.more = 1;
		return PTAH_GO;
	}
	rc = need_tables(link);
	if (rc < 0)
		return rc;
	if (link->owes_gifts) {
		io->wire.more = io->plain.in.len > 0;
		return send_gifts(link, io);
	}
	think_of_nudge(link);
	return link->timing ? send_segment(link, io) : send_burst(link, io);
}

int
scramble_link_wrap(void *link, struct ptah_io *io)
{
	struct scramble_link *mine = link;

	return mine->shake != NULL ? scramble_shake_step(mine, io) : wrap(mine, io);
}

/* ---- wire to plain -------------------------------------------------------------- */

static void
keep_ticket(const struct scramble_link *link, struct ptah_span body)
{
	uint8_t letter[1 + SCRAMBLE_TICKET_PAYLOAD_LEN + SCRAMBLE_SERVER_MAX];
	size_t len = link->server != NULL ? strlen(link->server) : 0;

	if (len == 0)
		return;
	letter[0] = SCRAMBLE_MAIL_STORE;
	memcpy(letter + 1, body.at, body.len);
	memcpy(letter + 1 + body.len, link->server, len);
	/* A ticket that is lost costs time at the next connection, and no more. */
	(void)link->host->mail(link->self, PTAH_HOME, (struct ptah_span){ letter, 1 + body.len + len });
	sodium_memzero(letter, sizeof(letter));
}

/* Either is for clients: what a server gets of it says nothing to it. */
static void
on_message(uint8_t flag, struct ptah_span body, void *arg)
{
	struct scramble_link *link = arg;

	if (link->role != PTAH_CLIENT)
		return;
	if (flag == SCRAMBLE_TICKET)
		keep_ticket(link, body);
	else
		ptah_tables_change(&link->tables, &link->bench->cache, body.at); /* the first 24 bytes of it */
}

static int
unwrap(struct scramble_link *link, struct ptah_io *io)
{
	struct scramble_opened opened;
	const char *why;
	int rc;

	if (!link->heard && io->wire.in.len > 0) {
		link->heard = 1;
		if (link->spoke && link->role == PTAH_SERVER)
			(void)link->host->timer(link->self, SCRAMBLE_TIMER_NUDGE, 0);
	}
	rc = scramble_open(&link->receive, link->bench->hmac, io->wire.in, io->plain.out, on_message, link, &opened);
	io->wire.eaten = opened.eaten;
	io->plain.made = opened.made;
	if (rc == -EBADMSG || rc == -EPROTO) {
		link->host->count(link->self, SCRAMBLE_COUNT_BROKEN, 1);
		why = rc == -EPROTO ? "the peer sent a message that cannot be" : "a message is not authentic";
		io->reason = why;
		/* Not at once: who flips a bit to see a server hang up sees nothing. */
		return link->role == PTAH_SERVER ? scramble_reject(io, why) : rc;
	}
	if (rc < 0)
		return rc;
	io->wire.want = opened.need;
	if (io->wire.in.len - opened.eaten >= opened.need)
		io->plain.more = 1; /* it is here, and there is no room for it */
	return PTAH_GO;
}

int
scramble_link_unwrap(void *link, struct ptah_io *io)
{
	struct scramble_link *mine = link;

	return mine->shake != NULL ? scramble_shake_step(mine, io) : unwrap(mine, io);
}

/* ---- life -------------------------------------------------------------------------- */

int
scramble_link_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct scramble_link *mine = link;

	mine->role = (uint8_t)open->role;
	mine->bench = open->worker;
	mine->home = open->home;
	mine->host = open->host;
	mine->self = open->self;
	return scramble_shake_open(mine, open, io);
}

static int
nudge(struct scramble_link *link, struct ptah_io *io)
{
	if (link->heard || link->resting || io->wire.out.len < SCRAMBLE_UNIT)
		return PTAH_GO;
	if (++link->n_nudges < PTAH_NUDGES_MOST)
		(void)link->host->timer(link->self, SCRAMBLE_TIMER_NUDGE, ptah_nudge_after_ns(link->n_nudges));
	return add_burst(link, io, SCRAMBLE_PAYLOAD, (struct ptah_span){ NULL, 0 });
}

int
scramble_link_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct scramble_link *mine = link;

	if (mine->shake != NULL)
		return scramble_shake_event(mine, event, io);
	if (event->what != PTAH_EV_TIMER)
		return PTAH_GO;
	if (event->val == SCRAMBLE_TIMER_NUDGE)
		return nudge(mine, io);
	if (event->val != SCRAMBLE_TIMER_REST)
		return PTAH_GO;
	mine->resting = 0;
	return wrap(mine, io);
}

void
scramble_link_close(void *link, int why)
{
	struct scramble_link *mine = link;

	(void)why;
	scramble_shake_end(mine);
	ptah_tables_unref(mine->tables);
	scramble_way_close(&mine->send);
	scramble_way_close(&mine->receive);
	free(mine->server);
}
