/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * optimizer: several bridges and transports behind one name.  Each link goes
 * through one of them; which, and which next when it fails, a strategy says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <ptah/host.h>

#include "chance.h"
#include "members.h"
#include "ranking.h"

#define STATE "optimizer.json"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
/* All tries of a link, so that it ends within a minute; one try; between two rounds. */
#define TOTAL_NS (58 * NS_PER_S)
#define TRY_NS (20 * NS_PER_S)
#define PAUSE_NS (1 * NS_PER_S)
/* A connection that breaks so soon was none. */
#define YOUNG_NS (5 * NS_PER_S)
/* What was learned is written that long after, with what else is learned meanwhile. */
#define WRITE_NS (1 * NS_PER_S)

#define T_TOTAL 0u
#define T_TRY 1u
#define T_PAUSE 2u
#define T_WRITE 0u

/* Letters of a link: whom next?  It went so.  It was of no use after all. */
#define ASK 'a'
#define TELL 't'
#define TAKE_BACK 'b'

struct letter {
	uint8_t what, which, failed;
	uint32_t ms;
	uint64_t tried;
};

#define NOBODY UINT8_MAX /* an answer: the round is over */

struct optimizer_home {
	const struct ptah_host *host;
	struct ptah_self *self;
	struct optimizer_ranking *ranking;
	uint32_t has_state, waits, writing, stopping;
};

struct optimizer_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	struct ptah_stream *stream;
	uint64_t tried, begun_ns, given_ns;
	int rc;
	uint8_t which, again, has_given;
};

#define AT(member) offsetof(struct optimizer_conf, member)

static const struct ptah_option options[] = {
	{ .name = "transports", .type = PTAH_NESTED, .flags = PTAH_LIST | PTAH_SECRET, .offset = AT(transports),
	    .help = "a list of {\"name\": ..., \"config\": {...}}" },
	{ .name = "strategy", .type = PTAH_WORD, .words = optimizer_strategies, .def = "first", .offset = AT(strategy),
	    .help = "which of them a connection goes through" },
	{ .name = "json", .type = PTAH_BASE64, .flags = PTAH_SECRET, .offset = AT(json),
	    .help = "instead of both: an object that has them, as base64" },
	{ .name = NULL },
};

static int
conf_check(const void *conf, uint32_t role, char *why, size_t room)
{
	struct optimizer_members members;
	int rc = sodium_init() < 0 ? -ENOSYS : optimizer_members_read(&members, conf, why, room);

	(void)role;
	if (rc != -ENOSYS)
		optimizer_members_free(&members);
	return rc;
}

/* ---- the home ------------------------------------------------------------------------- */

static void
read_state(struct optimizer_home *home)
{
	static const char damaged[] = STATE " is damaged: what was learned is forgotten";
	static const char elsewhere[] = STATE " is in use elsewhere: what is learned is not kept";
	char *text = malloc(OPTIMIZER_TEXT_ROOM);
	long n = text != NULL ? home->host->state_get(home->self, STATE,
	    (struct ptah_room){ (uint8_t *)text, OPTIMIZER_TEXT_ROOM }) : -ENOMEM;

	int made = n == -ENOENT ? home->host->state_put(home->self, STATE, (struct ptah_span){ NULL, 0 }, 0) : 0;

	home->has_state = made == 0 && n != -EBUSY;
	if (n == -EBUSY || made == -EBUSY)
		home->host->log(home->self, PTAH_LOG_LEVEL_INFO, elsewhere, strlen(elsewhere));
	else if ((n > 0 && optimizer_read(home->ranking, text, (size_t)n) < 0) || (n < 0 && n != -ENOENT))
		home->host->log(home->self, PTAH_LOG_LEVEL_WARN, damaged, strlen(damaged));
	free(text);
}

static int
make_children(struct optimizer_home *home, const struct optimizer_members *members)
{
	int rc = 0;

	home->ranking->strategy = members->strategy;
	home->ranking->n = members->n;
	for (uint32_t i = 0; rc >= 0 && i < members->n; i++) {
		memcpy(home->ranking->scores[i].key, members->all[i].key, OPTIMIZER_KEY_LEN);
		rc = home->host->child(home->self, members->all[i].name, members->all[i].config, NULL);
	}
	return rc < 0 ? rc : 0;
}

static int
home_open(void *opaque, const struct ptah_start *start)
{
	struct optimizer_home *home = opaque;
	struct optimizer_members members;
	char why[256];
	int rc;

	home->host = start->host;
	home->self = start->self;
	home->ranking = calloc(1, sizeof(*home->ranking));
	if (home->ranking == NULL)
		return -ENOMEM;
	rc = optimizer_members_read(&members, start->conf, why, sizeof(why));
	if (rc == 0)
		rc = make_children(home, &members);
	optimizer_members_free(&members);
	if (rc < 0)
		return rc;
	read_state(home);
	home->host->ready(home->self, 0, NULL, NULL, NULL);
	return 0;
}

static uint32_t
draw(void *arg, uint32_t n)
{
	const struct optimizer_home *home = arg;
	const struct ptah_chance chance = { home->host->random, home->self };

	return ptah_chance_below(&chance, n);
}

/* ---- what it keeps ---------------------------------------------------------------------- */

static void
write_state(struct optimizer_home *home)
{
	char *text = malloc(OPTIMIZER_TEXT_ROOM);

	home->waits = 0;
	if (text == NULL)
		return;
	if (home->host->state_put(home->self, STATE,
	    (struct ptah_span){ (const uint8_t *)text, optimizer_write(home->ranking, text) }, 0) == 0)
		home->writing++;
	free(text);
}

static void
has_learned(struct optimizer_home *home)
{
	if (!home->has_state || home->waits)
		return;
	home->waits = 1;
	home->host->timer(home->self, T_WRITE, WRITE_NS);
}

static void
on_letter(struct optimizer_home *home, const struct ptah_event *event)
{
	struct letter letter;
	uint8_t answer;

	if (event->body.len != sizeof(letter))
		return;
	memcpy(&letter, event->body.at, sizeof(letter));
	if (letter.what == ASK) {
		int which = optimizer_next(home->ranking, letter.tried, draw, home);

		answer = which < 0 ? NOBODY : (uint8_t)which;
		(void)home->host->mail(home->self, event->from, (struct ptah_span){ &answer, 1 });
		return;
	}
	if (letter.what == TELL)
		optimizer_learn(home->ranking, letter.which, letter.failed, letter.ms);
	else
		optimizer_unlearn(home->ranking, letter.which);
	has_learned(home);
}

static int
home_event(void *opaque, const struct ptah_event *event)
{
	struct optimizer_home *home = opaque;

	switch (event->what) {
	case PTAH_EV_MAIL:
		on_letter(home, event);
		break;
	case PTAH_EV_TIMER:
		write_state(home);
		break;
	case PTAH_EV_STATE:
		if (home->writing > 0)
			home->writing--;
		if (home->stopping && home->writing == 0)
			home->host->home_done(home->self);
		break;
	case PTAH_EV_STOP:
		home->stopping = 1;
		if (home->waits)
			write_state(home);
		if (home->writing == 0)
			home->host->home_done(home->self);
		break;
	default:
		break;
	}
	return 0;
}

static void
home_close(void *opaque)
{
	struct optimizer_home *home = opaque;

	free(home->ranking);
}

/* ---- a link ------------------------------------------------------------------------------- */

static int
write_letter(const struct optimizer_link *link, uint8_t what, int failed)
{
	uint64_t ms = (link->host->now_ns(link->self) - link->begun_ns) / NS_PER_MS;
	struct letter letter;

	memset(&letter, 0, sizeof(letter));
	letter.what = what;
	letter.which = link->which;
	letter.failed = failed != 0;
	letter.ms = ms < OPTIMIZER_FAILED_MS ? (uint32_t)ms : OPTIMIZER_FAILED_MS;
	letter.tried = link->tried;
	return link->host->mail(link->self, PTAH_HOME, (struct ptah_span){ (const uint8_t *)&letter, sizeof(letter) });
}

static int
link_dial(void *opaque, const struct ptah_open *open, struct ptah_io *io)
{
	struct optimizer_link *link = opaque;
	const struct optimizer_home *home = open->home;
	int rc;

	(void)io;
	link->host = open->host;
	link->self = open->self;
	link->again = optimizer_has_rounds(home->ranking->strategy) != 0;
	rc = link->host->timer(link->self, T_TOTAL, TOTAL_NS);
	if (rc == 0 && link->host->id(link->self) == 0)
		rc = -ENOMEM;
	return rc < 0 ? rc : write_letter(link, ASK, 0);
}

static int
try_next(struct optimizer_link *link)
{
	link->host->timer(link->self, T_TRY, 0);
	return write_letter(link, ASK, 0);
}

/* This one is none; what it said is what the last one says, should all fail. */
static int
has_failed(struct optimizer_link *link, int rc)
{
	link->stream = NULL;
	link->rc = rc;
	rc = write_letter(link, TELL, 1);
	return rc < 0 ? rc : try_next(link);
}

static int
begin(struct optimizer_link *link, uint8_t which)
{
	link->which = which;
	link->tried |= UINT64_C(1) << which;
	link->begun_ns = link->host->now_ns(link->self);
	link->stream = link->host->dial(link->self, which, NULL, NULL);
	if (link->stream == NULL)
		return has_failed(link, -EHOSTUNREACH);
	return link->host->timer(link->self, T_TRY, TRY_NS);
}

static int
on_answer(struct optimizer_link *link, uint8_t which)
{
	if (which != NOBODY)
		return begin(link, which);
	if (!link->again)
		return link->rc != 0 ? link->rc : -EHOSTUNREACH;
	link->tried = 0;
	return link->host->timer(link->self, T_PAUSE, PAUSE_NS);
}

static int
on_timer(struct optimizer_link *link, int64_t which)
{
	switch (which) {
	case T_PAUSE:
		return try_next(link);
	case T_TRY:
		link->host->drop(link->stream);
		return has_failed(link, -ETIMEDOUT);
	default:
		return link->rc != 0 ? link->rc : -ETIMEDOUT;
	}
}

static int
on_open(struct optimizer_link *link)
{
	int rc = write_letter(link, TELL, 0);

	link->host->timer(link->self, T_TOTAL, 0);
	link->host->timer(link->self, T_TRY, 0);
	if (rc == 0)
		rc = link->host->give(link->self, link->stream);
	link->stream = NULL;
	link->has_given = 1;
	link->given_ns = link->host->now_ns(link->self);
	return rc;
}

static int
link_event(void *opaque, const struct ptah_event *event, struct ptah_io *io)
{
	struct optimizer_link *link = opaque;
	int rc = 0;

	if (link->has_given)
		return 0;
	switch (event->what) {
	case PTAH_EV_MAIL:
		rc = event->body.len == 1 && link->stream == NULL ? on_answer(link, event->body.at[0]) : 0;
		break;
	case PTAH_EV_TIMER:
		rc = on_timer(link, event->val);
		break;
	case PTAH_EV_STREAM:
		if (event->stream != link->stream)
			break;
		if ((event->val & PTAH_STREAM_FAILED) != 0)
			rc = has_failed(link, event->rc);
		else if ((event->val & PTAH_STREAM_OPENED) != 0)
			rc = on_open(link);
		break;
	default:
		break;
	}
	if (rc < 0)
		io->reason = "none of the transports could be used; the last one said why";
	return rc;
}

static void
link_close(void *opaque, int why)
{
	struct optimizer_link *link = opaque;

	if (link->has_given && why < 0 && link->host->now_ns(link->self) - link->given_ns < YOUNG_NS)
		(void)write_letter(link, TAKE_BACK, 1);
}

PTAH_MODULE(optimizer) = {
	.head = PTAH_HEAD(0),
	.name = "optimizer",
	.aliases = (const char *const[]){ "Optimizer", NULL },
	.version = "1.0",
	.summary = "several bridges and transports behind one name",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_IS_CARRIER | PTAH_NO_ADDRESS | PTAH_NAMED_ONLY |
	    PTAH_UNMAPS,
	.handshake_ms = 61000,
	.options = options,
	.conf_size = sizeof(struct optimizer_conf),
	.home_size = sizeof(struct optimizer_home),
	.link_size = sizeof(struct optimizer_link),
	.conf_check = conf_check,
	.home_open = home_open,
	.home_event = home_event,
	.home_close = home_close,
	.event = link_event,
	.close = link_close,
	.dial = link_dial,
};
