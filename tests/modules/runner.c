/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runner: starts a program, says a word to it, and is ready once the program
 * has said something and ended; what it said is the bridge argument "said",
 * and its exit status "status".  With 'leave' it is ready at once, and leaves
 * the program running for the host to end; with 'signal' it sends that once
 * the program has said something.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ptah/host.h>

struct runner_conf {
	struct ptah_list exec;
	const char *word;
	uint8_t leave;
	int64_t signal;
};

struct runner_home {
	const struct ptah_host *host;
	struct ptah_self *self;
	struct ptah_stream *stdio[3];
	char said[200];
	uint64_t process;
	int64_t status;
	uint32_t silent, ended;
	int signal; /* still to be sent, or 0 */
};

static const struct ptah_option options[] = {
	{ .name = "exec", .type = PTAH_STRING, .flags = PTAH_LIST | PTAH_REQUIRED, .min = 1, .max = INT64_MAX,
	    .offset = offsetof(struct runner_conf, exec), .help = "program and arguments" },
	{ .name = "word", .type = PTAH_STRING, .def = "", .offset = offsetof(struct runner_conf, word),
	    .help = "what it hears" },
	{ .name = "leave", .type = PTAH_BOOL, .offset = offsetof(struct runner_conf, leave),
	    .help = "leave it running" },
	{ .name = "signal", .type = PTAH_INT, .max = 64, .offset = offsetof(struct runner_conf, signal),
	    .help = "end it by this" },
	{ .name = NULL },
};

static int
runner_home_open(void *home, const struct ptah_start *start)
{
	static const char *const env[] = { "RUNNER=yes", NULL };
	const struct runner_conf *mine_conf = start->conf;
	const struct ptah_host *host = start->host;
	struct ptah_self *self = start->self;
	struct runner_home *mine = home;
	const char *argv[9] = { NULL };
	long process;

	mine->host = host;
	mine->self = self;
	if (mine_conf->exec.n > 8)
		return -E2BIG;
	for (size_t i = 0; i < mine_conf->exec.n; i++)
		argv[i] = ((const char *const *)mine_conf->exec.items)[i];
	process = host->spawn(self, &(struct ptah_spawn){ .size = sizeof(struct ptah_spawn), .argv = argv, .env = env }, mine->stdio);
	if (process < 0)
		return (int)process;
	mine->process = (uint64_t)process;
	mine->signal = (int)mine_conf->signal;
	host->write(mine->stdio[0], (struct ptah_span){ (const uint8_t *)mine_conf->word, strlen(mine_conf->word) });
	host->ask(mine->stdio[0], PTAH_NEVER, 0, 1);
	/* stdin is one way: that the program never writes to it is no end of anything. */
	if (mine_conf->leave)
		host->ready(self, 0, NULL, NULL, NULL);
	return 0;
}

static void
keep_said(struct runner_home *mine, struct ptah_span body)
{
	size_t have = strlen(mine->said), room = sizeof(mine->said) - 1 - have;

	if (body.len > 0)
		memcpy(mine->said + have, body.at, body.len < room ? body.len : room);
}

/* Its last words and its end may come in any order. */
static void
look_if_all_is_heard(struct runner_home *mine)
{
	char args[300];

	if (!mine->silent || !mine->ended)
		return;
	snprintf(args, sizeof(args), "{\"said\": \"%s\", \"status\": \"%d\"}", mine->said, (int)mine->status);
	mine->host->ready(mine->self, 0, NULL, args, NULL);
}

static void
hear(struct runner_home *mine, const struct ptah_event *event)
{
	if (event->stream == mine->stdio[1]) {
		keep_said(mine, event->body);
		mine->silent = (event->val & (PTAH_STREAM_ENDED | PTAH_STREAM_FAILED)) != 0;
	}
	if ((event->val & PTAH_STREAM_FAILED) == 0)
		mine->host->eat(event->stream, event->body.len);
}

static int
runner_home_event(void *home, const struct ptah_event *event)
{
	struct runner_home *mine = home;

	switch (event->what) {
	case PTAH_EV_STREAM:
		hear(mine, event);
		if (mine->signal != 0 && mine->said[0] != '\0') {
			int rc = mine->host->kill(mine->self, mine->process, mine->signal);

			mine->signal = 0;
			if (rc < 0)
				return rc;
		}
		look_if_all_is_heard(mine);
		return 0;
	case PTAH_EV_EXIT:
		if (event->from != mine->process)
			return -EPROTO;
		if (mine->host->kill(mine->self, mine->process, 0) != -ESRCH)
			return -EPROTO; /* nobody has its number any more */
		mine->ended = 1;
		mine->status = event->val;
		look_if_all_is_heard(mine);
		return 0;
	case PTAH_EV_STOP:
		mine->host->home_done(mine->self);
		return 0;
	default:
		return 0;
	}
}

static int
runner_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_PASS;
}

PTAH_MODULE(runner) = {
	.head = PTAH_HEAD(0),
	.name = "runner",
	.version = "1",
	.summary = "for tests: runs a program",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_SPAWNS | PTAH_NAMED_ONLY,
	.options = options,
	.conf_size = sizeof(struct runner_conf),
	.home_size = sizeof(struct runner_home),
	.home_open = runner_home_open,
	.home_event = runner_home_event,
	.open = runner_open,
};
