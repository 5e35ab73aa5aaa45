/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/cell.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "config/carry.h"
#include "host/cellwords.h"
#include "config/reach.h"
#include "loop/alarm.h"
#include "plain/extor.h"
#include "proc/child.h"
#include "stats/stats.h"
#include "transport/registry.h"
#include "wire/agent.h"
#include "wire/pass.h"
#include "wire/place.h"

/* How often it is asked whether it is alive, and how long it may take to answer. */
#define PING_MS 1000
#define HANG_MS 6000
/* One that lived so long may begin at once again. */
#define WELL_MS 10000
#define BACK_OFF_FIRST_MS 100
#define BACK_OFF_MOST_MS 30000
/* Words taken in one turn of the loop. */
#define TAKE_MOST 64
/* Lines of its log in one second; more are counted. */
#define LINES_MOST 200
/* What it says on stderr goes into the log in pieces of at most this. */
#define LAST_WORDS 400

/* A life of the cell: a process. */
struct life {
	struct ptah_proc *proc; /* NULL: there is none now */
	int fds[3];             /* ours of its stdin, stdout, stderr */
	int fd;                 /* the way to it */
	struct event *on_word, *on_last_words;
	struct ptah_agent *agents[PTAH_WORKERS_MAX];
	uint64_t born_ns, answered_ns;
	bool listens, killed;
	struct ptah_stats stats;
};

struct ptah_cell {
	struct ptah_crew *crew;
	const struct ptah_plan *plan;
	const struct ptah_dispatcher_says *says;
	void *arg;
	unsigned n_workers;
	struct ptah_reach reach;
	struct ptah_dial_how dial;
	struct ptah_place *places[1 + PTAH_ALSO_MAX];
	unsigned n_places;
	/* What it serves as: lent to whoever was told. */
	struct ptah_addr bound; /* of the first place */
	char address[PTAH_DEST_TEXT];
	struct ptah_kv args;
	struct life life;
	struct ptah_alarm tick, again, late;
	struct ptah_stats past; /* of all lives before this one */
	unsigned n_deaths, n_quick;
	char *why; /* it does not start; or NULL */
	bool told, draining, drained, ending, ended;
	struct ptah_letter letters[3]; /* drained, ended, failed: told in a turn of their own */
	unsigned n_lines;
	uint64_t lines_ns;
	struct ptah_often refused, muted;
};

static void on_again(struct ptah_alarm *alarm, void *arg);

/* ---- what it says ------------------------------------------------------------------ */

static bool
may_log(struct ptah_cell *cell)
{
	uint64_t now = ptah_clock_now_ns();

	if (now - cell->lines_ns >= PTAH_NS_PER_S) {
		cell->lines_ns = now;
		cell->n_lines = 0;
	}
	if (cell->n_lines++ < LINES_MOST)
		return true;
	ptah_warn_often(&cell->muted, AREA_HOST, "%s: says more than %d lines in a second; the rest is left out",
	    cell->plan->label, LINES_MOST);
	return false;
}

/* Areas are constants to whoever sorts by them. */
static const char *
area_of(const char *said)
{
	static const char *const areas[] = { AREA_HOST, AREA_CONFIG, AREA_LOOP, AREA_WIRE, AREA_MODULE, AREA_LINK,
		AREA_SOCKS, AREA_ORPORT };

	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		if (strcmp(areas[i], said) == 0)
			return areas[i];
	return AREA_MODULE;
}

static void
hear_log(struct ptah_cell *cell, uint64_t level, const char *area, size_t len)
{
	size_t n = strlen(area) + 1;

	if (level < PTAH_LOG_ERROR || level > PTAH_LOG_DEBUG || n >= len || !may_log(cell))
		return;
	ptah_log((int)level, area_of(area), "%s: %s", cell->plan->label, area + n);
}

/* As the bridge arguments say it: {"key": "value", ...}. */
static int
take_args(struct ptah_kv *kv, const struct ptah_json *args)
{
	int rc = 0;

	for (size_t i = 0; args && rc == 0 && i < args->n; i++) {
		const struct ptah_json *value = args->items[i];

		if (args->type != PTAH_JSON_OBJECT || value->type != PTAH_JSON_STRING)
			return -EINVAL;
		rc = ptah_kv_add(kv, NULL, args->keys[i], value->text);
	}
	return rc;
}

static void
hear_listens(struct ptah_cell *cell, const char *text)
{
	struct ptah_json *json = ptah_json_parse(text, strlen(text), 0, (char[64]){ "" }, 64);
	const struct ptah_json *address = json ? ptah_json_get(json, "address") : NULL;

	cell->life.listens = true;
	if (cell->told)
		ptah_notice(AREA_HOST, "%s: serves again", cell->plan->label);
	if (!cell->told && address && address->type == PTAH_JSON_STRING &&
	    ptah_text_copy(cell->address, sizeof(cell->address), address->text) == 0 &&
	    take_args(&cell->args, ptah_json_get(json, "args")) == 0) {
		cell->told = true;
		(void)cell->says->on_method(cell->plan->services[0].name, &cell->bound, cell->address, &cell->args, cell->arg);
		cell->says->on_ready(cell->arg);
	}
	ptah_json_free(json);
}

static void
hear_pong(struct ptah_cell *cell, const char *figures, size_t len)
{
	uint64_t figure;

	cell->life.answered_ns = ptah_clock_now_ns();
	for (size_t i = 0; i < PTAH_STAT_N && (i + 1) * sizeof(figure) <= len; i++) {
		memcpy(&figure, figures + i * sizeof(figure), sizeof(figure));
		cell->life.stats.at[i] = figure;
	}
}

static void
on_drained_letter(struct ptah_worker *loop, void *arg)
{
	struct ptah_cell *cell = arg;

	(void)loop;
	if (!cell->ending)
		cell->says->on_drained(cell->arg);
}

static void
tell_drained(struct ptah_cell *cell)
{
	if (cell->drained || !cell->draining)
		return;
	cell->drained = true;
	(void)ptah_worker_send(cell->crew->loop, &cell->letters[0], on_drained_letter, cell);
}

static void
hear(struct ptah_cell *cell, const struct ptah_cell_word *word, size_t len)
{
	switch (word->what) {
	case PTAH_CELL_LOG:
		hear_log(cell, word->value, word->text, len);
		break;
	case PTAH_CELL_LISTENS:
		hear_listens(cell, word->text);
		break;
	case PTAH_CELL_FAILED:
		free(cell->why);
		cell->why = strdup(word->text);
		break;
	case PTAH_CELL_DRAINED:
		tell_drained(cell);
		break;
	case PTAH_CELL_PONG:
		hear_pong(cell, word->text, len);
		break;
	default:
		break; /* it is not trusted, so it may say anything */
	}
}

static void
hear_all(struct ptah_cell *cell)
{
	for (int i = 0; i < TAKE_MOST; i++) {
		struct ptah_cell_word word;
		unsigned none = 0;
		ssize_t len = ptah_pass_receive(cell->life.fd, &word, sizeof(word) - 1, NULL, &none);

		if (len < (ssize_t)PTAH_CELL_HEAD) {
			if (len != -EAGAIN)
				event_del(cell->life.on_word); /* its end is heard of in another way */
			return;
		}
		((char *)&word)[len] = '\0';
		hear(cell, &word, (size_t)len - PTAH_CELL_HEAD);
	}
}

static void
on_word(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	hear_all(arg);
}

/* What the C library or a sanitizer says of a crash. */
static void
on_last_words(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_cell *cell = arg;
	char text[LAST_WORDS];
	ssize_t n = read(fd, text, sizeof(text));

	(void)what;
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		event_del(cell->life.on_last_words);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0 && may_log(cell))
		ptah_warn(AREA_HOST, "%s: its process says: %.*s", cell->plan->label, (int)n, text);
}

/* ---- what it is told ------------------------------------------------------------------- */

static int
tell_with(const struct ptah_cell *cell, uint32_t what, uint64_t value, const char *text, const int *fds, unsigned n)
{
	struct ptah_cell_word word = { .what = what, .value = value };
	size_t len = strlen(text);

	memcpy(word.text, text, len);
	return ptah_pass_send(cell->life.fd, &word, PTAH_CELL_HEAD + len, fds, n);
}

static int
tell(const struct ptah_cell *cell, uint32_t what, uint64_t value)
{
	return tell_with(cell, what, value, "", NULL, 0);
}

static int
log_level(void)
{
	int level = PTAH_LOG_ERROR;

	while (level < PTAH_LOG_DEBUG && ptah_log_hears(level + 1))
		level++;
	return level;
}

/* Where modules are, with colons between.  Gives: a text for free(), or NULL. */
static char *
join_folders(const struct ptah_registry *registry)
{
	struct ptah_buf text = { 0 };

	ptah_buf_puts(&text, "");
	for (const char *const *folder = ptah_registry_folders(registry); *folder; folder++)
		ptah_buf_printf(&text, "%s%s", text.len > 0 ? ":" : "", *folder);
	return ptah_buf_take_text(&text);
}

/* By a file that has no name: what is on a command line or in an environment others can read. */
static int
tell_plan(const struct ptah_cell *cell)
{
	struct ptah_plan plan = *cell->plan;
	struct ptah_buf text = { 0 };
	int fd = memfd_create("plan", MFD_CLOEXEC), rc = fd == -1 ? -errno : 0;

	/* What is one for the process is as it was at the start. */
	plan.workers = cell->n_workers;
	plan.peer_timeout_s = cell->crew->how.peer_timeout_s;
	plan.module_dir = NULL;
	plan.module_path = join_folders(cell->crew->registry);
	if (rc == 0)
		rc = plan.module_path ? ptah_plan_carry(&plan, &text) : -ENOMEM;
	free(plan.module_path);

	if (rc == 0 && ptah_write_full(fd, text.at, text.len) != (ssize_t)text.len)
		rc = -EIO;
	if (rc == 0)
		rc = tell_with(cell, PTAH_CELL_PLAN, (uint64_t)log_level(), "", &fd, 1);
	ptah_buf_wipe(&text);
	if (fd != -1)
		close(fd);
	return rc;
}

static int
tell_places(struct ptah_cell *cell)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < cell->n_places; i++) {
		const struct ptah_service *service = &cell->plan->services[0];
		char text[PTAH_ADDR_TEXT];
		struct ptah_addr bound;
		int fds[PTAH_WORKERS_MAX];

		rc = ptah_place_share(cell->places[i], fds, &bound);
		if (rc != 0)
			break;
		if (i == 0)
			cell->bound = bound;
		ptah_addr_format(i == 0 ? &service->listen : &service->also[i - 1], text);
		rc = tell_with(cell, PTAH_CELL_PLACE, 0, cell->plan->activation ? cell->plan->activation : text, fds,
		    cell->n_workers);
		for (unsigned k = 0; k < cell->n_workers; k++)
			close(fds[k]);
	}
	return rc;
}

/* ---- where it may go -------------------------------------------------------------------- */

static bool
may_go(const struct ptah_dest *dest, void *arg)
{
	const struct ptah_cell *cell = arg;

	return ptah_reach_has(&cell->reach, dest);
}

static void
on_refused(const struct ptah_dest *dest, void *arg)
{
	struct ptah_cell *cell = arg;
	char text[PTAH_DEST_TEXT];

	ptah_warn_often(&cell->refused, AREA_HOST, "%s: its process asked for a connection to " PTAH_PRIVATE_FMT
	    ", which its configuration does not name: refused", cell->plan->label, ptah_dest_format(dest, text));
}

static int
read_cookie(const struct ptah_dest *dest, uint8_t out[static PTAH_BROKER_SECRET], void *arg)
{
	const struct ptah_cell *cell = arg;

	_Static_assert(PTAH_BROKER_SECRET == PTAH_EXTOR_COOKIE, "the one secret that there is");
	(void)dest; /* with an Extended ORPort there is no other place */
	return cell->plan->has_extorport ? ptah_extor_cookie_read(cell->plan->cookie_path, out) : -ENOENT;
}

static int
open_channels(struct ptah_cell *cell)
{
	const struct ptah_agent_how how = {
		.loop = cell->crew->loop, .dial = &cell->dial, .may = may_go, .secret = read_cookie,
		.refused = on_refused, .arg = cell,
	};
	int theirs[PTAH_WORKERS_MAX], rc = 0;
	unsigned n = 0;

	while (rc == 0 && n < cell->n_workers) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1) {
			rc = -errno;
			break;
		}
		theirs[n] = pair[1];
		cell->life.agents[n++] = ptah_agent_new(&how, pair[0]);
		rc = cell->life.agents[n - 1] ? 0 : -ENOMEM;
	}
	if (rc == 0)
		rc = tell_with(cell, PTAH_CELL_CHANNELS, 0, "", theirs, n);
	while (n > 0)
		close(theirs[--n]);
	return rc;
}

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
	struct life *life = &cell->life;

	ptah_alarm_clear(&cell->tick);
	event_drop(&life->on_word);
	event_drop(&life->on_last_words);
	for (unsigned i = 0; i < cell->n_workers; i++)
		ptah_agent_free(life->agents[i]);
	ptah_proc_free(life->proc);
	if (life->fd != -1)
		close(life->fd);
	for (int i = 0; i < 3; i++)
		if (life->fds[i] != -1)
			close(life->fds[i]);
	for (int i = 0; i < PTAH_STAT_N; i++)
		cell->past.at[i] += life->stats.at[i];
	/* Its links are gone, and nobody counted that. */
	cell->past.at[PTAH_STAT_LINKS_CLOSED] = cell->past.at[PTAH_STAT_LINKS_OPENED];
	*life = (struct life){ .fds = { -1, -1, -1 }, .fd = -1 };
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
	ptah_warn(AREA_HOST, "%s: its process ended (%s) after %llu.%03llu s, and its links with it; the next one starts %s",
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
	hear_all(cell); /* what it said before */
	if (cell->life.on_last_words)
		on_last_words(cell->life.fds[2], EV_READ, cell);
	describe(cell, status, how, sizeof(how));
	clear_life(cell);
	if (cell->ending) {
		tell_ended(cell);
		return;
	}
	cell->n_deaths++;
	if (!cell->told) {
		tell_failed(cell, how);
	} else if (cell->draining) {
		if (!cell->drained)
			ptah_warn(AREA_HOST, "%s: its process ended (%s), and its last links with it", cell->plan->label, how);
		tell_drained(cell);
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
	hear_all(cell); /* perhaps it was us who had no time */
	if (ptah_clock_now_ns() - cell->life.answered_ns > HANG_MS * PTAH_NS_PER_MS && !cell->life.killed) {
		cell->life.killed = true;
		(void)ptah_proc_kill(cell->life.proc, SIGKILL);
		return; /* on_death() goes on */
	}
	(void)tell(cell, PTAH_CELL_PING, 0);
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
	struct life *life = &cell->life;
	struct event_base *base = cell->crew->loop->base;

	life->on_word = event_new(base, life->fd, EV_READ | EV_PERSIST, on_word, cell);
	life->on_last_words = event_new(base, life->fds[2], EV_READ | EV_PERSIST, on_last_words, cell);
	if (!life->on_word || !life->on_last_words || event_add(life->on_word, NULL) == -1 ||
	    event_add(life->on_last_words, NULL) == -1)
		return -ENOMEM;
	return 0;
}

static int
spawn(struct ptah_cell *cell, int theirs)
{
	static const char *const argv[] = { "/proc/self/exe", PTAH_CELL_WORD, NULL };
	struct life *life = &cell->life;
	const char *env[8];
	int rc;

	pick_environment(cell->crew->how.envp, env, sizeof(env) / sizeof(env[0]));
	life->proc = ptah_proc_start(cell->crew->loop->base, argv, env, false, life->fds, on_death, cell);
	if (!life->proc) {
		rc = -errno;
		life->fds[0] = life->fds[1] = life->fds[2] = -1;
		return rc;
	}
	rc = watch(cell);
	return rc == 0 ? ptah_pass_send(life->fds[0], "", 1, &theirs, 1) : rc;
}

static int
begin_life(struct ptah_cell *cell)
{
	struct life *life = &cell->life;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -errno;
	life->fd = pair[0];
	rc = spawn(cell, pair[1]);
	close(pair[1]);
	if (rc == 0)
		rc = tell_plan(cell);
	if (rc == 0)
		rc = open_channels(cell);
	if (rc == 0)
		rc = tell_places(cell);
	if (rc == 0)
		rc = tell(cell, PTAH_CELL_GO, 0);
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
	cell->life = (struct life){ .fds = { -1, -1, -1 }, .fd = -1 };
	cell->dial = (struct ptah_dial_how){ .proxy = &plan->proxy, .bind_v4 = plan->outbound_v4, .bind_v6 = plan->outbound_v6 };
	ptah_reach_of(&cell->reach, plan);
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
ptah_cell_drain(struct ptah_cell *cell)
{
	if (cell->draining || cell->ending)
		return;
	cell->draining = true;
	ptah_alarm_clear(&cell->again);
	/* Whoever still waits on a place that is nobody's now is to be let in. */
	if (!cell->life.proc || tell(cell, PTAH_CELL_DRAIN, drop_places(cell)) != 0)
		tell_drained(cell);
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
	if (tell(cell, PTAH_CELL_END, left) != 0)
		left = 0;
	set_alarm(cell, &cell->late, (unsigned)left, on_late);
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
	ptah_kv_clear(&cell->args);
	free(cell->why);
	free(cell);
}

void
ptah_cell_stats(const struct ptah_cell *cell, struct ptah_stats *sum)
{
	ptah_stats_sum(sum, &cell->past);
	ptah_stats_sum(sum, &cell->life.stats);
}

unsigned
ptah_cell_deaths(const struct ptah_cell *cell)
{
	return cell->n_deaths;
}
