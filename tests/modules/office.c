/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * office: what links share: letters, timers, replays, state, counters.
 *
 * The client's first eight bytes are a token; a server refuses one that it has
 * seen.  The server's link asks its home by letter for a number, waits a
 * moment by a timer, sends the number as one byte, and steps out of the path.
 * The home counts its openings in its state, and announces that count.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/host.h>

#define TOKEN_LEN 8u
#define THE_TIMER 5u
#define MOMENT_NS UINT64_C(5000000)
#define COUNTER_LINKS 0u

struct office_args {
	struct ptah_span token;
};

struct office_home {
	const struct ptah_host *host;
	struct ptah_self *self;
	uint32_t openings;
	uint8_t links;
};

struct office_link {
	const struct ptah_host *host;
	struct ptah_self *self;
	uint32_t role, asked;
	uint8_t number;
};

static const char *const counters[] = { "links", NULL };

static const struct ptah_option options[] = {
	{ .name = "token", .type = PTAH_HEX, .flags = PTAH_LINK | PTAH_CLIENT_ONLY | PTAH_REQUIRED | PTAH_SECRET,
	    .min = TOKEN_LEN, .max = TOKEN_LEN, .offset = offsetof(struct office_args, token), .help = "what to show" },
	{ .name = NULL },
};

static int
office_home_open(void *home, const struct ptah_start *start)
{
	struct office_home *mine = home;
	uint8_t text[16] = { 0 };
	struct ptah_span body = { text, 0 };
	const struct ptah_host *host = start->host;
	struct ptah_self *self = start->self;
	long n;
	int rc;

	mine->host = host;
	mine->self = self;
	if (start->role == PTAH_CLIENT) {
		host->ready(self, 0, NULL, NULL, NULL);
		return 0;
	}
	n = host->state_get(self, "openings", (struct ptah_room){ text, sizeof(text) - 1 });
	if (n < 0 && n != -ENOENT)
		return (int)n;
	mine->openings = n > 0 ? (uint32_t)strtoul((const char *)text, NULL, 10) + 1 : 1;
	rc = snprintf((char *)text, sizeof(text), "%u", mine->openings);
	body.len = (size_t)rc;
	return host->state_put(self, "openings", body, 77);
}

static int
office_home_event(void *home, const struct ptah_event *event)
{
	struct office_home *mine = home;
	char args[64];

	switch (event->what) {
	case PTAH_EV_STATE:
		if (event->cookie != 77)
			return -EPROTO;
		snprintf(args, sizeof(args), "{\"openings\": \"%u\"}", mine->openings);
		mine->host->ready(mine->self, (int)event->val, NULL, args, NULL);
		return 0;
	case PTAH_EV_MAIL:
		if (event->body.len != 3 || memcmp(event->body.at, "who", 3) != 0)
			return -EPROTO;
		mine->links++;
		return mine->host->mail(mine->self, event->from, (struct ptah_span){ &mine->links, 1 });
	case PTAH_EV_STOP:
		mine->host->home_done(mine->self);
		return 0;
	default:
		return 0;
	}
}

static int
office_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	const struct office_args *args = open->args;
	struct office_link *mine = link;

	mine->host = open->host;
	mine->self = open->self;
	mine->role = open->role;
	io->plain.want = PTAH_NEVER;
	io->wire.want = open->role == PTAH_CLIENT ? 1 : TOKEN_LEN;
	if (open->role == PTAH_CLIENT) {
		memcpy(io->wire.out.at, args->token.at, TOKEN_LEN);
		io->wire.made = TOKEN_LEN;
	}
	open->host->count(open->self, COUNTER_LINKS, 1);
	return PTAH_GO;
}

static int
office_unwrap(void *link, struct ptah_io *io)
{
	static const uint8_t scope[] = "office", who[] = "who";
	struct office_link *mine = link;
	int rc;

	if (mine->role == PTAH_CLIENT) {
		if (io->wire.in.len == 0)
			return io->wire.ended ? -ECONNRESET : PTAH_GO;
		return PTAH_PASS; /* the number is left for the application */
	}
	if (mine->asked || io->wire.in.len < TOKEN_LEN)
		return PTAH_GO;
	rc = mine->host->replay(mine->self, (struct ptah_span){ scope, 6 }, (struct ptah_span){ io->wire.in.at, TOKEN_LEN },
	    60, 1);
	if (rc <= 0) {
		io->manner = PTAH_NOW;
		io->reason = "a token that was shown before";
		return rc == 0 ? PTAH_REJECT : rc;
	}
	mine->asked = 1;
	io->wire.eaten = TOKEN_LEN;
	io->wire.want = PTAH_NEVER;
	return mine->host->mail(mine->self, PTAH_HOME, (struct ptah_span){ who, 3 });
}

static int
office_wrap(void *link, struct ptah_io *io)
{
	(void)link;
	(void)io;
	return PTAH_GO;
}

static int
office_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct office_link *mine = link;

	if (event->what == PTAH_EV_MAIL) {
		mine->number = event->body.at[0];
		return mine->host->timer(mine->self, THE_TIMER, MOMENT_NS);
	}
	if (event->what != PTAH_EV_TIMER || event->val != THE_TIMER)
		return PTAH_GO;
	io->wire.out.at[0] = mine->number;
	io->wire.made = 1;
	return PTAH_PASS;
}

PTAH_MODULE(office) = {
	.head = PTAH_HEAD(0),
	.name = "office",
	.version = "1",
	.summary = "for tests: letters, timers, replays, state",
	.counters = counters,
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_NAMED_ONLY,
	.options = options,
	.args_size = sizeof(struct office_args),
	.home_size = sizeof(struct office_home),
	.link_size = sizeof(struct office_link),
	.unit = TOKEN_LEN,
	.home_open = office_home_open,
	.home_event = office_home_event,
	.open = office_open,
	.wrap = office_wrap,
	.unwrap = office_unwrap,
	.event = office_event,
};
