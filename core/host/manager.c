/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/crew.h"
#include "host/notify.h"
#include "host/run.h"
#include "loop/worker.h"

/* The last links may take their time, and modules some more; the manager would kill us else. */
#define END_NS (10 * PTAH_NS_PER_S)

/* How often in the manager's time we say that we live. */
#define TIMES 3

struct ping {
	struct ptah_manager *manager;
	struct ptah_worker *worker;
	struct ptah_letter there, back;
};

struct ptah_manager {
	struct ptah_run *run;
	char *const *envp;
	bool kept;
	struct ptah_notify notify;
	struct ptah_run_watcher watcher;
	struct ptah_worker *loop;
	struct ptah_deadline look;
	uint32_t look_ms;
	unsigned n_awaited; /* workers that have not answered yet */
	struct ping *pings; /* by worker */
};

/* --- status ------------------------------------------------------------------------------- */

struct tally {
	size_t n_serving, n_failed, n_draining, n_starting;
	const char *failed; /* label of the first that failed */
};

static int
count(const struct ptah_run_row *row, void *arg)
{
	struct tally *tally = arg;

	tally->n_serving += row->state == PTAH_RUN_SERVES;
	tally->n_starting += row->state == PTAH_RUN_STARTS;
	tally->n_draining += row->state == PTAH_RUN_DRAINS || row->state == PTAH_RUN_ENDS;
	if (row->state == PTAH_RUN_FAILED && tally->n_failed++ == 0)
		tally->failed = row->label;
	return 0;
}

static const char *
status(const struct ptah_run *run, struct ptah_buf *out)
{
	struct tally tally = { 0 };

	(void)ptah_run_each(run, count, &tally);
	ptah_buf_printf(out, "%zu service%s serve%s", tally.n_serving, tally.n_serving == 1 ? "" : "s", tally.n_serving == 1 ? "s" : "");
	if (tally.n_starting > 0)
		ptah_buf_printf(out, ", %zu starting", tally.n_starting);
	if (tally.n_failed > 0)
		ptah_buf_printf(out, ", %zu failed (%s%s)", tally.n_failed, tally.failed, tally.n_failed > 1 ? ", ..." : "");
	if (tally.n_draining > 0)
		ptah_buf_printf(out, tally.n_draining == 1 ? ", %zu old one waits for its last links" :
		    ", %zu old ones wait for their last links", tally.n_draining);
	return out->rc == 0 ? (const char *)out->at : "";
}

static void
on_event(struct ptah_run *run, int event, void *arg)
{
	const struct ptah_manager *m = arg;
	struct ptah_buf text = { 0 };

	switch (event) {
	case PTAH_RUN_EV_READY:
	case PTAH_RUN_EV_RELOADED:
		ptah_notify_ready(&m->notify, status(run, &text));
		break;
	case PTAH_RUN_EV_RELOADING:
		ptah_notify_reloading(&m->notify);
		break;
	case PTAH_RUN_EV_DRAINING:
		ptah_notify_stopping(&m->notify, "no new links; waiting for the last one",
		    ptah_run_file(run)->drain_s * PTAH_NS_PER_S + END_NS);
		break;
	case PTAH_RUN_EV_ENDING:
		ptah_notify_stopping(&m->notify, "ending", END_NS);
		break;
	default:
		ptah_notify_status(&m->notify, status(run, &text));
		break;
	}
	ptah_buf_clear(&text);
}

/* --- alive ---------------------------------------------------------------------------------- */

static void
on_answer(struct ptah_worker *loop, void *arg)
{
	struct ping *ping = arg;

	(void)loop;
	ping->manager->n_awaited--;
}

/* On the worker. */
static void
on_ping(struct ptah_worker *worker, void *arg)
{
	struct ping *ping = arg;

	(void)worker;
	(void)ptah_worker_send(ping->manager->loop, &ping->back, on_answer, ping);
}

/* Say so only when every worker has answered: one that hangs is what the manager is to see. */
static void
on_look(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_manager *m = arg;
	const struct ptah_crew *crew = ptah_run_crew(m->run);

	(void)deadline;
	if (m->n_awaited == 0) {
		ptah_notify_alive(&m->notify);
		for (unsigned i = 0; i < crew->n_workers; i++)
			if (ptah_worker_send(crew->workers[i], &m->pings[i].there, on_ping, &m->pings[i]) == 0)
				m->n_awaited++;
	}
	(void)ptah_deadline_set(m->loop, &m->look, m->look_ms, on_look, m);
}

static int
watch_workers(struct ptah_manager *m)
{
	const struct ptah_crew *crew = ptah_run_crew(m->run);
	uint64_t ms = m->notify.watchdog_ns / PTAH_NS_PER_MS / TIMES;

	m->look_ms = ms < 1 ? 1 : ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
	m->pings = calloc(crew->n_workers, sizeof(*m->pings));
	if (!m->pings || ptah_deadline_reserve(m->loop, m->look_ms) != 0)
		return -ENOMEM;
	for (unsigned i = 0; i < crew->n_workers; i++)
		m->pings[i] = (struct ping){ .manager = m, .worker = crew->workers[i] };
	on_look(NULL, m);
	return 0;
}

/* --- birth and death --------------------------------------------------------------------------- */

int
ptah_manager_begin(struct ptah_manager **out, struct ptah_run *run, char *const envp[], bool kept)
{
	struct ptah_manager *m = calloc(1, sizeof(*m));
	int rc = m ? ptah_notify_open(&m->notify, envp) : -ENOMEM;

	*out = NULL;
	if (rc != 0 || m->notify.fd == -1) {
		free(m);
		return rc;
	}
	if (kept)
		m->notify.main_pid = getppid();
	m->kept = kept;
	m->envp = envp;
	m->run = run;
	m->loop = ptah_run_crew(run)->loop;
	if (m->notify.watchdog_ns > 0)
		rc = watch_workers(m);
	if (rc != 0) {
		ptah_manager_end(m);
		return rc;
	}
	m->watcher = (struct ptah_run_watcher){ .on_event = on_event, .arg = m };
	ptah_run_watch(run, &m->watcher);
	*out = m;
	return 0;
}

void
ptah_manager_hush(struct ptah_manager *m)
{
	if (!m)
		return;
	ptah_deadline_clear(&m->look);
	ptah_notify_close(&m->notify);
}

void
ptah_manager_resume(struct ptah_manager *m)
{
	if (!m)
		return;
	if (ptah_notify_open(&m->notify, m->envp) != 0)
		ptah_error(AREA_HOST, "the service manager does not hear of this process any more");
	if (m->kept)
		m->notify.main_pid = getppid();
	/* The other one may have told it something else. */
	on_event(m->run, PTAH_RUN_EV_READY, m);
	if (m->look_ms > 0)
		on_look(NULL, m);
}

void
ptah_manager_end(struct ptah_manager *m)
{
	if (!m)
		return;
	ptah_deadline_clear(&m->look);
	ptah_notify_close(&m->notify);
	free(m->pings);
	free(m);
}
