/* SPDX-License-Identifier: BSD-3-Clause */
/* wire/broker.h and wire/agent.h, both ends on one loop: who may go where, and what comes back. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/worker.h"
#include "wire/agent.h"
#include "wire/broker.h"
#include "wire/listen.h"
#include "wire/pass.h"

#define CROWD 600

static struct {
	struct ptah_worker *worker;
	struct ptah_broker *broker;
	struct ptah_agent *agent;
	struct ptah_dial_how ours, theirs; /* ours asks the broker, theirs dials */
	int listener, raw;                 /* raw: the agent's channel, where a test speaks for itself */
	struct ptah_addr bound;
	unsigned n_refused, n_secrets;
} stage;

/* Loopback, but not port 9. */
static bool
may(const struct ptah_dest *dest, void *arg)
{
	assert_ptr_equal(arg, &stage);
	return dest->literal && ptah_addr_is_loopback(&dest->addr) && dest->port != 9;
}

static int
secret(const struct ptah_dest *dest, uint8_t out[static PTAH_BROKER_SECRET], void *arg)
{
	(void)arg;
	stage.n_secrets++;
	memset(out, 's', PTAH_BROKER_SECRET);
	return dest->port == ptah_addr_port(&stage.bound) ? 0 : -ENOENT;
}

static void
refused(const struct ptah_dest *dest, void *arg)
{
	(void)dest;
	(void)arg;
	stage.n_refused++;
}

static const struct ptah_agent_how how = {
	.most = 1024,
	.dial = &stage.theirs, .may = may, .secret = secret, .refused = refused, .arg = &stage,
};

static int
set_stage(void **state)
{
	struct ptah_agent_how mine = how;
	struct ptah_addr any;
	int pair[2];

	(void)state;
	memset(&stage, 0, sizeof(stage));
	stage.worker = ptah_worker_new(0);
	assert_non_null(stage.worker);
	assert_int_equal(ptah_addr_parse(&any, "127.0.0.1:0"), 0);
	assert_int_equal(ptah_listen_open(&any, &stage.listener, 1, &stage.bound), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	mine.loop = stage.worker;
	stage.agent = ptah_agent_new(&mine, pair[0]);
	stage.raw = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
	stage.broker = ptah_broker_new(&pair[1], 1);
	assert_non_null(stage.agent);
	assert_non_null(stage.broker);
	stage.ours.broker = stage.broker;
	return 0;
}

static int
clear_stage(void **state)
{
	(void)state;
	ptah_broker_free(stage.broker);
	ptah_agent_free(stage.agent);
	ptah_worker_free(stage.worker);
	close(stage.listener);
	close(stage.raw);
	return 0;
}

struct heard {
	unsigned n;
	int fd, rc, secret_rc;
	char reason[64];
	uint8_t secret[PTAH_BROKER_SECRET];
};

static void
on_dialed(int fd, int rc, const char *reason, void *arg)
{
	struct heard *heard = arg;

	heard->n++;
	heard->fd = fd;
	heard->rc = rc;
	snprintf(heard->reason, sizeof(heard->reason), "%s", reason ? reason : "");
	heard->secret_rc = ptah_broker_secret(stage.broker, stage.worker, heard->secret, sizeof(heard->secret));
}

/* Turn the loop until so many were heard, or for 30 s. */
static void
turn_until(const unsigned *n, unsigned wanted)
{
	static const struct timeval soon = { 0, 10000 };
	uint64_t until = ptah_clock_now_ns() + 30 * PTAH_NS_PER_S;

	while (*n < wanted && ptah_clock_now_ns() < until) {
		event_base_loopexit(stage.worker->base, &soon);
		event_base_loop(stage.worker->base, EVLOOP_ONCE);
	}
	assert_int_equal(*n, wanted);
}

static struct ptah_dial *
start(const char *to, struct heard *heard)
{
	struct ptah_dial *dial = NULL;
	struct ptah_dest dest;

	assert_int_equal(ptah_dest_parse(&dest, to, false), 0);
	assert_int_equal(ptah_dial_start(stage.worker, &stage.ours, &dest, on_dialed, heard, &dial), -EINPROGRESS);
	return dial;
}

static const char *
bound_text(void)
{
	static char text[PTAH_ADDR_TEXT];

	return ptah_addr_format(&stage.bound, text);
}

static void
gives_a_connected_socket_and_its_secret(void **state)
{
	struct heard heard = { .fd = -1 };
	int type = 0, peer;
	socklen_t len = sizeof(type);
	char got = 0;

	(void)state;
	start(bound_text(), &heard);
	turn_until(&heard.n, 1);
	assert_int_equal(heard.rc, 0);
	assert_int_equal(getsockopt(heard.fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
	assert_int_equal(type, SOCK_STREAM);
	assert_int_not_equal(fcntl(heard.fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_not_equal(fcntl(heard.fd, F_GETFD) & FD_CLOEXEC, 0);
	assert_int_equal(heard.secret_rc, 0);
	assert_int_equal(heard.secret[0], 's');
	peer = accept(stage.listener, NULL, NULL);
	assert_int_not_equal(peer, -1);
	assert_int_equal(write(heard.fd, "x", 1), 1);
	assert_int_equal(read(peer, &got, 1), 1);
	assert_int_equal(got, 'x');
	close(peer);
	close(heard.fd);
	/* Outside of a callback there is none. */
	assert_int_equal(ptah_broker_secret(stage.broker, stage.worker, heard.secret, sizeof(heard.secret)), -ENOENT);
}

static void
goes_nowhere_but_where_it_may(void **state)
{
	static const char *const places[] = { "192.0.2.1:80", "127.0.0.1:9", "name.example:443", "[2001:db8::1]:1" };

	(void)state;
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct heard heard = { .fd = -1 };

		start(places[i], &heard);
		turn_until(&heard.n, 1);
		assert_int_equal(heard.rc, -EACCES);
		assert_int_equal(heard.fd, -1);
		assert_int_equal(stage.n_refused, i + 1);
	}
	assert_int_equal(stage.n_secrets, 0);
}

static void
says_why_a_dial_failed(void **state)
{
	struct heard heard = { .fd = -1 };
	char text[PTAH_ADDR_TEXT];

	(void)state;
	snprintf(text, sizeof(text), "%s", bound_text());
	close(stage.listener);
	start(text, &heard);
	turn_until(&heard.n, 1);
	assert_int_equal(heard.rc, -ECONNREFUSED);
	stage.listener = dup(0);
}

static void
forgets_what_is_cancelled(void **state)
{
	struct heard gone = { .fd = -1 }, heard = { .fd = -1 };

	(void)state;
	ptah_dial_cancel(start(bound_text(), &gone));
	start(bound_text(), &heard);
	turn_until(&heard.n, 1);
	assert_int_equal(heard.rc, 0);
	assert_int_equal(gone.n, 0);
	close(heard.fd);
}

/* More than the channel holds: those wait for their turn, none is lost. */
static void
serves_a_crowd(void **state)
{
	struct heard heard = { .fd = -1 };

	(void)state;
	for (unsigned i = 0; i < CROWD; i++)
		start("127.0.0.1:9", &heard);
	turn_until(&heard.n, CROWD);
	assert_int_equal(stage.n_refused, CROWD);
}

static void
tells_all_when_the_agent_is_gone(void **state)
{
	struct heard heard = { .fd = -1 };

	(void)state;
	start(bound_text(), &heard);
	start(bound_text(), &heard);
	ptah_agent_free(stage.agent);
	stage.agent = NULL;
	turn_until(&heard.n, 2);
	assert_int_equal(heard.rc, -ECONNABORTED);
}

static struct {
	unsigned n, n_again;
} stubborn;

/* Who has failed asks again, in the same moment. */
static void
ask_again(int fd, int rc, const char *reason, void *arg)
{
	struct ptah_dial *dial;
	struct ptah_dest dest;

	(void)reason;
	(void)arg;
	assert_int_equal(fd, -1);
	assert_int_equal(rc, -ECONNABORTED);
	assert_int_equal(ptah_dest_parse(&dest, "127.0.0.1:9", false), 0);
	stubborn.n++;
	assert_true(stubborn.n <= CROWD); /* or it would go on for ever */
	stubborn.n_again += ptah_dial_start(stage.worker, &stage.ours, &dest, ask_again, NULL, &dial) == -EINPROGRESS;
}

static void
takes_nothing_more_when_the_agent_is_gone(void **state)
{
	struct ptah_dial *dial;
	struct ptah_dest dest;

	(void)state;
	memset(&stubborn, 0, sizeof(stubborn));
	assert_int_equal(ptah_dest_parse(&dest, "127.0.0.1:9", false), 0);
	/* The last ones wait for room. */
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(ptah_dial_start(stage.worker, &stage.ours, &dest, ask_again, NULL, &dial), -EINPROGRESS);
	ptah_agent_free(stage.agent);
	stage.agent = NULL;
	turn_until(&stubborn.n, CROWD);
	assert_int_equal(stubborn.n_again, 0);
}

/* A hostile asker. */
static void
bears_nonsense(void **state)
{
	static const uint32_t whats[] = { 0, 3, 0xffffffffu, PTAH_BROKER_CANCEL };
	struct ptah_broker_ask ask = { .id = 7 };
	struct heard heard = { .fd = -1 };
	char big[4096];

	(void)state;
	memset(ask.dest, 'x', sizeof(ask.dest)); /* no end, no port */
	memset(big, 0xff, sizeof(big));
	for (unsigned i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
		ask.what = whats[i];
		assert_int_equal(ptah_pass_send(stage.raw, &ask, sizeof(ask), NULL, 0), 0);
	}
	ask.what = PTAH_BROKER_DIAL;
	assert_int_equal(ptah_pass_send(stage.raw, &ask, sizeof(ask), NULL, 0), 0);
	assert_int_equal(ptah_pass_send(stage.raw, &ask, 3, NULL, 0), 0);
	assert_int_equal(ptah_pass_send(stage.raw, big, sizeof(big), NULL, 0), 0);
	/* With a descriptor nobody asked for. */
	assert_int_equal(ptah_pass_send(stage.raw, &ask, sizeof(ask), &stage.raw, 1), 0);
	start(bound_text(), &heard);
	turn_until(&heard.n, 1);
	assert_int_equal(heard.rc, 0);
	close(heard.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gives_a_connected_socket_and_its_secret, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(goes_nowhere_but_where_it_may, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(says_why_a_dial_failed, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(forgets_what_is_cancelled, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(serves_a_crowd, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(tells_all_when_the_agent_is_gone, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(takes_nothing_more_when_the_agent_is_gone, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(bears_nonsense, set_stage, clear_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
