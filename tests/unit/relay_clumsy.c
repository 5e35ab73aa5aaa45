/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relay/link.h with codecs that are clumsy, and with stacks of honest ones in
 * which one layer's answer must not harm what another one holds.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "onelink.h"

/* ---- two sides of one codec, each of which waits for the other ----------------------- */

static int
wrap_wants_the_wire(void *link, struct ptah_io *io)
{
	(void)link;
	io->plain.want = PTAH_NEVER;
	io->wire.want = 0;
	return PTAH_GO;
}

static int
unwrap_wants_the_plain(void *link, struct ptah_io *io)
{
	(void)link;
	io->wire.want = PTAH_NEVER;
	io->plain.want = 0;
	return PTAH_GO;
}

static const struct ptah_module polite = {
	.head = PTAH_HEAD(0),
	.name = "polite",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.open = open_for_a_byte,
	.wrap = wrap_wants_the_wire,
	.unwrap = unwrap_wants_the_plain,
};

static int
wrap_promises_plain(void *link, struct ptah_io *io)
{
	(void)link;
	io->plain.more = 1;
	return PTAH_GO;
}

static int
unwrap_promises_wire(void *link, struct ptah_io *io)
{
	(void)link;
	io->wire.more = 1;
	return PTAH_GO;
}

static const struct ptah_module promising = {
	.head = PTAH_HEAD(0),
	.name = "promising",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.open = open_for_a_byte,
	.wrap = wrap_promises_plain,
	.unwrap = unwrap_promises_wire,
};

static void
sides_that_wait_for_each_other_end_their_link(void **state)
{
	static const struct ptah_module *const stacks[][2] = { { &polite, NULL }, { &promising, NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		struct one one;

		client_begin(&one, stacks[i]);
		TURN_UNTIL(&one, one.open && one.peer != -1);
		assert_int_equal(send(one.app, "abc", 3, MSG_NOSIGNAL), 3);
		assert_int_equal(send(one.peer, "abc", 3, MSG_NOSIGNAL), 3);
		TURN_UNTIL(&one, one.over);
		assert_int_equal(one.rc, -EPROTO);
		one_close(&one);
	}
}

/* ---- a layer that steps aside while it holds something ---------------------------------- */

#define MUCH ((size_t)400 * 1024)

static int
open_deafly(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	io->plain.want = PTAH_NEVER;
	return PTAH_OPEN;
}

static int
unwrap_and_pass(void *link, struct ptah_io *io)
{
	(void)link;
	return io->wire.in.len > 0 ? PTAH_PASS : PTAH_GO;
}

static const struct ptah_module holding = {
	.head = PTAH_HEAD(0),
	.name = "holding",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.open = open_deafly,
	.wrap = step_idly,
	.unwrap = unwrap_and_pass,
};

/* As much as goes into the link while nothing comes out of it. */
static size_t
say_until_it_rests(struct one *one, const uint8_t *bytes, size_t len)
{
	unsigned refused = 0;
	size_t said = 0;

	while (said < len && refused < 100) {
		ssize_t n = send(one->app, bytes + said, len - said, MSG_NOSIGNAL);

		said += n > 0 ? (size_t)n : 0;
		refused = n > 0 ? 0 : refused + 1;
		turn(one);
	}
	return said;
}

static void
what_a_layer_kept_goes_before_what_comes_after_it(void **state)
{
	static const struct ptah_module *const modules[] = { &copy, &holding, NULL };
	static uint8_t bytes[MUCH], got[MUCH];
	size_t said, came = 0;
	struct one one;
	ssize_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	client_begin(&one, modules);
	TURN_UNTIL(&one, one.open && one.peer != -1);
	said = say_until_it_rests(&one, bytes, sizeof(bytes));
	assert_true(said > MUCH / 2);
	assert_int_equal(shutdown(one.app, SHUT_WR), 0);
	assert_int_equal(send(one.peer, "!", 1, MSG_NOSIGNAL), 1);
	TURN_UNTIL(&one, (n = recv(one.peer, got + came, sizeof(got) - came, 0), came += n > 0 ? (size_t)n : 0,
	    n == 0 || came == sizeof(got)));
	assert_int_equal(came, said);
	assert_memory_equal(got, bytes, said);
	one_close(&one);
}

/* ---- a layer that ends the side where its input comes from -------------------------------- */

struct curt {
	bool ended;
};

/* One byte is enough to know that it will answer nothing; the others it passes on. */
static int
curt_unwrap(void *opaque, struct ptah_io *io)
{
	struct curt *mine = opaque;

	if (mine->ended || io->wire.in.len == 0)
		return unwrap_copying(opaque, io);
	mine->ended = true;
	io->wire.eaten = 1;
	io->wire.finish = PTAH_FINISH_STREAM;
	return PTAH_GO;
}

static const struct ptah_module curt = {
	.head = PTAH_HEAD(0),
	.name = "curt",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.link_size = sizeof(struct curt),
	.open = open_at_once,
	.wrap = step_idly,
	.unwrap = curt_unwrap,
};

static int
farewell_wrap(void *link, struct ptah_io *io)
{
	(void)link;
	if (io->plain.ended && io->wire.out.len >= 4) {
		memcpy(io->wire.out.at, "BYE!", 4);
		io->wire.made = 4;
		io->wire.finish = PTAH_FINISH_STREAM;
	}
	return PTAH_GO;
}

static const struct ptah_module farewell = {
	.head = PTAH_HEAD(0),
	.name = "farewell",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.open = open_at_once,
	.wrap = farewell_wrap,
	.unwrap = unwrap_copying,
};

static void
an_eof_sent_back_leaves_the_input_as_it_is(void **state)
{
	static const struct ptah_module *const modules[] = { &curt, &farewell, NULL };
	struct one one;

	(void)state;
	client_begin(&one, modules);
	TURN_UNTIL(&one, one.open && one.peer != -1);
	assert_int_equal(send(one.peer, "-abcdefgh", 9, MSG_NOSIGNAL), 9);
	comes_out(&one, one.app, "abcdefgh");
	comes_out(&one, one.peer, "BYE!");
	one_close(&one);
}

/* ---- a layer that says why it ends --------------------------------------------------------------- */

static int
unwrap_and_say_why(void *link, struct ptah_io *io)
{
	(void)link;
	if (io->wire.in.len == 0 || io->wire.out.len < 3)
		return PTAH_GO;
	memcpy(io->wire.out.at, "why", 3);
	io->wire.made = 3;
	return -EBADMSG;
}

static const struct ptah_module frank = {
	.head = PTAH_HEAD(0),
	.name = "frank",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.open = open_at_once,
	.wrap = step_idly,
	.unwrap = unwrap_and_say_why,
};

static void
a_last_word_goes_through_the_layers_below(void **state)
{
	static const struct ptah_module *const stacks[][4] = { { &frank, NULL }, { &frank, &copy, NULL }, { &frank, &copy, &copy, NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		struct one one;

		client_begin(&one, stacks[i]);
		TURN_UNTIL(&one, one.open && one.peer != -1);
		assert_int_equal(send(one.peer, "nonsense", 8, MSG_NOSIGNAL), 8);
		TURN_UNTIL(&one, one.over);
		assert_int_equal(one.rc, -EBADMSG);
		comes_out(&one, one.peer, "why");
		one_close(&one);
	}
}

/* ---- a layer that wants to hear of nothing --------------------------------------------------- */

static int
open_and_admit(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_ADMIT;
}

static const struct ptah_module deaf = {
	.head = PTAH_HEAD(0),
	.name = "deaf",
	.abilities = PTAH_CAN_SERVER | PTAH_CAN_STREAM,
	.open = open_and_admit,
	.wrap = wrap_copying,
	.unwrap = unwrap_copying,
};

static void
a_layer_without_event_is_open_when_its_plain_side_is(void **state)
{
	static const struct ptah_module *const stacks[][3] = { { &deaf, NULL }, { &copy, &deaf, NULL }, { &deaf, &deaf, NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		struct one one;

		server_begin(&one, stacks[i]);
		assert_int_equal(send(one.peer, "to the app", 10, MSG_NOSIGNAL), 10);
		comes_out(&one, one.app, "to the app");
		assert_int_equal(send(one.app, "to the peer", 11, MSG_NOSIGNAL), 11);
		comes_out(&one, one.peer, "to the peer");
		one_close(&one);
	}
}

/* ---- a worker that can keep no more limits -------------------------------------------------------- */

static void
a_link_that_cannot_have_its_limit_says_so(void **state)
{
	static const struct ptah_module *const modules[] = { &copy, NULL };
	struct ptah_addr bound;
	struct one one;
	unsigned ms = 1;

	(void)state;
	one_new(&one, PTAH_CLIENT, modules);
	one.listener = listen_somewhere(&bound);
	/* Of 3,000 ms, which client_goes() asks for, there is none yet. */
	while (ms < 3000 && ptah_deadline_reserve(one.worker, ms) == 0)
		ms++;
	assert_true(ms < 3000);
	client_goes(one.worker, &bound,
	    (struct ptah_link_client){ .instance = &one.instances[0], .how = &one.how, .plain_fd = one.plain }, &one_ops, &one);
	TURN_UNTIL(&one, one.over);
	assert_int_equal(one.rc, -ENOMEM);
	one_close(&one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sides_that_wait_for_each_other_end_their_link),
		cmocka_unit_test(what_a_layer_kept_goes_before_what_comes_after_it),
		cmocka_unit_test(an_eof_sent_back_leaves_the_input_as_it_is),
		cmocka_unit_test(a_last_word_goes_through_the_layers_below),
		cmocka_unit_test(a_layer_without_event_is_open_when_its_plain_side_is),
		cmocka_unit_test(a_link_that_cannot_have_its_limit_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
