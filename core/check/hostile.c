/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows: peers that mean no good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/pair.h"
#include "check/rows.h"
#include "check/trial.h"

static const char *const names[2] = { "client", "server" };

/* One party by itself: all that can happen to it. */
static void
let_it_be(struct ptah_party *party, unsigned ms)
{
	struct ptah_lab *lab = party->life.lab;
	uint64_t until = lab->now_ns + ms * PTAH_NS_PER_MS;

	for (unsigned i = 0; i < 100000; i++)
		if (!ptah_party_turn(party) && !ptah_lab_deliver(lab) && !ptah_lab_tick(lab, until))
			return;
	ptah_trial_fail("it does not come to rest");
}

static void
feed_in_pieces(struct ptah_party *party, const uint8_t *at, size_t len)
{
	struct ptah_lab *lab = party->life.lab;

	while (len > 0 && party->phase != PTAH_PHASE_OVER) {
		size_t n = 1 + (size_t)ptah_lab_draw(lab, ptah_lab_draw(lab, 2) == 0 ? 64 : 4000);

		if (n > len)
			n = len;
		ptah_party_feed(party, PTAH_WIRE, at, n);
		let_it_be(party, 10);
		if (!ptah_party_reads(party, PTAH_WIRE) && party->phase != PTAH_PHASE_OVER)
			return;
		at += n;
		len -= n;
	}
}

/* ---- noise --------------------------------------------------------------------------- */

#define NOISE_MOST 20000u

/* Who refuses noise at times, and lets it through at others, lets through what it should refuse. */
struct tally {
	unsigned n, refused, plain;
};

static void
one_noise(struct ptah_lab *lab, int who, struct tally *tally)
{
	uint8_t noise[NOISE_MOST];
	size_t len = (size_t)ptah_lab_draw(lab, ptah_lab_draw(lab, 4) == 0 ? NOISE_MOST : 600);
	struct ptah_party *party = ptah_party_new(lab, who, false);

	ptah_trial_step("%zu random bytes to the %s", len, names[who]);
	ptah_lab_fill(lab, noise, len);
	if (ptah_lab_draw(lab, 3) == 0)
		memset(noise, (int)ptah_lab_draw(lab, 256), len);
	let_it_be(party, 10);
	feed_in_pieces(party, noise, len);
	ptah_party_end(party, PTAH_WIRE);
	let_it_be(party, 100);
	tally->n++;
	tally->refused += party->phase == PTAH_PHASE_OVER && len > 0;
	tally->plain += party->made[PTAH_PLAIN] > 0;
	ptah_party_free(party, party->rc < 0 ? party->rc : 0);
}

/* Good at first, noise later. */
static void
one_late_noise(struct ptah_lab *lab, int who, struct tally *tally)
{
	struct ptah_pair pair = { 0 };
	uint8_t noise[2000];
	struct ptah_party *party;
	uint64_t made;

	ptah_pair_open(&pair, lab, tally->n);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 100);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 100);
	ptah_pair_need(&pair, "a usual link");
	ptah_trial_step("random bytes to the %s, after the handshake", names[who]);
	party = pair.party[who];
	made = party->made[PTAH_PLAIN];
	ptah_lab_fill(lab, noise, sizeof(noise));
	feed_in_pieces(party, noise, 1 + (size_t)ptah_lab_draw(lab, sizeof(noise)));
	ptah_party_end(party, PTAH_WIRE);
	let_it_be(party, 100);
	tally->n++;
	tally->refused += party->phase == PTAH_PHASE_OVER;
	tally->plain += party->made[PTAH_PLAIN] > made;
	ptah_pair_close(&pair, -EBADMSG);
}

static void
judge_noise(const struct tally *tally, int who, const char *when)
{
	/* Half of them, so that a frame of a length that cannot be does not make an authenticated link. */
	if (tally->refused * 2 > tally->n && tally->plain > 0)
		ptah_trial_fail("its %s refuses noise %s in %u of %u links, and makes plain bytes of it in %u", names[who], when,
		    tally->refused, tally->n, tally->plain);
}

void
ptah_row_noise(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct tally early[2] = { { 0, 0, 0 }, { 0, 0, 0 } }, late[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	ptah_lab_need(&lab, subject, false);
	for (unsigned i = 0; ptah_trial_has_time(i, 30) && i < 600; i++)
		for (int who = 0; who < 2; who++) {
			one_noise(&lab, who, &early[who]);
			if (i % 4 == 0)
				one_late_noise(&lab, who, &late[who]);
		}
	for (int who = 0; who < 2; who++) {
		if (early[who].refused > 0 && early[who].plain > 0)
			ptah_trial_fail("its %s refuses noise in %u of %u links, and makes plain bytes of it in %u", names[who],
			    early[who].refused, early[who].n, early[who].plain);
		judge_noise(&late[who], who, "after the handshake");
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("%u links; refused: %u by the server, %u by the client", early[0].n + early[1].n + late[0].n + late[1].n,
	    early[1].refused, early[0].refused);
}

/* ---- cut off ------------------------------------------------------------------------------ */

/* 'arg': so many bytes of the direction in the highest bit come, and no more. */
static size_t
cut_off(struct ptah_pair *pair, int who, uint64_t at, size_t len)
{
	uint64_t most = pair->arg & ~(UINT64_C(1) << 63);

	if ((uint64_t)who != pair->arg >> 63)
		return len;
	return at >= most ? 0 : at + len > most ? (size_t)(most - at) : len;
}

static uint64_t
one_truncated(struct ptah_lab *lab, int who, uint64_t at)
{
	struct ptah_pair pair = { .cut = cut_off, .arg = (uint64_t)who << 63 | at };
	uint64_t carried;

	ptah_trial_step("the %s stops after %llu bytes", names[who], (unsigned long long)at);
	ptah_pair_open(&pair, lab, 5);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 300);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 300);
	(void)ptah_pair_settle(&pair, 1000);
	carried = pair.carried[who];
	ptah_trial_step("the %s ends after %llu bytes", names[who], (unsigned long long)at);
	ptah_party_end(pair.party[!who], PTAH_WIRE);
	(void)ptah_pair_settle(&pair, 1000);
	ptah_pair_close(&pair, 0);
	return carried;
}

void
ptah_row_truncated(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	unsigned n = 0;
	uint64_t whole[2];

	ptah_lab_need(&lab, subject, false);
	for (int who = 0; who < 2; who++)
		whole[who] = one_truncated(&lab, who, UINT32_MAX);
	for (uint64_t i = 0; ptah_trial_has_time(n, 60) && i < 9000; i++)
		for (int who = 0; who < 2; who++) {
			uint64_t at = i < 100 ? i : i * 2053 % 9001;

			if (at < whole[who]) {
				(void)one_truncated(&lab, who, at);
				n++;
			}
		}
	ptah_lab_close(&lab);
	ptah_trial_pass("%u places", n);
}

/* ---- again ------------------------------------------------------------------------------------ */

void
ptah_row_replayed(const struct ptah_subject *subject)
{
	struct ptah_lab lab;

	ptah_lab_need(&lab, subject, false);
	for (unsigned i = 0; i < 8; i++) {
		struct ptah_pair pair = { .record = true };
		struct ptah_party *again;

		lab.replay_later = i % 2 == 1;
		lab.n_replays = 0;
		ptah_pair_open(&pair, &lab, i);
		ptah_pair_say(&pair, PTAH_AT_CLIENT, 500);
		ptah_pair_say(&pair, PTAH_AT_SERVER, 500);
		ptah_pair_need(&pair, "a usual link");
		for (int who = 1; who >= 0; who--) {
			uint64_t asked = lab.n_replays;

			ptah_trial_step("all that the %s of another link has sent, again%s", names[!who],
			    lab.replay_later ? "; the host answers later" : "");
			again = ptah_party_new(&lab, who, false);
			let_it_be(again, 10);
			uint64_t made = again->made[PTAH_WIRE];
			feed_in_pieces(again, pair.log[!who].at, pair.log[!who].len);
			let_it_be(again, 1000);
			if (who == PTAH_AT_SERVER && asked > 0 && again->made[PTAH_PLAIN] > 0)
				ptah_trial_fail("its server asks the host whether a handshake was seen before, and goes on with one that was");
			if (who == PTAH_AT_SERVER && asked > 0 && again->made[PTAH_WIRE] > made)
				ptah_trial_fail("its server asks the host whether a handshake was seen before, and answers one that was");
			ptah_party_free(again, 0);
		}
		ptah_pair_close(&pair, 0);
	}
	if (lab.n_replays == 0) {
		ptah_lab_close(&lab);
		ptah_trial_na("it does not ask the host about tokens (host->replay): what is sent again was taken without a crash");
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("refused, whether the host answers at once or later");
}

/* ---- changed -------------------------------------------------------------------------------------- */

struct flips {
	unsigned n, noticed, wrong, silent;
};

static void
note_flip(const struct ptah_pair *pair, struct flips *flips)
{
	bool over = pair->party[0]->phase == PTAH_PHASE_OVER || pair->party[1]->phase == PTAH_PHASE_OVER;

	flips->n++;
	flips->wrong += pair->wrong;
	flips->noticed += over || (!pair->wrong && !ptah_pair_is_done(pair));
	flips->silent += !over && !pair->wrong && ptah_pair_is_done(pair);
}

static void
one_flip(struct ptah_lab *lab, int who, uint64_t at, struct flips *flips)
{
	struct ptah_pair pair = { .loose = true };
	uint64_t begin;

	ptah_pair_open(&pair, lab, flips->n);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 40);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 40);
	ptah_pair_need(&pair, "a usual link");
	begin = pair.carried[who];
	pair.flip_who = who;
	pair.flip = (uint8_t)(1u << ptah_lab_draw(lab, 8));
	pair.flip_at = begin + at;
	ptah_trial_step("byte %llu after the handshake, from the %s, is changed by %02x", (unsigned long long)at, names[who], pair.flip);
	ptah_pair_say(&pair, who, 200);
	ptah_pair_say(&pair, who, 200);
	(void)ptah_pair_settle(&pair, 500);
	note_flip(&pair, flips);
	ptah_pair_close(&pair, -EBADMSG);
}

/*
 * In the handshake: no crash, and no bytes that were not said.  Where that is
 * of any length, nobody knows which byte is its last: what reaches who is open
 * is behind it.
 */
static void
one_early_flip(struct ptah_lab *lab, int who, uint64_t at, struct flips *early, struct flips *late)
{
	struct ptah_pair pair = { .loose = true, };

	ptah_pair_open(&pair, lab, early->n + late->n);
	pair.flip_who = who;
	pair.flip = (uint8_t)(1u << ptah_lab_draw(lab, 8));
	pair.flip_at = at;
	ptah_trial_step("byte %llu from the %s is changed by %02x", (unsigned long long)at, names[who], pair.flip);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 100);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 100);
	(void)ptah_pair_settle(&pair, 500);
	note_flip(&pair, pair.flipped_late ? late : early);
	ptah_pair_close(&pair, -EBADMSG);
}

static void
judge_flips(const struct flips *flips, const char *where)
{
	/* A codec that only has frames notices the few bytes that are lengths. */
	if (flips->noticed * 2 > flips->n && flips->wrong > 0)
		ptah_trial_fail("of %u changed bytes %s it notices %u, and lets %u of them through as plain bytes that nobody said",
		    flips->n, where, flips->noticed, flips->wrong);
}

void
ptah_row_flipped(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct flips early = { 0, 0, 0, 0 }, late = { 0, 0, 0, 0 };

	ptah_lab_need(&lab, subject, false);
	for (unsigned i = 0; ptah_trial_has_time(i, 60) && i < 600; i++)
		for (int who = 0; who < 2; who++) {
			one_early_flip(&lab, who, i < 100 ? i : ptah_lab_draw(&lab, 8192), &early, &late);
			one_flip(&lab, who, i < 40 ? i : ptah_lab_draw(&lab, 400), &late);
		}
	judge_flips(&early, "of the handshake");
	judge_flips(&late, "behind the handshake");
	ptah_lab_close(&lab);
	ptah_trial_pass("of %u changed bytes %u are noticed, %u come out as other plain bytes, %u do not matter", late.n, late.noticed,
	    late.wrong, late.silent);
}
