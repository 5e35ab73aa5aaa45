/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows: messages, each a datagram, alone and among peers that mean no good.
 */
#include <stdlib.h>
#include <string.h>

#include "check/exchange.h"
#include "check/heap.h"
#include "check/rows.h"
#include "check/trial.h"

static const char *const names[2] = { "client", "server" };

/* What fits into a packet of most networks, and what is small beside it. */
#define USUAL_MOST 1400u
#define SMALL_MOST 500u

static size_t
some_length(struct ptah_lab *lab)
{
	return (size_t)ptah_lab_draw(lab, USUAL_MOST + 1);
}

/* No message that grows by what the module says is longer than a datagram then. */
static size_t
limit_of(const struct ptah_module *module)
{
	size_t grows = (size_t)module->msg_head + module->msg_tail;

	return grows < PTAH_DATAGRAM_MOST ? PTAH_DATAGRAM_MOST - grows : 0;
}

/* One of each, there and back. */
static void
one_each(struct ptah_exchange *exchange, size_t len, const char *doing)
{
	for (int who = 0; who < 2; who++) {
		(void)ptah_exchange_say(exchange, who, len);
		ptah_exchange_need(exchange, doing);
	}
	ptah_exchange_forget(exchange);
}

static void
begin(struct ptah_exchange *exchange, struct ptah_lab *lab, uint32_t number)
{
	ptah_exchange_open(exchange, lab, number);
	ptah_exchange_need(exchange, "a link begins");
	one_each(exchange, 100, "the first messages of a link");
}

/* ---- sizes ------------------------------------------------------------------------- */

static const size_t edges[] = {
	127, 128, 255, 256, 511, 512, 1023, 1024, 1199, 1200, 1279, 1280, 1451, 1452, 1471, 1472, 1473, 1499, 1500, 2047, 2048,
	4095, 4096, 8191, 8192, 16383, 16384, 32767, 32768,
};

static unsigned
all_sizes(struct ptah_exchange *exchange, size_t limit)
{
	struct ptah_lab *lab = exchange->lab;
	unsigned n = 0;

	for (unsigned i = 0; ptah_trial_has_time(i, 200) && i < 5000; i++, n++) {
		size_t len = i < 66 ? i : i - 66 < sizeof(edges) / sizeof(edges[0]) ? edges[i - 66] : i % 10 == 0 ? limit - i / 10 % 3 :
		    (size_t)ptah_lab_draw(lab, i % 2 == 0 ? limit : USUAL_MOST);

		if (len > limit)
			continue;
		ptah_trial_step("messages of %zu bytes, there and back", len);
		one_each(exchange, len, "one message at a time");
	}
	return n;
}

/* Longer than what is left of a datagram: they come whole, or not at all, and drive nothing out. */
static void
too_long(struct ptah_exchange *exchange, size_t limit)
{
	const size_t lens[] = { limit + 1, limit + (PTAH_DATAGRAM_MOST - limit) / 2, PTAH_DATAGRAM_MOST - 16, PTAH_DATAGRAM_MOST - 1,
		PTAH_DATAGRAM_MOST };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (int who = 0; who < 2; who++) {
			if (lens[i] > PTAH_DATAGRAM_MOST)
				continue;
			ptah_trial_step("a message of %zu bytes from the %s, which is too long for a datagram", lens[i], names[who]);
			(void)ptah_exchange_say(exchange, who, lens[i]);
			(void)ptah_exchange_settle(exchange, 100);
			ptah_exchange_need_life(exchange, "a message that is too long");
			if (exchange->n_wrong > 0)
				ptah_trial_fail("a message of %zu bytes, which is too long for a datagram, arrives in part", lens[i]);
			ptah_exchange_forget(exchange);
			one_each(exchange, 30, "after a message that is too long");
		}
}

/* ---- the network ------------------------------------------------------------------------ */

#define BURST 200u

/* Many at once from both; how many of them arrive. */
static unsigned
burst(struct ptah_exchange *exchange, size_t most)
{
	for (unsigned i = 0; i < BURST; i++)
		for (int who = 0; who < 2; who++)
			(void)ptah_exchange_say(exchange, who, (size_t)ptah_lab_draw(exchange->lab, most + 1));
	(void)ptah_exchange_settle(exchange, 1000);
	return exchange->n_heard[0] + exchange->n_heard[1];
}

static void
many(struct ptah_exchange *exchange)
{
	ptah_trial_step("%u messages each way at once", BURST);
	(void)burst(exchange, USUAL_MOST);
	ptah_exchange_need(exchange, "many messages at once");
	ptah_exchange_forget(exchange);
}

static void
lossy(struct ptah_exchange *exchange)
{
	const unsigned most = 2 * BURST;
	unsigned heard;

	ptah_trial_step("%u messages each way, and one datagram in four is lost", BURST);
	exchange->lose_one_in = 4;
	heard = burst(exchange, SMALL_MOST);
	exchange->lose_one_in = 0;
	ptah_exchange_need_life(exchange, "a datagram that is lost");
	if (exchange->n_wrong > 0)
		ptah_trial_fail("where datagrams are lost a message arrives that nobody has said");
	if (exchange->n_doubled > 0)
		ptah_trial_fail("where datagrams are lost a message arrives twice");
	if (heard < most / 4)
		ptah_trial_fail("where one datagram in four is lost only %u of %u messages arrive", heard, most);
	ptah_exchange_forget(exchange);
	one_each(exchange, 100, "after datagrams that were lost");
}

static void
shuffled(struct ptah_exchange *exchange)
{
	const unsigned most = 2 * BURST;
	unsigned heard;

	ptah_trial_step("%u messages each way, which overtake one another", BURST);
	exchange->shuffle = true;
	heard = burst(exchange, SMALL_MOST);
	exchange->shuffle = false;
	ptah_exchange_need_life(exchange, "a datagram that comes out of order");
	if (exchange->n_wrong > 0)
		ptah_trial_fail("out of order a message arrives that nobody has said");
	if (heard < most / 4 * 3)
		ptah_trial_fail("where datagrams come a little out of order only %u of %u messages arrive", heard, most);
	ptah_exchange_forget(exchange);
	one_each(exchange, 100, "after datagrams that came out of order");
}

/* ---- many links, and their ends ------------------------------------------------------------ */

#define LINKS 20u
#define SESSIONS 60u

static void
crowd(struct ptah_lab *lab)
{
	struct ptah_exchange *all = calloc(LINKS, sizeof(*all));

	if (all == NULL)
		ptah_trial_na("no memory");
	ptah_trial_step("%u links of messages at once", LINKS);
	for (unsigned i = 0; i < LINKS; i++)
		begin(&all[i], lab, 100 + i);
	for (unsigned turn = 0; turn < 5; turn++)
		for (unsigned i = 0; i < LINKS; i++)
			one_each(&all[i], some_length(lab), "one of many links");
	for (unsigned i = 0; i < LINKS; i++)
		ptah_exchange_close(&all[i]);
	free(all);
}

static void
session(struct ptah_lab *lab, uint32_t number)
{
	struct ptah_exchange exchange;

	begin(&exchange, lab, number);
	ptah_exchange_close(&exchange);
}

static void
leaks(struct ptah_lab *lab)
{
	size_t blocks, bytes;

	ptah_trial_step("%u links of messages, one after another", 2 * SESSIONS);
	for (unsigned i = 0; i < SESSIONS; i++)
		session(lab, 1000 + i);
	blocks = ptah_heap_blocks();
	bytes = ptah_heap_bytes();
	for (unsigned i = 0; i < SESSIONS; i++)
		session(lab, 2000 + i);
	if (ptah_heap_blocks() >= blocks + SESSIONS)
		ptah_trial_fail("each pair of links of messages that has ended holds %zu blocks of memory, of %zu bytes together",
		    (ptah_heap_blocks() - blocks) / SESSIONS, (ptah_heap_bytes() - bytes) / SESSIONS);
}

/* A session in which an allocation, or a service, fails: it may break, but not lie. */
static void
broken_session(struct ptah_lab *lab, uint32_t number)
{
	struct ptah_exchange exchange;

	ptah_exchange_open(&exchange, lab, number);
	for (unsigned i = 0; i < 3; i++) {
		(void)ptah_exchange_settle(&exchange, 1000);
		for (int who = 0; who < 2; who++)
			(void)ptah_exchange_say(&exchange, who, 100);
	}
	(void)ptah_exchange_settle(&exchange, 1000);
	ptah_heap_refuse(0, false);
	lab->refuse_service = 0;
	if (exchange.n_wrong > 0)
		ptah_trial_fail("a message arrives that nobody has said");
	ptah_exchange_close(&exchange);
}

static unsigned
failures(struct ptah_lab *lab)
{
	unsigned n = 0;

	for (uint64_t i = 1; i < 2000 && ptah_trial_has_time(n, 40); i++, n++) {
		ptah_trial_step("allocation %llu of a pair of links of messages fails", (unsigned long long)i);
		ptah_heap_refuse(i, false);
		broken_session(lab, (uint32_t)i);
		if (!ptah_heap_has_refused())
			break;
	}
	for (uint64_t i = 1; i < 200; i++, n++) {
		ptah_trial_step("call %llu of a service that can fail does, in links of messages", (unsigned long long)i);
		lab->has_refused = false;
		lab->refuse_service = i;
		broken_session(lab, (uint32_t)i);
		if (!lab->has_refused)
			break;
	}
	return n;
}

void
ptah_row_messages(const struct ptah_subject *subject)
{
	size_t limit = limit_of(subject->module);
	struct ptah_exchange exchange;
	struct ptah_lab lab;
	unsigned sizes, failed;

	ptah_lab_need(&lab, subject, true);
	ptah_trial_step("a link of messages");
	begin(&exchange, &lab, 1);
	many(&exchange);
	lossy(&exchange);
	shuffled(&exchange);
	sizes = all_sizes(&exchange, limit);
	too_long(&exchange, limit);
	ptah_exchange_close(&exchange);
	crowd(&lab);
	leaks(&lab);
	failed = failures(&lab);
	session(&lab, 3000);
	ptah_lab_close(&lab);
	ptah_trial_pass("%u sizes up to %zu bytes, lost ones, out of order; %u failures", sizes, limit, failed);
}

/* ---- who means no good ------------------------------------------------------------------------- */

/* What came of datagrams that nobody sent. */
struct forged {
	unsigned n, wrong, again;
};

static void
count_forged(struct ptah_exchange *exchange, struct forged *forged)
{
	(void)ptah_exchange_settle(exchange, 0);
	forged->n++;
	forged->wrong += exchange->n_wrong > 0;
	forged->again += exchange->n_doubled > 0;
	ptah_exchange_forget(exchange);
}

static void
judge_wrong(const struct forged *forged, const char *what)
{
	/* Who looks notices nearly all; who does not, as a transport without a key, lets nearly all through. */
	if (forged->wrong > 0 && forged->wrong * 2 < forged->n)
		ptah_trial_fail("of %u %s datagrams it drops %u, and lets %u through as messages that nobody said", forged->n, what,
		    forged->n - forged->wrong, forged->wrong);
}

/* Datagrams by chance, to who knows nobody yet, or to an open link. */
static void
one_noise(struct ptah_exchange *exchange, int to, unsigned i)
{
	static uint8_t noise[PTAH_DATAGRAM_MOST];
	struct ptah_lab *lab = exchange->lab;
	size_t len = i < 100 ? i : i % 16 == 0 ? sizeof(noise) : (size_t)ptah_lab_draw(lab, i % 5 == 0 ? 9000 : 400);

	ptah_trial_step("a datagram of %zu random bytes to the %s", len, names[to]);
	ptah_lab_fill(lab, noise, len);
	if (ptah_lab_draw(lab, 4) == 0)
		memset(noise, (int)ptah_lab_draw(lab, 256), len);
	ptah_exchange_bring(exchange, !to, noise, len);
}

static unsigned
noise(struct ptah_lab *lab, struct ptah_exchange *open)
{
	struct forged early = { 0, 0, 0 }, late = { 0, 0, 0 };

	for (unsigned i = 0; ptah_trial_has_time(i, 150) && i < 2000; i++)
		for (int to = 0; to < 2; to++) {
			struct ptah_exchange fresh;

			ptah_exchange_open(&fresh, lab, i);
			fresh.cut[0] = fresh.cut[1] = true;
			one_noise(&fresh, to, i);
			count_forged(&fresh, &early);
			ptah_exchange_close(&fresh);
			one_noise(open, to, i);
			count_forged(open, &late);
			ptah_exchange_need_life(open, "a datagram of random bytes");
		}
	judge_wrong(&early, "random");
	judge_wrong(&late, "random");
	one_each(open, 100, "after random datagrams");
	return early.n + late.n;
}

/* What 'who' sends for one message, taken off the wire.  False: it sent nothing at once. */
static bool
intercept(struct ptah_exchange *exchange, int who, size_t len, struct ptah_buf *out)
{
	bool any;

	exchange->cut[who] = true;
	(void)ptah_exchange_say(exchange, who, len);
	(void)ptah_exchange_settle(exchange, 0);
	any = ptah_exchange_fetch(exchange, who, out);
	exchange->cut[who] = false;
	return any;
}

/* A datagram comes changed, by somebody who was faster; then as it was. */
static void
one_changed(struct ptah_exchange *exchange, int who, const uint8_t *bad, size_t bad_len, const struct ptah_buf *good,
    struct forged *forged)
{
	bool same;

	ptah_exchange_bring(exchange, who, bad, bad_len);
	(void)ptah_exchange_settle(exchange, 0);
	forged->n++;
	forged->wrong += exchange->n_wrong > 0;
	same = exchange->n_heard[!who] > 0;
	ptah_exchange_need_life(exchange, "a datagram that was changed on its way");
	ptah_exchange_bring(exchange, who, good->at, good->len);
	(void)ptah_exchange_settle(exchange, 100);
	if (!same && exchange->n_wrong == 0 && exchange->n_heard[!who] == 0 && exchange->n_said[who] > 0)
		ptah_trial_fail("a datagram that was changed on its way keeps the true one out, which comes behind it");
	ptah_exchange_forget(exchange);
}

static void
one_cut(struct ptah_exchange *exchange, int who, unsigned i, struct forged *forged)
{
	struct ptah_buf good = { 0 };

	if (intercept(exchange, who, i % 3 == 0 ? 0 : 60, &good) && good.len > 0) {
		size_t len = i < good.len ? i : (size_t)ptah_lab_draw(exchange->lab, good.len);

		ptah_trial_step("%zu of %zu bytes of a datagram from the %s", len, good.len, names[who]);
		one_changed(exchange, who, good.at, len, &good, forged);
	}
	ptah_buf_clear(&good);
	ptah_exchange_forget(exchange);
}

static void
one_flip(struct ptah_exchange *exchange, int who, unsigned i, struct forged *forged)
{
	struct ptah_buf good = { 0 }, bad = { 0 };

	if (intercept(exchange, who, i % 4 == 0 ? 0 : 60, &good) && good.len > 0) {
		size_t at = i / 2 < good.len ? i / 2 : (size_t)ptah_lab_draw(exchange->lab, good.len);
		uint8_t bits = (uint8_t)(1u << ptah_lab_draw(exchange->lab, 8));

		ptah_trial_step("byte %zu of %zu of a datagram from the %s is changed by %02x", at, good.len, names[who], bits);
		if (ptah_buf_add(&bad, good.at, good.len) < 0)
			ptah_trial_na("no memory");
		bad.at[at] ^= bits;
		one_changed(exchange, who, bad.at, bad.len, &good, forged);
	}
	ptah_buf_clear(&bad);
	ptah_buf_clear(&good);
	ptah_exchange_forget(exchange);
}

static struct forged
changed(struct ptah_exchange *exchange)
{
	struct forged cuts = { 0, 0, 0 }, flips = { 0, 0, 0 };

	for (unsigned i = 0; ptah_trial_has_time(i, 250) && i < 2000; i++)
		for (int who = 0; who < 2; who++) {
			one_cut(exchange, who, i, &cuts);
			one_flip(exchange, who, i, &flips);
		}
	judge_wrong(&cuts, "truncated");
	judge_wrong(&flips, "changed");
	one_each(exchange, 100, "after datagrams that were changed");
	return flips;
}

/* ---- again ---------------------------------------------------------------------------------------- */

static const uint8_t *
next_of(const struct ptah_buf *log, size_t *at, size_t *len)
{
	const uint8_t *body;
	uint32_t n;

	if (*at == log->len)
		return NULL;
	memcpy(&n, log->at + *at, sizeof(n));
	body = log->at + *at + sizeof(n);
	*at += sizeof(n) + n;
	*len = n;
	return body;
}

#define REPLAYED 100u

/* All that 'who' has sent, once more: at once, and behind others. */
static void
replay_open(struct ptah_exchange *exchange, int who, struct forged *forged)
{
	const uint8_t *body;
	size_t at = 0, len;

	while ((body = next_of(&exchange->log[who], &at, &len)) != NULL) {
		unsigned before = exchange->n_doubled;

		ptah_exchange_bring(exchange, who, body, len);
		(void)ptah_exchange_settle(exchange, 0);
		forged->n++;
		forged->again += exchange->n_doubled > before;
		ptah_exchange_need_life(exchange, "a datagram that comes again");
	}
}

/* ... and to a server that has forgotten the link, or never had it. */
static void
replay_later(struct ptah_exchange *from, struct forged *forged)
{
	struct ptah_exchange fresh;
	const uint8_t *body;
	size_t at = 0, len;

	ptah_exchange_open(&fresh, from->lab, from->number);
	fresh.cut[0] = fresh.cut[1] = true;
	while ((body = next_of(&from->log[PTAH_AT_CLIENT], &at, &len)) != NULL) {
		ptah_exchange_bring(&fresh, PTAH_AT_CLIENT, body, len);
		count_forged(&fresh, forged);
	}
	ptah_exchange_close(&fresh);
}

static void
judge_again(const struct forged *forged, const char *where, bool asks)
{
	/* Who does not look refuses none, but for those of a handshake. */
	if (forged->again == 0 || (!asks && forged->again * 4 >= forged->n * 3))
		return;
	ptah_trial_fail("%s, and of %u datagrams that come again%s lets %u through", asks ?
	    "it asks the host whether it has seen them before" : "it looks whether it has seen them before", forged->n, where, forged->again);
}

static void
say_some(struct ptah_exchange *exchange)
{
	exchange->record = true;
	for (unsigned k = 0; k < REPLAYED; k++)
		for (int who = 0; who < 2; who++)
			(void)ptah_exchange_say(exchange, who, 50 + k);
	(void)ptah_exchange_settle(exchange, 1000);
	exchange->record = false;
}

/* A link, and all of it again. */
static void
one_replayed(struct ptah_lab *lab, uint32_t number, struct forged *open, struct forged *later)
{
	struct ptah_exchange exchange;

	/* A message cannot wait for an answer of the host's: where that comes later, it may be lost. */
	ptah_exchange_open(&exchange, lab, number);
	exchange.record = true;
	if (!lab->replay_later)
		ptah_exchange_need(&exchange, "a link begins");
	(void)ptah_exchange_settle(&exchange, 1000);
	say_some(&exchange);
	for (int who = 0; who < 2; who++)
		replay_open(&exchange, who, open);
	ptah_exchange_forget(&exchange);
	if (!lab->replay_later)
		one_each(&exchange, 100, "after datagrams that came again");
	replay_later(&exchange, later);
	ptah_exchange_close(&exchange);
}

static unsigned
replayed(struct ptah_lab *lab)
{
	struct forged open = { 0, 0, 0 }, later = { 0, 0, 0 };
	uint64_t asked = lab->n_replays;

	for (unsigned i = 0; i < 4; i++) {
		lab->replay_later = i % 2 == 1;
		ptah_trial_step("all datagrams of a link, again%s", lab->replay_later ? "; the host answers later" : "");
		one_replayed(lab, 10 + i, &open, &later);
	}
	lab->replay_later = false;
	later.again = later.wrong; /* there nobody has said anything */
	judge_again(&open, "", lab->n_replays > asked);
	judge_again(&later, " when their link is gone", lab->n_replays > asked);
	return open.n + later.n;
}

void
ptah_row_bad_messages(const struct ptah_subject *subject)
{
	struct ptah_exchange exchange;
	struct ptah_lab lab;
	struct forged flips;
	unsigned n, again;

	ptah_lab_need(&lab, subject, true);
	ptah_trial_step("a link of messages");
	begin(&exchange, &lab, 1);
	n = noise(&lab, &exchange);
	flips = changed(&exchange);
	ptah_exchange_close(&exchange);
	again = replayed(&lab);
	ptah_lab_close(&lab);
	ptah_trial_pass("%u of random bytes, %u changed ones (%u come out as others), %u that come again", n, flips.n, flips.wrong, again);
}
