/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dummy, the test build: what the shipped one does, and on request what makes
 * trouble: a text in the log, a construction that fails, a stored state, a
 * clean-up that never ends; and steps that copy each byte instead of passing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ptah/host.h>

struct dummy_conf {
	const char *args, *log, *state;
	int64_t fail;
	uint8_t hang, steps, never;
};

struct dummy_args {
	const char *refuse;
};

struct dummy_home {
	const struct dummy_conf *conf;
	const struct ptah_host *host;
	struct ptah_self *self;
};

static const struct ptah_option options[] = {
	{ .name = "args", .type = PTAH_NESTED, .flags = PTAH_SERVER_ONLY,
	    .offset = offsetof(struct dummy_conf, args),
	    .help = "object of strings that the server announces as its ARGS" },
	{ .name = "refuse", .type = PTAH_NESTED, .flags = PTAH_LINK,
	    .offset = offsetof(struct dummy_args, refuse),
	    .help = "any value of this is refused (to see what a refusal looks like)" },
	{ .name = "log", .type = PTAH_STRING, .offset = offsetof(struct dummy_conf, log),
	    .help = "text to log as an error at construction" },
	{ .name = "fail", .type = PTAH_INT, .min = 0, .max = 100000, .offset = offsetof(struct dummy_conf, fail),
	    .help = "fail at construction, with a text of this many bytes" },
	{ .name = "state", .type = PTAH_STRING, .offset = offsetof(struct dummy_conf, state),
	    .help = "text to store as dummy_state" },
	{ .name = "hang", .type = PTAH_BOOL, .offset = offsetof(struct dummy_conf, hang),
	    .help = "never return from the clean-up" },
	{ .name = "steps", .type = PTAH_BOOL, .offset = offsetof(struct dummy_conf, steps),
	    .help = "copy each byte instead of stepping out of the path" },
	{ .name = "never", .type = PTAH_BOOL, .offset = offsetof(struct dummy_conf, never),
	    .help = "never be ready" },
	{ .name = NULL },
};

static int
dummy_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room)
{
	const struct dummy_args *mine = args;

	(void)conf;
	(void)role;
	if (mine->refuse == NULL)
		return 0;
	snprintf(why, room, "option \"refuse\" is there, so dummy refuses; leave it out");
	return -EINVAL;
}

static int
refuse_at_length(const struct dummy_home *mine)
{
	size_t len = (size_t)mine->conf->fail;
	char *text = malloc(len + 1);

	if (text == NULL)
		return -ENOMEM;
	memset(text, 'x', len);
	text[len] = '\0';
	mine->host->ready(mine->self, -EINVAL, NULL, NULL, text);
	free(text);
	return 0;
}

static int
dummy_home_open(void *home, const struct ptah_start *start)
{
	struct dummy_home *mine = home;

	mine->conf = start->conf;
	mine->host = start->host;
	mine->self = start->self;
	if (mine->conf->log != NULL)
		mine->host->log(mine->self, PTAH_LOG_LEVEL_ERROR, mine->conf->log, strlen(mine->conf->log));
	if (mine->conf->fail > 0)
		return refuse_at_length(mine);
	if (mine->conf->state != NULL) {
		struct ptah_span text = { (const uint8_t *)mine->conf->state, strlen(mine->conf->state) };

		return mine->host->state_put(mine->self, "state", text, 1);
	}
	if (!mine->conf->never)
		mine->host->ready(mine->self, 0, NULL, mine->conf->args, NULL);
	return 0;
}

static int
dummy_home_event(void *home, const struct ptah_event *event)
{
	struct dummy_home *mine = home;

	if (event->what == PTAH_EV_STATE)
		mine->host->ready(mine->self, (int)event->val, NULL, mine->conf->args, NULL);
	else if (event->what == PTAH_EV_STOP)
		mine->host->home_done(mine->self);
	return 0;
}

static void
dummy_home_close(void *home)
{
	struct dummy_home *mine = home;

	while (mine->conf != NULL && mine->conf->hang)
		pause();
}

struct dummy_link {
	const struct ptah_host *host;
	struct ptah_self *self;
};

static int
dummy_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct dummy_conf *conf = open->conf;

	struct dummy_link *mine = link;

	(void)io;
	mine->host = open->host;
	mine->self = open->self;
	if (open->settings != NULL) {
		char line[4096];
		int n = snprintf(line, sizeof(line), "settings %s", open->settings);

		if (n > 0)
			open->host->log(open->self, PTAH_LOG_LEVEL_DEBUG, line,
			    (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
	}
	return conf->steps ? PTAH_OPEN : PTAH_PASS;
}

static void
copy(struct ptah_side *from, struct ptah_side *to)
{
	size_t n = from->in.len < to->out.len ? from->in.len : to->out.len;

	if (n > 0)
		memcpy(to->out.at, from->in.at, n);
	from->eaten = n;
	to->made = n;
}

static int
dummy_wrap(void *link, struct ptah_io *io)
{
	(void)link;
	copy(&io->plain, &io->wire);
	return PTAH_GO;
}

static int
dummy_unwrap(void *link, struct ptah_io *io)
{
	(void)link;
	copy(&io->wire, &io->plain);
	return PTAH_GO;
}

/* As they came, to the other side. */
static int
pass_on(const struct dummy_link *link, const struct ptah_msg *msg)
{
	struct ptah_msg out = *msg;

	out.side = msg->side == PTAH_SIDE_PLAIN ? PTAH_SIDE_WIRE : PTAH_SIDE_PLAIN;
	return link->host->message(link->self, &out);
}

static int
dummy_message(void *link, const struct ptah_msg *msg)
{
	return pass_on(link, msg);
}

PTAH_MODULE(dummy) = {
	.head = PTAH_HEAD(0),
	.name = "dummy",
	.version = "1",
	.summary = "identity, the test build: the wire carries the plain bytes",
	.example = "{\"server\": {}, \"client\": {}}",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE |
	    PTAH_CAN_MESSAGE | PTAH_MESSAGES_ASKED,
	.options = options,
	.conf_size = sizeof(struct dummy_conf),
	.args_size = sizeof(struct dummy_args),
	.home_size = sizeof(struct dummy_home),
	.link_size = sizeof(struct dummy_link),
	.args_check = dummy_args_check,
	.home_open = dummy_home_open,
	.home_event = dummy_home_event,
	.home_close = dummy_home_close,
	.open = dummy_open,
	.wrap = dummy_wrap,
	.unwrap = dummy_unwrap,
	.wrap_message = dummy_message,
	.unwrap_message = dummy_message,
};
