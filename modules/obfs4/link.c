/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data phase: plain bytes in bursts of at most 32768, each padded so that
 * its last segment has a length drawn from the table, each one write; and
 * frames back into plain bytes.
 */
#include "link.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "bench.h"
#include "home.h"
#include "shake.h"

static struct obfs4_chance
chance_of(const struct obfs4_link *link)
{
	return (struct obfs4_chance){ link->host->random, link->self };
}

/* A client that has not heard its bridge's seed draws one of its own. */
static int
need_tables(struct obfs4_link *link)
{
	const struct obfs4_chance chance = chance_of(link);

	if (link->tables != NULL)
		return 0;
	if (link->role == PTAH_SERVER)
		link->tables = obfs4_tables_get(&link->bench->cache, link->home->identity->seed);
	else
		link->tables = obfs4_tables_draw(&chance);
	return link->tables != NULL ? 0 : -ENOMEM;
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
	const struct obfs4_chance chance = chance_of(link);
	struct ptah_span plain = next_burst(io);
	ssize_t n;

	if (plain.len == 0)
		return PTAH_GO;
	n = ptah_sealer_burst(&link->sealer, link->bench->boxer, plain, 0, obfs4_tables_length(link->tables, &chance),
	    io->wire.out);
	if (n < 0)
		return fail(io, (int)n);
	io->plain.eaten = plain.len;
	io->wire.made = (size_t)n;
	io->flush = 1;
	return PTAH_GO;
}

/* One piece of a burst, and a rest behind it: the plain side is not read meanwhile. */
static int
send_piece(struct obfs4_link *link, struct ptah_io *io)
{
	const struct obfs4_tools tools = { &link->sealer, link->bench->boxer, link->tables, chance_of(link) };
	uint64_t rest_ns = 0;
	ssize_t n;

	if (obfs4_pieces_left(&link->pieces) == 0) {
		struct ptah_span plain = next_burst(io);
		int rc = 0;

		obfs4_pieces_clear(&link->pieces);
		io->plain.hold = 0;
		if (plain.len > 0)
			rc = obfs4_pieces_fill(&link->pieces, &tools, link->iat_mode, plain);
		if (plain.len == 0 || rc < 0)
			return rc < 0 ? fail(io, rc) : PTAH_GO;
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

static int
wrap(struct obfs4_link *link, struct ptah_io *io)
{
	int rc;

	if (link->resting || (io->plain.in.len == 0 && link->pieces.at == NULL))
		return PTAH_GO;
	if (io->wire.out.len < OBFS4_UNIT) {
		io->wire.more = 1;
		return PTAH_GO;
	}
	rc = need_tables(link);
	if (rc < 0)
		return rc;
	return link->iat_mode == 0 ? send_burst(link, io) : send_piece(link, io);
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
	struct obfs4_tables *tables;

	if (type != PTAH_PACKET_SEED || payload.len != OBFS4_SEED_LEN || link->role != PTAH_CLIENT)
		return;
	tables = obfs4_tables_get(&link->bench->cache, payload.at);
	if (tables == NULL)
		return; /* out of memory: the old ones do as well */
	obfs4_tables_unref(link->tables);
	link->tables = tables;
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

static int
unwrap(struct obfs4_link *link, struct ptah_io *io)
{
	struct ptah_opened opened = { 0 };
	size_t left;
	int rc = ptah_opener_open(&link->opener, link->bench->boxer, io->wire.in, io->plain.out, on_packet, link, &opened);

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
	return PTAH_GO;
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
	if (event->what != PTAH_EV_TIMER || event->val != OBFS4_TIMER_REST || !mine->resting)
		return PTAH_GO;
	mine->resting = 0;
	return wrap(mine, io);
}

void
obfs4_link_close(void *link, int why)
{
	struct obfs4_link *mine = link;

	(void)why;
	obfs4_shake_end(mine);
	obfs4_tables_unref(mine->tables);
	obfs4_pieces_clear(&mine->pieces);
	ptah_sealer_clear(&mine->sealer);
	ptah_opener_clear(&mine->opener);
}
