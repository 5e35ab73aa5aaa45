/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/upgradeself.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/source.h"
#include "host/crew.h"
#include "host/remember.h"
#include "transport/registry.h"
#include "transport/state.h"
#include "wire/place.h"

/* What waits to be written may take so long, or there is no upgrade. */
#define SETTLE_NS (3 * PTAH_NS_PER_S)
/* While links end, what came to them is told so often: who copies it is to be known to the next program, too. */
#define TELL_MS 1000
/* Descriptors that are handed over; there are a few for each address. */
#define HANDED_MOST 4096u

static int
tell(const struct ptah_upgrade *upgrade, uint32_t what)
{
	return ptah_keeper_tell(upgrade->fd, what, 0, "", NULL, 0);
}

static void
close_all(int *fds, unsigned *n)
{
	while (*n > 0)
		close(fds[--*n]);
}

static void
on_tell(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_upgrade *upgrade = arg;

	(void)deadline;
	ptah_legacy_tell_news(upgrade);
	(void)ptah_deadline_set(upgrade->crew->loop, &upgrade->tell, TELL_MS, on_tell, upgrade); /* it is reserved */
}

/* ---- state that one process writes ------------------------------------------------------ */

/* The next one is about to read what we wrote: nothing is written from here on. */
static int
hold_state(struct ptah_upgrade *upgrade)
{
	struct ptah_registry *registry = upgrade->crew->registry;
	struct ptah_writer *writer = ptah_registry_writer(registry);
	int rc;

	if (!writer)
		return -ENOMEM;
	ptah_remember_now(upgrade->crew->remember);
	rc = ptah_writer_hold(writer, ptah_clock_now_ns() + SETTLE_NS);
	if (rc != 0)
		return rc;
	ptah_states_yield(ptah_registry_states(registry));
	upgrade->holding = true;
	return 0;
}

/* Takes the state back, or leaves it to the next one for good. */
static void
release_state(struct ptah_upgrade *upgrade, bool ours)
{
	struct ptah_registry *registry;

	if (!upgrade->holding)
		return;
	registry = upgrade->crew->registry;
	upgrade->holding = false;
	if (!ours)
		ptah_writer_mute(ptah_registry_writer(registry));
	else if (ptah_states_regain(ptah_registry_states(registry)) != 0)
		ptah_warn(AREA_HOST, "another process has taken some of the state");
	ptah_writer_release(ptah_registry_writer(registry));
}

/* ---- before there are threads ------------------------------------------------------------------ */

int
ptah_upgrade_open(struct ptah_upgrade **out, char *const envp[])
{
	const char *number = ptah_env_get(envp, PTAH_KEEPER_VARIABLE);
	struct ptah_upgrade *upgrade;
	int type, fd = number ? (int)strtol(number, NULL, 10) : -1;
	socklen_t len = sizeof(type);

	*out = NULL;
	if (!number)
		return 0;
	if (fd <= STDERR_FILENO || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 || type != SOCK_SEQPACKET ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -EINVAL;
	upgrade = calloc(1, sizeof(*upgrade));
	if (!upgrade)
		return -ENOMEM;
	upgrade->fd = fd;
	*out = upgrade;
	return 0;
}

/* We end: is all of it ours again, and we have not come to hear so? */
static void
hear_last(struct ptah_upgrade *upgrade)
{
	struct pollfd wait = { .fd = upgrade->fd, .events = POLLIN };
	struct ptah_keeper_word word;
	int fds[PTAH_PASS_MOST];
	unsigned n;

	while (upgrade->leaving && poll(&wait, 1, 0) > 0 && ptah_keeper_hear(upgrade->fd, &word, fds, &n) > 0) {
		upgrade->leaving = word.what != PTAH_KEEPER_STAY;
		close_all(fds, &n);
	}
}

void
ptah_upgrade_close(struct ptah_upgrade *upgrade)
{
	if (!upgrade)
		return;
	hear_last(upgrade);
	if (upgrade->leaving)
		on_tell(NULL, upgrade);
	release_state(upgrade, !upgrade->leaving);
	if (upgrade->on_word)
		event_free(upgrade->on_word);
	ptah_deadline_clear(&upgrade->tell);
	while (upgrade->handed) {
		struct ptah_handed *handed = upgrade->handed;

		upgrade->handed = handed->next;
		close_all(handed->fds, &handed->n);
		free(handed);
	}
	close(upgrade->fd);
	free(upgrade);
}

/* Where we may have no more descriptors the kernel leaves out those that came along. */
static bool
has_lost(const struct ptah_upgrade *upgrade, const struct ptah_handed *handed)
{
	return (handed->word.what == PTAH_KEEPER_PLACE && handed->n < upgrade->n_workers) ||
	    ((handed->word.what == PTAH_KEEPER_ADOPTED || handed->word.what == PTAH_KEEPER_REPLAY) && handed->n == 0);
}

/* Gives: *out, also on failure. */
static int
take_next(struct ptah_upgrade *upgrade, struct ptah_handed **out)
{
	struct ptah_handed *handed = *out = calloc(1, sizeof(*handed));

	if (!handed)
		return -ENOMEM;
	if (ptah_keeper_hear(upgrade->fd, &handed->word, handed->fds, &handed->n) < 0)
		return -EPIPE;
	upgrade->n_handed += handed->n;
	if (upgrade->n_handed > HANDED_MOST)
		return -E2BIG;
	return has_lost(upgrade, handed) ? -EMFILE : 0;
}

/* The program before us is to hear why; it logs that. */
static void
refuse(struct ptah_upgrade *upgrade, int rc)
{
	char why[200];

	if (rc == -E2BIG)
		snprintf(why, sizeof(why), "more than %u sockets are to be handed over: let services have fewer addresses, or start "
		    "ptah anew with fewer workers", HANDED_MOST);
	else if (rc == -EMFILE)
		snprintf(why, sizeof(why), "there may be fewer descriptors than are handed over: raise their limit (ulimit -n, or "
		    "LimitNOFILE= of its unit), and start ptah anew");
	else
		snprintf(why, sizeof(why), "what is handed over cannot be taken: %s", strerror(-rc));
	ptah_upgrade_fail(upgrade, why);
}

int
ptah_upgrade_meet(struct ptah_upgrade *upgrade)
{
	struct ptah_handed **end = &upgrade->handed;
	int rc = tell(upgrade, PTAH_KEEPER_CHECKED);

	while (rc == 0) {
		struct ptah_handed *handed;

		rc = take_next(upgrade, &handed);
		if (handed) {
			*end = handed;
			end = &handed->next;
		}
		if (rc != 0)
			break;
		if (handed->word.what == PTAH_KEEPER_WORKERS)
			upgrade->n_workers = (unsigned)handed->word.value;
		if (handed->word.what == PTAH_KEEPER_GO) {
			upgrade->heir = handed->word.value == 1;
			return 0;
		}
	}
	if (rc != -EPIPE)
		refuse(upgrade, rc);
	return rc;
}

bool
ptah_upgrade_is_heir(const struct ptah_upgrade *upgrade)
{
	return upgrade && upgrade->heir;
}

unsigned
ptah_upgrade_workers(const struct ptah_upgrade *upgrade)
{
	return upgrade && upgrade->n_workers <= PTAH_WORKERS_MAX ? upgrade->n_workers : 0;
}

bool
ptah_upgrade_was_served(const struct ptah_upgrade *upgrade, const char *label)
{
	for (const struct ptah_handed *handed = upgrade->handed; handed; handed = handed->next)
		if (handed->word.what == PTAH_KEEPER_SERVES && strcmp(handed->word.text, label) == 0)
			return true;
	return false;
}

void
ptah_upgrade_fail(struct ptah_upgrade *upgrade, const char *why)
{
	if (upgrade)
		(void)ptah_keeper_tell(upgrade->fd, PTAH_KEEPER_FAILED, 0, why, NULL, 0);
}

/* ---- at work --------------------------------------------------------------------------------------- */

static void
on_hold(struct ptah_upgrade *upgrade)
{
	int rc = hold_state(upgrade);

	if (rc == 0)
		rc = ptah_keeper_tell(upgrade->fd, PTAH_KEEPER_WORKERS, upgrade->crew->n_workers, "", NULL, 0);
	if (rc == 0)
		rc = ptah_legacy_tell_places(upgrade);
	if (rc == 0)
		rc = ptah_legacy_tell_replay(upgrade);
	upgrade->rc = rc;
	if (rc == 0)
		upgrade->says->on_hold(upgrade->arg);
	if (upgrade->rc == 0)
		upgrade->rc = tell(upgrade, PTAH_KEEPER_GIVEN);
	if (upgrade->rc != 0) {
		char why[256];

		snprintf(why, sizeof(why), rc == -ETIMEDOUT ? "state files cannot be written in time" :
		    "the old program cannot hand over: %s", strerror(-upgrade->rc));
		ptah_upgrade_fail(upgrade, why);
	}
}

static void
on_leave(struct ptah_upgrade *upgrade)
{
	/* Whoever drops one is told that it is not the last. */
	ptah_places_share(upgrade->crew->places, true);
	upgrade->leaving = true;
	upgrade->says->on_leave(upgrade->arg);
	on_tell(NULL, upgrade);
	(void)tell(upgrade, PTAH_KEEPER_LEFT);
}

/* It serves: what we would write is not the truth any more. */
static void
on_done(struct ptah_upgrade *upgrade)
{
	release_state(upgrade, false);
	upgrade->says->on_done(upgrade->arg);
}

static void
on_stay(struct ptah_upgrade *upgrade, const char *why)
{
	bool left = upgrade->leaving;

	upgrade->leaving = false;
	ptah_deadline_clear(&upgrade->tell);
	ptah_places_share(upgrade->crew->places, false);
	release_state(upgrade, true);
	if (left)
		upgrade->says->on_return(upgrade->arg);
	upgrade->says->on_stay(why, upgrade->arg);
}

static void
hear(struct ptah_upgrade *upgrade, const struct ptah_keeper_word *word, const int *fds, unsigned n)
{
	switch (word->what) {
	case PTAH_KEEPER_HOLD:
		on_hold(upgrade);
		break;
	case PTAH_KEEPER_LEAVE:
		on_leave(upgrade);
		break;
	case PTAH_KEEPER_STAY:
		on_stay(upgrade, word->text);
		break;
	case PTAH_KEEPER_YOURS:
		ptah_places_settle(upgrade->crew->places);
		upgrade->says->on_yours(upgrade->arg);
		(void)tell(upgrade, PTAH_KEEPER_BEGUN);
		break;
	case PTAH_KEEPER_DONE:
		on_done(upgrade);
		break;
	case PTAH_KEEPER_REPLAY:
		if (n == 1)
			ptah_legacy_take_replay(upgrade, fds[0]);
		break;
	default:
		break;
	}
}

static void
on_word(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_upgrade *upgrade = arg;
	struct ptah_keeper_word word;
	int fds[PTAH_PASS_MOST];
	unsigned n;

	(void)fd;
	(void)what;
	if (ptah_keeper_hear(upgrade->fd, &word, fds, &n) > 0) {
		hear(upgrade, &word, fds, n);
		close_all(fds, &n);
		return;
	}
	event_del(upgrade->on_word);
	upgrade->says->on_lost(upgrade->arg);
}

int
ptah_upgrade_begin(struct ptah_upgrade *upgrade, struct ptah_crew *crew, const struct ptah_upgrade_says *says, void *arg)
{
	int rc = ptah_deadline_reserve(crew->loop, TELL_MS);

	upgrade->crew = crew;
	upgrade->says = says;
	upgrade->arg = arg;
	for (struct ptah_handed *handed = upgrade->handed; handed && rc == 0; handed = handed->next)
		rc = ptah_legacy_take(upgrade, handed);
	if (rc != 0)
		return rc;
	upgrade->on_word = event_new(crew->loop->base, upgrade->fd, EV_READ | EV_PERSIST, on_word, upgrade);
	return upgrade->on_word && event_add(upgrade->on_word, NULL) == 0 ? 0 : -ENOMEM;
}

void
ptah_upgrade_ready(struct ptah_upgrade *upgrade)
{
	(void)tell(upgrade, PTAH_KEEPER_READY);
}

int
ptah_upgrade_ask(struct ptah_upgrade *upgrade)
{
	return tell(upgrade, PTAH_KEEPER_UPGRADE);
}

void
ptah_upgrade_serves(struct ptah_upgrade *upgrade, const char *label)
{
	if (upgrade->rc == 0)
		upgrade->rc = ptah_keeper_tell(upgrade->fd, PTAH_KEEPER_SERVES, 0, label, NULL, 0);
}
