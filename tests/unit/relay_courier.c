/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relay/courier.h without a socket: what leaves one courier is handed to the
 * other, or kept, or lost, as each test wants.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop/worker.h"
#include "relay/courier.h"
#include "stats/stats.h"
#include "transport/registry.h"

#include "linkends.h"

#define HEAD 3u
#define TAIL 2u
/* First bytes of what 'mark' sends. */
#define HELLO 'h'
#define ANSWER 'a'
#define DATA 'd'

/* ---- mark: [what:1][2 bytes] before a message, 2 behind; a hello and an answer first -------- */

struct mark {
	const struct ptah_host *host;
	struct ptah_self *self;
	uint32_t role;
	bool open;
};

static unsigned n_closed, n_in_place, n_copied;
static int last_why;
/* What the next hooks shall do instead. */
static int next_answer;
static bool sends_twice, loops;

static int
mark_say(struct mark *mark, uint32_t side, char what)
{
	const uint8_t bytes[HEAD] = { (uint8_t)what, 0, 0 };
	const struct ptah_msg out = { .size = sizeof(out), .side = side, .body = { bytes, HEAD } };

	return mark->host->message(mark->self, &out);
}

static int
mark_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct mark *mark = link;

	assert_int_equal(open->messages, 1);
	assert_int_equal(io->plain.out.len + io->wire.out.len, 0);
	mark->host = open->host;
	mark->self = open->self;
	mark->role = open->role;
	return open->role == PTAH_CLIENT ? mark_say(mark, PTAH_SIDE_WIRE, HELLO) : PTAH_GO;
}

static int
mark_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct mark *mark = link;

	if (event->what == PTAH_EV_TIMER)
		return mark_say(mark, PTAH_SIDE_WIRE, DATA);
	if (event->what != PTAH_EV_PLAIN)
		return PTAH_GO;
	io->reason = "no plain end";
	if (event->val < 0)
		return (int)event->val;
	mark->open = true;
	return mark_say(mark, PTAH_SIDE_WIRE, ANSWER) < 0 ? -EIO : PTAH_OPEN;
}

static int
mark_wrap(void *link, const struct ptah_msg *msg)
{
	struct mark *mark = link;
	uint8_t *body = (uint8_t *)(uintptr_t)msg->body.at;
	struct ptah_msg out = *msg;

	assert_int_equal(msg->side, PTAH_SIDE_PLAIN);
	assert_true(msg->room.at + HEAD <= body);
	assert_true(body + msg->body.len + TAIL <= msg->room.at + msg->room.len);
	body[-3] = DATA;
	body[-2] = body[-1] = 'H';
	body[msg->body.len] = body[msg->body.len + 1] = 'T';
	out.side = PTAH_SIDE_WIRE;
	out.body = (struct ptah_span){ body - HEAD, msg->body.len + HEAD + TAIL };
	int rc = mark->host->message(mark->self, &out);
	if (sends_twice)
		rc = mark->host->message(mark->self, &out);
	return rc;
}

static int
mark_unwrap(void *link, const struct ptah_msg *msg)
{
	struct mark *mark = link;
	struct ptah_msg out = *msg;

	assert_int_equal(msg->side, PTAH_SIDE_WIRE);
	if (next_answer != 0) {
		int answer = next_answer;

		next_answer = 0;
		return answer;
	}
	if (msg->body.len < HEAD)
		return PTAH_REJECT;
	if (msg->body.at[0] == HELLO && mark->role == PTAH_SERVER && !mark->open)
		return PTAH_ADMIT;
	if (msg->body.at[0] == ANSWER && mark->role == PTAH_CLIENT && !mark->open) {
		mark->open = true;
		return PTAH_OPEN;
	}
	if (msg->body.at[0] != DATA || msg->body.len < HEAD + TAIL)
		return PTAH_REJECT;
	if (loops)
		return mark_say(mark, PTAH_SIDE_WIRE, DATA);
	out.side = PTAH_SIDE_PLAIN;
	out.body = (struct ptah_span){ msg->body.at + HEAD, msg->body.len - HEAD - TAIL };
	return mark->host->message(mark->self, &out);
}

static void
mark_close(void *link, int why)
{
	struct mark *mark = link;

	n_closed++;
	last_why = why;
	assert_int_equal(mark_say(mark, PTAH_SIDE_WIRE, DATA), -ECONNRESET);
}

#define MARK(id) \
	static const struct ptah_module id = { \
		.head = PTAH_HEAD(0), \
		.name = #id, \
		.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_MESSAGE, \
		.link_size = sizeof(struct mark), \
		.msg_head = HEAD, \
		.msg_tail = TAIL, \
		.open = mark_open, \
		.event = mark_event, \
		.wrap_message = mark_wrap, \
		.unwrap_message = mark_unwrap, \
		.close = mark_close, \
	}
MARK(mark);

static int
never(void *link, const struct ptah_msg *msg)
{
	(void)link;
	(void)msg;
	fail_msg("a layer that has passed was called");
	return -EIO;
}

static const struct ptah_module pass = {
	.head = PTAH_HEAD(0),
	.name = "pass",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_MESSAGE,
	.open = open_and_pass,
	.wrap_message = never,
	.unwrap_message = never,
};

/* ---- two couriers and what goes between them ------------------------------------------- */

struct side {
	struct ptah_courier *courier;
	struct ptah_instance *instance;
	struct side *peer;
	uint8_t role;
	bool answers;         /* a server: the plain end opens at once */
	int plain_rc;
	unsigned n_open, n_admit, n_closed;
	int rc;
	/* On their way to the peer. */
	struct {
		size_t len;
		uint8_t bytes[600];
	} wire[32];
	unsigned n_wire;
	char plain[400]; /* what came out, each in brackets */
};

static struct ptah_worker *worker;
static struct ptah_registry *registry;

static void
on_open(struct ptah_courier *courier, void *arg)
{
	(void)courier;
	((struct side *)arg)->n_open++;
}

static void
on_admit(struct ptah_courier *courier, void *arg)
{
	struct side *side = arg;

	side->n_admit++;
	if (side->answers)
		(void)ptah_courier_plain_opened(courier, side->plain_rc);
}

static void
on_message(struct ptah_courier *courier, const struct ptah_msg *msg, bool lasts, void *arg)
{
	struct side *side = arg;

	(void)courier;
	*(lasts ? &n_in_place : &n_copied) += 1;
	if (msg->side == PTAH_SIDE_PLAIN) {
		size_t at = strlen(side->plain);

		snprintf(side->plain + at, sizeof(side->plain) - at, "(%.*s)", (int)msg->body.len, (const char *)msg->body.at);
		return;
	}
	assert_true(side->n_wire < 32 && msg->body.len <= sizeof(side->wire[0].bytes));
	side->wire[side->n_wire].len = msg->body.len;
	memcpy(side->wire[side->n_wire++].bytes, msg->body.at, msg->body.len);
}

static void
on_closed(int rc, const char *reason, void *arg)
{
	struct side *side = arg;

	(void)reason;
	side->n_closed++;
	side->rc = rc;
	side->courier = NULL;
}

static const struct ptah_courier_ops ops = {
	.on_open = on_open,
	.on_admit = on_admit,
	.on_message = on_message,
	.on_closed = on_closed,
};

static void
on_ready(struct ptah_instance *instance, int rc, const char *reason, void *arg)
{
	(void)instance;
	(void)reason;
	(void)arg;
	assert_int_equal(rc, 0);
}

static void
make(struct side *side, uint8_t role, const char *stack)
{
	char why[256] = "";
	const struct ptah_instance_wish wish = {
		.name = stack, .role = role, .workers = &worker, .n_workers = 1, .datagrams = true,
	};
	const struct ptah_courier_how how = { .role = role, .server = "192.0.2.1:1", .peer = "192.0.2.2:2" };
	struct ptah_courier_how with = how;

	memset(side, 0, sizeof(*side));
	side->role = role;
	side->answers = true;
	side->instance = ptah_instance_open(registry, &wish, on_ready, NULL, why, sizeof(why));
	if (side->instance == NULL)
		fail_msg("%s: %s", stack, why);
	assert_true(side->instance->messages);
	with.instance = side->instance;
	side->courier = ptah_courier_new(worker, &with, &ops, side);
	assert_non_null(side->courier);
}

static void
drop(struct side *side)
{
	if (side->courier != NULL)
		ptah_courier_end(side->courier, -ECANCELED);
	assert_int_equal(side->n_closed, 1);
	ptah_instance_unref(side->instance);
}

/* As a batch would have it: room for all layers around the body. */
static int
take(struct side *side, uint32_t from, const void *text, size_t len)
{
	uint8_t memory[700];
	size_t head, tail;

	ptah_courier_margins(side->instance, &head, &tail);
	if (from == PTAH_SIDE_WIRE)
		head = tail = 0;
	memset(memory, '.', sizeof(memory));
	if (len > 0)
		memcpy(memory + head, text, len);
	const struct ptah_msg msg = {
		.size = sizeof(msg), .side = from, .body = { memory + head, len }, .room = { memory, head + len + tail },
	};
	return ptah_courier_take(side->courier, &msg);
}

/* All that is on its way arrives. */
static void
exchange(struct side *one, struct side *two)
{
	struct side *both[] = { one, two };

	for (bool any = true; any;) {
		any = false;
		for (unsigned i = 0; i < 2; i++) {
			struct side *from = both[i], *to = both[!i];
			struct side copy = *from;

			from->n_wire = 0;
			for (unsigned j = 0; j < copy.n_wire && to->courier != NULL; j++) {
				(void)take(to, PTAH_SIDE_WIRE, copy.wire[j].bytes, copy.wire[j].len);
				any = true;
			}
		}
	}
}

static void
pair(struct side *client, struct side *server, const char *stack)
{
	make(client, PTAH_CLIENT, stack);
	make(server, PTAH_SERVER, stack);
	assert_int_equal(ptah_courier_go(server->courier), 0);
	assert_int_equal(ptah_courier_go(client->courier), 0);
	exchange(client, server);
}

static uint64_t
counted(enum ptah_stat stat)
{
	return worker->stats->at[stat];
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void
keeps_messages_through_every_stack(void **state)
{
	static const char *const stacks[] = { "pass", "mark", "pass+pass", "mark+pass", "pass+mark", "mark+mark", "mark+pass+mark" };
	struct side client, server;

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		pair(&client, &server, stacks[i]);
		assert_true(ptah_courier_is_open(client.courier) && ptah_courier_is_open(server.courier));
		assert_int_equal(client.n_open + server.n_open + server.n_admit, 3);
		n_in_place = n_copied = 0;
		assert_int_equal(take(&client, PTAH_SIDE_PLAIN, "one", 3), PTAH_GO);
		assert_int_equal(take(&client, PTAH_SIDE_PLAIN, "", 0), PTAH_GO);
		assert_int_equal(take(&server, PTAH_SIDE_PLAIN, "two", 3), PTAH_GO);
		exchange(&client, &server);
		assert_string_equal(server.plain, "(one)()");
		assert_string_equal(client.plain, "(two)");
		/* Nothing was copied on its way out or in. */
		assert_int_equal(n_copied, 0);
		assert_int_equal(n_in_place, 6);
		drop(&client);
		drop(&server);
	}
}

static void
waits_for_what_is_not_there_yet(void **state)
{
	struct side client, server;

	(void)state;
	make(&client, PTAH_CLIENT, "mark");
	make(&server, PTAH_SERVER, "mark");
	server.answers = false;
	/* Before it goes nothing runs; what the plain side says waits, in order. */
	assert_int_equal(take(&client, PTAH_SIDE_PLAIN, "1", 1), PTAH_GO);
	assert_int_equal(client.n_wire, 0);
	assert_int_equal(ptah_courier_go(client.courier), 0);
	assert_int_equal(ptah_courier_go(server.courier), 0);
	assert_int_equal(take(&client, PTAH_SIDE_PLAIN, "2", 1), PTAH_GO);
	exchange(&client, &server);
	assert_true(ptah_courier_is_admitted(server.courier));
	assert_false(ptah_courier_is_open(server.courier));
	assert_int_equal(ptah_courier_plain_opened(server.courier, 0), 0);
	exchange(&client, &server);
	assert_string_equal(server.plain, "(1)(2)");
	drop(&client);
	drop(&server);
}

static void
holds_no_more_than_its_limit(void **state)
{
	struct side client;
	uint64_t before = counted(PTAH_STAT_UDP_DROP_WAITING);

	(void)state;
	make(&client, PTAH_CLIENT, "mark");
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(take(&client, PTAH_SIDE_PLAIN, "x", 1), PTAH_GO);
	assert_int_equal(counted(PTAH_STAT_UDP_DROP_WAITING) - before, 1000 - PTAH_COURIER_HELD_MOST);
	before = counted(PTAH_STAT_UDP_DROP_REFUSED);
	drop(&client);
	assert_int_equal(counted(PTAH_STAT_UDP_DROP_REFUSED) - before, PTAH_COURIER_HELD_MOST);
}

static void
drops_what_is_rejected_and_who_is_not_good(void **state)
{
	struct side client, server;
	uint64_t before = counted(PTAH_STAT_UDP_DROP_REJECTED);

	(void)state;
	pair(&client, &server, "mark");
	assert_int_equal(take(&server, PTAH_SIDE_WIRE, "nonsense", 8), PTAH_REJECT);
	assert_int_equal(take(&client, PTAH_SIDE_WIRE, "", 0), PTAH_REJECT);
	assert_int_equal(counted(PTAH_STAT_UDP_DROP_REJECTED) - before, 2);
	assert_int_equal(server.n_wire + client.n_wire, 0);
	drop(&client);
	drop(&server);
	/* A stranger's goes with it. */
	n_closed = 0;
	make(&server, PTAH_SERVER, "mark");
	assert_int_equal(ptah_courier_go(server.courier), 0);
	assert_int_equal(take(&server, PTAH_SIDE_WIRE, "nonsense", 8), -EACCES);
	assert_int_equal(server.n_closed, 1);
	assert_int_equal(n_closed, 1);
	drop(&server);
	/* Over a layer that knows the peer, an upper one rejects the message alone. */
	make(&server, PTAH_SERVER, "mark+mark");
	assert_int_equal(ptah_courier_go(server.courier), 0);
	assert_int_equal(take(&server, PTAH_SIDE_WIRE, "h..", 3), PTAH_GO);
	assert_int_equal(take(&server, PTAH_SIDE_WIRE, "dHHnonsenseTT", 13), PTAH_GO);
	assert_int_equal(server.n_closed, 0);
	drop(&server);
}

static void
ends_with_an_error_of_a_layer_or_an_answer_that_cannot_be(void **state)
{
	static const int answers[] = { -EPROTO, PTAH_ADMIT, PTAH_OPEN, 77 };
	struct side client, server;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		pair(&client, &server, "mark");
		next_answer = answers[i];
		assert_int_equal(take(&server, PTAH_SIDE_WIRE, "dHHxTT", 6), -EPROTO);
		assert_int_equal(server.rc, -EPROTO);
		assert_int_equal(last_why, -EPROTO);
		drop(&client);
		drop(&server);
	}
}

static void
ends_without_a_plain_end(void **state)
{
	struct side client, server;

	(void)state;
	make(&client, PTAH_CLIENT, "mark");
	make(&server, PTAH_SERVER, "mark");
	server.plain_rc = -EHOSTUNREACH;
	assert_int_equal(ptah_courier_go(server.courier), 0);
	assert_int_equal(ptah_courier_go(client.courier), 0);
	exchange(&client, &server);
	assert_int_equal(server.rc, -EHOSTUNREACH);
	assert_int_equal(server.n_open, 0);
	drop(&client);
	drop(&server);
}

/* A message that a layer sends twice, and one that has no room around it where it stands. */
static void
copies_only_what_it_must(void **state)
{
	struct side client, server;
	uint8_t bare[] = "bare";
	const struct ptah_msg msg = {
		.size = sizeof(msg), .side = PTAH_SIDE_PLAIN, .body = { bare, 4 }, .room = { bare, 4 },
	};

	(void)state;
	pair(&client, &server, "mark+mark");
	n_in_place = n_copied = 0;
	assert_int_equal(ptah_courier_take(client.courier, &msg), PTAH_GO);
	assert_int_equal(n_copied, 1);
	assert_string_equal((char *)bare, "bare");
	exchange(&client, &server);
	assert_string_equal(server.plain, "(bare)");
	drop(&client);
	drop(&server);
	pair(&client, &server, "pass+mark");
	sends_twice = true;
	assert_int_equal(take(&client, PTAH_SIDE_PLAIN, "again", 5), PTAH_GO);
	sends_twice = false;
	exchange(&client, &server);
	assert_string_equal(server.plain, "(again)(again)");
	drop(&client);
	drop(&server);
}

/* Two layers of one courier that answer each other's messages do not keep the worker. */
static void
breaks_a_circle_of_messages(void **state)
{
	struct side client, server;

	(void)state;
	pair(&client, &server, "mark+mark");
	loops = true;
	assert_int_equal(take(&server, PTAH_SIDE_WIRE, "dHHdHHxTTTT", 11), PTAH_GO);
	loops = false;
	assert_true(server.n_wire <= 1);
	drop(&client);
	drop(&server);
}

static void
ends_with_all_links_of_the_worker(void **state)
{
	struct side client, server;

	(void)state;
	pair(&client, &server, "mark");
	assert_int_equal(ptah_links_count(worker), 2);
	ptah_links_end_all(worker, -ECANCELED);
	assert_int_equal(ptah_links_count(worker), 0);
	assert_int_equal(client.rc, -ECANCELED);
	drop(&client);
	drop(&server);
}

static int
set(void **state)
{
	char why[256];
	const struct ptah_module *const all[] = { &mark, &pass };

	(void)state;
	worker = ptah_worker_new(0);
	registry = ptah_registry_new(NULL, NULL);
	for (size_t i = 0; i < 2; i++)
		if (ptah_registry_link(registry, all[i], why, sizeof(why)) < 0)
			fail_msg("%s", why);
	return worker == NULL || registry == NULL;
}

static int
clear(void **state)
{
	(void)state;
	ptah_links_free(worker);
	ptah_registry_free(registry);
	ptah_worker_free(worker);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_messages_through_every_stack),
		cmocka_unit_test(waits_for_what_is_not_there_yet),
		cmocka_unit_test(holds_no_more_than_its_limit),
		cmocka_unit_test(drops_what_is_rejected_and_who_is_not_good),
		cmocka_unit_test(ends_with_an_error_of_a_layer_or_an_answer_that_cannot_be),
		cmocka_unit_test(ends_without_a_plain_end),
		cmocka_unit_test(copies_only_what_it_must),
		cmocka_unit_test(breaks_a_circle_of_messages),
		cmocka_unit_test(ends_with_all_links_of_the_worker),
	};

	return cmocka_run_group_tests(tests, set, clear);
}
