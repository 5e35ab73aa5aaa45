/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/serve.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "config/plan.h"
#include "host/commands.h"
#include "host/crew.h"
#include "host/dispatcher.h"
#include "host/generate.h"
#include "host/process.h"
#include "ipc/log.h"
#include "ipc/message.h"
#include "loop/worker.h"

/* Modules may take this long to clean up (ipc.md 13). */
#define CLEAN_UP_MS 2000

struct serve {
	struct ptah_plan plan;
	struct ptah_signals signals;
	struct ptah_ipc ipc;
	struct ptah_worker *loop; /* of the main thread */
	struct event *on_end, *on_other, *on_stdin;
	struct ptah_crew *crew;
	struct ptah_dispatcher *dispatcher;
	bool started;  /* DONE is said */
	bool draining; /* a first SIGINT came */
	bool ending;   /* no more lines, no more work */
	bool failed;   /* as a plugin: what was asked for does not run */
	size_t n_up;   /* transports that listen */
};

static void
end(struct serve *s, const char *why)
{
	if (s->ending)
		return;
	s->ending = true;
	ptah_info(AREA_HOST, "ending: %s", why);
	if (s->loop)
		ptah_worker_break(s->loop);
}

/* Has something come that ends us, but which no event has told yet? */
static bool
must_end(struct serve *s)
{
	struct pollfd fd = { .fd = s->signals.end, .events = POLLIN };

	if (!s->ending && !s->started && poll(&fd, 1, 0) == 1)
		end(s, "a signal during start-up");
	return s->ending;
}

/* What a protocol line came to: nobody who hears it, or somebody who wants us to end? */
static int
said(struct serve *s, int rc)
{
	if (rc == -EINTR)
		end(s, "a signal during start-up");
	else if (rc != 0 && rc != -EMSGSIZE && rc != -EINVAL)
		end(s, "nobody reads what we say");
	return rc;
}

static int
on_version(const char *token, void *arg)
{
	struct serve *s = arg;

	return said(s, ptah_ipc_version(&s->ipc, token));
}

/* --- what the dispatcher says ------------------------------------------- */

static int
on_method(const char *name, const struct ptah_addr *bound, const char *address,
    const struct ptah_kv *args, void *arg)
{
	struct serve *s = arg;
	int rc;

	if (must_end(s))
		return -ECANCELED;
	s->n_up++;
	if (s->plan.plugin)
		return 0;
	if (s->plan.role == PTAH_ROLE_SERVER)
		rc = ptah_ipc_smethod(&s->ipc, name, address, args);
	else
		rc = ptah_ipc_cmethod(&s->ipc, name, ptah_mode_name(s->plan.mode), bound);
	if (rc == -EMSGSIZE)
		ptah_ipc_method_error(&s->ipc, name, "its method line would be too long");
	else if (rc == -EINVAL)
		ptah_ipc_method_error(&s->ipc, name, "its bridge arguments hold a space or a byte "
		    "that is not printable: a method line cannot say them");
	return said(s, rc);
}

static void
on_method_error(const char *name, const char *text, void *arg)
{
	struct serve *s = arg;

	if (s->plan.plugin) {
		ptah_error(AREA_HOST, "%s does not start: %s", name, text);
		s->failed = true;
		return;
	}
	ptah_notice(AREA_HOST, "%s does not start: %s", name, text);
	if (!must_end(s))
		said(s, ptah_ipc_method_error(&s->ipc, name, text));
}

/* Whoever started us waits for no word, and takes our end for a failure. */
static void
on_plugin_ready(struct serve *s)
{
	/* Why there is none the log has said, on stderr. */
	s->failed = s->n_up == 0;
	s->started = !s->failed;
	if (s->failed)
		end(s, "nothing runs");
}

static void
on_ready(void *arg)
{
	struct serve *s = arg;

	if (s->plan.plugin) {
		on_plugin_ready(s);
		return;
	}
	if (!must_end(s) && said(s, ptah_ipc_methods_done(&s->ipc)) == 0)
		s->started = true;
}

/* A parent of another dialect knows no such lines; for it that is news like any other. */
static void
on_status(const char *text, size_t len, void *arg)
{
	struct serve *s = arg;

	if (s->plan.dialect == PTAH_D1)
		ptah_ipc_offer_status(&s->ipc, text, len);
	else
		ptah_info(AREA_MODULE, "status: %.*s", (int)len, text);
}

static void
on_drained(void *arg)
{
	end(arg, "the last link has ended");
}

static const struct ptah_dispatcher_says says = {
	.on_method = on_method,
	.on_method_error = on_method_error,
	.on_ready = on_ready,
	.on_drained = on_drained,
};

/* --- what comes from outside --------------------------------------------- */

static void
on_end_signal(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;
	int number;

	(void)what;
	while ((number = ptah_process_next_signal(fd)) != 0) {
		if (number == SIGINT && s->started && !s->draining && s->dispatcher && !s->plan.plugin) {
			s->draining = true;
			ptah_info(AREA_HOST, "SIGINT: no new links; waiting for the last one");
			ptah_dispatcher_drain(s->dispatcher);
		} else {
			end(s, number == SIGINT ? "SIGINT" : number == SIGHUP ? "SIGHUP" : "SIGTERM");
		}
	}
}

static void
on_other_signal(evutil_socket_t fd, short what, void *arg)
{
	const struct serve *s = arg;

	(void)what;
	while (ptah_process_next_signal(fd) != 0)
		;
	if (s->crew)
		ptah_crew_log_stats(s->crew);
}

/* What comes is thrown away; only the end counts. */
static void
on_stdin(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = { .tv_sec = 1 };
	struct serve *s = arg;
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		end(s, "stdin has ended");
	else if ((what & EV_TIMEOUT) != 0) /* nothing tells us when there is more */
		evtimer_add(s->on_stdin, &again);
}

/* Can the kernel tell when there is something to read?  Of files and /dev/null it cannot. */
static bool
can_wait_for(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(fd));
}

static int
watch_stdin(struct serve *s)
{
	static const struct timeval now = { 0 };

	if (!s->plan.stdin_close)
		return 0;

	bool wait = can_wait_for(STDIN_FILENO);

	s->on_stdin = event_new(s->loop->base, STDIN_FILENO, wait ? EV_READ | EV_PERSIST : EV_TIMEOUT,
	    on_stdin, s);
	return s->on_stdin && event_add(s->on_stdin, wait ? NULL : &now) == 0 ? 0 : -ENOMEM;
}

static int
watch_signals(struct serve *s)
{
	struct event_base *base = s->loop->base;

	s->on_end = event_new(base, s->signals.end, EV_READ | EV_PERSIST, on_end_signal, s);
	s->on_other = event_new(base, s->signals.other, EV_READ | EV_PERSIST, on_other_signal, s);
	if (!s->on_end || !s->on_other || event_add(s->on_end, NULL) == -1 ||
	    event_add(s->on_other, NULL) == -1)
		return -ENOMEM;
	return 0;
}

/* --- birth and death ----------------------------------------------------- */

/* The file of -enableLogging; a text in 'why' if it cannot be. */
static int
open_log_file(struct serve *s, char *why, size_t room)
{
	char *path = NULL;
	int rc = ptah_file_mkdirs(s->plan.state_dir);

	if (rc == 0 && asprintf(&path, "%s/%s", s->plan.state_dir, s->plan.log_name) == -1) {
		path = NULL;
		rc = -ENOMEM;
	}
	if (rc == 0)
		rc = ptah_log_file_open(path, s->plan.log_level);
	if (rc != 0)
		snprintf(why, room, "-enableLogging: cannot write '%.300s/%s': %s", s->plan.state_dir,
		    s->plan.log_name, strerror(-rc));
	free(path);
	return rc;
}

/* From here on there is somebody who hears the log. */
static int
open_logs(struct serve *s)
{
	char why[512];
	int rc = ptah_ipc_talk_start(&s->ipc, PTAH_LOG_WARN);

	ptah_log_unsafe(s->plan.log_unsafe);
	if (rc == 0 && s->plan.ipc_log_level != PTAH_LOG_NONE)
		rc = ptah_ipc_log_start(&s->ipc, s->plan.ipc_log_level);
	if (rc != 0)
		return EX_SOFTWARE;
	if (s->plan.log_file && open_log_file(s, why, sizeof(why)) != 0) {
		ptah_ipc_fatal(&s->ipc, s->plan.error_streams, "ENV-ERROR", why);
		return EX_USAGE;
	}
	ptah_info(AREA_HOST, "ptah %s begins", PACKAGE_VERSION);
	for (size_t i = 0; i < s->plan.n_warnings; i++)
		ptah_warn(AREA_CONFIG, "%s", s->plan.warnings[i]);
	return EX_OK;
}

/* Everything between VERSION and the first turn of the loop. */
static int
start(struct serve *s, pid_t parent)
{
	s->ipc.dialect = s->plan.dialect;
	s->ipc.role = s->plan.role;
	s->ipc.error_streams = s->plan.error_streams;
	if (must_end(s))
		return EX_OK;
	if (s->plan.ipc_status && s->plan.dialect == PTAH_D1 &&
	    said(s, ptah_ipc_status(&s->ipc, PACKAGE_VERSION)) != 0)
		return EX_OK;

	int rc = open_logs(s);
	if (rc != EX_OK)
		return rc;
	if (!ptah_process_follow_parent(parent, s->plan.parent_death)) {
		end(s, "the parent has gone");
		return EX_OK;
	}
	unsigned descriptors = ptah_process_raise_descriptors();

	if (s->plan.workers == 0) {
		unsigned n = ptah_process_processors();

		s->plan.workers = n < 8 ? n : 8;
	}
	if (s->plan.proxy.scheme != PTAH_PROXY_NONE && said(s, ptah_ipc_proxy_done(&s->ipc)) != 0)
		return EX_OK;

	s->loop = ptah_worker_new(0);
	if (!s->loop || watch_signals(s) != 0 || watch_stdin(s) != 0)
		return EX_SOFTWARE;

	const struct ptah_crew_how how = {
		.n_workers = s->plan.workers, .peer_timeout_s = s->plan.peer_timeout_s,
		.module_path = s->plan.module_path, .module_dir = s->plan.module_dir,
		.replay_folder = s->plan.replay_state ? s->plan.state_dir : NULL,
		.descriptors = descriptors, .serves = s->plan.role == PTAH_ROLE_SERVER,
		.on_status = on_status, .arg = s,
	};

	s->crew = ptah_crew_start(&how, s->loop);
	if (s->crew)
		s->dispatcher = ptah_dispatcher_start(s->crew, &s->plan, &says, s);
	if (!s->dispatcher)
		return EX_SOFTWARE;
	ptah_crew_set_quota(s->crew);
	return EX_OK;
}

static void
free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void
finish(struct serve *s, int rc)
{
	uint64_t until_ns = ptah_clock_now_ns() + CLEAN_UP_MS * PTAH_NS_PER_MS;

	s->ending = true;
	if (ptah_dispatcher_stop(s->dispatcher, until_ns) != 0 || ptah_crew_stop(s->crew, until_ns) != 0) {
		/* Threads of ours still run, so nothing may be freed under them. */
		ptah_warn(AREA_HOST, "a module does not end: leaving without it");
		_exit(rc);
	}
	free_event(s->on_end);
	free_event(s->on_other);
	free_event(s->on_stdin);
	ptah_worker_free(s->loop);
	ptah_ipc_log_stop(&s->ipc);
	ptah_log_file_close();
	ptah_plan_clear(&s->plan);
	ptah_ipc_clear(&s->ipc);
}

static int
serve(struct serve *s, int argc, char *argv[], char *envp[], pid_t parent)
{
	struct ptah_verdict verdict;
	int rc = ptah_plan_read(&s->plan, &verdict, argc, argv, envp, on_version, s);

	ptah_plan_hide_sources(argc, argv, envp);
	if (rc != 0) {
		if (verdict.keyword && !must_end(s))
			ptah_ipc_fatal(&s->ipc, verdict.streams, verdict.keyword, verdict.text);
		else if (verdict.text[0])
			ptah_log_to_stderr(PTAH_LOG_ERROR, AREA_HOST, verdict.text,
			    strlen(verdict.text), NULL);
		return s->ending ? EX_OK : verdict.rc;
	}
	if (s->plan.asked == PTAH_ASKED_HELP)
		return ptah_command_usage(STDERR_FILENO);
	if (s->plan.asked == PTAH_ASKED_VERSION)
		return ptah_command_version();
	if (s->plan.asked == PTAH_ASKED_GENERATE)
		return ptah_generate(&s->plan);

	rc = start(s, parent);
	if (rc == EX_SOFTWARE)
		ptah_error(AREA_HOST, "cannot start: %s", strerror(errno));
	else if (rc == EX_OK && !s->ending && ptah_worker_run(s->loop) != 0)
		rc = EX_SOFTWARE;
	return s->plan.plugin && (rc != EX_OK || s->failed) ? EXIT_FAILURE : rc;
}

int
ptah_serve(int argc, char *argv[], char *envp[], pid_t parent)
{
	struct serve s = { .plan = { 0 } };

	ptah_process_hear_libevent();

	int rc = ptah_process_take_signals(&s.signals);

	if (rc != 0) {
		fprintf(stderr, "ptah: cannot take signals: %s\n", strerror(-rc));
		return EX_SOFTWARE;
	}
	ptah_ipc_init(&s.ipc, STDOUT_FILENO, STDERR_FILENO, s.signals.end);
	rc = serve(&s, argc, argv, envp, parent);
	finish(&s, rc);
	return rc;
}
