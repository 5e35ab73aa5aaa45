/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows: what a pair carries, however it is cut and whoever is slow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/heap.h"
#include "check/pair.h"
#include "check/rows.h"
#include "check/trial.h"

#define CROWD 1000u
#define ROUNDS 10u
#define SLOW_SAID ((size_t)1536 * 1024)
/* A codec that keeps more than this for a reader that takes nothing is no codec. */
#define PILE_MOST ((size_t)768 * 1024)

/* Some codecs have nothing to say to a server before their application does. */
static bool
may_be_silent(struct ptah_pair *pair)
{
	ptah_trial_step("the handshake; the server speaks first");
	ptah_pair_say(pair, PTAH_AT_SERVER, 1);
	if (ptah_pair_settle(pair, 60000))
		return true;
	ptah_trial_step("the handshake; the server would speak first, and cannot");
	ptah_pair_say(pair, PTAH_AT_CLIENT, 1);
	ptah_pair_need(pair, "the handshake and a byte");
	return false;
}

void
ptah_row_carry(const struct ptah_subject *subject)
{
	static const size_t sizes[] = { 1, 2, 17, 255, 256, 1000, 1427, 1428, 1448, 1500, 4096, 16383, 16384, 65535, 65536,
		100000, 1048576 };
	struct ptah_lab lab;
	struct ptah_pair pair = { 0 };
	uint64_t all = 0;
	bool silent = true;

	ptah_lab_need(&lab, subject, false);
	for (int first = 0; first < 2; first++) {
		ptah_trial_step("the handshake; the client speaks first");
		ptah_pair_open(&pair, &lab, (uint32_t)first);
		if (first == PTAH_AT_SERVER)
			silent = may_be_silent(&pair);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			ptah_pair_say(&pair, first, sizes[i]);
			ptah_pair_need(&pair, i == 0 ? "the handshake and a byte" : "carrying");
			ptah_trial_step("%zu bytes from the %s", sizes[i], first == 0 ? "server" : "client");
			ptah_pair_say(&pair, !first, sizes[i]);
			ptah_pair_need(&pair, "carrying");
			all += 2 * sizes[i];
		}
		ptah_pair_close(&pair, 0);
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("%llu bytes%s", (unsigned long long)all,
	    silent ? "" : "; a server hears of its client with the first plain byte only, so it cannot speak first");
}

/* ---- cuts --------------------------------------------------------------------------- */

/* 'arg': where the bytes of one direction are cut, and which direction that is. */
#define CUT_AT(who, at) ((uint64_t)(who) << 63 | (at))

static size_t
cut_once(struct ptah_pair *pair, int who, uint64_t at, size_t len)
{
	uint64_t place = pair->arg & ~(UINT64_C(1) << 63);

	if ((uint64_t)who != pair->arg >> 63 || at >= place || at + len <= place)
		return len;
	return (size_t)(place - at);
}

static size_t
cut_anywhere(struct ptah_pair *pair, int who, uint64_t at, size_t len)
{
	uint64_t most = ptah_lab_draw(pair->lab, 4) == 0 ? 20000 : 40;

	(void)who;
	(void)at;
	uint64_t n = 1 + ptah_lab_draw(pair->lab, most);
	return n < len ? (size_t)n : len;
}

/* One pair with a cut; what the direction came to. */
static uint64_t
one_cut(struct ptah_lab *lab, int who, uint64_t at)
{
	struct ptah_pair pair = { .cut = cut_once, .arg = CUT_AT(who, at) };
	uint64_t whole;

	ptah_trial_step("what the %s sends is cut at byte %llu", who == 0 ? "client" : "server", (unsigned long long)at);
	ptah_pair_open(&pair, lab, (uint32_t)at);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 60);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 60);
	ptah_pair_need(&pair, "with one cut");
	whole = pair.carried[who];
	ptah_pair_close(&pair, 0);
	return whole;
}

void
ptah_row_cuts(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	unsigned n[2] = { 0, 0 }, least = 60;
	uint64_t whole[2];

	ptah_lab_need(&lab, subject, false);
	for (int who = 0; who < 2; who++)
		whole[who] = one_cut(&lab, who, UINT32_MAX);
	/* Near the start, where fields are, each one; then by a stride that comes to all of them in the end. */
	for (int who = 0; who < 2; who++)
		for (uint64_t at = 1; at < 120 && at < whole[who] && ptah_trial_has_time(n[who], least); at++, n[who]++)
			(void)one_cut(&lab, who, at);
	for (uint64_t i = 0; i < 8192 && ptah_trial_has_time((unsigned)i, 8); i++)
		for (int who = 0; who < 2; who++) {
			uint64_t at = 120 + i * 2053 % 8192;

			if (at < whole[who]) {
				(void)one_cut(&lab, who, at);
				n[who]++;
			}
		}
	ptah_lab_close(&lab);
	ptah_trial_pass("%u cuts of the client's bytes, %u of the server's", n[0], n[1]);
}

void
ptah_row_bytewise(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct ptah_pair pair = { .cut = ptah_cut_bytes };

	ptah_lab_need(&lab, subject, false);
	ptah_trial_step("the handshake, one byte at a time");
	ptah_pair_open(&pair, &lab, 7);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 3000);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 3000);
	ptah_pair_need(&pair, "one byte at a time");
	uint64_t all = pair.carried[0] + pair.carried[1];
	ptah_pair_close(&pair, 0);
	pair.piece = 1;
	ptah_trial_step("the plain bytes one at a time, too");
	ptah_pair_open(&pair, &lab, 8);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 50);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 50);
	ptah_pair_need(&pair, "one byte at a time");
	ptah_pair_close(&pair, 0);
	ptah_lab_close(&lab);
	ptah_trial_pass("%llu bytes on the wire", (unsigned long long)all);
}

void
ptah_row_pieces(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct ptah_pair pair = { .cut = cut_anywhere };
	unsigned n = 0;

	ptah_lab_need(&lab, subject, false);
	for (; ptah_trial_has_time(n, 5) && n < 400; n++) {
		ptah_trial_step("session %u", n);
		lab.replay_later = n % 2 == 1;
		ptah_pair_open(&pair, &lab, n);
		for (unsigned i = 0; i < 6; i++) {
			pair.piece = 1 + ptah_lab_draw(&lab, 3000);
			ptah_pair_say(&pair, PTAH_AT_CLIENT, ptah_lab_draw(&lab, 6000));
			ptah_pair_say(&pair, PTAH_AT_SERVER, ptah_lab_draw(&lab, 6000));
			for (unsigned steps = (unsigned)ptah_lab_draw(&lab, 20); steps > 0 && ptah_pair_step(&pair); steps--)
				;
		}
		ptah_pair_need(&pair, "in pieces of any size");
		ptah_pair_close(&pair, 0);
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("%u sessions", n);
}

/* ---- room ------------------------------------------------------------------------------ */

void
ptah_row_narrow(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct ptah_pair pair = { 0 };
	size_t unit = subject->module->unit > 0 ? subject->module->unit : 1;

	ptah_lab_need(&lab, subject, false);
	for (unsigned way = 0; way < 3; way++) {
		lab.room[PTAH_PLAIN] = way == 1 ? 65536 : unit;
		lab.room[PTAH_WIRE] = way == 2 ? 65536 : unit;
		ptah_trial_step("room for %zu bytes towards the plain side, %zu towards the wire", lab.room[0], lab.room[1]);
		ptah_pair_open(&pair, &lab, way);
		ptah_pair_say(&pair, PTAH_AT_CLIENT, 40000);
		ptah_pair_say(&pair, PTAH_AT_SERVER, 40000);
		ptah_pair_need(&pair, "with room for a unit");
		ptah_pair_close(&pair, 0);
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("its unit is %zu bytes", unit);
}

static void
one_slow(struct ptah_lab *lab, int who, int side)
{
	struct ptah_pair pair = { 0 };
	const char *name = who == 0 ? "client" : "server";
	struct ptah_half *half;
	size_t before = ptah_heap_bytes();

	ptah_trial_step("the %s side of the %s takes nothing", side == PTAH_PLAIN ? "plain" : "wire", name);
	ptah_pair_open(&pair, lab, 3);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 10);
	ptah_pair_need(&pair, "the handshake");
	half = &pair.party[who]->half[side];
	half->blocked = true;
	ptah_pair_say(&pair, PTAH_AT_CLIENT, SLOW_SAID);
	ptah_pair_say(&pair, PTAH_AT_SERVER, SLOW_SAID);
	for (unsigned i = 0; i < 2000 && (ptah_pair_step(&pair) || ptah_lab_tick(lab, lab->now_ns + 1000000000)); i++)
		if (ptah_heap_bytes() > before + PILE_MOST)
			ptah_trial_fail("the %s side of its %s takes nothing, and it piles up %zu bytes of memory for it",
			    side == PTAH_PLAIN ? "plain" : "wire", name, ptah_heap_bytes() - before);
	/* Now and then it takes a little. */
	for (unsigned i = 0; i < 10; i++) {
		half->blocked = false;
		(void)ptah_party_turn(pair.party[who]);
		half->blocked = true;
		(void)ptah_pair_step(&pair);
	}
	half->blocked = false;
	ptah_pair_need(&pair, "after a reader was slow");
	ptah_pair_close(&pair, 0);
}

void
ptah_row_slow(const struct ptah_subject *subject)
{
	struct ptah_lab lab;

	ptah_lab_need(&lab, subject, false);
	for (int who = 0; who < 2; who++)
		for (int side = 0; side < 2; side++)
			one_slow(&lab, who, side);
	ptah_lab_close(&lab);
	ptah_trial_pass("all four sides");
}

/* ---- many ---------------------------------------------------------------------------------- */

void
ptah_row_crowd(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct ptah_pair *pairs = calloc(CROWD, sizeof(*pairs));

	if (pairs == NULL)
		ptah_trial_na("no memory for the crowd");
	ptah_lab_need(&lab, subject, false);
	ptah_trial_step("opening %u links", CROWD);
	for (uint32_t i = 0; i < CROWD; i++) {
		ptah_pair_open(&pairs[i], &lab, i);
		ptah_pair_say(&pairs[i], PTAH_AT_CLIENT, 200 + i);
		ptah_pair_say(&pairs[i], PTAH_AT_SERVER, 1200 - i);
	}
	/* In turns, a round each, and not all from the start: what one link leaves lying about another one finds. */
	for (unsigned round = 0; round < ROUNDS; round++) {
		ptah_trial_step("round %u of %u links", round, CROWD);
		for (uint32_t i = 0; i < CROWD; i++)
			if (i % ROUNDS <= round)
				(void)ptah_pair_step(&pairs[i]);
	}
	for (uint32_t i = 0; i < CROWD; i++) {
		ptah_trial_step("link %u of %u", i, CROWD);
		ptah_pair_need(&pairs[i], "one of many links");
	}
	for (uint32_t i = 0; i < CROWD; i++)
		ptah_pair_close(&pairs[i], 0);
	ptah_lab_close(&lab);
	free(pairs);
	ptah_trial_pass("%u links at once", CROWD);
}
