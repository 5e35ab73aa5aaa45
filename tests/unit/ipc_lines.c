/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/lines.h"

/* Four slots; a line takes up one, however short, if it does not fit behind another. */
#define PIPE_BYTES 16384

struct both {
	int fds[2], wake[2];
	struct ptah_lines lines;
};

static void
open_both(struct both *b, int is_socket)
{
	if (is_socket) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b->fds), 0);
	} else {
		assert_int_equal(pipe(b->fds), 0);
		assert_true(fcntl(b->fds[1], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES);
	}
	assert_int_equal(pipe(b->wake), 0);
	ptah_lines_init(&b->lines, b->fds[1], b->wake[0]);
}

static void
close_both(struct both *b)
{
	ptah_lines_clear(&b->lines);
	for (size_t i = 0; i < 2; i++) {
		if (b->fds[i] != -1)
			close(b->fds[i]);
		close(b->wake[i]);
	}
}

static size_t
waiting(int fd)
{
	int n = 0;

	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	return (size_t)n;
}

/* All that is there now. */
static size_t
drain(int fd, char *out, size_t room)
{
	size_t n = 0;

	while (waiting(fd) > 0) {
		ssize_t got = read(fd, out + n, room - n);

		assert_true(got > 0);
		n += (size_t)got;
	}
	return n;
}

/* Until nothing more goes in. */
static void
fill(struct both *b)
{
	char line[PTAH_LINE_MAX];

	memset(line, 'a', sizeof(line));
	while (ptah_lines_offer(&b->lines, line, sizeof(line)) == 0)
		;
	assert_int_equal(waiting(b->fds[0]), PIPE_BYTES);
}

/* Lines "0000 xxx...\n" of 100 bytes. */
static void
make_line(char line[static 101], unsigned i)
{
	snprintf(line, 101, "%04u %094d\n", i, 0);
}

/* How many whole lines are these, numbers rising? */
static unsigned
count_lines(const char *text, size_t len)
{
	unsigned n = 0;
	long last = -1;

	assert_int_equal(len % 100, 0);
	for (size_t at = 0; at < len; at += 100, n++) {
		char number[5];

		memcpy(number, text + at, 4);
		number[4] = '\0';
		assert_true(atol(number) > last);
		last = atol(number);
		assert_int_equal(text[at + 4], ' ');
		assert_int_equal(text[at + 99], '\n');
	}
	return n;
}

static void
offers_are_dropped_whole(void **state)
{
	(void)state;
	for (int is_socket = 0; is_socket <= 1; is_socket++) {
		static char got[1 << 20];
		unsigned taken = 0, dropped = 0;
		char line[101];
		struct both b;

		open_both(&b, is_socket);
		for (unsigned i = 0; i < 9999 && dropped < 50; i++) {
			make_line(line, i);
			int rc = ptah_lines_offer(&b.lines, line, 100);

			assert_true(rc == 0 || rc == -EAGAIN);
			*(rc == 0 ? &taken : &dropped) += 1;
		}
		assert_true(taken > 0);
		assert_int_equal(dropped, 50);

		size_t len = drain(b.fds[0], got, sizeof(got));
		make_line(line, 9999); /* there is room again */
		assert_int_equal(ptah_lines_offer(&b.lines, line, 100), 0);
		len += drain(b.fds[0], got + len, sizeof(got) - len);
		assert_int_equal(count_lines(got, len), taken + 1);
		close_both(&b);
	}
}

static void
the_rest_of_a_cut_line_comes_first(void **state)
{
	char got[2 * PIPE_BYTES];
	size_t len = 0;
	struct both b;

	(void)state;
	open_both(&b, 0);
	/* What the kernel does when somebody has set O_NONBLOCK and little room is left. */
	memcpy(b.lines.rest, "rest of it\n", 11);
	b.lines.rest_len = 11;
	assert_int_equal(ptah_lines_offer(&b.lines, "next\n", 5), 0);
	len = drain(b.fds[0], got, sizeof(got));
	assert_int_equal(len, 16);
	assert_memory_equal(got, "rest of it\nnext\n", 16);

	/* While it cannot go, nothing else does. */
	fill(&b);
	memcpy(b.lines.rest, "more\n", 5);
	b.lines.rest_at = 0;
	b.lines.rest_len = 5;
	assert_int_equal(ptah_lines_offer(&b.lines, "lost\n", 5), -EAGAIN);
	drain(b.fds[0], got, sizeof(got));
	assert_int_equal(ptah_lines_say(&b.lines, "said\n", 5), 0);
	len = drain(b.fds[0], got, sizeof(got));
	assert_int_equal(len, 10);
	assert_memory_equal(got, "more\nsaid\n", 10);
	close_both(&b);
}

static void *
read_late(void *arg)
{
	struct both *b = arg;
	static char got[2 * PIPE_BYTES];
	size_t n = 0;

	while (n < PIPE_BYTES + 100) {
		ssize_t more = read(b->fds[0], got + n, sizeof(got) - n);

		if (more <= 0)
			break;
		n += (size_t)more;
	}
	return got;
}

static void
what_must_arrive_waits(void **state)
{
	char said[101];
	pthread_t reader;
	struct both b;
	void *got;

	(void)state;
	open_both(&b, 0);
	fill(&b);
	assert_int_equal(pthread_create(&reader, NULL, read_late, &b), 0);
	make_line(said, 1);
	assert_int_equal(ptah_lines_say(&b.lines, said, 100), 0);
	assert_int_equal(pthread_join(reader, &got), 0);
	assert_memory_equal((char *)got + PIPE_BYTES, said, 100);
	close_both(&b);
}

static void
a_wait_can_be_ended(void **state)
{
	char got[2 * PIPE_BYTES];
	struct both b;

	(void)state;
	open_both(&b, 0);
	fill(&b);
	assert_int_equal(write(b.wake[1], "x", 1), 1);
	assert_int_equal(ptah_lines_say(&b.lines, "said\n", 5), -EINTR);
	/* the line is not forgotten */
	drain(b.fds[0], got, sizeof(got));
	assert_int_equal(ptah_lines_offer(&b.lines, "more\n", 5), 0);
	assert_int_equal(drain(b.fds[0], got, sizeof(got)), 10);
	assert_memory_equal(got, "said\nmore\n", 10);
	close_both(&b);
}

static void
nobody_there_is_an_error_for_good(void **state)
{
	struct both b;

	(void)state;
	open_both(&b, 0);
	close(b.fds[0]);
	b.fds[0] = -1;
	assert_int_equal(ptah_lines_say(&b.lines, "said\n", 5), -EPIPE);
	assert_int_equal(ptah_lines_offer(&b.lines, "more\n", 5), -EPIPE);
	assert_int_equal(ptah_lines_say(&b.lines, "said\n", 5), -EPIPE);
	close_both(&b);
}

static void
too_long_is_refused(void **state)
{
	char line[PTAH_LINE_MAX + 1];
	struct both b;

	(void)state;
	open_both(&b, 0);
	memset(line, 'a', sizeof(line));
	assert_int_equal(ptah_lines_say(&b.lines, line, sizeof(line)), -EMSGSIZE);
	assert_int_equal(ptah_lines_offer(&b.lines, line, sizeof(line)), -EMSGSIZE);
	assert_int_equal(waiting(b.fds[0]), 0);
	close_both(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_are_dropped_whole),
		cmocka_unit_test(the_rest_of_a_cut_line_comes_first),
		cmocka_unit_test(what_must_arrive_waits),
		cmocka_unit_test(a_wait_can_be_ended),
		cmocka_unit_test(nobody_there_is_an_error_for_good),
		cmocka_unit_test(too_long_is_refused),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
