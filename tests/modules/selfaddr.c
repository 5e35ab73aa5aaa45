/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * selfaddr: a client that needs no server address: each link is a pipe whose
 * other side says back what it hears; with option 'addr', a connection to there.
 */
#include <errno.h>

#include <ptah/host.h>

struct selfaddr_conf {
	const char *addr;
};

struct selfaddr_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	struct ptah_stream *echo;
};

static const struct ptah_option options[] = {
	{ .name = "addr", .type = PTAH_ADDRESS, .offset = offsetof(struct selfaddr_conf, addr),
	    .help = "connect to this instead of echoing" },
	{ .name = NULL },
};

static int
selfaddr_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct selfaddr_conf *conf = open->conf;
	struct selfaddr_link *mine = link;
	struct ptah_stream *other;

	(void)io;
	mine->host = open->host;
	mine->self = open->self;
	if (conf->addr != NULL)
		return open->host->dial(open->self, PTAH_OUT, conf->addr, NULL) != NULL ? 0 : -ENOMEM;
	mine->echo = open->host->pipe(open->self, &other);
	if (mine->echo == NULL)
		return -ENOMEM;
	return open->host->give(open->self, other);
}

static int
selfaddr_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct selfaddr_link *mine = link;
	uint32_t ended = (event->val & PTAH_STREAM_ENDED) != 0;
	size_t n;

	(void)io;
	if (event->what != PTAH_EV_STREAM)
		return 0;
	if ((event->val & PTAH_STREAM_FAILED) != 0) {
		mine->echo = NULL;
		return event->rc;
	}
	if (event->stream != mine->echo)
		return (event->val & PTAH_STREAM_OPENED) != 0 ? mine->host->give(mine->self, event->stream) : 0;
	n = mine->host->write(event->stream, event->body);
	mine->host->eat(event->stream, n);
	mine->host->ask(event->stream, 0, 0, ended && n == event->body.len);
	return 0;
}

PTAH_MODULE(selfaddr) = {
	.head = PTAH_HEAD(0),
	.name = "selfaddr",
	.version = "1",
	.summary = "for tests: a carrier that needs no address",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_IS_CARRIER | PTAH_NO_ADDRESS | PTAH_NAMED_ONLY,
	.options = options,
	.conf_size = sizeof(struct selfaddr_conf),
	.link_size = sizeof(struct selfaddr_link),
	.dial = selfaddr_dial,
	.event = selfaddr_event,
};
