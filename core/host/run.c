/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "host/crew.h"
#include "host/runself.h"
#include "host/tenant.h"
#include "host/tenants.h"
#include "transport/registry.h"
#include "transport/watch.h"

/* --- who asks, and who watches ------------------------------------------------------ */

const char *
ptah_run_state_name(int state)
{
	static const char *const names[] = {
		[PTAH_RUN_STARTS] = "starts", [PTAH_RUN_SERVES] = "serves", [PTAH_RUN_FAILED] = "failed",
		[PTAH_RUN_DRAINS] = "drains", [PTAH_RUN_ENDS] = "ends",
	};

	return names[state];
}

int
ptah_run_each(const struct ptah_run *run, int (*fn)(const struct ptah_run_row *row, void *arg), void *arg)
{
	int rc = 0;

	for (const struct ptah_tenant *tenant = run->tenants; tenant && rc == 0; tenant = tenant->next) {
		const struct ptah_tenant *heir = tenant->heir;
		const struct ptah_run_row row = {
			.label = tenant->plan->label, .plan = tenant->plan, .state = tenant->state, .since = tenant->since,
			.bound = tenant->bound, .address = tenant->address, .bridge_args = tenant->bridge_args,
			.reason = heir && heir->state == PTAH_RUN_FAILED ? heir->reason : tenant->reason,
			.dispatcher = tenant->state != PTAH_RUN_FAILED ? tenant->dispatcher : NULL,
			.cell = tenant->state != PTAH_RUN_FAILED ? tenant->cell : NULL,
		};

		rc = fn(&row, arg);
	}
	return rc;
}

const struct ptah_crew *
ptah_run_crew(const struct ptah_run *run)
{
	return run->crew;
}

const struct ptah_runfile *
ptah_run_file(const struct ptah_run *run)
{
	return &run->file;
}

void
ptah_run_watch(struct ptah_run *run, struct ptah_run_watcher *watcher)
{
	watcher->next = run->watchers;
	run->watchers = watcher;
}

void
ptah_run_tell(struct ptah_run *run, int event)
{
	for (struct ptah_run_watcher *watcher = run->watchers; watcher; watcher = watcher->next)
		watcher->on_event(run, event, watcher->arg);
}

/* --- who follows whom ------------------------------------------------------------------------- */

/* It is not wanted any more; but its address may be, and must not be closed before it is taken over. */
static void
let_go(const struct ptah_run *run, struct ptah_tenant *tenant)
{
	tenant->heir = tenant->state == PTAH_RUN_SERVES ? ptah_tenants_who_wants(run->tenants, tenant) : NULL;
	if (!tenant->heir)
		ptah_tenant_drain(tenant, run->file.drain_s);
}

/* The heir serves, or has failed: then those of another label have nobody to wait for. */
static void
inherit(struct ptah_run *run, const struct ptah_tenant *heir)
{
	bool serves = heir->state == PTAH_RUN_SERVES;
	struct ptah_tenant *next;

	for (struct ptah_tenant *tenant = run->tenants; tenant; tenant = next) {
		next = tenant->next;
		if (tenant->heir != heir)
			continue;
		if (serves || strcmp(tenant->plan->label, heir->plan->label) != 0)
			let_go(run, tenant);
		else
			ptah_event(PTAH_LOG_WARN, AREA_HOST, "service-kept", tenant->plan->label,
			    "%s goes on as it was before: what the file says now does not start", tenant->plan->label);
	}
}

/* SIGHUP came when it could not be followed. */
void
ptah_run_reload_again(struct ptah_run *run)
{
	if (run->again)
		(void)ptah_run_reload(run, NULL, NULL);
}

/* Nobody before us serves any more. */
static void
release(struct ptah_run *run)
{
	if (!run->crew->held)
		return;
	run->crew->held = false;
	for (struct ptah_tenant *tenant = run->tenants; tenant; tenant = tenant->next)
		ptah_tenant_release(tenant);
}

/* Of '*n' that there are. */
static size_t
count_serving(const struct ptah_run *run, size_t *n)
{
	size_t n_serving = 0;

	*n = 0;
	for (const struct ptah_tenant *tenant = run->tenants; tenant; tenant = tenant->next) {
		(*n)++;
		n_serving += tenant->state == PTAH_RUN_SERVES;
	}
	return n_serving;
}

/* All that could start has started: we serve from here on. */
void
ptah_run_begin(struct ptah_run *run)
{
	size_t n, n_serving = count_serving(run, &n);

	run->ready = true;
	ptah_crew_set_quota(run->crew);
	release(run);
	if (n_serving < n && !run->draining)
		ptah_notice(AREA_HOST, "ptah doctor %s says what is in the way on this machine, and which line cures it", run->path);
	if (n > 0 && n_serving == 0 && !run->draining) {
		run->rc = EX_UNAVAILABLE;
		ptah_run_end(run, "no service of the file starts; ptah doctor looks for what is wrong on this machine");
		return;
	}
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "ready", NULL, "ready: %zu of %zu services serve", n_serving, n);
	ptah_run_tell(run, PTAH_RUN_EV_READY);
	ptah_run_reload_again(run);
}

static void
decline(struct ptah_run *run, const char *why, const char *reason)
{
	ptah_upgrade_fail(run->upgrade, why);
	run->rc = EX_UNAVAILABLE;
	ptah_run_end(run, reason);
}

/* A program before us still serves: is all of it served here, too, and anything at all? */
static void
offer(struct ptah_run *run)
{
	char why[1000];
	size_t n;

	for (const struct ptah_tenant *tenant = run->tenants; tenant; tenant = tenant->next) {
		if (tenant->state != PTAH_RUN_FAILED || !ptah_upgrade_was_served(run->upgrade, tenant->plan->label))
			continue;
		snprintf(why, sizeof(why), "%s does not start in the new program: %s", tenant->plan->label,
		    tenant->reason ? tenant->reason : strerror(ENOMEM));
		decline(run, why, "a service that the program before this one serves does not start");
		return;
	}
	if (count_serving(run, &n) == 0 && n > 0)
		decline(run, "no service of the file starts in the new program", "no service of the file starts");
	else
		ptah_upgrade_ready(run->upgrade);
}

static void
look_whether_settled(struct ptah_run *run)
{
	for (const struct ptah_tenant *tenant = run->tenants; tenant; tenant = tenant->next)
		if (tenant->state == PTAH_RUN_STARTS)
			return;
	if (!run->changing || run->busy || run->ending)
		return;
	run->changing = false;
	if (run->ready)
		ptah_run_tell(run, PTAH_RUN_EV_RELOADED);
	else if (ptah_upgrade_is_heir(run->upgrade))
		offer(run);
	else
		ptah_run_begin(run);
}

static void
on_state(struct ptah_tenant *tenant, void *arg)
{
	struct ptah_run *run = arg;

	/* One that has failed at once is not in the list yet, and is looked at when it is. */
	if (!run->busy && !run->draining && (tenant->state == PTAH_RUN_SERVES || tenant->state == PTAH_RUN_FAILED))
		inherit(run, tenant);
	if (tenant->state == PTAH_RUN_ENDS && tenant->cut_off) {
		run->cut_off = true;
		ptah_run_tell(run, PTAH_RUN_EV_CUT_OFF);
	}
	ptah_run_tell(run, PTAH_RUN_EV_SERVICE);
	look_whether_settled(run);
}

static void
on_gone(struct ptah_tenant *tenant, void *arg)
{
	struct ptah_run *run = arg;

	ptah_tenants_remove(&run->tenants, tenant);
	ptah_tenant_free(tenant);
	run->over = !run->tenants && (run->draining || run->ending);
	if (run->over)
		ptah_run_end(run, run->cut_off ? "the last links had their time, and are cut off" : "the last link has ended");
}

static const struct ptah_tenant_says says = { .on_state = on_state, .on_gone = on_gone };

/* --- a change ------------------------------------------------------------------------------ */

/* A plan of the new file: somebody who is there already, or a new tenant.  Takes: plan. */
static struct ptah_tenant *
settle_plan(struct ptah_run *run, struct ptah_plan *plan, struct ptah_run_reload *how)
{
	struct ptah_tenant *now = ptah_tenants_newest(run->tenants, plan->label);
	struct ptah_tenant *old = ptah_tenants_serving(run->tenants, now), *tenant;
	bool is_new = !now;

	if (now && now->state == PTAH_RUN_STARTS && ptah_tenant_is_of(now, plan)) {
		how->n_same++;
		ptah_plan_free(plan);
		return now;
	}
	if (now && now != old)
		ptah_tenant_end(now); /* it never served */
	if (old && ptah_tenant_is_of(old, plan)) {
		old->heir = NULL;
		how->n_same++;
		ptah_plan_free(plan);
		return old;
	}
	tenant = ptah_tenant_start(run->crew, plan, &says, run);
	if (!tenant) {
		ptah_error_rc(AREA_HOST, -errno, "a service cannot start");
		return old;
	}
	*(is_new ? &how->n_new : &how->n_changed) += 1;
	if (old)
		old->heir = tenant;
	return tenant;
}

/* Do what the plans say.  Takes: them. */
void
ptah_run_change(struct ptah_run *run, struct ptah_runfile *file, struct ptah_run_reload *how)
{
	struct ptah_tenant *list = NULL, **end = &list, *next;

	run->changing = run->busy = true;
	while (file->n_plans > 0) {
		struct ptah_tenant *tenant = settle_plan(run, ptah_runfile_take(file, 0), how);
		struct ptah_tenant **at = &run->tenants;

		if (!tenant)
			continue;
		while (*at && *at != tenant)
			at = &(*at)->next;
		if (*at)
			*at = tenant->next;
		tenant->next = NULL;
		*end = tenant;
		end = &tenant->next;
	}
	ptah_tenants_forget_heirs(run->tenants, list);
	*end = run->tenants;
	run->tenants = list;
	/* What is left over and has no heir is not in the file any more. */
	for (struct ptah_tenant *tenant = *end; tenant; tenant = next) {
		next = tenant->next;
		if (tenant->state >= PTAH_RUN_DRAINS || tenant->heir)
			continue;
		how->n_gone += tenant->state != PTAH_RUN_FAILED;
		let_go(run, tenant);
	}
	run->busy = false;
	for (const struct ptah_tenant *tenant = list; tenant; tenant = tenant->next)
		if (tenant->state == PTAH_RUN_SERVES || tenant->state == PTAH_RUN_FAILED)
			inherit(run, tenant);
	look_whether_settled(run);
}

static int
on_changed(unsigned what, void *arg)
{
	struct ptah_run *run = arg;

	if ((what & PTAH_WATCH_MODULES) != 0)
		ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "modules-changed", NULL, "modules have changed on disk");
	if ((what & PTAH_WATCH_FILES) != 0)
		ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "files-changed", NULL, "files that options name have changed on disk");
	return ptah_run_reload(run, NULL, NULL) == -EBUSY ? -EBUSY : 0;
}

/* Those that options of the plans name. */
static int
watch_files(struct ptah_run *run)
{
	struct ptah_json *paths = ptah_json_new(PTAH_JSON_ARRAY);
	int rc = paths ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < run->file.n_plans; i++) {
		const struct ptah_json *files = run->file.plans[i]->files;

		for (size_t k = 0; rc == 0 && files && k < files->n; k++)
			rc = ptah_json_add(paths, ptah_json_copy(files->items[k]));
	}
	if (rc == 0)
		rc = ptah_watch_files(run->watch, paths);
	ptah_json_free(paths);
	return rc;
}

/* As the file wants it now. */
void
ptah_run_watch_disk(struct ptah_run *run)
{
	int rc = 0;

	if (run->file.watch != (run->watch != NULL)) {
		ptah_watch_stop(run->watch);
		run->watch = NULL;
		if (run->file.watch)
			run->watch = ptah_watch_start(run->loop, ptah_registry_folders(run->crew->registry), on_changed, run);
		rc = run->file.watch && !run->watch ? -errno : 0;
	}
	if (rc == 0 && run->watch)
		rc = watch_files(run);
	if (rc != 0)
		ptah_warn_rc(AREA_HOST, rc, "modules and files are not watched");
}

int
ptah_run_reload(struct ptah_run *run, struct ptah_run_reload *how, struct ptah_buf *words)
{
	struct ptah_run_reload ours = { 0 };
	struct ptah_runfile file = { 0 };
	int rc;

	if (!run->ready || run->upgrading || run->draining || run->ending)
		return -EBUSY;
	run->again = false;
	ptah_run_tell(run, PTAH_RUN_EV_RELOADING);
	ptah_watch_note(run->watch);
	ptah_registry_refresh(run->crew->registry);
	rc = ptah_run_read_file(run, &file, &ours, words);
	*(rc < 0 ? &run->n_refused : &run->n_reloads) += 1;
	if (rc < 0) {
		ptah_event(PTAH_LOG_ERROR, AREA_HOST, "reload-refused", NULL, "%s is not taken: nothing has changed", run->path);
		ptah_run_tell(run, PTAH_RUN_EV_RELOADED);
	} else {
		ptah_run_warn_of_process(&file, &run->file);
		ptah_runfile_clear(&run->file);
		run->file = file;
		ptah_run_watch_disk(run);
		ptah_run_change(run, &run->file, &ours);
		ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "reload", NULL, "%s is read again: %zu services are new, %zu changed, %zu gone, %zu as they were", run->path,
		    ours.n_new, ours.n_changed, ours.n_gone, ours.n_same);
	}
	if (how)
		*how = ours;
	return rc;
}

bool
ptah_run_is_changing(const struct ptah_run *run)
{
	return run->changing;
}

bool
ptah_run_is_draining(const struct ptah_run *run)
{
	return run->draining;
}

void
ptah_run_reloads(const struct ptah_run *run, uint64_t *taken, uint64_t *refused)
{
	*taken = run->n_reloads;
	*refused = run->n_refused;
}

void
ptah_run_drain(struct ptah_run *run, unsigned limit_s)
{
	struct ptah_tenant *next;

	if (run->ending)
		return;
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "drain", NULL, "no new links; waiting for the last one");
	run->draining = true;
	run->cut_off = false; /* of plans that a reload replaced */
	if (run->upgrading) /* or the next program would go on */
		ptah_upgrade_fail(run->upgrade, "ptah is about to end");
	ptah_run_tell(run, PTAH_RUN_EV_DRAINING);
	if (!run->tenants)
		ptah_run_end(run, "there is nothing to wait for");
	for (struct ptah_tenant *tenant = run->tenants; tenant; tenant = next) {
		next = tenant->next;
		tenant->heir = NULL;
		ptah_tenant_drain(tenant, limit_s > 0 ? limit_s : run->file.drain_s);
	}
}

void
ptah_run_end(struct ptah_run *run, const char *why)
{
	if (run->ending)
		return;
	run->ending = true;
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "end", NULL, "ending: %s", why);
	ptah_run_tell(run, PTAH_RUN_EV_ENDING);
	ptah_worker_break(run->loop);
}
