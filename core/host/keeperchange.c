/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/keeperself.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/pass.h"

/* How long an old program may take to say that it leaves, a new one to begin then, and one that has failed to end. */
#define LEAVE_MS 5000
#define BEGIN_MS 5000
#define FAIL_MS 3000
/* Who does not take our words has so long to be heard of otherwise. */
#define DEAF_MS 1000

static void
await(struct ptah_keeper *keeper, unsigned ms)
{
	keeper->until_ns = ptah_clock_now_ns() + ms * PTAH_NS_PER_MS;
}

/* The new one will not do; its end is heard of later, and then the old one is told. */
static void __attribute__((format(printf, 3, 4)))
give_up(struct ptah_keeper *keeper, bool now, const char *format, ...)
{
	struct ptah_program *new = keeper->new;
	va_list args;

	if (!new->failed) {
		va_start(args, format);
		vsnprintf(new->why, sizeof(new->why), format, args);
		va_end(args);
	}
	new->failed = true;
	if (now)
		ptah_program_signal(new, SIGKILL);
	await(keeper, FAIL_MS);
}

static void
on_deaf(struct ptah_keeper *keeper)
{
	keeper->new->deaf = true;
	await(keeper, DEAF_MS);
}

/* Is there a new one in this state, and is all well with it as far as we know? */
static bool
is_well(const struct ptah_program *new, int state)
{
	return new && !new->failed && !new->deaf && new->state == state;
}

void
ptah_change_stop(struct ptah_keeper *keeper, const char *why)
{
	if (keeper->new)
		give_up(keeper, true, "%s", why);
}

/* ---- step by step --------------------------------------------------------------------------- */

static void
on_upgrade(struct ptah_keeper *keeper, struct ptah_program *program)
{
	char why[PTAH_KEEPER_TEXT] = "another change is under way";
	unsigned n = 0;

	for (const struct ptah_program *one = keeper->programs; one; one = one->next)
		n += one->state == PTAH_PROGRAM_LEAVES;
	if (!keeper->new && !keeper->ending && keeper->n_interrupts == 0 && n < PTAH_KEEPER_LEAVING_MOST) {
		keeper->new = ptah_program_start(keeper);
		if (keeper->new) {
			await(keeper, keeper->ready_s * 1000);
			return;
		}
		snprintf(why, sizeof(why), "%s cannot be started: %s", keeper->path, strerror(errno));
	} else if (n >= PTAH_KEEPER_LEAVING_MOST) {
		snprintf(why, sizeof(why), "eight programs before this one still have links: wait until one of them has ended, or "
		    "make drainTimeout shorter");
	}
	(void)ptah_program_tell(program, PTAH_KEEPER_STAY, 0, why, NULL, 0);
}

/* What it is to know before it begins. */
static int
let_go(struct ptah_keeper *keeper, struct ptah_program *program, bool is_heir)
{
	int rc = 0;

	for (size_t i = 0; i < keeper->inherited.n && rc == 0; i++)
		rc = ptah_program_tell(program, PTAH_KEEPER_ADOPTED, 0, keeper->inherited.at[i].name,
		    &keeper->inherited.at[i].fd, 1);
	return rc == 0 ? ptah_program_tell(program, PTAH_KEEPER_GO, is_heir, "", NULL, 0) : rc;
}

static void
on_checked(struct ptah_keeper *keeper, struct ptah_program *program)
{
	int rc = 0;

	if (program == keeper->old) { /* the first of all */
		(void)let_go(keeper, program, false); /* it hears our end if it cannot be told */
		return;
	}
	if (program != keeper->new || !is_well(program, PTAH_PROGRAM_STARTS))
		return;
	program->state = PTAH_PROGRAM_TAKES;
	rc = keeper->old ? ptah_program_tell(keeper->old, PTAH_KEEPER_HOLD, 0, "", NULL, 0) : -EPIPE;
	if (rc != 0)
		give_up(keeper, true, "the old program does not listen: %s", strerror(-rc));
}

static void
on_given(struct ptah_keeper *keeper)
{
	struct ptah_program *new = keeper->new;

	if (!is_well(new, PTAH_PROGRAM_TAKES))
		return;
	new->state = PTAH_PROGRAM_OPENS;
	if (let_go(keeper, new, true) != 0)
		on_deaf(keeper);
}

/* The old one leaves, or has ended: the new one has all of it now. */
static void
let_begin(struct ptah_keeper *keeper)
{
	keeper->new->state = PTAH_PROGRAM_BEGINS;
	await(keeper, BEGIN_MS);
	if (ptah_program_tell(keeper->new, PTAH_KEEPER_YOURS, 0, "", NULL, 0) != 0)
		on_deaf(keeper);
}

static void
on_ready(struct ptah_keeper *keeper)
{
	struct ptah_program *new = keeper->new;

	if (!is_well(new, PTAH_PROGRAM_OPENS))
		return;
	new->state = PTAH_PROGRAM_READY;
	await(keeper, LEAVE_MS);
	if (!keeper->old || ptah_program_tell(keeper->old, PTAH_KEEPER_LEAVE, 0, "", NULL, 0) != 0)
		let_begin(keeper);
}

/* The old one; and one that did not take the word at an upgrade before this one. */
static void
let_drain(struct ptah_keeper *keeper)
{
	for (struct ptah_program *program = keeper->programs; program; program = program->next)
		if (program->state == PTAH_PROGRAM_LEAVES && !program->told)
			program->told = ptah_program_tell(program, PTAH_KEEPER_DONE, 0, "", NULL, 0) == 0;
}

/* It serves. */
static void
on_begun(struct ptah_keeper *keeper)
{
	if (!is_well(keeper->new, PTAH_PROGRAM_BEGINS))
		return;
	if (keeper->old)
		keeper->old->state = PTAH_PROGRAM_LEAVES;
	keeper->new->state = PTAH_PROGRAM_SERVES;
	keeper->old = keeper->new;
	keeper->new = NULL;
	keeper->until_ns = 0;
	let_drain(keeper);
}

void
ptah_change_late(struct ptah_keeper *keeper)
{
	const struct ptah_program *new = keeper->new;

	keeper->until_ns = 0;
	if (!new)
		return;
	if (new->failed)
		give_up(keeper, true, "%s", "");
	else if (new->deaf)
		give_up(keeper, true, "the new program does not listen to its parent process any more");
	else if (new->state == PTAH_PROGRAM_READY)
		let_begin(keeper); /* the old one hangs */
	else if (new->state == PTAH_PROGRAM_BEGINS)
		give_up(keeper, true, "the new program did not begin to serve within %d s", BEGIN_MS / 1000);
	else
		give_up(keeper, true, "the new program did not serve within %u s", keeper->ready_s);
}

/* ---- words ------------------------------------------------------------------------------------- */

/* It is the old one's for the new one; who leaves may still have something for who serves. */
static void
pass_on(struct ptah_keeper *keeper, const struct ptah_program *from, const struct ptah_keeper_word *word, size_t len, const int *fds,
    unsigned n)
{
	const struct ptah_program *to = from->state == PTAH_PROGRAM_LEAVES ? keeper->old : from == keeper->old ? keeper->new : NULL;

	/* One that has failed does not take it, and would let us wait. */
	if (to && to->fd != -1 && !to->failed && ptah_pass_send(to->fd, word, len, fds, n) != 0 && to == keeper->new)
		on_deaf(keeper);
}

static void
hear(struct ptah_keeper *keeper, struct ptah_program *program, const struct ptah_keeper_word *word)
{
	bool is_old = program == keeper->old, is_new = program == keeper->new;

	if (word->what == PTAH_KEEPER_FAILED && keeper->new && (is_new || is_old))
		give_up(keeper, is_old, "%s", word->text);
	else if (program->ended)
		return;
	else if (word->what == PTAH_KEEPER_CHECKED)
		on_checked(keeper, program);
	else if (word->what == PTAH_KEEPER_READY && is_new)
		on_ready(keeper);
	else if (word->what == PTAH_KEEPER_BEGUN && is_new)
		on_begun(keeper);
	else if (word->what == PTAH_KEEPER_UPGRADE && is_old)
		on_upgrade(keeper, program);
	else if (word->what == PTAH_KEEPER_GIVEN && is_old)
		on_given(keeper);
	else if (word->what == PTAH_KEEPER_LEFT && is_old && is_well(keeper->new, PTAH_PROGRAM_READY))
		let_begin(keeper);
}

bool
ptah_change_hear(struct ptah_keeper *keeper, struct ptah_program *program)
{
	struct ptah_keeper_word word;
	int fds[PTAH_PASS_MOST];
	unsigned n;
	struct pollfd wait = { .fd = program->fd, .events = POLLIN };
	ssize_t len;

	if (program->fd == -1 || poll(&wait, 1, 0) < 1)
		return false;
	len = ptah_keeper_hear(program->fd, &word, fds, &n);
	if (len > 0) {
		if (word.what >= PTAH_KEEPER_PASSED && word.what <= PTAH_KEEPER_PASSED_LAST)
			pass_on(keeper, program, &word, (size_t)len, fds, n);
		else
			hear(keeper, program, &word);
	} else {
		close(program->fd);
		program->fd = -1;
	}
	while (n > 0)
		close(fds[--n]);
	return program->fd != -1;
}

/* ---- one of both has ended ------------------------------------------------------------------------ */

void
ptah_change_lost_new(struct ptah_keeper *keeper, const struct ptah_program *program, int status)
{
	char why[PTAH_KEEPER_TEXT] = "";

	keeper->new = NULL;
	keeper->until_ns = 0;
	if (program->failed)
		memcpy(why, program->why, sizeof(why));
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the new program was ended by signal %d (%s) before it served", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof(why), "the new program ended with status %d before it served; its log says why",
		    WEXITSTATUS(status));
	if (keeper->old)
		(void)ptah_program_tell(keeper->old, PTAH_KEEPER_STAY, 0, why, NULL, 0);
}

void
ptah_change_lost_old(struct ptah_keeper *keeper)
{
	const struct ptah_program *new = keeper->new;

	keeper->old = NULL;
	if (!new || new->failed || new->deaf)
		return;
	if (new->state < PTAH_PROGRAM_OPENS)
		give_up(keeper, true, "the old program has ended");
	else if (new->state == PTAH_PROGRAM_READY)
		let_begin(keeper);
}
