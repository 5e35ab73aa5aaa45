/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/pair.h"
#include "check/trial.h"

/* Virtual: handshakes and delays have ended by then. */
#define PATIENCE_MS 120000u
/* So many timers without anything else in between are a loop. */
#define TICKS_MOST 200000u
/* As many links of peers that nobody knows as the server's host has room for. */
#define LINKS_MOST 256u
/* What overtakes something else is so near to it. */
#define SHUFFLED 8u
#define HEAD_LEN sizeof(uint32_t)

/* The server's link of a key: [0] the one address that there is, or [1][key]. */
struct ptah_exchange_link {
	struct ptah_exchange_link *next;
	uint8_t key[17];
	struct ptah_party *party;
};

static const char *const names[2] = { "client", "server" };

/* ---- birth and death ----------------------------------------------------------- */

void
ptah_exchange_open(struct ptah_exchange *exchange, struct ptah_lab *lab, uint32_t number)
{
	memset(exchange, 0, sizeof(*exchange));
	exchange->lab = lab;
	exchange->number = number;
	exchange->client = ptah_party_new(lab, PTAH_AT_CLIENT, true);
}

static void
end_link(struct ptah_exchange *exchange, struct ptah_exchange_link *link)
{
	struct ptah_exchange_link **at = &exchange->links;
	int rc = link->party->rc == PTAH_REJECT ? -EACCES : link->party->rc;

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	if (link->party->was_open && link->party->phase == PTAH_PHASE_OVER) {
		exchange->n_lost++;
		exchange->lost_rc = rc;
	}
	/* A stranger may be answered, and forgotten at once. */
	if (link->party->sent.len > 0 && ptah_buf_add(&exchange->stray, link->party->sent.at, link->party->sent.len) < 0)
		ptah_trial_na("no memory for a message");
	ptah_party_free(link->party, rc);
	free(link);
}

void
ptah_exchange_close(struct ptah_exchange *exchange)
{
	while (exchange->links != NULL)
		end_link(exchange, exchange->links);
	ptah_party_free(exchange->client, 0);
	exchange->client = NULL;
	for (int who = 0; who < 2; who++)
		ptah_buf_clear(&exchange->log[who]);
	ptah_buf_clear(&exchange->stray);
}

/* ---- the server's links ----------------------------------------------------------- */

static struct ptah_exchange_link *
link_new(struct ptah_exchange *exchange, const uint8_t key[17])
{
	struct ptah_exchange_link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		ptah_trial_na("no memory for a link");
	memcpy(link->key, key, sizeof(link->key));
	link->next = exchange->links;
	exchange->links = link;
	link->party = ptah_party_new(exchange->lab, PTAH_AT_SERVER, true);
	return link;
}

/* Whose is it?  A stranger's gets a link; NULL: nobody's. */
static struct ptah_exchange_link *
link_of(struct ptah_exchange *exchange, const void *at, size_t len)
{
	struct ptah_exchange_link *link;
	uint8_t key[17] = { 0 };
	unsigned n = 0;
	int rc = ptah_base_key(&exchange->lab->base[PTAH_AT_SERVER], at, len, key + 1);

	if (rc != 0 && rc != PTAH_PASS)
		return NULL;
	key[0] = rc == 0;
	if (rc == PTAH_PASS)
		memset(key + 1, 0, 16);
	for (link = exchange->links; link != NULL; link = link->next, n++)
		if (memcmp(link->key, key, sizeof(key)) == 0)
			return link;
	return n < LINKS_MOST ? link_new(exchange, key) : NULL;
}

/* The one that its plain end can speak on. */
static struct ptah_party *
server_of(const struct ptah_exchange *exchange)
{
	for (const struct ptah_exchange_link *link = exchange->links; link != NULL; link = link->next)
		if (link->party->plain_open && link->party->phase >= PTAH_PHASE_OPEN && link->party->phase != PTAH_PHASE_OVER)
			return link->party;
	return NULL;
}

/* ---- what is said ------------------------------------------------------------------- */

static void
make_body(const struct ptah_exchange *exchange, int who, uint32_t id, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = ptah_pair_byte(exchange->number, who, (uint64_t)id << 17 | i);
}

int
ptah_exchange_say(struct ptah_exchange *exchange, int who, size_t len)
{
	struct ptah_party *party = who == PTAH_AT_CLIENT ? exchange->client : server_of(exchange);
	static uint8_t body[PTAH_DATAGRAM_MOST];
	struct ptah_said *said = &exchange->said[who][exchange->n_said[who]];

	if (party == NULL || exchange->n_said[who] == PTAH_EXCHANGE_SAID)
		return -ENOTCONN;
	*said = (struct ptah_said){ .id = exchange->last_id++, .len = len };
	make_body(exchange, who, said->id, body, len);
	int rc = ptah_party_message(party, PTAH_PLAIN, body, len);
	if (rc != -ENOTCONN)
		exchange->n_said[who]++;
	return rc;
}

void
ptah_exchange_forget(struct ptah_exchange *exchange)
{
	for (int who = 0; who < 2; who++)
		exchange->n_said[who] = exchange->n_heard[who] = 0;
	exchange->n_doubled = exchange->n_wrong = exchange->n_refused = 0;
}

static bool
is_that(const struct ptah_exchange *exchange, int who, const struct ptah_said *said, const uint8_t *at, size_t len)
{
	if (said->len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (at[i] != ptah_pair_byte(exchange->number, who, (uint64_t)said->id << 17 | i))
			return false;
	return true;
}

/* 'who' has heard it.  Of two short ones that are the same each is heard once. */
static void
hear_one(struct ptah_exchange *exchange, int who, const uint8_t *at, size_t len)
{
	struct ptah_said *known = NULL;

	for (unsigned i = 0; i < exchange->n_said[!who]; i++) {
		struct ptah_said *said = &exchange->said[!who][i];

		if ((known == NULL || known->heard > 0) && is_that(exchange, !who, said, at, len))
			known = said;
	}
	if (known == NULL)
		exchange->n_wrong++;
	else if (known->heard++ > 0)
		exchange->n_doubled++;
	else
		exchange->n_heard[who]++;
}

/* The first 'skip' of a queue stay. */
static bool
take_from(struct ptah_buf *queue, unsigned skip, struct ptah_buf *out)
{
	size_t at = 0;
	uint32_t len = 0;

	ptah_buf_eat(out, out->len);
	for (;;) {
		if (at == queue->len)
			return false;
		memcpy(&len, queue->at + at, HEAD_LEN);
		if (skip-- == 0)
			break;
		at += HEAD_LEN + len;
	}
	if (ptah_buf_add(out, queue->at + at + HEAD_LEN, len) < 0)
		ptah_trial_na("no memory for a message");
	memmove(queue->at + at, queue->at + at + HEAD_LEN + len, queue->len - at - HEAD_LEN - len);
	queue->len -= HEAD_LEN + len;
	return true;
}

static bool
hear(struct ptah_exchange *exchange, int who, struct ptah_party *party)
{
	struct ptah_buf body = { 0 };
	bool any = false;

	while (party->plain_open && take_from(&party->arrived, 0, &body)) {
		hear_one(exchange, who, body.at, body.len);
		any = true;
	}
	ptah_buf_clear(&body);
	return any;
}

/* ---- the network ----------------------------------------------------------------------- */

void
ptah_exchange_bring(struct ptah_exchange *exchange, int who, const void *at, size_t len)
{
	struct ptah_exchange_link *link = NULL;
	struct ptah_party *to = exchange->client;
	int rc = PTAH_REJECT;

	if (who == PTAH_AT_CLIENT) {
		link = link_of(exchange, at, len);
		to = link != NULL ? link->party : NULL;
	}
	if (to != NULL && to->phase != PTAH_PHASE_OVER)
		rc = ptah_party_message(to, PTAH_WIRE, at, len);
	exchange->n_refused += rc == PTAH_REJECT;
	/* What it was drives no other out, and is gone before anything else comes. */
	if (link != NULL && to->phase == PTAH_PHASE_OVER)
		end_link(exchange, link);
}

static unsigned
count_of(const struct ptah_buf *queue, unsigned most)
{
	unsigned n = 0;
	uint32_t len;

	for (size_t at = 0; at < queue->len && n < most; n++, at += HEAD_LEN + len)
		memcpy(&len, queue->at + at, HEAD_LEN);
	return n;
}

static void
note(struct ptah_exchange *exchange, int who, const struct ptah_buf *datagram)
{
	uint32_t len = (uint32_t)datagram->len;

	(void)ptah_buf_add(&exchange->log[who], &len, sizeof(len));
	if (ptah_buf_add(&exchange->log[who], datagram->at, datagram->len) < 0)
		ptah_trial_na("no memory for what was sent");
}

static bool
carry(struct ptah_exchange *exchange, int who, struct ptah_buf *queue)
{
	struct ptah_buf datagram = { 0 };
	unsigned near = exchange->shuffle ? count_of(queue, SHUFFLED) : 1;
	unsigned skip = near > 1 ? (unsigned)ptah_lab_draw(exchange->lab, near) : 0;
	bool any = !exchange->cut[who] && take_from(queue, skip, &datagram);

	if (any && exchange->record)
		note(exchange, who, &datagram);
	if (any && datagram.len <= PTAH_DATAGRAM_MOST &&
	    (exchange->lose_one_in == 0 || ptah_lab_draw(exchange->lab, exchange->lose_one_in) != 0))
		ptah_exchange_bring(exchange, who, datagram.at, datagram.len);
	ptah_buf_clear(&datagram);
	return any;
}

bool
ptah_exchange_fetch(struct ptah_exchange *exchange, int who, struct ptah_buf *out)
{
	if (who == PTAH_AT_CLIENT)
		return take_from(&exchange->client->sent, 0, out);
	for (struct ptah_exchange_link *link = exchange->links; link != NULL; link = link->next)
		if (take_from(&link->party->sent, 0, out))
			return true;
	return take_from(&exchange->stray, 0, out);
}

/* One turn of a party of 'who'. */
static bool
turn(struct ptah_exchange *exchange, int who, struct ptah_party *party)
{
	bool moved = party->phase != PTAH_PHASE_OVER && ptah_party_turn(party);

	return hear(exchange, who, party) || moved;
}

bool
ptah_exchange_step(struct ptah_exchange *exchange)
{
	bool moved = turn(exchange, PTAH_AT_CLIENT, exchange->client);

	moved = carry(exchange, PTAH_AT_CLIENT, &exchange->client->sent) || moved;
	for (struct ptah_exchange_link *link = exchange->links, *next; link != NULL; link = next) {
		next = link->next;
		moved = turn(exchange, PTAH_AT_SERVER, link->party) || moved;
		moved = carry(exchange, PTAH_AT_SERVER, &link->party->sent) || moved;
		if (link->party->phase == PTAH_PHASE_OVER) {
			end_link(exchange, link);
			moved = true;
		}
	}
	moved = carry(exchange, PTAH_AT_SERVER, &exchange->stray) || moved;
	return ptah_lab_deliver(exchange->lab) || moved;
}

static bool
is_done(const struct ptah_exchange *exchange)
{
	return exchange->client->phase >= PTAH_PHASE_OPEN && exchange->client->phase != PTAH_PHASE_OVER &&
	    exchange->client->plain_open && exchange->n_heard[0] == exchange->n_said[1] && exchange->n_heard[1] == exchange->n_said[0];
}

bool
ptah_exchange_settle(struct ptah_exchange *exchange, unsigned limit_ms)
{
	uint64_t limit = exchange->lab->now_ns + limit_ms * PTAH_NS_PER_MS;
	unsigned ticks = 0;

	for (;;) {
		if (ptah_exchange_step(exchange)) {
			ticks = 0;
			continue;
		}
		if (is_done(exchange) || exchange->client->phase == PTAH_PHASE_OVER)
			return is_done(exchange);
		if (!ptah_lab_tick(exchange->lab, limit))
			return false;
		if (++ticks > TICKS_MOST)
			ptah_trial_fail("%u timers go off one after another, and nothing else happens", ticks);
	}
}

/* ---- what must be ------------------------------------------------------------------------- */

void
ptah_exchange_need_life(const struct ptah_exchange *exchange, const char *by)
{
	const struct ptah_party *client = exchange->client;

	if (client->phase == PTAH_PHASE_OVER)
		ptah_trial_fail("%s: its client's link ends: %s%s%s", by, client->rc == PTAH_REJECT ? "rejected" : strerror(-client->rc),
		    client->reason != NULL ? ": " : "", client->reason != NULL ? client->reason : "");
	if (exchange->n_lost > 0)
		ptah_trial_fail("%s: its server's link ends: %s", by, strerror(-exchange->lost_rc));
}

static void
say_missing(const struct ptah_exchange *exchange, const char *doing)
{
	for (int who = 0; who < 2; who++)
		for (unsigned i = 0; i < exchange->n_said[who]; i++)
			if (exchange->said[who][i].heard == 0)
				ptah_trial_fail("%s: a message of %zu bytes from the %s does not arrive", doing,
				    exchange->said[who][i].len, names[who]);
	ptah_trial_fail("%s: the client's link does not open", doing);
}

void
ptah_exchange_need(struct ptah_exchange *exchange, const char *doing)
{
	bool done = ptah_exchange_settle(exchange, PATIENCE_MS);

	ptah_exchange_need_life(exchange, doing);
	if (exchange->n_wrong > 0)
		ptah_trial_fail("%s: a message arrives that nobody has said, or not all of one", doing);
	if (exchange->n_doubled > 0)
		ptah_trial_fail("%s: a message arrives twice", doing);
	if (!done)
		say_missing(exchange, doing);
}
