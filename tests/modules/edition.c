/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edition: a module that says which one it is, and that may be unloaded.
 *
 * Bytes go through as they are, but for two that a server's peer sends: '?' is
 * answered by the link's code, '!' by that of its home, by letter.  Tests write
 * another number into the file, and have another edition.
 */
#include <string.h>

#include <ptah/host.h>

#ifndef EDITION_ID
#define EDITION_ID edition
#define EDITION_NAME "edition"
#define EDITION_ABILITIES PTAH_UNMAPS
#endif

/* PTAH_MODULE() would paste the name before it is replaced. */
#define EDITION_MODULE(id) PTAH_MODULE(id)

/* Once in the file, so that it can be found there. */
static const char number[] = "EDITION=0001\n";
#define NUMBER_LEN (sizeof(number) - 1)

/* A compiler that sees the text writes it into the code as well. */
static const char *
read_number(void)
{
	const char *at = number;

	__asm__("" : "+r"(at));
	return at;
}

struct edition_home {
	const struct ptah_host *host;
	struct ptah_self *self;
};

struct edition_link {
	const struct ptah_host *host;
	struct ptah_self *self;
};

static int
edition_home_open(void *home, const struct ptah_start *start)
{
	struct edition_home *mine = home;

	mine->host = start->host;
	mine->self = start->self;
	start->host->ready(start->self, 0, NULL, NULL, NULL);
	return 0;
}

static int
edition_home_event(void *home, const struct ptah_event *event)
{
	struct edition_home *mine = home;

	if (event->what == PTAH_EV_STOP)
		mine->host->home_done(mine->self);
	if (event->what != PTAH_EV_MAIL)
		return 0;
	return mine->host->mail(mine->self, event->from, (struct ptah_span){ (const uint8_t *)read_number(), NUMBER_LEN });
}

static void
edition_home_close(void *home)
{
	(void)home;
}

static int
edition_worker_open(void *worker, const struct ptah_start *start)
{
	(void)start;
	memset(worker, 1, 1);
	return 0;
}

static void
edition_worker_close(void *worker)
{
	memset(worker, 0, 1);
}

static int
edition_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct edition_link *mine = link;

	(void)io;
	mine->host = open->host;
	mine->self = open->self;
	return PTAH_OPEN;
}

static int
edition_wrap(void *link, struct ptah_io *io)
{
	size_t n = io->plain.in.len < io->wire.out.len ? io->plain.in.len : io->wire.out.len;

	(void)link;
	if (n > 0)
		memcpy(io->wire.out.at, io->plain.in.at, n);
	io->plain.eaten = n;
	io->wire.made = n;
	return PTAH_GO;
}

/* Room for an answer or not, what is asked is eaten: tests ask for one at a time. */
static int
edition_unwrap(void *link, struct ptah_io *io)
{
	struct edition_link *mine = link;

	while (io->wire.eaten < io->wire.in.len && io->plain.made < io->plain.out.len) {
		uint8_t byte = io->wire.in.at[io->wire.eaten++];

		if (byte == '!') {
			int rc = mine->host->mail(mine->self, PTAH_HOME, (struct ptah_span){ &byte, 1 });

			if (rc < 0)
				return rc;
		} else if (byte != '?') {
			io->plain.out.at[io->plain.made++] = byte;
		} else if (io->wire.out.len - io->wire.made >= NUMBER_LEN) {
			memcpy(io->wire.out.at + io->wire.made, read_number(), NUMBER_LEN);
			io->wire.made += NUMBER_LEN;
		}
	}
	return PTAH_GO;
}

static int
edition_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	(void)link;
	if (event->what != PTAH_EV_MAIL || event->body.len > io->wire.out.len)
		return 0;
	memcpy(io->wire.out.at, event->body.at, event->body.len);
	io->wire.made = event->body.len;
	return PTAH_GO;
}

static void
edition_close(void *link, int why)
{
	(void)link;
	(void)why;
}

EDITION_MODULE(EDITION_ID) = {
	.head = PTAH_HEAD(0),
	.name = EDITION_NAME,
	.version = number,
	.summary = "says which edition of itself it is; for tests",
	.example = "{\"server\": {}, \"client\": {}}",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | EDITION_ABILITIES,
	.home_size = sizeof(struct edition_home),
	.worker_size = 1,
	.link_size = sizeof(struct edition_link),
	.home_open = edition_home_open,
	.home_event = edition_home_event,
	.home_close = edition_home_close,
	.worker_open = edition_worker_open,
	.worker_close = edition_worker_close,
	.open = edition_open,
	.wrap = edition_wrap,
	.unwrap = edition_unwrap,
	.event = edition_event,
	.close = edition_close,
};
