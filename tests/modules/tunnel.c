/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tunnel: a carrier that makes its streams itself: it dials and listens, by
 * TCP or through a transport of its own (option 'via').  With 'pump' a client
 * keeps the stream and carries the bytes by hand to a pipe, whose other side
 * is the link's.
 */
#include <errno.h>

#include <ptah/host.h>

#define THE_CHILD 0 /* the first one that the home made */

struct tunnel_conf {
	const char *via, *via_options, *at;
	uint8_t pump;
};

struct tunnel_home {
	const struct tunnel_conf *conf;
	const struct ptah_host *host;
	struct ptah_self *self;
};

struct tunnel_link {
	const struct tunnel_conf *conf;
	const struct ptah_host *host;
	struct ptah_self *self;
	struct ptah_stream *far, *near; /* near: our side of the pipe */
};

static const struct ptah_option options[] = {
	{ .name = "via", .type = PTAH_STRING, .offset = offsetof(struct tunnel_conf, via),
	    .help = "a transport to go through" },
	{ .name = "via-options", .type = PTAH_NESTED, .offset = offsetof(struct tunnel_conf, via_options),
	    .help = "its options" },
	{ .name = "at", .type = PTAH_ADDRESS, .flags = PTAH_SERVER_ONLY, .offset = offsetof(struct tunnel_conf, at),
	    .help = "where that one listens" },
	{ .name = "pump", .type = PTAH_BOOL, .flags = PTAH_CLIENT_ONLY, .offset = offsetof(struct tunnel_conf, pump),
	    .help = "carry the bytes by hand" },
	{ .name = NULL },
};

static int
tunnel_home_open(void *home, const struct ptah_start *start)
{
	const struct tunnel_conf *conf = start->conf;
	struct tunnel_home *mine = home;

	mine->conf = conf;
	mine->host = start->host;
	mine->self = start->self;
	if (conf->via != NULL) {
		int rc = mine->host->child(mine->self, conf->via, conf->via_options,
		    start->role == PTAH_SERVER ? conf->at : NULL);

		if (rc < 0)
			return rc;
	}
	mine->host->ready(mine->self, 0, NULL, NULL, NULL);
	return 0;
}

static int
tunnel_home_event(void *home, const struct ptah_event *event)
{
	struct tunnel_home *mine = home;

	switch (event->what) {
	case PTAH_EV_ACCEPT:
		if (event->val != (mine->conf->via != NULL ? THE_CHILD : PTAH_OUT))
			return -EPROTO;
		return mine->host->arrive(mine->self, event->stream, event->peer, event->dest, 0);
	case PTAH_EV_STOP:
		mine->host->home_done(mine->self);
		return 0;
	default:
		return 0;
	}
}

static int
tunnel_listen(void *home, const char *bind)
{
	struct tunnel_home *mine = home;

	return mine->conf->via != NULL ? 0 : mine->host->listen(mine->self, bind, 0, NULL, 0);
}

static int
tunnel_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct tunnel_link *mine = link;

	mine->conf = open->conf;
	mine->host = open->host;
	mine->self = open->self;
	if (open->server == NULL) {
		io->reason = "nobody said where to";
		return -EINVAL;
	}
	mine->far = mine->host->dial(mine->self, mine->conf->via != NULL ? THE_CHILD : PTAH_OUT, open->server, NULL);
	return mine->far != NULL ? 0 : -ENOMEM;
}

static int
far_is_open(struct tunnel_link *mine)
{
	struct ptah_stream *other;

	if (!mine->conf->pump)
		return mine->host->give(mine->self, mine->far);
	mine->near = mine->host->pipe(mine->self, &other);
	return mine->near != NULL ? mine->host->give(mine->self, other) : -ENOMEM;
}

/* Carry what has come to the other stream; where that is full, rest until it has room. */
static void
carry(struct tunnel_link *mine, const struct ptah_event *event)
{
	struct ptah_stream *from = event->stream, *to = from == mine->far ? mine->near : mine->far;
	size_t n;

	if ((event->val & PTAH_STREAM_ROOM) != 0)
		mine->host->ask(to, 0, 0, 0);
	n = mine->host->write(to, event->body);
	mine->host->eat(from, n);
	if (n < event->body.len)
		mine->host->ask(from, 0, 1, 0);
	else if ((event->val & PTAH_STREAM_ENDED) != 0)
		mine->host->ask(to, 0, 0, 1);
}

static int
tunnel_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct tunnel_link *mine = link;

	(void)io;
	if (event->what != PTAH_EV_STREAM)
		return 0;
	if ((event->val & PTAH_STREAM_FAILED) != 0)
		return event->rc;
	if ((event->val & PTAH_STREAM_OPENED) != 0)
		return far_is_open(mine);
	if (mine->near != NULL)
		carry(mine, event);
	return 0;
}

PTAH_MODULE(tunnel) = {
	.head = PTAH_HEAD(0),
	.name = "tunnel",
	.version = "1",
	.summary = "for tests: a carrier over TCP, or over a transport of its own",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_IS_CARRIER | PTAH_NAMED_ONLY,
	.options = options,
	.conf_size = sizeof(struct tunnel_conf),
	.home_size = sizeof(struct tunnel_home),
	.link_size = sizeof(struct tunnel_link),
	.home_open = tunnel_home_open,
	.home_event = tunnel_home_event,
	.event = tunnel_event,
	.dial = tunnel_dial,
	.listen = tunnel_listen,
};
