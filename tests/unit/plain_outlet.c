/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plain/outlet.h: a target that moves, by a resolver of our own in the same loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>
#include <event2/util.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/worker.h"
#include "plain/outlet.h"
#include "stats/stats.h"

#define LIMIT_NS (30 * PTAH_NS_PER_S)

static struct ptah_worker *worker;
static struct ptah_outlet outlet;
static struct ptah_dest target;
static const char *answer; /* of the resolver; NULL: it knows no such name */
static unsigned n_asked, n_aimed;
static int aimed_rc;
static char heard[64], heard_from[PTAH_ADDR_TEXT];

static void
on_question(struct evdns_server_request *request, void *arg)
{
	(void)arg;
	n_asked++;
	for (int i = 0; answer != NULL && i < request->nquestions; i++) {
		struct in_addr at;

		assert_int_equal(inet_pton(AF_INET, answer, &at), 1);
		if (request->questions[i]->type == EVDNS_TYPE_A)
			evdns_server_request_add_a_reply(request, request->questions[i]->name, 1, &at.s_addr, 0);
	}
	evdns_server_request_respond(request, answer != NULL ? DNS_ERR_NONE : DNS_ERR_NOTEXIST);
}

static int
bound(const char *address, uint16_t port, uint16_t *got)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, address, &at.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*got = ntohs(at.sin_port);
	return fd;
}

static bool
on_got(struct ptah_outlet *of, const struct ptah_udp_got *got, const char *from)
{
	(void)of;
	snprintf(heard, sizeof(heard), "%.*s", (int)got->len, (const char *)got->at);
	snprintf(heard_from, sizeof(heard_from), "%s", from);
	return true;
}

static void
on_turn(struct ptah_outlet *of)
{
	(void)of;
}

static void
on_aimed(struct ptah_outlet *of, int rc)
{
	(void)of;
	n_aimed++;
	aimed_rc = rc;
}

static void
send_text(const char *text)
{
	static const struct ptah_udp_to to = { NULL, NULL };
	const struct ptah_span one = { (const uint8_t *)text, strlen(text) };
	struct ptah_lane *lane;

	assert_int_equal(ptah_outlet_lane(&outlet, NULL, &lane), 0);
	(void)ptah_udp_send(lane->fd, &lane->out, &to, &one, 1);
}

/* Send until it comes there; our loop turns meanwhile. */
static void
reaches(int fd, const char *text)
{
	uint64_t limit = ptah_clock_now_ns() + LIMIT_NS;
	char got[64];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);

	for (;;) {
		const struct timeval turn = { 0, 20000 };

		send_text(text);
		event_base_loopexit(worker->base, &turn);
		event_base_dispatch(worker->base);
		ssize_t n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len);
		if (n > 0) {
			assert_memory_equal(got, text, strlen(text));
			break;
		}
		assert_true(ptah_clock_now_ns() < limit);
	}
	heard[0] = '\0';
	assert_int_equal(sendto(fd, "back", 4, 0, (struct sockaddr *)&from, len), 4);
	while (heard[0] == '\0') {
		assert_true(ptah_clock_now_ns() < limit);
		event_base_loop(worker->base, EVLOOP_ONCE);
	}
	assert_string_equal(heard, "back");
}

static void
counts_what_waits_for_a_name_that_is_not_found(void)
{
	static const struct ptah_span word = { (const uint8_t *)"hello", 5 };
	static const char nowhere[] = "nowhere.example:9";
	uint64_t limit = ptah_clock_now_ns() + LIMIT_NS;
	struct ptah_lane *lane;

	answer = NULL;
	assert_int_equal(ptah_outlet_lane(&outlet, nowhere, &lane), -EINPROGRESS);
	assert_int_equal(ptah_outlet_hold(&outlet, nowhere, word), 0);
	assert_int_equal(ptah_outlet_hold(&outlet, nowhere, word), 0);
	while (outlet.n_places > 0) {
		assert_true(ptah_clock_now_ns() < limit);
		event_base_loop(worker->base, EVLOOP_ONCE);
	}
	assert_int_equal(atomic_load(&worker->stats->at[PTAH_STAT_UDP_DROP_REFUSED]), 2);
}

static void
follows_a_name_when_nobody_is_where_it_was(void **state)
{
	uint16_t dns_port, port, same;
	int dns = bound("127.0.0.1", 0, &dns_port), old = bound("127.0.0.1", 0, &port), new;
	char where[PTAH_ADDR_TEXT], text[64];
	struct ptah_outlet_how how = {
		.target = &target, .on_got = on_got, .on_turn = on_turn, .on_aimed = on_aimed,
	};

	(void)state;
	worker = ptah_worker_new(0);
	assert_non_null(worker);
	how.worker = worker;
	how.stats = worker->stats;
	how.batch = ptah_udp_batch_new();
	worker->dns = evdns_base_new(worker->base, 0);
	snprintf(text, sizeof(text), "127.0.0.1:%u", dns_port);
	assert_int_equal(evdns_base_nameserver_ip_add(worker->dns, text), 0);
	struct evdns_server_port *server = evdns_add_server_port_with_base(worker->base, dns, 0, on_question, NULL);
	assert_non_null(server);
	snprintf(text, sizeof(text), "moves.example:%u", port);
	assert_int_equal(ptah_dest_parse(&target, text, false), 0);

	answer = "127.0.0.1";
	ptah_outlet_init(&outlet, &how);
	assert_int_equal(ptah_outlet_aim(&outlet), 0);
	while (n_aimed == 0)
		event_base_loop(worker->base, EVLOOP_ONCE);
	assert_int_equal(aimed_rc, 0);
	reaches(old, "one");

	/* It moves: the old address says that nobody is there. */
	unsigned asked = n_asked;
	answer = "127.0.0.2";
	close(old);
	new = bound("127.0.0.2", port, &same);
	reaches(new, "two");
	snprintf(where, sizeof(where), "127.0.0.2:%u", port);
	assert_string_equal(heard_from, where);
	assert_true(n_asked > asked);
	assert_int_equal(n_aimed, 1);

	/* While it answers, nobody asks. */
	asked = n_asked;
	reaches(new, "three");
	assert_int_equal(n_asked, asked);

	counts_what_waits_for_a_name_that_is_not_found();

	ptah_outlet_clear(&outlet);
	close(new);
	evdns_close_server_port(server);
	event_base_loop(worker->base, EVLOOP_NONBLOCK);
	ptah_udp_batch_free(how.batch);
	ptah_worker_free(worker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_a_name_when_nobody_is_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
