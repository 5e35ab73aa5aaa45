/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/pair.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "check/trial.h"

/* Virtual: handshakes and delays of a codec have ended by then. */
#define PATIENCE_MS 120000u
/* So many timers without anything else in between are a loop. */
#define TICKS_MOST 200000u
#define READ_MOST ((size_t)128 * 1024)
#define PIECE_USUAL ((size_t)32 * 1024)

static const char *const names[2] = { "client", "server" };

uint8_t
ptah_pair_byte(uint32_t number, int who, uint64_t at)
{
	uint64_t z = (at >> 3) * UINT64_C(0x9e3779b97f4a7c15) + number * UINT64_C(0xd1342543de82ef95) + (uint64_t)who + 1;

	z = (z ^ z >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint8_t)((z ^ z >> 29) >> (at & 7) * 8);
}

size_t
ptah_cut_bytes(struct ptah_pair *pair, int who, uint64_t at, size_t len)
{
	(void)pair;
	(void)who;
	(void)at;
	return len > 0 ? 1 : 0;
}

void
ptah_pair_open(struct ptah_pair *pair, struct ptah_lab *lab, uint32_t number)
{
	ptah_cut_fn *cut = pair->cut;
	uint64_t arg = pair->arg;
	bool record = pair->record, loose = pair->loose;
	size_t piece = pair->piece;

	*pair = (struct ptah_pair){ .lab = lab, .number = number, .cut = cut, .arg = arg, .record = record,
		.loose = loose, .piece = piece };
	pair->party[PTAH_AT_SERVER] = ptah_party_new(lab, PTAH_AT_SERVER, false);
	pair->party[PTAH_AT_CLIENT] = ptah_party_new(lab, PTAH_AT_CLIENT, false);
}

void
ptah_pair_close(struct ptah_pair *pair, int why)
{
	for (int who = 0; who < 2; who++) {
		ptah_party_free(pair->party[who], why);
		pair->party[who] = NULL;
		ptah_buf_clear(&pair->log[who]);
	}
}

void
ptah_pair_say(struct ptah_pair *pair, int who, size_t len)
{
	pair->said[who] += len;
}

void
ptah_pair_finish(struct ptah_pair *pair, int who)
{
	pair->ending[who] = true;
}

/* ---- rounds --------------------------------------------------------------------- */

/* Say what was not said yet, where it is taken. */
static bool
speak(struct ptah_pair *pair, int who)
{
	struct ptah_party *party = pair->party[who];
	uint8_t bytes[PIECE_USUAL];
	size_t most = pair->piece > 0 && pair->piece < PIECE_USUAL ? pair->piece : PIECE_USUAL, n = 0;

	if (!ptah_party_reads(party, PTAH_PLAIN))
		return false;
	while (n < most && pair->fed[who] < pair->said[who])
		bytes[n++] = ptah_pair_byte(pair->number, who, pair->fed[who]++);
	if (n > 0)
		ptah_party_feed(party, PTAH_PLAIN, bytes, n);
	else if (pair->ending[who])
		ptah_party_end(party, PTAH_PLAIN);
	return n > 0 || pair->ending[who];
}

/* What 'who' has heard, against what the other has said. */
static void
hear(struct ptah_pair *pair, int who)
{
	struct ptah_buf *out = &pair->party[who]->half[PTAH_PLAIN].out;

	for (size_t i = 0; i < out->len && !pair->wrong; i++) {
		if (pair->heard[who] + i < pair->said[!who] &&
		    out->at[i] == ptah_pair_byte(pair->number, !who, pair->heard[who] + i))
			continue;
		pair->wrong = true;
		if (!pair->loose)
			ptah_trial_fail("byte %llu from %s to %s is not what was said (%llu bytes were)",
			    (unsigned long long)(pair->heard[who] + i), names[!who], names[who],
			    (unsigned long long)pair->said[!who]);
	}
	pair->heard[who] += out->len;
	ptah_buf_eat(out, out->len);
}

/* Bring what 'who' has sent to the other. */
static bool
carry(struct ptah_pair *pair, int who)
{
	struct ptah_half *from = &pair->party[who]->half[PTAH_WIRE];
	struct ptah_party *to = pair->party[!who];
	size_t n = from->out.len;

	if (n > 0 && to->phase == PTAH_PHASE_OVER)
		n = 0;
	else if (n > 0 && !ptah_party_reads(to, PTAH_WIRE))
		return false;
	if (n > READ_MOST)
		n = READ_MOST;
	if (n > 0 && pair->cut != NULL)
		n = pair->cut(pair, who, pair->carried[who], n);
	if (n > 0) {
		if (pair->flip != 0 && who == pair->flip_who && pair->flip_at >= pair->carried[who] &&
		    pair->flip_at < pair->carried[who] + n) {
			from->out.at[pair->flip_at - pair->carried[who]] ^= pair->flip;
			pair->flipped_late = to->phase >= PTAH_PHASE_OPEN;
		}
		if (pair->record)
			ptah_buf_add(&pair->log[who], from->out.at, n);
		ptah_party_feed(to, PTAH_WIRE, from->out.at, n);
		ptah_buf_eat(&from->out, n);
		pair->carried[who] += n;
		return true;
	}
	if (from->out.len == 0 && from->finished && !to->half[PTAH_WIRE].ended) {
		ptah_party_end(to, PTAH_WIRE);
		return true;
	}
	return false;
}

bool
ptah_pair_step(struct ptah_pair *pair)
{
	bool moved = false;

	for (int who = 0; who < 2; who++) {
		moved = speak(pair, who) || moved;
		moved = ptah_party_turn(pair->party[who]) || moved;
		hear(pair, who);
		moved = carry(pair, who) || moved;
	}
	return ptah_lab_deliver(pair->lab) || moved;
}

bool
ptah_pair_is_open(const struct ptah_pair *pair)
{
	for (int who = 0; who < 2; who++)
		if (!pair->party[who]->plain_open || pair->party[who]->phase < PTAH_PHASE_OPEN)
			return false;
	return true;
}

bool
ptah_pair_is_done(const struct ptah_pair *pair)
{
	return ptah_pair_is_open(pair) && pair->heard[0] == pair->said[1] && pair->heard[1] == pair->said[0];
}

static bool
is_over(const struct ptah_pair *pair)
{
	return pair->party[0]->phase == PTAH_PHASE_OVER || pair->party[1]->phase == PTAH_PHASE_OVER;
}

bool
ptah_pair_settle(struct ptah_pair *pair, unsigned limit_ms)
{
	uint64_t limit = pair->lab->now_ns + limit_ms * PTAH_NS_PER_MS;
	unsigned ticks = 0;

	for (;;) {
		if (ptah_pair_step(pair)) {
			ticks = 0;
			continue;
		}
		if (is_over(pair) || ptah_pair_is_done(pair))
			return ptah_pair_is_done(pair);
		if (!ptah_lab_tick(pair->lab, limit))
			return false;
		if (++ticks > TICKS_MOST)
			ptah_trial_fail("%u timers go off one after another, and nothing else happens", ticks);
	}
}

void
ptah_pair_rest(struct ptah_pair *pair)
{
	while (ptah_pair_step(pair))
		;
}

/* Why it did not come to an end. */
static void
say_where(const struct ptah_pair *pair, const char *doing)
{
	static const char *const phases[] = { "in its handshake", "admitted", "open", "passed by", "over" };

	for (int who = 0; who < 2; who++) {
		const struct ptah_party *party = pair->party[who];

		if (party->phase == PTAH_PHASE_OVER)
			ptah_trial_fail("%s: its %s %s%s%s%s", doing, names[who],
			    party->rc == PTAH_REJECT ? "rejects the peer" : "ends with ",
			    party->rc == PTAH_REJECT ? "" : strerror(-party->rc),
			    party->reason != NULL ? ": " : "", party->reason != NULL ? party->reason : "");
	}
	ptah_trial_fail("%s: it stands still; the client is %s and has heard %llu of %llu bytes, the server is %s and has heard %llu of %llu",
	    doing, phases[pair->party[0]->phase], (unsigned long long)pair->heard[0], (unsigned long long)pair->said[1],
	    phases[pair->party[1]->phase], (unsigned long long)pair->heard[1], (unsigned long long)pair->said[0]);
}

void
ptah_pair_need(struct ptah_pair *pair, const char *doing)
{
	if (!ptah_pair_settle(pair, PATIENCE_MS))
		say_where(pair, doing);
}
