/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * letterbox: a carrier whose streams begin with a head, as an HTTP upgrade
 * does:
 *
 *     client                 server
 *     'L' 'B' ->
 *                            <- 'O' 'K' greeting   then bytes as they are
 *                            <- 'N' 'O'            the plain end failed
 *
 * The client hands the stream over with what came behind "OK" uneaten.  So
 * does a server with the option 'whole', which must answer before it knows of
 * the plain end.  Without, it keeps the stream, carries the bytes to a pipe by
 * hand, and answers when it has heard how the plain end went.
 */
#include <errno.h>
#include <string.h>

#include <ptah/host.h>

#define HEAD_LEN 2u
#define VISITS 32u
#define SLOT_BITS 8

/* How far a visit has come. */
#define FREE 0u
#define HEAD 1u
#define WAITS 2u /* for the plain end */
#define OPEN 3u
#define GOES 4u  /* it was told no, and shall leave */

struct letterbox_conf {
	const char *greeting;
	uint8_t whole;
};

struct visit {
	struct ptah_stream *wire, *near;
	uint64_t cookie;
	uint32_t state;
	uint8_t said_all[2]; /* EOF was asked for, towards wire and near */
	uint8_t gone[2];     /* ... and has gone out */
};

struct letterbox_home {
	const struct letterbox_conf *conf;
	const struct ptah_host *host;
	struct ptah_self *self;
	uint64_t serial;
	struct visit visits[VISITS];
};

struct letterbox_link {
	const struct ptah_host *host;
	struct ptah_self *self;
};

static const struct ptah_option options[] = {
	{ .name = "whole", .type = PTAH_BOOL, .flags = PTAH_SERVER_ONLY, .offset = offsetof(struct letterbox_conf, whole),
	    .help = "hand each stream over whole" },
	{ .name = "greeting", .type = PTAH_STRING, .flags = PTAH_SERVER_ONLY, .def = "",
	    .offset = offsetof(struct letterbox_conf, greeting), .help = "the first bytes to the client, as if its peer had said them" },
	{ .name = NULL },
};

static struct ptah_span
words(const char *text)
{
	return (struct ptah_span){ (const uint8_t *)text, strlen(text) };
}

/* "OK" and the greeting in one write: the client reads more than it wanted. */
static void
say_ok(const struct letterbox_home *mine, struct ptah_stream *wire)
{
	uint8_t text[64] = "OK";
	size_t n = strlen(mine->conf->greeting);

	if (n > sizeof(text) - HEAD_LEN)
		n = sizeof(text) - HEAD_LEN;
	memcpy(text + HEAD_LEN, mine->conf->greeting, n);
	mine->host->write(wire, (struct ptah_span){ text, HEAD_LEN + n });
}

/* ---- the server's home ----------------------------------------------------- */

static int
letterbox_home_open(void *home, const struct ptah_start *start)
{
	struct letterbox_home *mine = home;

	mine->conf = start->conf;
	mine->host = start->host;
	mine->self = start->self;
	if (start->role == PTAH_SERVER && start->bind == NULL)
		return -EDESTADDRREQ;
	mine->host->ready(mine->self, 0, NULL, NULL, NULL);
	return 0;
}

static int
letterbox_listen(void *home, const char *bind)
{
	struct letterbox_home *mine = home;

	return mine->host->listen(mine->self, bind, 7, NULL, 0);
}

static void
end_visit(struct letterbox_home *mine, struct visit *visit)
{
	mine->host->drop(visit->wire);
	mine->host->drop(visit->near);
	*visit = (struct visit){ .state = FREE };
}

static struct visit *
find(struct letterbox_home *mine, const struct ptah_stream *stream)
{
	for (uint32_t i = 0; i < VISITS; i++)
		if (mine->visits[i].state != FREE && (mine->visits[i].wire == stream || mine->visits[i].near == stream))
			return &mine->visits[i];
	return NULL;
}

static void
begin_visit(struct letterbox_home *mine, const struct ptah_event *event)
{
	for (uint32_t i = 0; i < VISITS; i++) {
		struct visit *visit = &mine->visits[i];

		if (visit->state != FREE)
			continue;
		*visit = (struct visit){
			.wire = event->stream, .state = HEAD, .cookie = ++mine->serial << SLOT_BITS | i,
		};
		mine->host->ask(visit->wire, HEAD_LEN, 0, 0);
		return;
	}
	mine->host->drop(event->stream);
}

/* Who has knocked properly gets a link. */
static void
read_head(struct letterbox_home *mine, struct visit *visit, const struct ptah_event *event)
{
	struct ptah_stream *other;
	int rc;

	if (event->body.len < HEAD_LEN || memcmp(event->body.at, "LB", HEAD_LEN) != 0) {
		end_visit(mine, visit);
		return;
	}
	mine->host->eat(visit->wire, HEAD_LEN);
	if (mine->conf->whole) {
		say_ok(mine, visit->wire);
		rc = mine->host->arrive(mine->self, visit->wire, event->peer, NULL, UINT64_MAX);
		if (rc == 0)
			visit->wire = NULL;
		end_visit(mine, visit);
		return;
	}
	mine->host->ask(visit->wire, 0, 1, 0);
	visit->near = mine->host->pipe(mine->self, &other);
	if (visit->near == NULL || mine->host->arrive(mine->self, other, event->peer, NULL, visit->cookie) < 0)
		end_visit(mine, visit);
	else
		visit->state = WAITS;
}

static void
hear_of_plain(struct letterbox_home *mine, const struct ptah_event *event)
{
	struct visit *visit = &mine->visits[event->cookie & (VISITS - 1)];

	if (visit->state != WAITS || visit->cookie != event->cookie)
		return;
	if (event->val == 0)
		say_ok(mine, visit->wire);
	else
		mine->host->write(visit->wire, words("NO"));
	visit->state = event->val == 0 ? OPEN : GOES;
	mine->host->ask(visit->wire, 0, 0, event->val != 0);
}

/* Carry what has come to the other stream; where that is full, rest until it has room. */
static void
carry(struct letterbox_home *mine, struct visit *visit, const struct ptah_event *event)
{
	struct ptah_stream *from = event->stream, *to = from == visit->wire ? visit->near : visit->wire;
	const int there = to == visit->near, back = !there;
	size_t n;

	if ((event->val & PTAH_STREAM_ROOM) != 0) {
		visit->gone[back] = visit->said_all[back];
		mine->host->ask(to, 0, 0, 0);
	}
	n = mine->host->write(to, event->body);
	mine->host->eat(from, n);
	if (n < event->body.len) {
		mine->host->ask(from, 0, 1, 0);
	} else if ((event->val & PTAH_STREAM_ENDED) != 0 && !visit->said_all[there]) {
		visit->said_all[there] = 1;
		mine->host->ask(to, 0, 0, 1);
	}
	if (visit->gone[0] && visit->gone[1])
		end_visit(mine, visit);
}

static void
on_stream(struct letterbox_home *mine, const struct ptah_event *event)
{
	struct visit *visit = find(mine, event->stream);

	if (visit == NULL)
		return;
	if ((event->val & PTAH_STREAM_FAILED) != 0 ||
	    (visit->state == GOES && (event->val & PTAH_STREAM_ENDED) != 0))
		end_visit(mine, visit);
	else if (visit->state == HEAD && (event->val & PTAH_STREAM_INPUT) != 0)
		read_head(mine, visit, event);
	else if (visit->state == GOES)
		mine->host->eat(event->stream, event->body.len);
	else if (visit->state == OPEN)
		carry(mine, visit, event);
}

static int
letterbox_home_event(void *home, const struct ptah_event *event)
{
	struct letterbox_home *mine = home;

	switch (event->what) {
	case PTAH_EV_ACCEPT:
		if (event->val != PTAH_OUT || event->cookie != 7)
			return -EPROTO;
		begin_visit(mine, event);
		return 0;
	case PTAH_EV_STREAM:
		on_stream(mine, event);
		return 0;
	case PTAH_EV_PLAIN:
		hear_of_plain(mine, event);
		return 0;
	case PTAH_EV_STOP:
		mine->host->home_done(mine->self);
		return 0;
	default:
		return 0;
	}
}

/* ---- the client's link ------------------------------------------------------- */

static int
letterbox_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct letterbox_link *mine = link;

	mine->host = open->host;
	mine->self = open->self;
	if (open->server == NULL) {
		io->reason = "nobody said where to";
		return -EDESTADDRREQ;
	}
	return mine->host->dial(mine->self, PTAH_OUT, open->server, NULL) != NULL ? 0 : -ENOMEM;
}

static int
letterbox_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct letterbox_link *mine = link;

	if (event->what != PTAH_EV_STREAM)
		return 0;
	if ((event->val & PTAH_STREAM_FAILED) != 0)
		return event->rc;
	if ((event->val & PTAH_STREAM_OPENED) != 0) {
		mine->host->ask(event->stream, HEAD_LEN, 0, 0);
		return mine->host->write(event->stream, words("LB")) == HEAD_LEN ? 0 : -EIO;
	}
	if ((event->val & PTAH_STREAM_INPUT) == 0)
		return 0;
	if (event->body.len >= HEAD_LEN && memcmp(event->body.at, "OK", HEAD_LEN) == 0) {
		mine->host->eat(event->stream, HEAD_LEN);
		return mine->host->give(mine->self, event->stream);
	}
	io->reason = "the letterbox stays shut";
	return -EHOSTUNREACH;
}

PTAH_MODULE(letterbox) = {
	.head = PTAH_HEAD(0),
	.name = "letterbox",
	.version = "1",
	.summary = "for tests: a carrier whose streams begin with a head",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_IS_CARRIER | PTAH_NAMED_ONLY,
	.options = options,
	.conf_size = sizeof(struct letterbox_conf),
	.home_size = sizeof(struct letterbox_home),
	.link_size = sizeof(struct letterbox_link),
	.home_open = letterbox_home_open,
	.home_event = letterbox_home_event,
	.event = letterbox_event,
	.dial = letterbox_dial,
	.listen = letterbox_listen,
};
