/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/office.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/desk.h"
#include "control/order.h"
#include "control/web.h"
#include "host/gather.h"
#include "host/roll.h"
#include "host/premises.h"
#include "host/run.h"
#include "loop/worker.h"

#define VISITORS_MOST 16
#define ASK_MS 10000
#define SAY_MS 10000
/* How often somebody who waits for the last link hears how many there are. */
#define TELL_MS 1000
/* And somebody who waits for an upgrade, that it is not over. */
#define UPGRADE_TELL_MS 10000

struct ptah_office {
	struct ptah_run *run;
	struct ptah_worker *loop;
	struct ptah_pulse pulse;
	struct ptah_run_watcher watcher;
	struct ptah_desk *desk;
	struct ptah_web *web;
	struct ptah_premises premises;
	struct ptah_roll *roll;            /* under way, or NULL */
	struct ptah_visitor *lister;       /* who waits for that; NULL: nobody any more */
	struct ptah_visitor *reloader;     /* who waits for the end of a reload; NULL: nobody */
	struct ptah_run_reload how;        /* of that */
	struct ptah_visitor *upgrader;     /* who waits for the end of an upgrade; NULL: nobody */
	struct ptah_deadline upgrade_tell;
	struct ptah_buf words;
	struct ptah_visitor *drainers[VISITORS_MOST]; /* who wait for the end */
	uint64_t links_cut;                           /* what was open when the time of a drain was over */
	struct ptah_deadline tell;
};

static void
say(struct ptah_visitor *visitor, struct ptah_buf *out, int then)
{
	if (out->rc == 0)
		ptah_visitor_say(visitor, out->at, out->len, then);
	else
		ptah_visitor_say(visitor, "", 0, PTAH_SAY_LAST);
	ptah_buf_clear(out);
}

static void
refuse(struct ptah_visitor *visitor, const char *error, const char *next)
{
	struct ptah_buf out = { 0 };

	ptah_answer_refused(&out, error, next);
	say(visitor, &out, PTAH_SAY_DONE);
}

/* --- status ----------------------------------------------------------------------- */

static int
take_figures(struct ptah_figures *out, void *arg)
{
	const struct ptah_office *office = arg;

	return ptah_gather(office->run, &office->pulse, out);
}

static void
show_status(struct ptah_office *office, struct ptah_visitor *visitor)
{
	struct ptah_figures figures = { 0 };
	struct ptah_buf out = { 0 };

	ptah_answer_done(&out, take_figures(&figures, office) == 0 ? ptah_figures_json(&figures, true) : NULL);
	ptah_figures_clear(&figures);
	say(visitor, &out, PTAH_SAY_DONE);
}

/* --- links ------------------------------------------------------------------------- */

static void
on_links(struct ptah_json *list, void *arg)
{
	struct ptah_office *office = arg;
	struct ptah_buf out = { 0 };

	office->roll = NULL;
	if (!office->lister) {
		ptah_json_free(list);
		return;
	}
	ptah_answer_done(&out, list);

	struct ptah_visitor *visitor = office->lister;

	office->lister = NULL;
	say(visitor, &out, PTAH_SAY_DONE);
}

static void
list_links(struct ptah_office *office, struct ptah_visitor *visitor, unsigned most)
{
	if (office->roll) {
		refuse(visitor, "somebody else is being told the links", "ask again in a moment");
		return;
	}
	office->roll = ptah_roll_call(office->run, most, ptah_run_file(office->run)->log_unsafe, on_links, office);
	if (!office->roll) {
		refuse(visitor, strerror(errno), "ask again in a moment");
		return;
	}
	office->lister = visitor;
	ptah_visitor_wait(visitor);
}

/* --- reload ----------------------------------------------------------------------- */

static int
set_count(struct ptah_json *object, const char *key, size_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", n);
	return ptah_json_set(object, key, ptah_json_new_text(PTAH_JSON_NUMBER, text));
}

/* The lines of 'words' as an array. */
static struct ptah_json *
lines_of(const struct ptah_buf *words)
{
	struct ptah_json *lines = ptah_json_new(PTAH_JSON_ARRAY);
	char *text = words->len > 0 ? strdup((const char *)words->at) : NULL, *rest = text;
	int rc = words->rc;

	for (char *line = rest ? strsep(&rest, "\n") : NULL; line && rc == 0; line = strsep(&rest, "\n"))
		if (line[0] != '\0')
			rc = ptah_json_add(lines, ptah_json_new_text(PTAH_JSON_STRING, line));
	free(text);
	if (rc == 0)
		return lines;
	ptah_json_free(lines);
	return NULL;
}

/* What the file says and does not serve. */
struct failed {
	struct ptah_buf *words; /* which, and why */
	size_t n;
};

static int
on_row(const struct ptah_run_row *row, void *arg)
{
	struct failed *failed = arg;
	struct ptah_buf *words = failed->words;

	failed->n += row->state == PTAH_RUN_FAILED;
	if (row->reason && row->state == PTAH_RUN_FAILED)
		ptah_buf_printf(words, "%s does not start: %s\n", row->label, row->reason);
	else if (row->reason)
		ptah_buf_printf(words, "%s goes on as it was before\n", row->label);
	return words->rc;
}

static void
tell_reloaded(struct ptah_office *office)
{
	struct ptah_visitor *visitor = office->reloader;
	const struct ptah_run_reload *how = &office->how;
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);
	struct failed failed = { .words = &office->words };
	struct ptah_buf out = { 0 };
	int rc;

	office->reloader = NULL;
	(void)ptah_run_each(office->run, on_row, &failed);
	rc = set_count(object, "new", how->n_new);
	rc = rc == 0 ? set_count(object, "changed", how->n_changed) : rc;
	rc = rc == 0 ? set_count(object, "gone", how->n_gone) : rc;
	rc = rc == 0 ? set_count(object, "same", how->n_same) : rc;
	rc = rc == 0 ? set_count(object, "failed", failed.n) : rc;
	rc = rc == 0 ? ptah_json_set(object, "words", lines_of(&office->words)) : rc;
	if (rc != 0) {
		ptah_json_free(object);
		object = NULL;
	}
	ptah_buf_clear(&office->words);
	ptah_answer_done(&out, object);
	say(visitor, &out, PTAH_SAY_DONE);
}

static void
tell_refused(struct ptah_office *office, struct ptah_visitor *visitor, int rc)
{
	struct ptah_buf out = { 0 };
	char error[128];

	if (rc == -EINVAL) {
		snprintf(error, sizeof(error), "the file has %zu %s; nothing has changed", office->how.n_errors,
		    office->how.n_errors == 1 ? "error" : "errors");
		ptah_answer_faults(&out, error, "correct it, and reload again; `ptah check FILE` says the same of it", lines_of(&office->words));
	} else if (rc == -EBUSY) {
		ptah_answer_refused(&out, ptah_run_busy_with(office->run), "ask again when `ptah ctl status` says that its services serve");
	} else {
		ptah_answer_refused(&out, strerror(-rc), "look into the log");
	}
	ptah_buf_clear(&office->words);
	say(visitor, &out, PTAH_SAY_DONE);
}

static void
reload(struct ptah_office *office, struct ptah_visitor *visitor)
{
	int rc;

	if (office->reloader) {
		refuse(visitor, "a reload that somebody else has asked for is under way", "ask again when it is over");
		return;
	}
	office->how = (struct ptah_run_reload){ 0 };
	ptah_buf_clear(&office->words);
	ptah_visitor_wait(visitor);
	rc = ptah_run_reload(office->run, &office->how, &office->words);
	if (rc < 0)
		tell_refused(office, visitor, rc);
	else
		office->reloader = visitor;
	/* It may have been over before we knew whose it was. */
	if (office->reloader && !ptah_run_is_changing(office->run))
		tell_reloaded(office);
}

/* --- drain ------------------------------------------------------------------------ */

static uint64_t
links_open(struct ptah_office *office)
{
	struct ptah_figures figures = { 0 };
	uint64_t n = 0;

	if (take_figures(&figures, office) == 0)
		for (size_t i = 0; i < figures.n_services; i++)
			n += ptah_figures_open(&figures.services[i].stats);
	ptah_figures_clear(&figures);
	return n;
}

static void on_tell(struct ptah_deadline *deadline, void *arg);

static void
tell_drainers(struct ptah_office *office)
{
	struct ptah_buf out = { 0 };
	uint64_t n = links_open(office);
	char words[64];

	snprintf(words, sizeof(words), "%" PRIu64 " %s open", n, n == 1 ? "link is" : "links are");
	ptah_answer_progress(&out, words);
	for (unsigned i = 0; i < VISITORS_MOST && out.rc == 0; i++)
		if (office->drainers[i])
			ptah_visitor_say(office->drainers[i], out.at, out.len, PTAH_SAY_MORE);
	ptah_buf_clear(&out);
	(void)ptah_deadline_set(office->loop, &office->tell, TELL_MS, on_tell, office); /* it is reserved */
}

static void
on_tell(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	tell_drainers(arg);
}

static void
drain(struct ptah_office *office, struct ptah_visitor *visitor, unsigned seconds)
{
	unsigned i = 0;

	while (office->drainers[i]) /* there are as many as visitors */
		i++;
	office->drainers[i] = visitor;
	ptah_visitor_wait(visitor);
	ptah_run_drain(office->run, seconds);
	if (office->drainers[i])
		tell_drainers(office);
}

/* The first service that is cut off finds the links of all others open, too: they all had the same time. */
static void
count_cut(struct ptah_office *office)
{
	uint64_t n = links_open(office);

	if (n > office->links_cut)
		office->links_cut = n;
}

/* It ends: whoever waits for that hears it now, for the loop does not turn again. */
static void
tell_ending(struct ptah_office *office)
{
	struct ptah_json *object;

	ptah_deadline_clear(&office->tell);
	count_cut(office);
	for (unsigned i = 0; i < VISITORS_MOST; i++) {
		struct ptah_visitor *visitor = office->drainers[i];
		struct ptah_buf out = { 0 };

		office->drainers[i] = NULL;
		if (!visitor)
			continue;
		object = ptah_json_new(PTAH_JSON_OBJECT);
		if (set_count(object, "linksCut", (size_t)office->links_cut) != 0) {
			ptah_json_free(object);
			object = NULL;
		}
		ptah_answer_done(&out, object);
		say(visitor, &out, PTAH_SAY_LAST);
	}
}

/* --- upgrade ---------------------------------------------------------------------- */

static void
on_upgrade_tell(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_office *office = arg;
	struct ptah_buf out = { 0 };

	if (!office->upgrader)
		return;
	ptah_answer_progress(&out, deadline ? "the new program does not serve yet" : "the new program starts");
	say(office->upgrader, &out, PTAH_SAY_MORE);
	(void)ptah_deadline_set(office->loop, &office->upgrade_tell, UPGRADE_TELL_MS, on_upgrade_tell, office); /* it is reserved */
}

static void
upgrade(struct ptah_office *office, struct ptah_visitor *visitor)
{
	char why[400];
	int rc = ptah_run_upgrade(office->run, why, sizeof(why));

	if (rc == -EOPNOTSUPP) {
		refuse(visitor, why, "restart ptah, by `ptah run --upgradable FILE`, and the next upgrade needs no restart");
	} else if (rc != 0) {
		refuse(visitor, why, "ask again in a moment");
	} else {
		office->upgrader = visitor;
		ptah_visitor_wait(visitor);
		on_upgrade_tell(NULL, office);
	}
}

static void
tell_not_upgraded(struct ptah_office *office)
{
	const char *why = ptah_run_upgrade_why(office->run), *more = strchr(why, '\n');
	struct ptah_visitor *visitor = office->upgrader;
	struct ptah_buf out = { 0 }, lines = { 0 };
	char error[400];

	ptah_deadline_clear(&office->upgrade_tell);
	office->upgrader = NULL;
	if (!visitor)
		return;
	snprintf(error, sizeof(error), "not upgraded, and nothing has changed: %.*s", (int)strcspn(why, "\n"), why);
	if (more)
		(void)ptah_buf_puts(&lines, more + 1);
	ptah_answer_faults(&out, error, "mend that, and upgrade again", lines_of(&lines));
	ptah_buf_clear(&lines);
	say(visitor, &out, PTAH_SAY_DONE);
}

/* The next program opens all of this anew; and we again, if it does not. */
static void open_again(struct ptah_office *office);

static void
leave(struct ptah_office *office)
{
	ptah_desk_shut(office->desk);
	ptah_web_close(office->web);
	office->web = NULL;
	ptah_premises_leave(&office->premises);
}

static void
tell_upgraded(struct ptah_office *office)
{
	struct ptah_visitor *visitor = office->upgrader;
	struct ptah_buf out = { 0 };

	ptah_deadline_clear(&office->upgrade_tell);
	office->upgrader = NULL;
	if (!visitor)
		return;
	ptah_answer_done(&out, ptah_json_new(PTAH_JSON_OBJECT));
	say(visitor, &out, PTAH_SAY_LAST);
}

/* --- orders ------------------------------------------------------------------------ */

static void
log_order(const struct ptah_visitor *visitor, const char *word)
{
	uid_t uid;
	pid_t pid;

	if (ptah_visitor_who(visitor, &uid, &pid) == 0)
		ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "order", NULL, "%s is ordered by process %ld of user %lu", word, (long)pid,
		    (unsigned long)uid);
}

static void
obey(struct ptah_office *office, struct ptah_visitor *visitor, const struct ptah_order *order)
{
	if (order->what >= PTAH_ORDER_RELOAD)
		log_order(visitor, ptah_order_words[order->what]);
	switch (order->what) {
	case PTAH_ORDER_STATUS:
		show_status(office, visitor);
		break;
	case PTAH_ORDER_RELOAD:
		reload(office, visitor);
		break;
	case PTAH_ORDER_DRAIN:
		drain(office, visitor, order->seconds);
		break;
	case PTAH_ORDER_UPGRADE:
		upgrade(office, visitor);
		break;
	default:
		list_links(office, visitor, order->most);
		break;
	}
}

static long
on_bytes(struct ptah_visitor *visitor, struct ptah_span bytes, void *arg)
{
	struct ptah_office *office = arg;
	const uint8_t *end = memchr(bytes.at, '\n', bytes.len);
	struct ptah_order order;
	char why[200];
	int rc;

	if (!end)
		return 0;
	rc = ptah_order_parse(&order, (struct ptah_span){ bytes.at, (size_t)(end - bytes.at) }, why, sizeof(why));
	if (rc == 0)
		obey(office, visitor, &order);
	else
		refuse(visitor, rc == -EINVAL ? why : strerror(-rc), "`ptah ctl --help` lists what can be asked");
	return end - bytes.at + 1;
}

static void
on_gone(struct ptah_visitor *visitor, void *arg)
{
	struct ptah_office *office = arg;

	if (office->lister == visitor)
		office->lister = NULL;
	if (office->reloader == visitor)
		office->reloader = NULL;
	if (office->upgrader == visitor)
		office->upgrader = NULL;
	for (unsigned i = 0; i < VISITORS_MOST; i++)
		if (office->drainers[i] == visitor)
			office->drainers[i] = NULL;
}

static void
on_run_event(struct ptah_run *run, int event, void *arg)
{
	struct ptah_office *office = arg;

	(void)run;
	if (event == PTAH_RUN_EV_RELOADED && office->reloader)
		tell_reloaded(office);
	else if (event == PTAH_RUN_EV_LEAVING)
		leave(office);
	else if (event == PTAH_RUN_EV_RETURNED)
		open_again(office);
	else if (event == PTAH_RUN_EV_DRAINING)
		office->links_cut = 0; /* of plans that a reload replaced */
	else if (event == PTAH_RUN_EV_CUT_OFF)
		count_cut(office);
	else if (event == PTAH_RUN_EV_UPGRADED)
		tell_upgraded(office);
	else if (event == PTAH_RUN_EV_NOT_UPGRADED)
		tell_not_upgraded(office);
	else if (event == PTAH_RUN_EV_ENDING)
		tell_ending(office);
}

/* --- birth and death ------------------------------------------------------------------ */

static int
open_control(struct ptah_office *office)
{
	const struct ptah_desk_how how = {
		.name = "control", .most = VISITORS_MOST, .ask_most = PTAH_ORDER_MAX, .ask_ms = ASK_MS, .say_ms = SAY_MS,
		.on_bytes = on_bytes, .on_gone = on_gone, .arg = office,
	};
	int fd;

	if (!ptah_premises_has_control(&office->premises))
		return 0;
	fd = ptah_premises_open_control(&office->premises);
	if (fd < 0)
		return fd;
	if (office->desk)
		return ptah_desk_resume(office->desk, fd);
	office->desk = ptah_desk_open(office->loop, fd, &how);
	return office->desk ? 0 : -errno;
}

static int
open_metrics(struct ptah_office *office)
{
	int fd;

	if (!ptah_premises_has_metrics(&office->premises))
		return 0;
	fd = ptah_premises_open_metrics(&office->premises);
	if (fd < 0)
		return fd;
	office->web = ptah_web_open(office->loop, fd, !office->premises.metrics_path, take_figures, office);
	return office->web ? 0 : -errno;
}

/* What cannot be opened has been logged, and is no reason to do without the other. */
static void
open_again(struct ptah_office *office)
{
	(void)open_control(office);
	(void)open_metrics(office);
}

int
ptah_office_begin(struct ptah_office **out, struct ptah_run *run, struct ptah_worker *loop)
{
	struct ptah_office *office = *out = calloc(1, sizeof(*office));
	int rc;

	if (!office)
		return -ENOMEM;
	*office = (struct ptah_office){ .run = run, .loop = loop };
	ptah_pulse_open(&office->pulse);
	rc = ptah_premises_take(&office->premises, ptah_run_file(run));
	if (rc == 0)
		rc = ptah_deadline_reserve(loop, TELL_MS);
	if (rc == 0)
		rc = ptah_deadline_reserve(loop, UPGRADE_TELL_MS);
	if (rc == 0)
		rc = open_control(office);
	if (rc == 0)
		rc = open_metrics(office);
	office->watcher = (struct ptah_run_watcher){ .on_event = on_run_event, .arg = office };
	ptah_run_watch(run, &office->watcher);
	return rc;
}

void
ptah_office_close(struct ptah_office *office)
{
	if (!office)
		return;
	ptah_deadline_clear(&office->tell);
	ptah_deadline_clear(&office->upgrade_tell);
	ptah_roll_forget(office->roll);
	office->roll = NULL;
	ptah_desk_close(office->desk);
	ptah_web_close(office->web);
	office->desk = NULL;
	office->web = NULL;
	ptah_premises_leave(&office->premises);
}

void
ptah_office_free(struct ptah_office *office)
{
	if (!office)
		return;
	ptah_office_close(office);
	ptah_buf_clear(&office->words);
	ptah_premises_clear(&office->premises);
	ptah_pulse_close(&office->pulse);
	free(office);
}
