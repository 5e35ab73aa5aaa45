/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows: memory and time.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/heap.h"
#include "check/pair.h"
#include "check/rows.h"
#include "check/trial.h"

static size_t
cut_some(struct ptah_pair *pair, int who, uint64_t at, size_t len)
{
	size_t n = 1 + (size_t)ptah_lab_draw(pair->lab, 5000);

	(void)who;
	(void)at;
	return n < len ? n : len;
}

/* ---- where it writes ------------------------------------------------------------- */

static void
one_tight(struct ptah_lab *lab, ptah_cut_fn *cut, size_t len, uint32_t number)
{
	struct ptah_pair pair = { .cut = cut };

	ptah_pair_open(&pair, lab, number);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, len);
	ptah_pair_say(&pair, PTAH_AT_SERVER, len);
	ptah_pair_need(&pair, "between guard pages");
	ptah_pair_finish(&pair, PTAH_AT_CLIENT);
	ptah_pair_finish(&pair, PTAH_AT_SERVER);
	ptah_pair_rest(&pair);
	ptah_pair_close(&pair, 0);
}

void
ptah_row_memory(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	size_t usual, unit = subject->module->unit > 0 ? subject->module->unit : 1;
	unsigned n = 0;

	ptah_lab_need(&lab, subject, true);
	usual = lab.room[PTAH_WIRE];
	ptah_trial_step("one byte at a time, between guard pages");
	one_tight(&lab, ptah_cut_bytes, 500, 0);
	for (; ptah_trial_has_time(n, 12) && n < 100; n++) {
		/* Rooms of odd sizes: a byte too far is one in every alignment. */
		lab.room[PTAH_PLAIN] = n % 3 == 0 ? usual : unit + (size_t)ptah_lab_draw(&lab, 3000);
		lab.room[PTAH_WIRE] = n % 3 == 1 ? usual : unit + (size_t)ptah_lab_draw(&lab, 3000);
		for (int s = 0; s < 2; s++)
			if (lab.room[s] > usual)
				lab.room[s] = usual;
		ptah_trial_step("session %u between guard pages; room for %zu plain bytes and %zu of the wire", n, lab.room[0],
		    lab.room[1]);
		one_tight(&lab, n % 2 == 0 ? cut_some : NULL, 1 + (size_t)ptah_lab_draw(&lab, 20000), n);
	}
	ptah_trial_step("closing the instances");
	ptah_lab_close(&lab);
	ptah_trial_pass("%u sessions", n + 1);
}

/* ---- what it keeps ------------------------------------------------------------------- */

static void
one_session(struct ptah_lab *lab, uint32_t number)
{
	struct ptah_pair pair = { 0 };

	ptah_pair_open(&pair, lab, number);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 3000);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 3000);
	ptah_pair_need(&pair, "a usual link");
	ptah_pair_close(&pair, 0);
}

static unsigned
open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n;
}

#define WARM_LINKS 60u
#define LINKS 120u
#define INSTANCES 12u

void
ptah_row_leaks(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	size_t blocks, bytes;
	unsigned files;

	ptah_lab_need(&lab, subject, false);
	for (unsigned i = 0; i < WARM_LINKS; i++)
		one_session(&lab, i);
	blocks = ptah_heap_blocks();
	bytes = ptah_heap_bytes();
	files = open_files();
	ptah_trial_step("%u links, one after another", LINKS);
	for (unsigned i = 0; i < LINKS; i++)
		one_session(&lab, i);
	if (ptah_heap_blocks() >= blocks + LINKS)
		ptah_trial_fail("each pair of links that has ended holds %zu blocks of memory, of %zu bytes together",
		    (ptah_heap_blocks() - blocks) / LINKS, (ptah_heap_bytes() - bytes) / LINKS);
	if (open_files() >= files + LINKS)
		ptah_trial_fail("links that have ended hold open files: %u are open", open_files());
	ptah_lab_close(&lab);
	blocks = ptah_heap_blocks();
	bytes = ptah_heap_bytes();
	ptah_trial_step("%u instances of each role, one after another", INSTANCES);
	for (unsigned i = 0; i < INSTANCES; i++) {
		ptah_lab_need(&lab, subject, false);
		one_session(&lab, i);
		ptah_lab_close(&lab);
	}
	if (ptah_heap_blocks() >= blocks + INSTANCES)
		ptah_trial_fail("each instance that has ended holds %zu blocks of memory, of %zu bytes together",
		    (ptah_heap_blocks() - blocks) / INSTANCES, (ptah_heap_bytes() - bytes) / INSTANCES);
	ptah_trial_pass("%zu blocks are kept for good", ptah_heap_blocks());
}

/* ---- what is refused -------------------------------------------------------------------- */

/* One session in which something fails: it may break, or work, but not lie. */
static void
one_failing(struct ptah_lab *lab, uint32_t number)
{
	struct ptah_pair pair = { 0 };

	ptah_pair_open(&pair, lab, number);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 3000);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 3000);
	(void)ptah_pair_settle(&pair, 10000);
	ptah_pair_finish(&pair, PTAH_AT_CLIENT);
	ptah_pair_finish(&pair, PTAH_AT_SERVER);
	ptah_pair_rest(&pair);
	ptah_heap_refuse(0, false);
	ptah_pair_close(&pair, -ENOMEM);
}

/* So many links in which this allocation fails; how many of them met it. */
static unsigned
fail_some(struct ptah_lab *lab, uint64_t i, bool all_after, unsigned n)
{
	unsigned met = 0;

	for (unsigned k = 0; k < n; k++) {
		ptah_heap_refuse(i, all_after);
		one_failing(lab, (uint32_t)i);
		met += ptah_heap_has_refused();
	}
	return met;
}

#define FAILING 3u
/* Libraries keep the texts of their last errors: longer than that it does not grow. */
#define SETTLING 40u

static unsigned
fail_links(struct ptah_lab *lab, bool all_after)
{
	unsigned n = 0;

	for (uint64_t i = 1; i < 5000 && ptah_trial_has_time(n, 40); i++, n++) {
		size_t before = ptah_heap_blocks();

		ptah_trial_step("allocation %llu of a pair of links%s fails", (unsigned long long)i, all_after ? ", and all behind it," : "");
		if (fail_some(lab, i, all_after, FAILING) == 0)
			break;
		if (ptah_heap_blocks() < before + FAILING)
			continue;
		(void)fail_some(lab, i, all_after, SETTLING);
		before = ptah_heap_blocks();
		unsigned met = fail_some(lab, i, all_after, SETTLING);
		if (met > 0 && ptah_heap_blocks() >= before + met)
			ptah_trial_fail("a link that ended for want of memory leaves %zu blocks", (ptah_heap_blocks() - before) / met);
	}
	return n;
}

static unsigned
fail_services(struct ptah_lab *lab)
{
	unsigned n = 0;

	for (uint64_t i = 1; i < 500; i++, n++) {
		ptah_trial_step("call %llu of a service that can fail does", (unsigned long long)i);
		lab->refuse_service = i;
		lab->has_refused = false;
		one_failing(lab, (uint32_t)i);
		lab->refuse_service = 0;
		if (!lab->has_refused)
			break;
	}
	return n;
}

static unsigned
fail_instances(const struct ptah_subject *subject)
{
	unsigned n = 0;

	for (uint64_t i = 1; i < 5000 && ptah_trial_has_time(n, 20); i++, n++) {
		struct ptah_lab lab;
		char problem[PTAH_CHECK_WHY + PTAH_WHY_TEXT] = "";

		ptah_trial_step("allocation %llu of opening the instances fails", (unsigned long long)i);
		ptah_heap_refuse(i, false);
		if (ptah_lab_open(&lab, subject, false, problem, sizeof(problem)))
			one_failing(&lab, (uint32_t)i);
		ptah_heap_refuse(0, false);
		ptah_lab_close(&lab);
		if (problem[0] == '\0' && !ptah_heap_has_refused())
			break;
	}
	return n;
}

void
ptah_row_failures(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	unsigned links, services, instances;

	ptah_lab_need(&lab, subject, false);
	for (unsigned i = 0; i < 40; i++) /* what libraries make once, and keep, is made now */
		one_session(&lab, i);
	links = fail_links(&lab, false);
	links += fail_links(&lab, true);
	services = fail_services(&lab);
	ptah_trial_step("a usual link after all that failed");
	one_session(&lab, 0);
	ptah_lab_close(&lab);
	instances = fail_instances(subject);
	ptah_trial_pass("%u allocations of links, %u of instances, %u calls of services", links, instances, services);
}

/* ---- time ------------------------------------------------------------------------------------ */

#define HOUR_NS (3600 * PTAH_NS_PER_S)
/* Of two links, two homes and two worker lives. */
#define WAKES_AN_HOUR 7200u
#define STANDSTILL 1000u

/* Nothing but time comes. */
static uint64_t
let_time_pass(struct ptah_pair *pair, uint64_t for_ns, const char *who)
{
	struct ptah_lab *lab = pair->lab;
	uint64_t until = lab->now_ns + for_ns, began = lab->n_events, mark_ns = lab->now_ns, mark = lab->n_events;

	while (ptah_lab_tick(lab, until)) {
		ptah_pair_rest(pair);
		if (lab->now_ns - mark_ns > PTAH_NS_PER_MS) {
			mark_ns = lab->now_ns;
			mark = lab->n_events;
		}
		if (lab->n_events - mark > STANDSTILL)
			ptah_trial_fail("%s sets a timer again and again that is due at once: %u times within a millisecond", who,
			    STANDSTILL);
		if (lab->n_events - began > WAKES_AN_HOUR)
			ptah_trial_fail("%s wakes the host %u times in %.0f s, with nothing to do", who, WAKES_AN_HOUR,
			    (double)(for_ns - (until - lab->now_ns)) / 1e9);
	}
	lab->now_ns = until;
	return lab->n_events - began;
}

void
ptah_row_timers(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct ptah_pair pair = { 0 };
	uint64_t n;

	ptah_lab_need(&lab, subject, false);
	ptah_trial_step("an hour without a byte");
	ptah_pair_open(&pair, &lab, 1);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 1000);
	ptah_pair_say(&pair, PTAH_AT_SERVER, 1000);
	ptah_pair_need(&pair, "a usual link");
	n = let_time_pass(&pair, HOUR_NS, "a link that is idle");
	if (pair.party[0]->phase != PTAH_PHASE_OVER && pair.party[1]->phase != PTAH_PHASE_OVER) {
		ptah_trial_step("a byte after an hour");
		ptah_pair_say(&pair, PTAH_AT_CLIENT, 1000);
		ptah_pair_say(&pair, PTAH_AT_SERVER, 1000);
		ptah_pair_need(&pair, "after an hour without a byte");
	}
	ptah_pair_close(&pair, 0);
	for (int who = 0; who < 2; who++) {
		ptah_trial_step("a %s whose peer says nothing", who == 0 ? "client" : "server");
		ptah_pair_open(&pair, &lab, 2);
		pair.party[!who]->half[PTAH_WIRE].hold = true;
		(void)let_time_pass(&pair, 120 * PTAH_NS_PER_S, "a link without an answer");
		ptah_pair_close(&pair, -ETIMEDOUT);
	}
	ptah_lab_close(&lab);
	ptah_trial_pass("%llu timers in an hour of two links", (unsigned long long)n);
}

/* ---- figures ------------------------------------------------------------------------------------ */

#define IDLE_PAIRS 100u

void
ptah_row_idle(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct ptah_pair pairs[IDLE_PAIRS];
	size_t bytes;

	memset(pairs, 0, sizeof(pairs));
	ptah_lab_need(&lab, subject, false);
	for (unsigned i = 0; i < 10; i++)
		one_session(&lab, i);
	bytes = ptah_heap_bytes();
	for (unsigned i = 0; i < IDLE_PAIRS; i++) {
		ptah_pair_open(&pairs[i], &lab, i);
		ptah_pair_say(&pairs[i], PTAH_AT_CLIENT, 2000);
		ptah_pair_say(&pairs[i], PTAH_AT_SERVER, 2000);
		ptah_pair_need(&pairs[i], "a usual link");
	}
	bytes = ptah_heap_bytes() > bytes ? ptah_heap_bytes() - bytes : 0;
	for (unsigned i = 0; i < IDLE_PAIRS; i++)
		ptah_pair_close(&pairs[i], 0);
	ptah_lab_close(&lab);
	ptah_trial_pass("%u bytes of its own for a link, and %zu from the heap", subject->module->link_size,
	    bytes / IDLE_PAIRS / 2);
}

void
ptah_row_speed(const struct ptah_subject *subject)
{
	struct ptah_lab lab;
	struct ptah_pair pair = { 0 };
	unsigned n = 0;
	double mib;

	ptah_lab_need(&lab, subject, false);
	ptah_pair_open(&pair, &lab, 1);
	ptah_pair_say(&pair, PTAH_AT_CLIENT, 100000);
	ptah_pair_need(&pair, "a usual link");
	if (pair.party[0]->phase == PTAH_PHASE_PASSED)
		ptah_trial_pass("it lets bytes pass it by: nothing");
	lab.measured = true;
	for (; ptah_trial_has_time(n, 4) && n < 64; n++) {
		ptah_pair_say(&pair, PTAH_AT_CLIENT, 524288);
		ptah_pair_say(&pair, PTAH_AT_SERVER, 524288);
		ptah_pair_need(&pair, "as fast as it can");
	}
	lab.measured = false;
	mib = n;
	ptah_pair_close(&pair, 0);
	ptah_lab_close(&lab);
	ptah_trial_pass("%.0f MiB in a second of a processor, there and out again", lab.hook_ns > 0 ? mib / ((double)lab.hook_ns / 1e9) : 0);
}
