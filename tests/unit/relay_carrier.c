/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relay/link.h with carriers that are clumsy.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include <ptah/host.h>

#include "onelink.h"

struct carrying {
	const struct ptah_host *host;
	struct ptah_self *self;
	struct ptah_stream *near, *far; /* the ends of a pipe */
	unsigned n_calls;
};

static struct carrying *carrying; /* the link's memory, for the test to look at */

static void
carrying_begin(struct carrying *mine, const struct ptah_open *open)
{
	mine->host = open->host;
	mine->self = open->self;
	mine->near = mine->host->pipe(mine->self, &mine->far);
	assert_non_null(mine->near);
	carrying = mine;
}

/* What it does in its event is what is tested. */
static void
is_called_once(const struct ptah_module *carrier)
{
	const struct ptah_module *const modules[] = { carrier, NULL };
	struct one one;

	client_begin(&one, modules);
	TURN_UNTIL(&one, carrying->n_calls == 1);
	one_close(&one);
}

static int
restless_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct carrying *mine = link;

	(void)io;
	carrying_begin(mine, open);
	mine->host->ask(mine->far, 0, 0, 1);
	return PTAH_GO;
}

/* Its stream is at its end, and it asks again and again whether that is so. */
static int
restless_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct carrying *mine = link;

	(void)io;
	if (event->what == PTAH_EV_STREAM && event->stream == mine->near) {
		mine->n_calls++;
		mine->host->ask(mine->near, 0, 1, 0);
		mine->host->ask(mine->near, 0, 0, 0);
	}
	return PTAH_GO;
}

static const struct ptah_module restless = {
	.head = PTAH_HEAD(0),
	.name = "restless",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_IS_CARRIER,
	.link_size = sizeof(struct carrying),
	.dial = restless_dial,
	.event = restless_event,
};

/* While a carrier asks, its turn does not end by itself; on a machine that stood still it may not have begun yet. */
static void
on_other(struct ptah_deadline *deadline, void *arg)
{
	if (carrying->n_calls > 1)
		ptah_worker_break(arg);
	else
		assert_int_equal(ptah_deadline_set(arg, deadline, 50, on_other, arg), 0);
}

static void
a_carrier_that_asks_for_ever_leaves_the_worker_to_others(void **state)
{
	static const struct ptah_module *const modules[] = { &restless, NULL };
	struct ptah_deadline other = { .of = NULL };
	struct one one;

	(void)state;
	client_begin(&one, modules);
	assert_int_equal(ptah_deadline_set(one.worker, &other, 50, on_other, one.worker), 0);
	assert_int_equal(ptah_worker_run(one.worker), 0);
	one_close(&one);
}

static int
generous_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct carrying *mine = link;
	struct ptah_stream *other;

	(void)io;
	carrying_begin(mine, open);
	assert_int_equal(mine->host->give(mine->self, mine->host->pipe(mine->self, &other)), 0);
	/* It has one. */
	assert_int_equal(mine->host->give(mine->self, mine->near), -EINVAL);
	assert_int_equal(mine->host->write(mine->far, (struct ptah_span){ (const uint8_t *)"x", 1 }), 1);
	return PTAH_GO;
}

static int
generous_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct carrying *mine = link;

	(void)io;
	if (event->what == PTAH_EV_STREAM && event->stream == mine->near && event->body.len == 1)
		mine->n_calls++;
	return PTAH_GO;
}

static const struct ptah_module generous = {
	.head = PTAH_HEAD(0),
	.name = "generous",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_IS_CARRIER,
	.link_size = sizeof(struct carrying),
	.dial = generous_dial,
	.event = generous_event,
};

static void
a_stream_that_the_host_does_not_take_stays_the_carrier_s(void **state)
{
	(void)state;
	is_called_once(&generous);
}

/* Its last word has not gone out yet, so it cannot be given: what came is still there. */
static int
hasty_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct carrying *mine = link;

	(void)io;
	carrying_begin(mine, open);
	mine->host->ask(mine->near, 10, 0, 1);
	assert_int_equal(mine->host->write(mine->far, (struct ptah_span){ (const uint8_t *)"abcdefghij", 10 }), 10);
	return PTAH_GO;
}

static int
hasty_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct carrying *mine = link;

	(void)io;
	if (event->what != PTAH_EV_STREAM || event->stream != mine->near || event->body.len != 10)
		return PTAH_GO;
	mine->host->eat(mine->near, 4);
	assert_int_equal(mine->host->give(mine->self, mine->near), -EBUSY);
	assert_memory_equal(event->body.at + 4, "efghij", 6);
	mine->n_calls++;
	return PTAH_GO;
}

static const struct ptah_module hasty = {
	.head = PTAH_HEAD(0),
	.name = "hasty",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_IS_CARRIER,
	.link_size = sizeof(struct carrying),
	.dial = hasty_dial,
	.event = hasty_event,
};

static void
what_came_lies_where_it_lay_until_the_event_is_over(void **state)
{
	(void)state;
	is_called_once(&hasty);
}

static int
lost_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct carrying *mine = link;

	(void)io;
	carrying_begin(mine, open);
	return mine->host->give(mine->self, mine->near);
}

static int
lost_endpoint(const struct ptah_open *open, char *server, size_t room)
{
	size_t len = strlen(open->server);

	assert_true(len < room);
	memcpy(server, open->server, len + 1);
	return 0;
}

static const struct ptah_module lost = {
	.head = PTAH_HEAD(0),
	.name = "lost",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_IS_CARRIER,
	.link_size = sizeof(struct carrying),
	.dial = lost_dial,
	.endpoint = lost_endpoint,
};

static int
open_in_vain(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return -EBADMSG;
}

static const struct ptah_module vain = {
	.head = PTAH_HEAD(0),
	.name = "vain",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.open = open_in_vain,
	.wrap = step_idly,
	.unwrap = step_idly,
};

/* Its streams are its own: a connection past it would show what it hides. */
static void
nobody_dials_in_place_of_a_carrier(void **state)
{
	static const struct ptah_module *const modules[] = { &vain, &lost, NULL };
	struct one one;

	(void)state;
	client_begin(&one, modules);
	TURN_UNTIL(&one, one.over);
	assert_int_equal(one.rc, -EBADMSG);
	turn(&one);
	assert_int_equal(one.peer, -1);
	one_close(&one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_carrier_that_asks_for_ever_leaves_the_worker_to_others),
		cmocka_unit_test(a_stream_that_the_host_does_not_take_stays_the_carrier_s),
		cmocka_unit_test(what_came_lies_where_it_lay_until_the_event_is_over),
		cmocka_unit_test(nobody_dials_in_place_of_a_carrier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
