/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/run.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/flag.h"
#include "config/source.h"
#include "host/activation.h"
#include "host/checkfile.h"
#include "host/crew.h"
#include "host/harden.h"
#include "host/keeper.h"
#include "host/manager.h"
#include "host/office.h"
#include "host/process.h"
#include "host/tenant.h"
#include "host/tenants.h"
#include "host/upgrade.h"
#include "transport/registry.h"
#include "transport/watch.h"
#include "wire/place.h"

/* What still lives when it is to end may take this long. */
#define END_MS 3000
/* A new program may take this long to serve; a module has a minute (PTAH_READY_MS). */
#define UPGRADE_S 75
#define UPGRADE_MOST_S 3600

/* By PTAH_LOG_PLAIN ... of config/runfile.h. */
static const char *const formats[] = { "plain", "journal", "json", "auto", NULL };

enum { LOG_FORMAT, UPGRADABLE, UPGRADE_TIMEOUT };

const struct ptah_ask ptah_run_flags[] = {
	[LOG_FORMAT] = { .name = "log-format", .value = "FORMAT", .type = PTAH_VALUE_WORD, .words = formats,
	    .help = "write the log so, whatever logFormat of the file says" },
	[UPGRADABLE] = { .name = "upgradable", .type = PTAH_VALUE_SWITCH,
	    .help = "keep a parent process, so that `ptah ctl upgrade` can replace the program without closing a port" },
	[UPGRADE_TIMEOUT] = { .name = "upgrade-timeout", .value = "SECONDS", .type = PTAH_VALUE_NUMBER,
	    .help = "end a new program that does not serve within this time (default: 75)" },
	{ .name = NULL },
};

struct ptah_run {
	const char *path;
	char **envp;
	struct ptah_runfile file; /* in force */
	struct ptah_signals signals;
	struct ptah_worker *loop;
	struct ptah_crew *crew;
	struct event *on_end, *on_other;
	struct ptah_tenant *tenants; /* in the order of the file; then those whose time is over */
	struct ptah_run_watcher *watchers;
	struct ptah_manager *manager;
	struct ptah_office *office;
	uint64_t n_reloads, n_refused;
	struct ptah_watch *watch; /* NULL: the file does not want it */
	struct ptah_upgrade *upgrade; /* NULL: we have no keeper */
	char *upgrade_why;            /* the last one failed */
	bool upgrading;
	ptah_log_output_fn *log_output; /* NULL: a file, or none yet */
	int log_format; /* as the command was asked; -1: it was not */
	bool changing; /* a start or a reload is under way */
	bool ready;    /* the start is over */
	bool busy;     /* who is whose heir is not settled yet */
	bool again;    /* SIGHUP came before it was ready */
	bool draining, ending, over;
	bool spawns;   /* a service of the file that was read last starts programs */
	struct ptah_hardened hardened;
	int rc;
};

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

static void
tell(struct ptah_run *run, int event)
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
static void
reload_again(struct ptah_run *run)
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

/* All that could start has started: we serve from here on. */
static void
begin(struct ptah_run *run)
{
	size_t n = 0, n_serving = 0;

	for (const struct ptah_tenant *tenant = run->tenants; tenant; tenant = tenant->next) {
		n++;
		n_serving += tenant->state == PTAH_RUN_SERVES;
	}
	run->ready = true;
	ptah_crew_set_quota(run->crew);
	release(run);
	if (n > 0 && n_serving == 0) {
		run->rc = EX_UNAVAILABLE;
		ptah_run_end(run, "no service of the file starts");
		return;
	}
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "ready", NULL, "ready: %zu of %zu services serve", n_serving, n);
	tell(run, PTAH_RUN_EV_READY);
	reload_again(run);
}

/* A program before us still serves: is all of it served here, too? */
static void
offer(struct ptah_run *run)
{
	char why[1000];

	for (const struct ptah_tenant *tenant = run->tenants; tenant; tenant = tenant->next) {
		if (tenant->state != PTAH_RUN_FAILED || !ptah_upgrade_was_served(run->upgrade, tenant->plan->label))
			continue;
		snprintf(why, sizeof(why), "%s does not start in the new program: %s", tenant->plan->label,
		    tenant->reason ? tenant->reason : strerror(ENOMEM));
		ptah_upgrade_fail(run->upgrade, why);
		run->rc = EX_UNAVAILABLE;
		ptah_run_end(run, "a service that the program before this one serves does not start");
		return;
	}
	ptah_upgrade_ready(run->upgrade);
}

static void
look_whether_settled(struct ptah_run *run)
{
	for (const struct ptah_tenant *tenant = run->tenants; tenant; tenant = tenant->next)
		if (tenant->state == PTAH_RUN_STARTS)
			return;
	if (!run->changing || run->busy)
		return;
	run->changing = false;
	if (run->ready)
		tell(run, PTAH_RUN_EV_RELOADED);
	else if (ptah_upgrade_is_heir(run->upgrade))
		offer(run);
	else
		begin(run);
}

static void
on_state(struct ptah_tenant *tenant, void *arg)
{
	struct ptah_run *run = arg;

	/* One that has failed at once is not in the list yet, and is looked at when it is. */
	if (!run->busy && !run->draining && (tenant->state == PTAH_RUN_SERVES || tenant->state == PTAH_RUN_FAILED))
		inherit(run, tenant);
	if (tenant->state == PTAH_RUN_ENDS && tenant->cut_off)
		tell(run, PTAH_RUN_EV_CUT_OFF);
	tell(run, PTAH_RUN_EV_SERVICE);
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
		ptah_run_end(run, "the last link has ended");
}

static const struct ptah_tenant_says says = { .on_state = on_state, .on_gone = on_gone };

/* --- what the file says ------------------------------------------------------------------ */

static void
log_faults(const struct ptah_run *run, const struct ptah_faults *faults, struct ptah_buf *words)
{
	for (size_t i = 0; i < faults->n; i++) {
		const struct ptah_fault *fault = &faults->at[i];
		struct ptah_buf line = { 0 };

		if (ptah_fault_print(fault, run->path, &line) == 0) {
			ptah_event(fault->warning ? PTAH_LOG_WARN : PTAH_LOG_ERROR, AREA_CONFIG, "config-fault", NULL, "%.*s", (int)line.len, (const char *)line.at);
			if (words)
				ptah_buf_printf(words, "%.*s\n", (int)line.len, (const char *)line.at);
		}
		ptah_buf_clear(&line);
	}
}

/* What modules have to say to it.  Before there is a crew they are looked for and forgotten again. */
static int
check_file(struct ptah_run *run, const struct ptah_runfile *file, struct ptah_faults *faults)
{
	struct ptah_registry *registry = run->crew ? run->crew->registry :
	    ptah_registry_new(file->module_path, file->module_dir);
	int rc = registry ? ptah_checkfile(file, registry, faults, false, &run->spawns) : -errno;

	if (!run->crew)
		ptah_registry_free(registry);
	return rc;
}

/* The file, whole and without an error. */
static int
read_file(struct ptah_run *run, struct ptah_runfile *file, struct ptah_run_reload *how, struct ptah_buf *words)
{
	struct ptah_faults faults = { 0 };
	int rc = ptah_runfile_read(file, run->path, run->envp, &faults);

	if (rc == 0 || rc == -EINVAL)
		rc = check_file(run, file, &faults);
	ptah_harden_judge(&run->hardened, file, run->spawns);
	ptah_runfile_forget(file);
	how->n_errors = faults.n_errors;
	how->n_warnings = faults.n_warnings;
	log_faults(run, &faults, words);
	ptah_faults_clear(&faults);
	if (rc < 0)
		ptah_runfile_clear(file);
	return rc;
}

static bool
are_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is one for the process stays as it was at the start. */
static void
warn_of_process(const struct ptah_runfile *now, const struct ptah_runfile *then)
{
	const struct {
		const char *key;
		bool same;
	} rows[] = {
		{ "workers", now->workers == then->workers },
		{ "moduleDir", are_same(now->module_dir, then->module_dir) },
		{ "stateDir", are_same(now->state_dir, then->state_dir) },
		{ "replayState", now->replay_state == then->replay_state },
		{ "peerTimeout", now->peer_timeout_s == then->peer_timeout_s },
		{ "control", are_same(now->control, then->control) },
		{ "metrics", are_same(now->metrics_path, then->metrics_path) && memcmp(&now->metrics, &then->metrics, sizeof(now->metrics)) == 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].same)
			ptah_warn(AREA_HOST, "%s has changed: that takes effect when ptah is started anew", rows[i].key);
}

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
static void
change(struct ptah_run *run, struct ptah_runfile *file, struct ptah_run_reload *how)
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
on_modules_changed(void *arg)
{
	struct ptah_run *run = arg;

	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "modules-changed", NULL, "modules have changed on disk");
	return ptah_run_reload(run, NULL, NULL) == -EBUSY ? -EBUSY : 0;
}

/* As the file wants it now. */
static void
watch_modules(struct ptah_run *run)
{
	if (run->file.watch == (run->watch != NULL))
		return;
	ptah_watch_stop(run->watch);
	run->watch = NULL;
	if (!run->file.watch)
		return;
	run->watch = ptah_watch_start(run->loop, ptah_registry_folders(run->crew->registry), on_modules_changed, run);
	if (!run->watch)
		ptah_warn_rc(AREA_HOST, -errno, "modules are not watched");
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
	tell(run, PTAH_RUN_EV_RELOADING);
	ptah_watch_note(run->watch);
	ptah_registry_refresh(run->crew->registry);
	rc = read_file(run, &file, &ours, words);
	*(rc < 0 ? &run->n_refused : &run->n_reloads) += 1;
	if (rc < 0) {
		ptah_event(PTAH_LOG_ERROR, AREA_HOST, "reload-refused", NULL, "%s is not taken: nothing has changed", run->path);
		tell(run, PTAH_RUN_EV_RELOADED);
	} else {
		warn_of_process(&file, &run->file);
		ptah_runfile_clear(&run->file);
		run->file = file;
		watch_modules(run);
		change(run, &run->file, &ours);
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
	tell(run, PTAH_RUN_EV_DRAINING);
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
	tell(run, PTAH_RUN_EV_ENDING);
	ptah_worker_break(run->loop);
}

/* --- another program in our place ------------------------------------------------------------------ */

/* Who sees us from outside: one process of ours at a time. */
static int
open_outside(struct ptah_run *run)
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
	tell(run, PTAH_RUN_EV_LEAVING);
}

static void
on_done(void *arg)
{
	struct ptah_run *run = arg;

	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "upgraded", NULL, "another process serves now: this one ends with its last link");
	tell(run, PTAH_RUN_EV_UPGRADED);
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
	tell(run, PTAH_RUN_EV_NOT_UPGRADED);
	reload_again(run);
}

/* The start of an heir is over only now. */
static void
on_yours(void *arg)
{
	struct ptah_run *run = arg;

	if (open_outside(run) != 0)
		ptah_error(AREA_HOST, "some of what the program before this one did is not done any more");
	begin(run);
}

static void
on_lost(void *arg)
{
	ptah_run_end(arg, "the process that keeps this one has gone");
}

static const struct ptah_upgrade_says upgrade_says = {
	.on_hold = on_hold, .on_leave = on_leave, .on_done = on_done, .on_stay = on_stay, .on_yours = on_yours, .on_lost = on_lost,
};

int
ptah_run_upgrade(struct ptah_run *run, char *why, size_t room)
{
	int rc = 0;

	if (!run->upgrade) {
		snprintf(why, room, "there is no parent process that could start another program: this one is hardened, and "
		    "can start none");
		rc = -EOPNOTSUPP;
	} else if (run->upgrading || run->changing || !run->ready || run->draining || run->ending) {
		snprintf(why, room, "%s: try again when that is over", run->upgrading ? "an upgrade is under way" :
		    run->draining || run->ending ? "ptah is about to end" : run->ready ? "a reload is under way" : "ptah has just started");
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

/* --- what comes from outside ------------------------------------------------------------------ */

static void
on_end_signal(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_run *run = arg;
	int number;

	(void)what;
	while ((number = ptah_process_next_signal(fd)) != 0) {
		if (number == SIGHUP && ptah_run_reload(run, NULL, NULL) == -EBUSY)
			run->again = !run->draining && !run->ending;
		else if (number == SIGINT && !run->draining)
			ptah_run_drain(run, 0);
		else if (number != SIGHUP)
			ptah_run_end(run, number == SIGINT ? "SIGINT" : "SIGTERM");
	}
}

static void
on_other_signal(evutil_socket_t fd, short what, void *arg)
{
	const struct ptah_run *run = arg;

	(void)what;
	while (ptah_process_next_signal(fd) != 0)
		;
	ptah_crew_log_stats(run->crew);
}

static int
watch_signals(struct ptah_run *run)
{
	struct event_base *base = run->loop->base;

	run->on_end = event_new(base, run->signals.end, EV_READ | EV_PERSIST, on_end_signal, run);
	run->on_other = event_new(base, run->signals.other, EV_READ | EV_PERSIST, on_other_signal, run);
	return run->on_end && run->on_other && event_add(run->on_end, NULL) == 0 && event_add(run->on_other, NULL) == 0 ?
	    0 : -ENOMEM;
}

/* --- birth and death ----------------------------------------------------------------------------- */

/* Is our stderr the journal?  It says so by device and inode (systemd.exec(5)). */
static bool
is_journal(char *const envp[])
{
	const char *stream = ptah_env_get(envp, "JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	    st.st_dev == dev && st.st_ino == ino;
}

static ptah_log_output_fn *
output_of(const struct ptah_run *run)
{
	switch (run->log_format != -1 ? run->log_format : run->file.log_format) {
	case PTAH_LOG_JOURNAL:
		return ptah_log_to_journal;
	case PTAH_LOG_JSON:
		return ptah_log_to_json;
	case PTAH_LOG_AUTO:
		return is_journal(run->envp) ? ptah_log_to_journal : ptah_log_to_stderr;
	default:
		return ptah_log_to_stderr;
	}
}

static int
open_log(struct ptah_run *run)
{
	const struct ptah_runfile *file = &run->file;

	ptah_log_unsafe(file->log_unsafe);
	if (file->log_file)
		return ptah_log_file_open(file->log_file, file->log_level);
	run->log_output = output_of(run);
	return ptah_log_add(file->log_level, run->log_output, NULL);
}

/* What the service manager has opened for us are places from now on. */
static int
adopt(struct ptah_run *run)
{
	struct ptah_activation inherited;
	char why[400];
	int rc = ptah_activation_take(&inherited, run->envp, why, sizeof(why));

	if (rc != 0)
		ptah_error(AREA_HOST, "%s", why);
	for (size_t i = 0; rc == 0 && i < inherited.n; i++) {
		struct ptah_inherited *one = &inherited.at[i];

		rc = ptah_places_adopt(run->crew->places, one->name, one->fd);
		if (rc == -EEXIST)
			ptah_error(AREA_HOST, "two inherited sockets have the name \"%s\": one of them must go "
			    "(for IPv4 and IPv6, one with BindIPv6Only=both is enough)", one->name);
		one->fd = -1;
	}
	ptah_activation_close(&inherited);
	return rc;
}

static int
start_crew(struct ptah_run *run)
{
	const struct ptah_runfile *file = &run->file;
	unsigned n = ptah_process_processors(), kept = ptah_upgrade_workers(run->upgrade);
	const struct ptah_crew_how how = {
		.n_workers = kept > 0 ? kept : file->workers > 0 ? file->workers : n < 8 ? n : 8, .peer_timeout_s = file->peer_timeout_s,
		.module_path = file->module_path, .module_dir = file->module_dir,
		.replay_folder = file->replay_state ? file->state_dir : NULL,
		.descriptors = ptah_process_raise_descriptors(), .serves = true, .hot = true, .envp = run->envp,
	};

	if (kept > 0 && file->workers > 0 && kept != file->workers)
		ptah_warn(AREA_HOST, "workers has changed: sockets are there for %u, so that takes effect when ptah is started anew", kept);
	run->crew = ptah_crew_start(&how, run->loop);
	if (!run->crew)
		return -errno;
	/* Who takes a connection before it is sure to serve would lose it again. */
	run->crew->held = ptah_upgrade_is_heir(run->upgrade);
	return 0;
}

/* The file cannot be used: say so to whoever started us. */
static int
refuse(struct ptah_run *run, int rc, const struct ptah_buf *words)
{
	char why[2000];

	snprintf(why, sizeof(why), "%s cannot be used%s%s%.*s", run->path, rc == -EINVAL ? ":\n" : ": ", rc == -EINVAL ? "" : strerror(-rc),
	    (int)words->len, words->at ? (const char *)words->at : "");
	ptah_upgrade_fail(run->upgrade, why);
	fprintf(stderr, "ptah: %s cannot be used%s%s\n", run->path, rc == -EINVAL ? "" : ": ", rc == -EINVAL ? "" : strerror(-rc));
	return rc == -EINVAL ? EX_CONFIG : EX_SOFTWARE;
}

/* An exit status; EX_OK: it runs. */
static int
start(struct ptah_run *run)
{
	struct ptah_run_reload how = { 0 };
	struct ptah_buf words = { 0 };
	int rc;

	/* Until the file says where to, what is wrong with it goes to whoever started us. */
	(void)ptah_log_add(PTAH_LOG_WARN, ptah_log_to_stderr, NULL);
	rc = read_file(run, &run->file, &how, &words);
	ptah_log_remove(ptah_log_to_stderr, NULL);
	if (rc < 0)
		rc = refuse(run, rc, &words);
	ptah_buf_clear(&words);
	if (rc != 0)
		return rc;
	rc = open_log(run);
	if (rc < 0) {
		fprintf(stderr, "ptah: cannot write the log %s: %s\n", run->file.log_file ? run->file.log_file : "", strerror(-rc));
		return EX_CANTCREAT;
	}
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "begin", NULL, "ptah %s begins", PACKAGE_VERSION);
	if (run->upgrade && ptah_upgrade_meet(run->upgrade) != 0)
		return EX_SOFTWARE; /* there is no keeper any more */
	rc = ptah_harden(&run->hardened, &run->file, run->path, run->envp, run->spawns);
	if (rc < 0)
		return EX_SOFTWARE;
	run->loop = ptah_worker_new(0);
	rc = run->loop ? watch_signals(run) : -ENOMEM;
	if (rc == 0)
		rc = start_crew(run);
	if (rc == 0)
		rc = adopt(run);
	if (rc == 0 && run->upgrade)
		rc = ptah_upgrade_begin(run->upgrade, run->crew, &upgrade_says, run);
	if (rc == 0 && !ptah_upgrade_is_heir(run->upgrade))
		rc = open_outside(run);
	if (rc < 0) {
		ptah_error_rc(AREA_HOST, rc, "cannot start");
		return EX_SOFTWARE;
	}
	watch_modules(run);
	change(run, &run->file, &how);
	return EX_OK;
}

/* Everything that still lives ends now, if it can. */
static void
finish(struct ptah_run *run, int rc)
{
	uint64_t until_ns = ptah_clock_now_ns() + END_MS * PTAH_NS_PER_MS;
	struct ptah_tenant *next;

	run->ending = true;
	ptah_office_close(run->office);
	ptah_watch_stop(run->watch);
	run->watch = NULL;
	run->over = !run->tenants;
	ptah_upgrade_close(run->upgrade);
	for (struct ptah_tenant *tenant = run->tenants; tenant; tenant = next) {
		next = tenant->next;
		ptah_tenant_end(tenant);
	}
	if (run->crew && (!ptah_crew_run_until(run->crew, &run->over, until_ns) || ptah_crew_stop(run->crew, until_ns) != 0)) {
		/* Threads of ours still run, so nothing may be freed under them. */
		ptah_warn(AREA_HOST, "a module does not end: leaving without it");
		_exit(rc);
	}
	ptah_office_free(run->office);
	ptah_manager_end(run->manager);
	free(run->upgrade_why);
	if (run->on_end)
		event_free(run->on_end);
	if (run->on_other)
		event_free(run->on_other);
	ptah_worker_free(run->loop);
	ptah_runfile_clear(&run->file);
	ptah_log_file_close();
	if (run->log_output)
		ptah_log_remove(run->log_output, NULL);
}

/* The number of a flag, or -1 when it was said why it is none. */
static long
read_seconds(const struct ptah_asked *asked)
{
	const char *text = asked->value[UPGRADE_TIMEOUT];
	char *end;
	long n;

	if (!text)
		return UPGRADE_S;
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' && n >= 1 && n <= UPGRADE_MOST_S)
		return n;
	(void)ptah_asked_wrong("run", "--upgrade-timeout: a number from 1 to %d, not \"%s\"", UPGRADE_MOST_S, text);
	return -1;
}

/* We are to be kept: become the keeper, and begin again as its program. */
static int
be_kept(const struct ptah_asked *asked, char *envp[])
{
	const char *argv[7] = { NULL, "run" };
	long ready_s = read_seconds(asked);
	size_t n = 2;

	if (ready_s < 0)
		return EX_USAGE;
	if (asked->value[LOG_FORMAT]) {
		argv[n++] = "--log-format";
		argv[n++] = asked->value[LOG_FORMAT];
	}
	argv[n++] = "--upgradable";
	argv[n++] = asked->operand;
	return ptah_keeper_run(argv, envp, (unsigned)ready_s);
}

int
ptah_run_command(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_run run = { .path = asked->operand, .envp = envp, .log_format = -1 };
	int rc;

	if (asked->value[UPGRADABLE] && !ptah_keeper_is_there(envp))
		return be_kept(asked, envp);
	for (int i = 0; asked->value[LOG_FORMAT] && formats[i]; i++)
		if (strcasecmp(asked->value[LOG_FORMAT], formats[i]) == 0)
			run.log_format = i;

	ptah_process_hear_libevent();
	rc = ptah_upgrade_open(&run.upgrade, envp);
	if (rc < 0) {
		fprintf(stderr, "ptah: " "PTAH_KEEPER is ptah's own word to itself, and makes no sense here: unset it\n");
		return EX_USAGE;
	}
	rc = ptah_process_take_signals(&run.signals);
	if (rc < 0) {
		fprintf(stderr, "ptah: cannot take signals: %s\n", strerror(-rc));
		return EX_SOFTWARE;
	}
	rc = start(&run);
	if (rc == EX_OK && !run.ending && ptah_worker_run(run.loop) != 0)
		rc = EX_SOFTWARE;
	if (rc == EX_OK)
		rc = run.rc;
	finish(&run, rc);
	return rc;
}
