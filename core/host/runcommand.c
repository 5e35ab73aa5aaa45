/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/runself.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/flag.h"
#include "host/activation.h"
#include "host/crew.h"
#include "host/keeper.h"
#include "host/manager.h"
#include "host/office.h"
#include "host/tenant.h"
#include "transport/watch.h"

/* What still lives when it is to end may take this long. */
#define END_MS 3000
/* A new program may take this long to serve; a module has a minute (PTAH_READY_MS). */
#define UPGRADE_S 75
#define UPGRADE_MOST_S 3600

enum { LOG_FORMAT, UPGRADABLE, UPGRADE_TIMEOUT };

const struct ptah_ask ptah_run_flags[] = {
	[LOG_FORMAT] = { .name = "log-format", .value = "FORMAT", .type = PTAH_VALUE_WORD, .words = ptah_run_log_formats,
	    .help = "write the log so, whatever logFormat of the file says" },
	[UPGRADABLE] = { .name = "upgradable", .type = PTAH_VALUE_SWITCH,
	    .help = "keep a parent process, so that `ptah ctl upgrade` can replace the program without closing a port" },
	[UPGRADE_TIMEOUT] = { .name = "upgrade-timeout", .value = "SECONDS", .type = PTAH_VALUE_NUMBER,
	    .help = "end a new program that does not serve within this time (default: 75)" },
	{ .name = NULL },
};

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

		rc = ptah_activation_place(run->crew->places, one->name, one->fd);
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
	fprintf(stderr, "ptah: %s cannot be used: %s\n", run->path, rc == -EINVAL ? "man ptah-conf says how to write it" : strerror(-rc));
	return rc == -EINVAL ? EX_CONFIG : EX_SOFTWARE;
}

/* It has been logged; a program before us is to say so, too. */
static int
give_up(struct ptah_run *run, int rc)
{
	char why[200];

	snprintf(why, sizeof(why), "the new program cannot start: %s", strerror(-rc));
	ptah_upgrade_fail(run->upgrade, why);
	return EX_SOFTWARE;
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
	rc = ptah_run_read_file(run, &run->file, &how, &words);
	ptah_log_remove(ptah_log_to_stderr, NULL);
	if (rc < 0)
		rc = refuse(run, rc, &words);
	ptah_buf_clear(&words);
	if (rc != 0)
		return rc;
	rc = ptah_run_open_log(run);
	if (rc < 0) {
		fprintf(stderr, "ptah: cannot write the log %s: %s: make its folder, or change \"logFile\" in %s\n",
		    run->file.log_file ? run->file.log_file : "", strerror(-rc), run->path);
		return EX_CANTCREAT;
	}
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "begin", NULL, "ptah %s begins", PACKAGE_VERSION);
	if (run->upgrade && ptah_upgrade_meet(run->upgrade) != 0)
		return EX_SOFTWARE; /* there is no keeper any more, or the program before us says why */
	rc = ptah_harden(&run->hardened, &run->file, run->path, run->envp, run->spawns);
	if (rc < 0)
		return give_up(run, rc);
	run->loop = ptah_worker_new(0);
	rc = run->loop ? watch_signals(run) : -ENOMEM;
	if (rc == 0)
		rc = start_crew(run);
	if (rc == 0)
		rc = adopt(run);
	if (rc == 0 && run->upgrade)
		rc = ptah_upgrade_begin(run->upgrade, run->crew, &ptah_run_upgrade_says, run);
	if (rc == 0 && !ptah_upgrade_is_heir(run->upgrade))
		rc = ptah_run_open_outside(run);
	if (rc < 0) {
		ptah_error_rc(AREA_HOST, rc, "cannot start");
		return give_up(run, rc);
	}
	ptah_run_watch_disk(run);
	ptah_run_change(run, &run->file, &how);
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
	run->upgrade = NULL;
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
	if (!asked->value[UPGRADABLE]) {
		(void)ptah_asked_wrong("run", "--upgrade-timeout goes with --upgradable");
		return -1;
	}
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' && n >= 1 && n <= UPGRADE_MOST_S)
		return n;
	(void)ptah_asked_wrong("run", "--upgrade-timeout: a number from 1 to %d, not \"%s\"", UPGRADE_MOST_S, text);
	return -1;
}

/* We are to be kept: become the keeper, and begin again as its program. */
static int
be_kept(const struct ptah_asked *asked, unsigned ready_s, char *envp[])
{
	const char *argv[7] = { NULL, "run" };
	size_t n = 2;

	if (asked->value[LOG_FORMAT]) {
		argv[n++] = "--log-format";
		argv[n++] = asked->value[LOG_FORMAT];
	}
	argv[n++] = "--upgradable";
	argv[n++] = asked->operand;
	return ptah_keeper_run(argv, envp, ready_s);
}

int
ptah_run_command(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_run run = { .path = asked->operand, .envp = envp, .log_format = -1 };
	long ready_s = read_seconds(asked);
	int rc;

	if (ready_s < 0)
		return EX_USAGE;
	if (asked->value[UPGRADABLE] && !ptah_keeper_is_there(envp))
		return be_kept(asked, (unsigned)ready_s, envp);
	for (int i = 0; asked->value[LOG_FORMAT] && ptah_run_log_formats[i]; i++)
		if (strcasecmp(asked->value[LOG_FORMAT], ptah_run_log_formats[i]) == 0)
			run.log_format = i;

	ptah_process_hear_libevent();
	rc = ptah_upgrade_open(&run.upgrade, envp);
	if (rc < 0) {
		fprintf(stderr, "ptah: PTAH_KEEPER is ptah's own word to itself, and makes no sense here: unset it\n");
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
