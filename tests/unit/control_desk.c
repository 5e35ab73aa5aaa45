/* SPDX-License-Identifier: BSD-3-Clause */
/* control/desk.h: how long a visitor may take who does not read what is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/desk.h"
#include "loop/worker.h"

#define SAY_MS 200
#define PART 16384

static struct {
	struct ptah_worker *worker;
	struct ptah_desk *desk;
	struct ptah_visitor *visitor; /* who asked, and is there */
	int fd;                       /* the visitor's own */
	unsigned n_gone;
} stage;

static long
on_bytes(struct ptah_visitor *visitor, struct ptah_span bytes, void *arg)
{
	(void)arg;
	stage.visitor = visitor;
	ptah_visitor_wait(visitor);
	return (long)bytes.len;
}

static void
on_gone(struct ptah_visitor *visitor, void *arg)
{
	(void)arg;
	if (stage.visitor == visitor)
		stage.visitor = NULL;
	stage.n_gone++;
}

static void
turn(void)
{
	static const struct timeval soon = { 0, 5000 };

	event_base_loopexit(stage.worker->base, &soon);
	event_base_loop(stage.worker->base, EVLOOP_ONCE);
}

static int
set_stage(void **state)
{
	static const struct ptah_desk_how how = {
		.name = "test", .most = 1, .ask_most = 100, .ask_ms = 60000, .say_ms = SAY_MS, .on_bytes = on_bytes,
		.on_gone = on_gone,
	};
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	uint64_t until = ptah_clock_now_ns() + 10 * PTAH_NS_PER_S;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)state;
	memset(&stage, 0, sizeof(stage));
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	stage.worker = ptah_worker_new(0);
	assert_non_null(stage.worker);
	stage.desk = ptah_desk_open(stage.worker, fd, &how);
	assert_non_null(stage.desk);
	stage.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(stage.fd, (const struct sockaddr *)&addr, len), 0);
	assert_int_equal(write(stage.fd, "?", 1), 1);
	while (!stage.visitor && ptah_clock_now_ns() < until)
		turn();
	assert_non_null(stage.visitor);
	return 0;
}

static int
clear_stage(void **state)
{
	(void)state;
	ptah_desk_close(stage.desk);
	ptah_worker_free(stage.worker);
	close(stage.fd);
	return 0;
}

/* However much more is said meanwhile. */
static void
who_reads_nothing_is_sent_away(void **state)
{
	static const char part[PART];
	uint64_t until = ptah_clock_now_ns() + 60 * PTAH_NS_PER_S;

	(void)state;
	while (stage.visitor && ptah_clock_now_ns() < until) {
		ptah_visitor_say(stage.visitor, part, sizeof(part), PTAH_SAY_MORE);
		turn();
	}
	assert_int_equal(stage.n_gone, 1);
}

/* But who waits long for the next part of an answer, and has taken all of it so far, is not. */
static void
who_reads_may_wait(void **state)
{
	static const char part[PART];
	char got[PART];
	uint64_t until = ptah_clock_now_ns() + 5 * SAY_MS * PTAH_NS_PER_MS;

	(void)state;
	assert_int_equal(fcntl(stage.fd, F_SETFL, O_NONBLOCK), 0);
	while (ptah_clock_now_ns() < until) {
		assert_int_equal(stage.n_gone, 0);
		ptah_visitor_say(stage.visitor, part, sizeof(part), PTAH_SAY_MORE);
		turn();
		while (read(stage.fd, got, sizeof(got)) > 0)
			continue;
	}
	assert_int_equal(stage.n_gone, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_reads_nothing_is_sent_away, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(who_reads_may_wait, set_stage, clear_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
