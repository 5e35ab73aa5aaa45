/* SPDX-License-Identifier: BSD-3-Clause */
/* sketch: begins as a request to a web server that becomes a WebSocket.  README.md draws the wire. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <ptah/host.h>

enum { STRANGERS = 64, PATH_MOST = 200, HEAD_MOST = 300 };
#define PATIENCE_NS UINT64_C(10000000000) /* with the last stranger, and so with all */
#define SPAN(text) ((struct ptah_span){ (const uint8_t *)(text), strlen(text) })
#define ANSWER "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

struct conf { const char *path; };
struct stranger { struct ptah_stream *stream; char peer[64]; };
struct life { const struct ptah_host *host; struct ptah_self *self; char request[HEAD_MOST]; };
struct home { struct life life; unsigned turn; struct stranger strangers[STRANGERS]; };

static const struct ptah_option options[] = {
	{ .name = "path", .type = PTAH_STRING, .offset = offsetof(struct conf, path), .min = 1, .max = PATH_MOST, .def = "/feed",
	    .help = "what both ends ask for; who asks for something else is not answered" },
	{ .name = NULL },
};

static void
begin(struct life *life, const struct ptah_host *host, struct ptah_self *self, const struct conf *conf)
{
	*life = (struct life){ .host = host, .self = self };
	snprintf(life->request, HEAD_MOST, "GET %s HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", conf->path);
}

static int
heard(const struct ptah_host *host, const struct ptah_event *event, const char *text)
{
	if (event->body.len < strlen(text) || memcmp(event->body.at, text, strlen(text)) != 0)
		return 0;
	host->eat(event->stream, strlen(text));
	return 1;
}

static int
sketch_home_open(void *home, const struct ptah_start *start)
{
	begin(home, start->host, start->self, start->conf);
	return start->host->ready(start->self, 0, NULL, NULL, NULL), 0;
}

/* Each takes the place of the one 64 before it, and all go when the timer says that nobody has come for so long. */
static int
meet(struct home *mine, const struct ptah_event *event)
{
	struct stranger *place = &mine->strangers[mine->turn++ % STRANGERS];

	mine->life.host->drop(place->stream);
	place->stream = event->stream;
	snprintf(place->peer, sizeof(place->peer), "%s", event->peer != NULL ? event->peer : "");
	mine->life.host->ask(event->stream, strlen(mine->life.request), 0, 0); /* call me when so much is here */
	return mine->life.host->timer(mine->life.self, 0, PATIENCE_NS);
}

static int
sketch_home_event(void *home, const struct ptah_event *event)
{
	struct home *mine = home;

	if (event->what == PTAH_EV_ACCEPT || event->what == PTAH_EV_PLAIN)
		return event->what == PTAH_EV_ACCEPT ? meet(mine, event) : 0;
	for (struct stranger *at = mine->strangers; at < mine->strangers + STRANGERS; at++) {
		struct ptah_stream *stream = at->stream;

		if (event->what == PTAH_EV_STREAM && stream != event->stream)
			continue;
		at->stream = NULL;
		if (event->what == PTAH_EV_STREAM && heard(mine->life.host, event, mine->life.request)) {
			(void)mine->life.host->write(stream, SPAN(ANSWER));
			return mine->life.host->arrive(mine->life.self, stream, at->peer, NULL, 0);
		}
		mine->life.host->drop(stream);
	}
	if (event->what == PTAH_EV_STOP)
		mine->life.host->home_done(mine->life.self);
	return 0;
}

static int
sketch_listen(void *home, const char *bind)
{
	return ((struct life *)home)->host->listen(((struct life *)home)->self, bind, 0, NULL, 0);
}

static int
sketch_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	begin(link, open->host, open->self, open->conf);
	(void)io;
	return open->server == NULL ? -EINVAL : open->host->dial(open->self, PTAH_OUT, open->server, NULL) != NULL ? 0 : -ENOMEM;
}

static int
sketch_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct life *mine = link;

	if (event->what != PTAH_EV_STREAM || (event->val & PTAH_STREAM_FAILED) != 0)
		return event->what == PTAH_EV_STREAM ? event->rc : 0;
	if ((event->val & PTAH_STREAM_OPENED) != 0) {
		mine->host->ask(event->stream, strlen(ANSWER), 0, 0);
		(void)mine->host->write(event->stream, SPAN(mine->request));
	}
	if ((event->val & (PTAH_STREAM_INPUT | PTAH_STREAM_ENDED)) == 0)
		return 0;
	io->reason = "what answered is no server of ours";
	return heard(mine->host, event, ANSWER) ? mine->host->give(mine->self, event->stream) : -EBADMSG;
}

PTAH_MODULE(sketch) = {
	.head = PTAH_HEAD(0), .name = "sketch", .version = "1", .summary = "a beginning: a carrier that speaks as to a web server first",
	.example = "{\"server\": {}, \"client\": {}}", .abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_IS_CARRIER,
	.options = options, .conf_size = sizeof(struct conf), .home_size = sizeof(struct home), .link_size = sizeof(struct life),
	.home_open = sketch_home_open, .home_event = sketch_home_event, .dial = sketch_dial, .event = sketch_event, .listen = sketch_listen,
};
