/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows: how links end.
 */
#include <errno.h>
#include <string.h>

#include "check/heap.h"
#include "check/pair.h"
#include "check/rows.h"
#include "check/trial.h"

#define SAID 5000u

static const char *const names[2] = { "client", "server" };

/* ---- half-close ------------------------------------------------------------------ */

/* What an end of the wire says must come out at the other plain end. */
static void
look_for_end(const struct ptah_pair *pair, int who)
{
	const struct ptah_party *from = pair->party[who], *to = pair->party[!who];
	bool said = from->half[PTAH_WIRE].finished || from->half[PTAH_WIRE].finish == PTAH_FINISH_INSIDE;

	if (to->phase == PTAH_PHASE_OVER && to->rc < 0 && to->rc != -ECONNRESET && to->rc != -EPIPE)
		ptah_trial_fail("its %s ends with %s at the end of what the %s has said", names[!who], strerror(-to->rc), names[who]);
	if (to->phase == PTAH_PHASE_OVER && to->rc == PTAH_REJECT)
		ptah_trial_fail("its %s rejects a good %s that has said all", names[!who], names[who]);
	if (said && to->phase != PTAH_PHASE_OVER && !to->half[PTAH_PLAIN].finished)
		ptah_trial_fail("its %s has told the wire that nothing more comes, and the plain end of the %s does not hear of it",
		    names[who], names[!who]);
}

/* 'first' ends; then the other says more, if it may, and ends, too. */
static void
one_order(struct ptah_lab *lab, int first, bool at_once, ptah_cut_fn *cut)
{
	struct ptah_pair pair = { .cut = cut };
	bool both = at_once;

	ptah_trial_step("the %s ends first%s%s", names[first], at_once ? ", the other at once" : "",
	    cut != NULL ? ", in small pieces" : "");
	ptah_pair_open(&pair, lab, 11);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 10);
	ptah_pair_need(&pair, "the handshake");
	ptah_pair_say(&pair, first, SAID);
	ptah_pair_finish(&pair, first);
	if (both) {
		ptah_pair_say(&pair, !first, SAID);
		ptah_pair_finish(&pair, !first);
	}
	ptah_pair_need(&pair, "what was said before the end");
	if (!both) {
		ptah_pair_rest(&pair);
		look_for_end(&pair, first);
		/* Who ended for good at a peer's end may: the host does so, too, where a transport has no half-close. */
		if (pair.party[!first]->phase != PTAH_PHASE_OVER && pair.party[first]->phase != PTAH_PHASE_OVER) {
			ptah_pair_say(&pair, !first, SAID);
			ptah_pair_finish(&pair, !first);
			ptah_pair_need(&pair, "what was said after the other had ended");
		}
	}
	ptah_pair_rest(&pair);
	look_for_end(&pair, first);
	ptah_pair_close(&pair, 0);
}

static size_t
cut_small(struct ptah_pair *pair, int who, uint64_t at, size_t len)
{
	size_t n = 1 + (size_t)ptah_lab_draw(pair->lab, 90);

	(void)who;
	(void)at;
	return n < len ? n : len;
}

static void
end_in_handshake(struct ptah_lab *lab, int who)
{
	for (unsigned rounds = 0; rounds < 3; rounds++) {
		struct ptah_pair pair = { .cut = cut_small };

		ptah_trial_step("the wire of the %s ends in the handshake, after %u rounds", names[who], rounds);
		ptah_pair_open(&pair, lab, 12);
		for (unsigned i = 0; i < rounds; i++)
			(void)ptah_pair_step(&pair);
		ptah_party_end(pair.party[who], PTAH_WIRE);
		ptah_pair_rest(&pair);
		ptah_pair_close(&pair, -ECONNRESET);
	}
}

void
ptah_row_half_close(const struct ptah_subject *subject)
{
	struct ptah_lab lab;

	ptah_lab_need(&lab, subject, false);
	for (int first = 0; first < 2; first++) {
		one_order(&lab, first, false, NULL);
		one_order(&lab, first, true, NULL);
		one_order(&lab, first, false, cut_small);
		end_in_handshake(&lab, first);
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("%s", (subject->module->abilities & PTAH_CAN_HALF_CLOSE) != 0 ? "an end is passed on" :
	    "it has no half-close: the host keeps the wire open instead");
}

/* ---- at once ------------------------------------------------------------------------ */

#define ABRUPT_REPEATS 5

/* Close it after so many rounds.  Was there anything left to do? */
static bool
one_abrupt(struct ptah_lab *lab, unsigned rounds, int why)
{
	struct ptah_pair pair = { .cut = cut_small };
	bool more = true;

	ptah_pair_open(&pair, lab, rounds);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 3000);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 3000);
	for (unsigned i = 0; i < rounds && more; i++)
		more = ptah_pair_step(&pair) || ptah_lab_tick(lab, lab->now_ns + 1000000000);
	more = more && !ptah_pair_is_done(&pair);
	ptah_pair_close(&pair, why);
	return more;
}

void
ptah_row_abrupt(const struct ptah_subject *subject)
{
	static const int whys[] = { 0, -ECONNRESET, -ETIMEDOUT, -ECANCELED, -ENOMEM };
	struct ptah_lab lab;
	unsigned rounds = 0, n = 0;
	bool more = true;

	ptah_lab_need(&lab, subject, false);
	for (unsigned i = 0; i < 40; i++) /* what is made once, and kept, is made now */
		(void)one_abrupt(&lab, i * 5, 0);
	for (; more && rounds < 600 && ptah_trial_has_time(n, 60); rounds += rounds < 60 ? 1 : 7) {
		size_t before = ptah_heap_blocks();

		ptah_trial_step("links that are closed after %u rounds", rounds);
		more = false;
		for (unsigned i = 0; i < ABRUPT_REPEATS; i++, n++)
			more = one_abrupt(&lab, rounds, whys[i]) || more;
		if (ptah_heap_blocks() >= before + ABRUPT_REPEATS)
			ptah_trial_fail("links that were closed there leave %zu blocks of memory each",
			    (ptah_heap_blocks() - before) / ABRUPT_REPEATS);
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("%u links", n);
}

/* ---- a plain end that cannot be opened ------------------------------------------------- */

void
ptah_row_refused(const struct ptah_subject *subject)
{
	static const int whys[] = { -ECONNREFUSED, -ETIMEDOUT, -ENETUNREACH };
	struct ptah_lab lab;

	ptah_lab_need(&lab, subject, false);
	for (size_t i = 0; i < sizeof(whys) / sizeof(whys[0]); i++) {
		struct ptah_pair pair = { 0 };
		struct ptah_party *server;

		ptah_trial_step("the target fails with %s", strerror(-whys[i]));
		ptah_pair_open(&pair, &lab, 1);
		server = pair.party[PTAH_AT_SERVER];
		server->plain_rc = whys[i];
		ptah_pair_say(&pair, PTAH_AT_CLIENT, 100);
		(void)ptah_pair_settle(&pair, 60000);
		if (server->made[PTAH_PLAIN] > 0)
			ptah_trial_fail("its server makes plain bytes for a plain end that was never there");
		if (server->was_open && server->phase != PTAH_PHASE_OVER && server->phase != PTAH_PHASE_PASSED)
			ptah_trial_fail("its server is open though the plain end has failed: answer the event with its val, or with GO");
		ptah_pair_close(&pair, whys[i]);
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("three reasons");
}
