/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "check/heap.h"
#include "check/party.h"
#include "check/trial.h"
#include "relay/courier.h"

#define IN_MOST ((size_t)2 * 1024 * 1024)
#define ROOM_USUAL ((size_t)128 * 1024)
#define START_S INT64_C(1700000000)
/* So much time may pass before a home is ready. */
#define READY_NS (60 * PTAH_NS_PER_S)

/* ---- chance and time ----------------------------------------------------------- */

static uint64_t
draw(struct ptah_lab *lab)
{
	uint64_t z = lab->chance += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t
ptah_lab_draw(struct ptah_lab *lab, uint64_t below)
{
	return draw(lab) % below;
}

void
ptah_lab_fill(struct ptah_lab *lab, void *out, size_t len)
{
	uint8_t *at = out;

	while (len > 0) {
		uint64_t word = draw(lab);
		size_t n = len < sizeof(word) ? len : sizeof(word);

		memcpy(at, &word, n);
		at += n;
		len -= n;
	}
}

/* The timer that is due first, of all lives. */
static void
look_for_due(struct ptah_lab_life *life, struct ptah_lab_life **first, uint32_t *which)
{
	for (uint32_t i = 0; life->open && i < PTAH_TIMERS; i++)
		if (life->due[i] != 0 && (*first == NULL || life->due[i] < (*first)->due[*which])) {
			*first = life;
			*which = i;
		}
}

static void
tell_time(struct ptah_lab_life *life, uint32_t which)
{
	const struct ptah_module *module = life->lab->module;
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_TIMER, .val = which };

	if (life->kind == PTAH_LAB_LINK) {
		ptah_party_event(life->party, &event);
		return;
	}
	ptah_lab_enter(life->lab);
	if (life->kind == PTAH_LAB_HOME && module->home_event != NULL)
		(void)module->home_event(life->memory.at, &event);
	else if (life->kind == PTAH_LAB_WORKER && module->worker_event != NULL)
		(void)module->worker_event(life->memory.at, &event);
	ptah_lab_leave(life->lab);
}

bool
ptah_lab_tick(struct ptah_lab *lab, uint64_t limit_ns)
{
	struct ptah_lab_life *first = NULL;
	uint32_t which = 0;

	for (int who = 0; who < 2; who++) {
		look_for_due(&lab->base[who].home, &first, &which);
		look_for_due(&lab->base[who].worker, &first, &which);
	}
	for (struct ptah_party *party = lab->parties; party != NULL; party = party->next)
		look_for_due(&party->life, &first, &which);
	if (first == NULL || first->due[which] > limit_ns)
		return false;
	if (first->due[which] > lab->now_ns)
		lab->now_ns = first->due[which];
	first->due[which] = 0;
	lab->n_events++;
	tell_time(first, which);
	return true;
}

/* ---- around a hook ---------------------------------------------------------------- */

static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * PTAH_NS_PER_S + (uint64_t)ts.tv_nsec;
}

void
ptah_lab_enter(struct ptah_lab *lab)
{
	ptah_heap_enter();
	if (lab->measured)
		lab->hook_ns -= cpu_ns();
}

void
ptah_lab_leave(struct ptah_lab *lab)
{
	if (lab->measured)
		lab->hook_ns += cpu_ns();
	ptah_heap_leave();
	for (int who = 0; lab->tight && who < 2; who++) {
		if (lab->base[who].home.lab == NULL)
			continue;
		ptah_lab_look_at(&lab->base[who].home, "its home");
		ptah_lab_look_at(&lab->base[who].worker, "its worker life");
	}
}

void
ptah_lab_look_at(const struct ptah_lab_life *life, const char *whose)
{
	int where = life->lab->tight && life->memory.map != NULL ? ptah_guard_look(&life->memory) : 0;

	if (where != 0)
		ptah_trial_fail("it has written %s the memory of %s, which is %zu bytes long", where < 0 ? "before" : "behind",
		    whose, life->memory.placed);
}

/* ---- letters ------------------------------------------------------------------------- */

static void
open_letter(struct ptah_lab *lab, struct ptah_lab_letter *letter)
{
	struct ptah_event event = {
		.size = sizeof(event), .what = letter->what, .cookie = letter->cookie, .from = letter->from,
		.val = letter->val, .body = { letter->body, letter->len },
	};

	if (letter->home != NULL) {
		if (!letter->home->home.open || lab->module->home_event == NULL)
			return;
		ptah_lab_enter(lab);
		int rc = lab->module->home_event(letter->home->home.memory.at, &event);
		ptah_lab_leave(lab);
		if (rc < 0 && !lab->has_refused && !ptah_heap_has_refused())
			ptah_trial_fail("home_event fails with %s", strerror(-rc));
		return;
	}
	for (struct ptah_party *party = lab->parties; party != NULL; party = party->next)
		if (party->life.id == letter->link) {
			ptah_party_event(party, &event);
			return;
		}
}

bool
ptah_lab_deliver(struct ptah_lab *lab)
{
	bool any = lab->letters != NULL;

	while (lab->letters != NULL) {
		struct ptah_lab_letter *letter = lab->letters;

		lab->letters = letter->next;
		if (lab->letters == NULL)
			lab->letters_end = &lab->letters;
		open_letter(lab, letter);
		free(letter);
	}
	return any;
}

/* ---- birth ----------------------------------------------------------------------------- */

void
ptah_lab_life_make(struct ptah_lab *lab, struct ptah_lab_life *life, const char *what, size_t size)
{
	ptah_guard_make(&life->memory, what, size + 64 + (lab->tight ? 0 : 256), false);
	ptah_guard_place(&life->memory, size, 64, lab->tight ? 0 : 256);
	ptah_guard_paint(&life->memory);
	memset(life->memory.at, 0, size);
	life->lab = lab;
}

static struct ptah_start
start_of(const struct ptah_lab *lab, struct ptah_base *base, struct ptah_lab_life *life)
{
	bool server = base == &lab->base[PTAH_AT_SERVER];

	return (struct ptah_start){
		.size = sizeof(struct ptah_start), .role = server ? PTAH_SERVER : PTAH_CLIENT,
		.conf = base->conf.at, .name = lab->module->name, .settings = base->filling.settings,
		.bind = server ? "127.0.0.1:4000" : NULL, .self = (struct ptah_self *)life, .host = &ptah_lab_services,
	};
}

static bool
open_worker(struct ptah_lab *lab, struct ptah_base *base, char *problem, size_t room)
{
	const struct ptah_module *module = lab->module;
	struct ptah_start start = start_of(lab, base, &base->worker);
	int rc;

	ptah_lab_life_make(lab, &base->worker, "the memory of its worker life", module->worker_size);
	if (module->worker_open == NULL)
		return true;
	ptah_lab_enter(lab);
	base->worker.open = true;
	rc = module->worker_open(base->worker.memory.at, &start);
	ptah_lab_leave(lab);
	if (rc < 0)
		snprintf(problem, room, "worker_open fails with %s", strerror(-rc));
	return rc >= 0;
}

static bool
open_home(struct ptah_lab *lab, struct ptah_base *base, char *problem, size_t room)
{
	const struct ptah_module *module = lab->module;
	struct ptah_start start = start_of(lab, base, &base->home);
	uint64_t limit = lab->now_ns + READY_NS;
	int rc;

	ptah_lab_life_make(lab, &base->home, "the memory of its home", module->home_size);
	if (module->home_open == NULL)
		return true;
	base->home.open = true;
	ptah_lab_enter(lab);
	rc = module->home_open(base->home.memory.at, &start);
	ptah_lab_leave(lab);
	while (rc >= 0 && !base->said_ready)
		if (!ptah_lab_deliver(lab) && !ptah_lab_tick(lab, limit)) {
			snprintf(problem, room, "its home never says that it is ready");
			return false;
		}
	if (rc < 0)
		snprintf(problem, room, "home_open fails with %s", strerror(-rc));
	else if (base->ready_rc < 0)
		snprintf(problem, room, "its home is not ready: %s", base->reason[0] ? base->reason : strerror(-base->ready_rc));
	return rc >= 0 && base->ready_rc >= 0;
}

static bool
open_base(struct ptah_lab *lab, int who, char *problem, size_t room)
{
	struct ptah_base *base = &lab->base[who];
	const struct ptah_module *module = lab->module;
	char why[PTAH_WHY_TEXT] = "";
	int rc = ptah_filling_make(&base->filling, module, ptah_subject_role(who), lab->subject->options[who], why, sizeof(why));

	if (rc < 0) {
		snprintf(problem, room, "the options of its %s are refused: %s", who == PTAH_AT_CLIENT ? "client" : "server", why);
		return false;
	}
	base->home.kind = PTAH_LAB_HOME;
	base->worker.kind = PTAH_LAB_WORKER;
	base->home.lab = base->worker.lab = lab;
	base->home.base = base->worker.base = base;
	ptah_guard_make(&base->conf, "its conf, which is for reading only", module->conf_size + 64, false);
	ptah_guard_place(&base->conf, module->conf_size, 64, 0);
	if (module->conf_size > 0)
		memcpy(base->conf.at, base->filling.conf.values, module->conf_size);
	if (lab->tight)
		ptah_guard_protect(&base->conf, PROT_READ);
	return open_worker(lab, base, problem, room) && open_home(lab, base, problem, room);
}

static bool
has_role(const struct ptah_module *module, int who)
{
	return (module->abilities & (who == PTAH_AT_CLIENT ? PTAH_CAN_CLIENT : PTAH_CAN_SERVER)) != 0;
}

bool
ptah_lab_open(struct ptah_lab *lab, const struct ptah_subject *subject, bool tight, char *problem, size_t room)
{
	const struct ptah_module *module = subject->module;
	size_t most = ROOM_USUAL > module->unit ? ROOM_USUAL : module->unit;

	memset(lab, 0, sizeof(*lab));
	lab->subject = subject;
	lab->module = module;
	lab->letters_end = &lab->letters;
	lab->now_ns = 1000 * PTAH_NS_PER_S;
	lab->wall_s = START_S;
	lab->tight = tight;
	lab->room[PTAH_PLAIN] = lab->room[PTAH_WIRE] = most;
	ptah_guard_make(&lab->in[PTAH_PLAIN], "what has come from the plain side", IN_MOST, tight);
	ptah_guard_make(&lab->in[PTAH_WIRE], "what has come from the wire", IN_MOST, tight);
	ptah_guard_make(&lab->out[PTAH_PLAIN], "the room towards the plain side", most + 4096, false);
	ptah_guard_make(&lab->out[PTAH_WIRE], "the room towards the wire", most + 4096, false);
	if ((module->abilities & PTAH_CAN_MESSAGE) != 0)
		ptah_guard_make(&lab->message, "the room of its message", PTAH_MESSAGE_MAX + (size_t)module->msg_head + module->msg_tail, false);
	ptah_guard_make(&lab->args, "its args, which lived for 'open' only", module->args_size + 64, false);
	ptah_guard_make(&lab->open, "struct ptah_open, which lived for 'open' only", sizeof(struct ptah_open), false);
	for (int who = 1; who >= 0; who--)
		if (has_role(module, who) && !open_base(lab, who, problem, room))
			return false;
	return true;
}

void
ptah_lab_need(struct ptah_lab *lab, const struct ptah_subject *subject, bool tight)
{
	char problem[PTAH_CHECK_WHY + PTAH_WHY_TEXT] = "";

	ptah_trial_step("opening the instances of both roles");
	if (!ptah_lab_open(lab, subject, tight, problem, sizeof(problem)))
		ptah_trial_fail("%s", problem);
}

/* ---- death -------------------------------------------------------------------------------- */

static void
stop_home(struct ptah_lab *lab, struct ptah_base *base)
{
	const struct ptah_module *module = lab->module;
	uint64_t limit = lab->now_ns + 5 * PTAH_NS_PER_S;
	struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_STOP, .deadline_ns = limit };

	if (!base->home.open)
		return;
	if (module->home_event != NULL) {
		ptah_lab_enter(lab);
		(void)module->home_event(base->home.memory.at, &event);
		ptah_lab_leave(lab);
		while (!base->home_is_done && (ptah_lab_deliver(lab) || ptah_lab_tick(lab, limit)))
			;
	}
	if (module->home_close != NULL) {
		ptah_lab_enter(lab);
		module->home_close(base->home.memory.at);
		ptah_lab_leave(lab);
	}
	base->home.open = false;
}

static void
close_base(struct ptah_lab *lab, struct ptah_base *base)
{
	stop_home(lab, base);
	if (base->worker.open && lab->module->worker_close != NULL) {
		ptah_lab_enter(lab);
		lab->module->worker_close(base->worker.memory.at);
		ptah_lab_leave(lab);
	}
	base->worker.open = false;
	ptah_guard_free(&base->home.memory);
	ptah_guard_free(&base->worker.memory);
	ptah_guard_free(&base->conf);
	ptah_filling_clear(&base->filling);
	ptah_json_free(base->bridge_args);
	while (base->files != NULL) {
		struct ptah_lab_file *file = base->files;

		base->files = file->next;
		ptah_buf_clear(&file->body);
		free(file->name);
		free(file);
	}
}

void
ptah_lab_close(struct ptah_lab *lab)
{
	for (int who = 0; who < 2; who++)
		close_base(lab, &lab->base[who]);
	while (lab->letters != NULL) {
		struct ptah_lab_letter *letter = lab->letters;

		lab->letters = letter->next;
		free(letter);
	}
	for (int s = 0; s < 2; s++) {
		ptah_guard_free(&lab->in[s]);
		ptah_guard_free(&lab->out[s]);
	}
	ptah_guard_free(&lab->message);
	ptah_buf_clear(&lab->given);
	ptah_guard_free(&lab->args);
	ptah_guard_free(&lab->open);
	free(lab->tokens);
	lab->tokens = NULL;
}
