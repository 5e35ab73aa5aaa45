/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/runself.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "host/manager.h"
#include "host/office.h"
#include "host/tenant.h"

/* Who sees us from outside: one process of ours at a time. */
int
ptah_run_open_outside(struct ptah_run *run)
{
	int rc = ptah_manager_begin(&run->manager, run, run->envp, run->upgrade != NULL);

	return rc == 0 ? ptah_office_begin(&run->office, run, run->loop) : rc;
}

static void
on_hold(void *arg)
{
	const struct ptah_run *run = arg;

	for (const struct ptah_tenant *tenant = run->tenants; tenant; tenant = tenant->next)
		if (tenant->state == PTAH_RUN_SERVES)
			ptah_upgrade_serves(run->upgrade, tenant->plan->label);
}

static void
on_leave(void *arg)
{
	struct ptah_run *run = arg;

	ptah_manager_hush(run->manager);
	ptah_run_tell(run, PTAH_RUN_EV_LEAVING);
}

static void
on_return(void *arg)
{
	struct ptah_run *run = arg;

	ptah_manager_resume(run->manager);
	ptah_run_tell(run, PTAH_RUN_EV_RETURNED);
}

static void
on_done(void *arg)
{
	struct ptah_run *run = arg;

	run->upgrading = false;
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "upgraded", NULL, "another process serves now: this one ends with its last link");
	ptah_run_tell(run, PTAH_RUN_EV_UPGRADED);
	if (!run->draining)
		ptah_run_drain(run, 0);
}

static void
on_stay(const char *why, void *arg)
{
	struct ptah_run *run = arg;

	free(run->upgrade_why);
	run->upgrade_why = strdup(why);
	run->upgrading = false;
	ptah_event(PTAH_LOG_ERROR, AREA_HOST, "upgrade-failed", NULL, "not upgraded, and nothing has changed: %.*s",
	    (int)strcspn(why, "\n"), why);
	ptah_run_tell(run, PTAH_RUN_EV_NOT_UPGRADED);
	ptah_run_reload_again(run);
}

/* The start of an heir is over only now. */
static void
on_yours(void *arg)
{
	struct ptah_run *run = arg;

	if (ptah_run_open_outside(run) != 0)
		ptah_error(AREA_HOST, "some of what the program before this one did is not done any more");
	ptah_run_begin(run);
}

static void
on_lost(void *arg)
{
	ptah_run_end(arg, "the process that keeps this one has gone");
}

const struct ptah_upgrade_says ptah_run_upgrade_says = {
	.on_hold = on_hold, .on_leave = on_leave, .on_done = on_done, .on_return = on_return, .on_stay = on_stay, .on_yours = on_yours, .on_lost = on_lost,
};

const char *
ptah_run_busy_with(const struct ptah_run *run)
{
	return run->draining || run->ending ? "ptah is about to end" : run->upgrading ? "an upgrade is under way" :
	    run->ready ? "a reload is under way" : "ptah has just started";
}

int
ptah_run_upgrade(struct ptah_run *run, char *why, size_t room)
{
	int rc = 0;

	if (!run->upgrade) {
		snprintf(why, room, "there is no parent process that could start another program: this one is hardened, and "
		    "can start none");
		rc = -EOPNOTSUPP;
	} else if (run->upgrading || run->changing || !run->ready || run->draining || run->ending) {
		snprintf(why, room, "%s: try again when that is over", ptah_run_busy_with(run));
		rc = -EBUSY;
	} else if ((rc = ptah_upgrade_ask(run->upgrade)) != 0) {
		snprintf(why, room, "the parent process does not answer: %s", strerror(-rc));
	} else {
		run->upgrading = true;
		ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "upgrade", NULL, "starting another program in the place of this one");
	}
	return rc;
}

const char *
ptah_run_upgrade_why(const struct ptah_run *run)
{
	return run->upgrade_why ? run->upgrade_why : strerror(ENOMEM);
}
