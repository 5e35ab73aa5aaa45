/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A link of messages under layers that do whatever the input says: what they
 * answer, what they send and to where, from their room or from elsewhere,
 * while messages of any length come from both sides.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "loop/worker.h"
#include "relay/courier.h"
#include "relay/link.h"
#include "target.h"
#include "transport/registry.h"

#define HEAD 5u
#define TAIL 3u
#define BODY_MOST 70000u

struct whim {
	const struct ptah_host *host;
	struct ptah_self *self;
};

static struct ptah_span script;
static struct ptah_courier *courier;
static struct ptah_worker *worker;
static struct ptah_registry *registry;
static unsigned depth;

static unsigned
next(void)
{
	if (script.len == 0)
		return 0;
	unsigned got = script.at[0];

	script = ptah_span_from(script, 1);
	return got;
}

static int
answer(void)
{
	static const int answers[] = { PTAH_GO, PTAH_GO, PTAH_GO, PTAH_OPEN, PTAH_ADMIT, PTAH_PASS, PTAH_REJECT, -EIO };

	return answers[next() % 8];
}

static void
send_some(const struct whim *whim, const struct ptah_msg *msg)
{
	static uint8_t own[BODY_MOST];

	if (script.len == 0 || ++depth > 50)
		return;
	for (unsigned n = next() % 3; n > 0; n--) {
		struct ptah_msg out = { .size = sizeof(out), .side = 1 + next() % 3 };
		unsigned how = next();

		out.dest = how & 16 ? "192.0.2.1:53" : NULL;
		out.peer = how & 32 ? "192.0.2.2:5" : NULL;
		if (msg != NULL && how % 4 == 0) {
			/* Anything within the room, written to first. */
			size_t from = msg->room.len > 0 ? next() % msg->room.len : 0, len = msg->room.len - from;

			if (len > 0)
				msg->room.at[from] = (uint8_t)how;
			out.body = (struct ptah_span){ msg->room.at + from, next() & 1 ? len : len / 2 };
		} else if (msg != NULL && how % 4 == 1) {
			/* Grown by what was asked for. */
			size_t head = (size_t)(msg->body.at - msg->room.at) < HEAD ? 0 : HEAD;

			out.body = (struct ptah_span){ msg->body.at - head, msg->body.len + head };
			if (head > 0)
				memset(msg->room.at + (msg->body.at - msg->room.at) - head, 1, head);
		} else {
			out.body = (struct ptah_span){ own, how % 4 == 2 ? next() : next() * 270u };
		}
		(void)whim->host->message(whim->self, &out);
	}
}

static int
whim_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct whim *whim = link;

	(void)io;
	whim->host = open->host;
	whim->self = open->self;
	send_some(whim, NULL);
	return answer();
}

static int
whim_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	(void)event;
	(void)io;
	send_some(link, NULL);
	return answer();
}

static int
whim_wrap(void *link, const struct ptah_msg *msg)
{
	size_t before = (size_t)(msg->body.at - msg->room.at);

	if (before < HEAD || msg->room.len - before - msg->body.len < TAIL)
		abort();
	send_some(link, msg);
	return answer();
}

static int
whim_unwrap(void *link, const struct ptah_msg *msg)
{
	if (msg->body.at < msg->room.at || msg->body.at + msg->body.len > msg->room.at + msg->room.len)
		abort();
	send_some(link, msg);
	return answer();
}

static void
whim_close(void *link, int why)
{
	(void)why;
	send_some(link, NULL);
}

static const struct ptah_module whim_module = {
	.head = PTAH_HEAD(0),
	.name = "whim",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_MESSAGE,
	.link_size = sizeof(struct whim),
	.msg_head = HEAD,
	.msg_tail = TAIL,
	.open = whim_open,
	.event = whim_event,
	.wrap_message = whim_wrap,
	.unwrap_message = whim_unwrap,
	.close = whim_close,
};

static void
on_open(struct ptah_courier *of, void *arg)
{
	(void)of;
	(void)arg;
}

static void
on_admit(struct ptah_courier *of, void *arg)
{
	(void)arg;
	unsigned how = next() % 4;

	if (how > 0)
		(void)ptah_courier_plain_opened(of, how == 1 ? -EHOSTUNREACH : 0);
}

/* What leaves is read, whole. */
static void
on_message(struct ptah_courier *of, const struct ptah_msg *msg, bool lasts, void *arg)
{
	static uint8_t sink[BODY_MOST];

	(void)of;
	(void)arg;
	(void)lasts;
	if (msg->body.len > PTAH_MESSAGE_MAX)
		abort();
	if (msg->body.len > 0)
		memcpy(sink, msg->body.at, msg->body.len);
}

static void
on_closed(int rc, const char *reason, void *arg)
{
	(void)rc;
	(void)reason;
	(void)arg;
	courier = NULL;
}

static const struct ptah_courier_ops ops = { on_open, on_admit, on_message, on_closed };

static void
on_ready(struct ptah_instance *instance, int rc, const char *reason, void *arg)
{
	(void)instance;
	(void)reason;
	(void)arg;
	if (rc != 0)
		abort();
}

static void
take(const struct ptah_instance *instance)
{
	size_t head, tail, len = next();
	uint32_t side = next() & 1 ? PTAH_SIDE_PLAIN : PTAH_SIDE_WIRE;

	if (next() % 8 == 0)
		len *= 257;
	ptah_courier_margins(instance, &head, &tail);
	if (side == PTAH_SIDE_WIRE)
		head = tail = 0;
	/* Of its own size, so that a sanitizer sees each step beyond. */
	uint8_t *memory = malloc(head + len + tail + 1);
	if (memory == NULL)
		return;
	memset(memory, (int)next(), head + len + tail + 1);
	const struct ptah_msg msg = {
		.size = sizeof(msg), .side = side, .body = { memory + head, len }, .room = { memory, head + len + tail },
		.peer = "192.0.2.9:9",
	};
	(void)ptah_courier_take(courier, &msg);
	free(memory);
}

static void
set_stage(void)
{
	char why[256];

	if (worker != NULL)
		return;
	worker = ptah_worker_new(0);
	registry = ptah_registry_new(NULL, NULL);
	if (worker == NULL || registry == NULL || ptah_registry_link(registry, &whim_module, why, sizeof(why)) < 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const stacks[] = { "whim", "whim+whim", "whim+whim+whim" };
	char why[256];

	if (size < 2)
		return 0;
	set_stage();
	script = (struct ptah_span){ data + 1, size - 1 };
	const struct ptah_instance_wish wish = {
		.name = stacks[data[0] / 2 % 3], .role = data[0] & 1 ? PTAH_CLIENT : PTAH_SERVER,
		.workers = &worker, .n_workers = 1, .datagrams = true,
	};
	struct ptah_instance *instance = ptah_instance_open(registry, &wish, on_ready, NULL, why, sizeof(why));
	if (instance == NULL)
		abort();
	const struct ptah_courier_how how = { .instance = instance, .role = (uint8_t)wish.role, .server = "192.0.2.1:1" };
	courier = ptah_courier_new(worker, &how, &ops, NULL);
	bool gone = courier == NULL || ptah_courier_go(courier) != 0;
	while (!gone && courier != NULL && script.len > 0) {
		depth = 0;
		if (next() % 16 == 0)
			(void)ptah_courier_plain_opened(courier, 0);
		else
			take(instance);
	}
	if (courier != NULL)
		ptah_courier_end(courier, -ECANCELED);
	if (ptah_links_count(worker) != 0)
		abort();
	ptah_instance_unref(instance);
	return 0;
}
