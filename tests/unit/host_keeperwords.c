/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/keeperwords.h"
#include "wire/pass.h"

struct way {
	int keeper, program;
	struct ptah_keeper_word word;
	int fds[PTAH_PASS_MOST];
	unsigned n;
};

static void
way_open(struct way *way)
{
	int pair[2];

	memset(way, 0, sizeof(*way));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	way->keeper = pair[0];
	way->program = pair[1];
}

static ssize_t
hear(struct way *way)
{
	return ptah_keeper_hear(way->keeper, &way->word, way->fds, &way->n);
}

static void
is_heard_as_it_was_said(void **state)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), both[] = { null, null };
	struct way way;

	(void)state;
	way_open(&way);
	assert_int_equal(ptah_keeper_tell(way.program, PTAH_KEEPER_PLACE, 7, "tcp", both, 2), 0);
	assert_int_equal(hear(&way), PTAH_KEEPER_HEAD + 3);
	assert_int_equal(way.word.what, PTAH_KEEPER_PLACE);
	assert_int_equal(way.word.value, 7);
	assert_string_equal(way.word.text, "tcp");
	assert_int_equal(way.n, 2);
	assert_int_equal(close(way.fds[0]), 0);
	assert_int_equal(close(way.fds[1]), 0);
	close(null);
	close(way.program);
	assert_int_equal(hear(&way), -EPIPE);
	close(way.keeper);
}

static void
a_text_that_is_too_long_is_cut(void **state)
{
	char text[PTAH_KEEPER_TEXT + 100];
	struct way way;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	way_open(&way);
	assert_int_equal(ptah_keeper_tell(way.program, PTAH_KEEPER_FAILED, 0, text, NULL, 0), 0);
	assert_int_equal(hear(&way), sizeof(way.word) - 1);
	assert_int_equal(strlen(way.word.text), PTAH_KEEPER_TEXT - 1);
	close(way.program);
	close(way.keeper);
}

/* A program that ends does not read first what it was told: the kernel calls that a reset, before what it said. */
static void
last_words_are_heard_whatever_was_not_read(void **state)
{
	struct way way;

	(void)state;
	way_open(&way);
	assert_int_equal(ptah_keeper_tell(way.keeper, PTAH_KEEPER_GO, 1, "", NULL, 0), 0);
	assert_int_equal(ptah_keeper_tell(way.program, PTAH_KEEPER_FAILED, 0, "no room", NULL, 0), 0);
	close(way.program);
	assert_true(hear(&way) > 0);
	assert_string_equal(way.word.text, "no room");
	assert_int_equal(hear(&way), -EPIPE);
	assert_int_equal(hear(&way), -EPIPE);
	close(way.keeper);
}

static void
what_is_no_word_leaves_no_descriptor(void **state)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), next;
	struct way way;

	(void)state;
	way_open(&way);
	assert_int_equal(ptah_pass_send(way.program, "short", 5, &null, 1), 0);
	next = dup(null);
	close(next);
	assert_int_equal(hear(&way), -EPIPE);
	assert_int_equal(way.n, 0);
	assert_int_equal(fcntl(next, F_GETFD), -1);
	close(null);
	close(way.program);
	close(way.keeper);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_heard_as_it_was_said),
		cmocka_unit_test(a_text_that_is_too_long_is_cut),
		cmocka_unit_test(last_words_are_heard_whatever_was_not_read),
		cmocka_unit_test(what_is_no_word_leaves_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
