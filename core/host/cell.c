/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/cell.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "control/vitals.h"
#include "host/cellself.h"
#include "proc/child.h"
#include "stats/tally.h"
#include "wire/pass.h"
#include "wire/place.h"

/* How often it is asked whether it is alive, and how long it may take to answer. */
#define PING_MS 1000
#define HANG_MS 6000
/* One that lived so long may begin at once again. */
#define WELL_MS 10000
#define BACK_OFF_FIRST_MS 100
#define BACK_OFF_MOST_MS 30000

static const struct ptah_cell_life no_life = { .fds = { -1, -1, -1 }, .fd = -1, .statm = -1 };

static void on_again(struct ptah_alarm *alarm, void *arg);

/* ---- its lives ----------------------------------------------------------------------------- */

static void
event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void
clear_life(struct ptah_cell *cell)
{
	struct ptah_cell_life *life = &cell->life;

	ptah_alarm_clear(&cell->tick);
	ptah_cell_list_end(cell, -ECONNRESET);
	event_drop(&life->on_word);
	event_drop(&life->on_last_words);
	for (unsigned i = 0; i < cell->n_workers; i++)
		ptah_agent_free(life->agents[i]);
	ptah_proc_free(life->proc);
	if (life->fd != -1)
		close(life->fd);
	if (life->statm != -1)
		close(life->statm);
	for (int i = 0; i < 3; i++)
		if (life->fds[i] != -1)
			close(life->fds[i]);
	if (cell->tally) {
		/* Its links are gone, and those that it held, and nobody counted that. */
		ptah_cell_count(cell, PTAH_STAT_LINKS_CLOSED, ptah_stats_get(&life->stats, PTAH_STAT_LINKS_OPENED));
		ptah_cell_count(cell, PTAH_STAT_PROBES_HELD, 0);
	}
	*life = no_life;
}

static void
on_drained_letter(struct ptah_worker *loop, void *arg)
{
	struct ptah_cell *cell = arg;

	(void)loop;
	if (!cell->ending)
		cell->says->on_drained(cell->arg);
}

void
ptah_cell_drained(struct ptah_cell *cell)
{
	if (cell->drained || !cell->draining)
		return;
	cell->drained = true;
	(void)ptah_worker_send(cell->crew->loop, &cell->letters[0], on_drained_letter, cell);
}

static void
on_ended_letter(struct ptah_worker *loop, void *arg)
{
	struct ptah_cell *cell = arg;

	(void)loop;
	cell->says->on_ended(cell->arg);
}

static void
tell_ended(struct ptah_cell *cell)
{
	if (cell->ended)
		return;
	cell->ended = true;
	ptah_alarm_clear(&cell->late);
	ptah_alarm_clear(&cell->again);
	(void)ptah_worker_send(cell->crew->loop, &cell->letters[1], on_ended_letter, cell);
}

/* It never served: so it is the configuration, or the module. */
static void
tell_failed(struct ptah_cell *cell, const char *how)
{
	char text[4200];

	cell->told = true;
	snprintf(text, sizeof(text), "%s%s", cell->why ? "" : "its process ended before it served: ", cell->why ? cell->why : how);
	cell->says->on_method_error(cell->plan->services[0].name, text, cell->arg);
	cell->says->on_ready(cell->arg);
}

static unsigned
back_off_ms(struct ptah_cell *cell, uint64_t lived_ms)
{
	unsigned ms = BACK_OFF_FIRST_MS;

	if (lived_ms >= WELL_MS)
		cell->n_quick = 0;
	if (cell->n_quick++ == 0)
		return 0;
	for (unsigned i = 2; i < cell->n_quick && ms < BACK_OFF_MOST_MS; i++)
		ms *= 2;
	return ms < BACK_OFF_MOST_MS ? ms : BACK_OFF_MOST_MS;
}

static void
set_alarm(struct ptah_cell *cell, struct ptah_alarm *alarm, unsigned ms, ptah_alarm_fn *fn)
{
	uint64_t at = ptah_clock_now_ns() + ms * PTAH_NS_PER_MS;

	if (ptah_alarm_set(cell->crew->loop, alarm, at, fn, cell) != 0)
		ptah_error(AREA_HOST, "%s: no memory for a timer", cell->plan->label);
}

static void
begin_again(struct ptah_cell *cell, const char *how, uint64_t lived_ms)
{
	unsigned ms = back_off_ms(cell, lived_ms);
	char when[48] = "now";

	if (ms > 0)
		snprintf(when, sizeof(when), "in %u ms", ms);
	ptah_event(PTAH_LOG_WARN, AREA_HOST, "isolated-ended", cell->plan->label, "%s: its process ended (%s) after %llu.%03llu s, and its links with it; the next one starts %s",
	    cell->plan->label, how, (unsigned long long)(lived_ms / 1000), (unsigned long long)(lived_ms % 1000), when);
	set_alarm(cell, &cell->again, ms, on_again);
}

static void
describe(const struct ptah_cell *cell, int status, char *out, size_t room)
{
	if (cell->life.killed)
		snprintf(out, room, "it did not answer for %d s", HANG_MS / 1000);
	else if (WIFSIGNALED(status))
		snprintf(out, room, "signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(out, room, "exit status %d", WEXITSTATUS(status));
}

static void
on_death(struct ptah_proc *proc, int status, void *arg)
{
	struct ptah_cell *cell = arg;
	uint64_t lived_ms = (ptah_clock_now_ns() - cell->life.born_ns) / PTAH_NS_PER_MS;
	char how[256];

	(void)proc;
	ptah_cell_hear(cell); /* what it said before */
	if (cell->life.on_last_words)
		ptah_cell_on_last_words(cell->life.fds[2], EV_READ, cell);
	describe(cell, status, how, sizeof(how));
	clear_life(cell);
	if (cell->ending) {
		tell_ended(cell);
		return;
	}
	if (!cell->told) {
		tell_failed(cell, how);
	} else if (cell->draining) {
		if (!cell->drained)
			ptah_event(PTAH_LOG_WARN, AREA_HOST, "isolated-ended", cell->plan->label,
			    "%s: its process ended (%s), and its last links with it", cell->plan->label, how);
		ptah_cell_drained(cell);
	} else {
		if (cell->why)
			ptah_error(AREA_HOST, "%s: does not start: %s", cell->plan->label, cell->why);
		begin_again(cell, how, lived_ms);
	}
	free(cell->why);
	cell->why = NULL;
}

static void
on_tick(struct ptah_alarm *alarm, void *arg)
{
	struct ptah_cell *cell = arg;

	(void)alarm;
	ptah_cell_hear(cell); /* perhaps it was us who had no time */
	if (ptah_clock_now_ns() - cell->life.answered_ns > HANG_MS * PTAH_NS_PER_MS && !cell->life.killed) {
		cell->life.killed = true;
		(void)ptah_proc_kill(cell->life.proc, SIGKILL);
		return; /* on_death() goes on */
	}
	(void)ptah_cell_tell(cell, PTAH_CELL_PING, 0);
	set_alarm(cell, &cell->tick, PING_MS, on_tick);
}

/* What the dynamic loader and sanitizers want; our own secrets are none of theirs. */
static size_t
pick_environment(char *const envp[], const char *out[], size_t room)
{
	static const char *const names[] = { "LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "LSAN_OPTIONS=", "TSAN_OPTIONS=",
		"UBSAN_OPTIONS=" };
	size_t n = 0;

	for (size_t i = 0; envp && envp[i]; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]) && n + 1 < room; k++)
			if (strncmp(envp[i], names[k], strlen(names[k])) == 0)
				out[n++] = envp[i];
	out[n] = NULL;
	return n;
}

static int
watch(struct ptah_cell *cell)
{
	struct ptah_cell_life *life = &cell->life;
	struct event_base *base = cell->crew->loop->base;

	life->on_word = event_new(base, life->fd, EV_READ | EV_PERSIST, ptah_cell_on_word, cell);
	life->on_last_words = event_new(base, life->fds[2], EV_READ | EV_PERSIST, ptah_cell_on_last_words, cell);
	if (!life->on_word || !life->on_last_words || event_add(life->on_word, NULL) == -1 ||
	    event_add(life->on_last_words, NULL) == -1)
		return -ENOMEM;
	return 0;
}

static int
spawn(struct ptah_cell *cell, int theirs)
{
	static const char *const argv[] = { "/proc/self/exe", PTAH_CELL_WORD, NULL };
	struct ptah_cell_life *life = &cell->life;
	const char *env[8];
	int rc;

	pick_environment(cell->crew->how.envp, env, sizeof(env) / sizeof(env[0]));
	life->proc = ptah_proc_start(cell->crew->loop->base, argv, env, false, life->fds, on_death, cell);
	if (!life->proc) {
		rc = -errno;
		life->fds[0] = life->fds[1] = life->fds[2] = -1;
		return rc;
	}
	rc = ptah_statm_open(ptah_proc_pid(life->proc));
	life->statm = rc >= 0 ? rc : -1;
	rc = watch(cell);
	return rc == 0 ? ptah_pass_send(life->fds[0], "", 1, &theirs, 1) : rc;
}

static int
begin_life(struct ptah_cell *cell)
{
	struct ptah_cell_life *life = &cell->life;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -errno;
	life->fd = pair[0];
	rc = spawn(cell, pair[1]);
	close(pair[1]);
	if (rc == 0)
		rc = ptah_cell_tell_beginning(cell);
	if (rc == 0 && evutil_make_socket_nonblocking(life->fd) == -1)
		rc = -EBADF;
	if (rc == -EPIPE)
		rc = 0; /* it has died already: on_death() will say how */
	if (rc != 0) {
		clear_life(cell);
		return rc;
	}
	life->born_ns = life->answered_ns = ptah_clock_now_ns();
	set_alarm(cell, &cell->tick, PING_MS, on_tick);
	return 0;
}

static void
on_again(struct ptah_alarm *alarm, void *arg)
{
	struct ptah_cell *cell = arg;
	int rc = begin_life(cell);

	(void)alarm;
	if (rc == 0)
		return;
	ptah_error_rc(AREA_HOST, rc, "%s: cannot start its process", cell->plan->label);
	set_alarm(cell, &cell->again, back_off_ms(cell, 0), on_again);
}

/* ---- birth and death of the cell itself ------------------------------------------------------- */

/* Nothing could be started: the configuration, most likely. */
static void
on_failed_letter(struct ptah_worker *loop, void *arg)
{
	struct ptah_cell *cell = arg;

	(void)loop;
	if (!cell->ending)
		tell_failed(cell, "");
}

static void __attribute__((format(printf, 2, 3)))
fail(struct ptah_cell *cell, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(&cell->why, format, args) == -1)
		cell->why = NULL;
	va_end(args);
	(void)ptah_worker_send(cell->crew->loop, &cell->letters[2], on_failed_letter, cell);
}

static int
take_places(struct ptah_cell *cell)
{
	const struct ptah_service *service = &cell->plan->services[0];
	int rc = 0;

	if (cell->plan->activation) {
		rc = ptah_place_take_adopted(cell->crew->places, cell->plan->activation, false, &cell->places[0]);
		cell->n_places = rc == 0 ? 1 : 0;
		return rc;
	}
	while (rc == 0 && cell->n_places <= service->n_also) {
		const struct ptah_place_want want = {
			.addr = cell->n_places == 0 ? &service->listen : &service->also[cell->n_places - 1],
			.name = cell->plan->label, .bounds = &cell->plan->bounds,
		};

		rc = ptah_place_take(cell->crew->places, &want, &cell->places[cell->n_places]);
		if (rc == 0)
			cell->n_places++;
	}
	return rc;
}

/* The address that could not be had. */
static const char *
listen_text(const struct ptah_cell *cell, char out[static PTAH_ADDR_TEXT])
{
	const struct ptah_service *service = &cell->plan->services[0];

	return ptah_addr_format(cell->n_places == 0 ? &service->listen : &service->also[cell->n_places - 1], out);
}

struct ptah_cell *
ptah_cell_start(struct ptah_crew *crew, const struct ptah_plan *plan,
    const struct ptah_dispatcher_says *says, void *arg)
{
	struct ptah_cell *cell = calloc(1, sizeof(*cell));
	char text[PTAH_ADDR_TEXT];
	int rc;

	if (!cell) {
		errno = ENOMEM;
		return NULL;
	}
	cell->crew = crew;
	cell->plan = plan;
	cell->says = says;
	cell->arg = arg;
	cell->n_workers = crew->n_workers;
	cell->life = no_life;
	cell->dial = (struct ptah_dial_how){
		.proxy = &plan->proxy, .bind_v4 = plan->outbound_v4, .bind_v6 = plan->outbound_v6,
		.family = plan->bounds.family, .keep_alive_s = plan->bounds.keep_alive_s,
	};
	ptah_reach_of(&cell->reach, plan);
	cell->tally = ptah_tally_open(&crew->tallies, plan->label, plan->services[0].name, (uint32_t)plan->role);
	if (!cell->tally) {
		ptah_cell_free(cell);
		errno = ENOMEM;
		return NULL;
	}
	if ((rc = ptah_file_mkdirs(plan->state_dir)) != 0) /* from inside it could not */
		fail(cell, "cannot make %s: %s", plan->state_dir, strerror(-rc));
	else if ((rc = take_places(cell)) != 0)
		fail(cell, "cannot listen on %s: %s", plan->activation ? plan->activation : listen_text(cell, text), strerror(-rc));
	else if ((rc = begin_life(cell)) != 0)
		fail(cell, "cannot start its process: %s", strerror(-rc));
	return cell;
}

/* True: nobody goes on where it listens. */
static bool
drop_places(struct ptah_cell *cell)
{
	bool last = true;

	while (cell->n_places > 0)
		last = ptah_place_drop(cell->places[--cell->n_places]) && last;
	return last;
}

void
ptah_cell_release(struct ptah_cell *cell)
{
	if (cell->life.proc && !cell->ending)
		(void)ptah_cell_tell(cell, PTAH_CELL_RELEASE, 0);
}

void
ptah_cell_drain(struct ptah_cell *cell)
{
	if (cell->draining || cell->ending)
		return;
	cell->draining = true;
	ptah_alarm_clear(&cell->again);
	/* Whoever still waits on a place that is nobody's now is to be let in. */
	if (!cell->life.proc || ptah_cell_tell(cell, PTAH_CELL_DRAIN, drop_places(cell)) != 0)
		ptah_cell_drained(cell);
}

static void
on_late(struct ptah_alarm *alarm, void *arg)
{
	struct ptah_cell *cell = arg;

	(void)alarm;
	ptah_warn(AREA_HOST, "%s: its process does not end: killed", cell->plan->label);
	(void)ptah_proc_kill(cell->life.proc, SIGKILL);
}

void
ptah_cell_end(struct ptah_cell *cell, uint64_t until_ns)
{
	uint64_t now = ptah_clock_now_ns(), left = until_ns > now ? (until_ns - now) / PTAH_NS_PER_MS : 0;

	if (cell->ending)
		return;
	cell->ending = true;
	ptah_alarm_clear(&cell->again);
	ptah_alarm_clear(&cell->tick);
	if (!cell->life.proc) {
		tell_ended(cell);
		return;
	}
	if (ptah_cell_tell(cell, PTAH_CELL_END, left) != 0)
		left = 0;
	set_alarm(cell, &cell->late, (unsigned)left, on_late);
}

uint64_t
ptah_cell_resident(const struct ptah_cell *cell)
{
	return ptah_statm_resident(cell->life.statm);
}

void
ptah_cell_free(struct ptah_cell *cell)
{
	if (!cell)
		return;
	clear_life(cell);
	ptah_alarm_clear(&cell->again);
	ptah_alarm_clear(&cell->late);
	(void)drop_places(cell);
	ptah_tally_close(cell->tally);
	ptah_kv_clear(&cell->args);
	free(cell->why);
	free(cell);
}
