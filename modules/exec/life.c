/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "home.h"

/* From exec to DONE. */
#define START_NS (30 * EXEC_NS_PER_S)

/* Another try after 1, 2, 4 ... seconds; from 1 again after it was up that long. */
#define DELAY_MAX_S 60u
#define GOOD_NS (600 * EXEC_NS_PER_S)

/* So many failures within that time: no more tries for a while. */
#define BAD_NS (600 * EXEC_NS_PER_S)
#define REST_NS (300 * EXEC_NS_PER_S)

/* Its end: stdin is closed; then SIGTERM, then SIGKILL, each after that long, or after its share of what time is left. */
#define TERM_NS (2 * EXEC_NS_PER_S)
#define KILL_NS (3 * EXEC_NS_PER_S)

/* ---- start --------------------------------------------------------------------------- */

static void
drop_stdio(struct exec_home *home)
{
	for (int i = 0; i < 3; i++) {
		home->host->drop(home->stdio[i]);
		home->stdio[i] = NULL;
	}
}

static void
forget_what_it_said(struct exec_home *home)
{
	home->versioned = home->proxied = 0;
	home->socks = 0;
	home->out->len = home->err->len = 0;
	home->out->skipping = home->err->skipping = 0;
	home->address[0] = '\0';
}

void
exec_life_start(struct exec_home *home)
{
	const struct ptah_spawn how = {
		.size = sizeof(how),
		.flags = home->conf->no_new_privs ? 0 : PTAH_SPAWN_MAY_GAIN,
		.argv = home->program.argv,
		.env = (const char *const *)home->program.env,
	};
	long process;

	forget_what_it_said(home);
	home->state = EXEC_STARTING;
	process = home->host->spawn(home->self, &how, home->stdio);
	if (process < 0) {
		exec_life_fail(home, "cannot start %s: %s", home->conf->exec, strerror((int)-process));
		return;
	}
	home->process = (uint64_t)process;
	home->host->ask(home->stdio[0], PTAH_NEVER, 0, 0);
	home->host->timer(home->self, EXEC_T_START, START_NS);
}

void
exec_life_ready(struct exec_home *home)
{
	/* A server that lives again shall listen where its bridge line says. */
	if (home->is_server && !home->told && exec_program_rebind(&home->program, home->name, home->address) < 0) {
		exec_life_fail(home, "out of memory");
		return;
	}
	home->host->timer(home->self, EXEC_T_START, 0);
	home->state = EXEC_READY;
	home->ready_ns = home->host->now_ns(home->self);
	exec_home_answer(home);
}

/* ---- failure, and another try ------------------------------------------------------------ */

/* Is this one too many?  Old ones are forgotten. */
static int
too_often(struct exec_home *home)
{
	uint64_t now = home->host->now_ns(home->self);

	if (home->n_failed == EXEC_FAILURES) {
		memmove(home->failed_ns, home->failed_ns + 1, sizeof(home->failed_ns) - sizeof(home->failed_ns[0]));
		home->n_failed--;
	}
	home->failed_ns[home->n_failed++] = now;
	return home->n_failed == EXEC_FAILURES && now - home->failed_ns[0] < BAD_NS;
}

static void
plan_another(struct exec_home *home)
{
	uint64_t now = home->host->now_ns(home->self);

	if (home->ready_ns != 0 && now - home->ready_ns > GOOD_NS)
		home->delay_s = 0;
	home->ready_ns = 0;
	if (too_often(home)) {
		home->state = EXEC_FAILED;
		home->retry_ns = now + REST_NS;
		exec_say(home, PTAH_LOG_LEVEL_ERROR, "%s.  It failed too often: no more tries for five minutes", home->why);
		/* A client's is tried when somebody asks for it; nobody asks a server. */
		if (home->is_server)
			home->host->timer(home->self, EXEC_T_RESTART, REST_NS);
		exec_home_answer(home);
		return;
	}
	home->delay_s = home->delay_s == 0 ? 1 : home->delay_s * 2 < DELAY_MAX_S ? home->delay_s * 2 : DELAY_MAX_S;
	home->state = EXEC_WAITING;
	exec_say(home, PTAH_LOG_LEVEL_WARN, "%s.  It is started again in %u s", home->why, home->delay_s);
	home->host->timer(home->self, EXEC_T_RESTART, home->delay_s * EXEC_NS_PER_S);
	exec_home_answer(home);
}

void
exec_life_fail(struct exec_home *home, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(home->why, sizeof(home->why), format, ap);
	va_end(ap);
	home->host->timer(home->self, EXEC_T_START, 0);
	if (home->process != 0)
		(void)home->host->kill(home->self, home->process, SIGKILL);
	home->process = 0; /* its end is no news */
	drop_stdio(home);
	if (home->told) {
		plan_another(home);
		return;
	}
	home->state = EXEC_OFF;
	home->told = 1;
	home->host->ready(home->self, -EIO, NULL, NULL, home->why);
}

void
exec_life_exited(struct exec_home *home, int status)
{
	home->process = 0;
	drop_stdio(home);
	if (home->state == EXEC_STOPPING)
		home->host->home_done(home->self);
	else if (WIFSIGNALED(status))
		exec_life_fail(home, "the program was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		exec_life_fail(home, "the program ended by itself, with exit status %d", WEXITSTATUS(status));
}

/* ---- its end ------------------------------------------------------------------------------- */

void
exec_life_stop(struct exec_home *home, uint64_t deadline_ns)
{
	uint64_t now = home->host->now_ns(home->self);

	home->state = EXEC_STOPPING;
	home->host->timer(home->self, EXEC_T_START, 0);
	home->host->timer(home->self, EXEC_T_RESTART, 0);
	if (home->process == 0) {
		home->host->home_done(home->self);
		return;
	}
	home->patience_ns = deadline_ns > now ? deadline_ns - now : 0;
	home->stop_step = 0;
	if (home->stdio[0] != NULL)
		home->host->ask(home->stdio[0], PTAH_NEVER, 0, 1);
	home->host->timer(home->self, EXEC_T_STOP, home->patience_ns * 35 / 100 < TERM_NS ? home->patience_ns * 35 / 100 + 1 : TERM_NS);
}

static void
stop_harder(struct exec_home *home)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	uint64_t next = home->patience_ns * 40 / 100 < KILL_NS ? home->patience_ns * 40 / 100 + 1 : KILL_NS;

	if (home->stop_step == sizeof(signals) / sizeof(signals[0])) {
		home->host->home_done(home->self);
		return;
	}
	(void)home->host->kill(home->self, home->process, signals[home->stop_step++]);
	home->host->timer(home->self, EXEC_T_STOP, next);
}

void
exec_life_timer(struct exec_home *home, uint32_t which)
{
	switch (which) {
	case EXEC_T_START:
		exec_life_fail(home, "the program was not ready within %d s", (int)(START_NS / EXEC_NS_PER_S));
		break;
	case EXEC_T_RESTART:
		exec_life_start(home);
		break;
	default:
		stop_harder(home);
		break;
	}
}
