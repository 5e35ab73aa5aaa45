/* SPDX-License-Identifier: BSD-3-Clause */
/* loop/: the mailbox under many senders, deadlines, ends that stall. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/alarm.h"
#include "loop/deadline.h"
#include "loop/dns.h"
#include "loop/end.h"
#include "loop/worker.h"

#define SENDERS 4
#define LETTERS 20000

struct counted {
	struct ptah_worker *worker;
	pthread_t thread;       /* of the first letter */
	unsigned last[SENDERS]; /* the worker's */
	atomic_uint wrong, got;
};

struct letter {
	struct counted *of;
	unsigned sender, number;
};

static void
on_letter(struct ptah_worker *worker, void *arg)
{
	struct letter *letter = arg;
	struct counted *of = letter->of;

	/* One of its threads is as good as another, as long as it is always that one. */
	if (of->got == 0)
		of->thread = pthread_self();
	if (worker != of->worker || !pthread_equal(of->thread, pthread_self()) || letter->number != of->last[letter->sender] + 1)
		atomic_fetch_add(&of->wrong, 1);
	of->last[letter->sender] = letter->number;
	atomic_fetch_add(&of->got, 1);
	free(letter);
}

struct sender {
	struct counted *of;
	unsigned index;
};

static void *
send_letters(void *arg)
{
	const struct sender *me = arg;

	for (unsigned i = 1; i <= LETTERS; i++) {
		struct letter *letter = malloc(sizeof(*letter));

		if (letter == NULL)
			abort();
		*letter = (struct letter){ me->of, me->index, i };
		if (ptah_worker_post(me->of->worker, on_letter, letter) != 0)
			abort();
	}
	return NULL;
}

static void
brings_every_letter_in_order(void **state)
{
	struct counted of = { .worker = ptah_worker_new(0) };
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];

	(void)state;
	assert_non_null(of.worker);
	assert_int_equal(ptah_worker_start(of.worker), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ &of, i };
		assert_int_equal(pthread_create(&threads[i], NULL, send_letters, &senders[i]), 0);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ptah_worker_stop(of.worker, 20000), 0);
	assert_int_equal(atomic_load(&of.got), SENDERS * LETTERS);
	assert_int_equal(atomic_load(&of.wrong), 0);
	ptah_worker_free(of.worker);
}

static void
hang(struct ptah_worker *worker, void *arg)
{
	atomic_int *go = arg;

	(void)worker;
	while (atomic_load(go) == 0)
		usleep(1000);
}

static void
does_not_wait_for_ever_for_a_hook_that_hangs(void **state)
{
	struct ptah_worker *worker = ptah_worker_new(0);
	atomic_int go = 0;

	(void)state;
	assert_non_null(worker);
	assert_int_equal(ptah_worker_start(worker), 0);
	assert_int_equal(ptah_worker_post(worker, hang, &go), 0);
	assert_int_equal(ptah_worker_stop(worker, 50), -ETIMEDOUT);
	atomic_store(&go, 1);
	assert_int_equal(ptah_worker_stop(worker, 20000), 0);
	ptah_worker_free(worker);
}

/* ---- deadlines ---------------------------------------------------------------- */

struct waits {
	struct ptah_worker *worker;
	struct ptah_deadline d[6];
	int order[6], n;
	uint64_t begun_ns, at_ns[6], again_ns; /* again: when the first was due once more */
};

static void
on_due(struct ptah_deadline *deadline, void *arg)
{
	struct waits *waits = arg;
	int i = (int)(deadline - waits->d);

	waits->at_ns[waits->n] = ptah_clock_now_ns();
	waits->order[waits->n++] = i;
	if (i == 1) /* a callback may clear another one, and set itself anew */
		ptah_deadline_clear(&waits->d[2]);
	if (i == 0 && waits->n == 1) {
		assert_int_equal(ptah_deadline_set(waits->worker, deadline, 40, on_due, waits), 0);
		waits->again_ns = deadline->at_ns;
	}
}

static void
ends_waits_in_their_order(void **state)
{
	struct waits waits = { .worker = ptah_worker_new(0) };

	(void)state;
	assert_non_null(waits.worker);
	waits.begun_ns = ptah_clock_now_ns();
	assert_int_equal(ptah_deadline_set(waits.worker, &waits.d[3], 500, on_due, &waits), 0);
	assert_int_equal(ptah_deadline_set(waits.worker, &waits.d[0], 10, on_due, &waits), 0);
	assert_int_equal(ptah_deadline_set(waits.worker, &waits.d[1], 10, on_due, &waits), 0);
	assert_int_equal(ptah_deadline_set(waits.worker, &waits.d[2], 10, on_due, &waits), 0);
	assert_int_equal(ptah_deadline_set(waits.worker, &waits.d[4], 10, on_due, &waits), 0);
	uint64_t last_ns = waits.d[3].at_ns;
	ptah_deadline_clear(&waits.d[4]);
	assert_false(ptah_deadline_is_set(&waits.d[4]));
	while (waits.n < 4 && ptah_clock_now_ns() - waits.begun_ns < 20 * PTAH_NS_PER_S)
		assert_int_equal(event_base_loop(waits.worker->base, EVLOOP_ONCE), 0);
	assert_int_equal(waits.n, 4);
	assert_int_equal(waits.order[0], 0);
	assert_int_equal(waits.order[1], 1);
	/* Unless this process stood still for nearly half a second, and the fourth's time came first. */
	int fourth = waits.again_ns >= last_ns && waits.order[2] == 3 ? 2 : 3;
	assert_int_equal(waits.order[fourth], 3);
	assert_int_equal(waits.order[5 - fourth], 0);
	assert_true(waits.at_ns[0] - waits.begun_ns >= 10 * PTAH_NS_PER_MS);
	assert_true(waits.at_ns[fourth] - waits.begun_ns >= 500 * PTAH_NS_PER_MS);
	ptah_worker_free(waits.worker);
}

/* ---- alarms ------------------------------------------------------------------------ */

#define ALARMS 500

struct alarms {
	struct ptah_worker *worker;
	struct ptah_alarm a[ALARMS];
	uint64_t last_ns;
	unsigned n, early, disorder;
};

static void
on_alarm(struct ptah_alarm *alarm, void *arg)
{
	struct alarms *all = arg;
	uint64_t now_ns = ptah_clock_now_ns();

	all->early += now_ns < alarm->at_ns;
	all->disorder += alarm->at_ns < all->last_ns;
	all->last_ns = alarm->at_ns;
	all->n++;
	/* A callback may clear another one: the one behind it, if that is still to come. */
	if (alarm - all->a == 7)
		ptah_alarm_clear(&all->a[8]);
}

static void
rings_every_alarm_in_its_order_and_never_early(void **state)
{
	struct alarms all = { .worker = ptah_worker_new(0) };
	uint64_t begun_ns = ptah_clock_now_ns(), seed = 7;

	(void)state;
	for (int i = 0; i < ALARMS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint64_t at_ns = begun_ns + 20 * PTAH_NS_PER_MS + (seed >> 33) % (60 * PTAH_NS_PER_MS);

		/* Set twice: the second counts. */
		assert_int_equal(ptah_alarm_set(all.worker, &all.a[i], begun_ns + 10 * PTAH_NS_PER_S, on_alarm, &all), 0);
		assert_int_equal(ptah_alarm_set(all.worker, &all.a[i], at_ns, on_alarm, &all), 0);
	}
	for (int i = 0; i < ALARMS; i += 5)
		ptah_alarm_clear(&all.a[i]);
	unsigned want = ALARMS * 4 / 5 - (all.a[8].at_ns > all.a[7].at_ns); /* 8 may come first */
	while (all.n < want && ptah_clock_now_ns() - begun_ns < 20 * PTAH_NS_PER_S)
		assert_int_equal(event_base_loop(all.worker->base, EVLOOP_ONCE), 0);
	assert_int_equal(all.n, want);
	assert_int_equal(all.early, 0);
	assert_int_equal(all.disorder, 0);
	ptah_worker_free(all.worker);
}

/* ---- ends ------------------------------------------------------------------------ */

struct ended {
	struct ptah_end end;
	int drained, failed, readable, rc;
};

static void
on_readable(struct ptah_end *end)
{
	struct ended *me = end->arg;

	me->readable++;
}

static void
on_drained(struct ptah_end *end)
{
	struct ended *me = end->arg;

	me->drained++;
}

static void
on_failed(struct ptah_end *end, int rc)
{
	struct ended *me = end->arg;

	assert_true(rc < 0);
	me->rc = rc;
	me->failed++;
}

static const struct ptah_end_ops ops = { on_readable, on_drained, on_failed };

static void
keeps_what_the_kernel_refuses_and_sends_eof_after_it(void **state)
{
	struct ptah_worker *worker = ptah_worker_new(0);
	struct ended me = { .drained = 0 };
	static uint8_t bytes[1 << 20], got[1 << 16];
	size_t sent = 0, have = 0;
	int fds[2], rc = 0;
	ssize_t n = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(ptah_end_open(&me.end, worker, fds[0], &ops, &me), 0);
	while (rc == 0) {
		rc = ptah_end_write(&me.end, bytes + sent, 50000);
		sent += 50000;
	}
	assert_int_equal(rc, 1);
	assert_true(ptah_end_spilled(&me.end) > 0);
	assert_int_equal(ptah_end_write(&me.end, bytes + sent, 777), 1);
	sent += 777;
	assert_true(worker->spilled == ptah_end_spilled(&me.end));
	assert_int_equal(ptah_end_finish(&me.end), 1);
	while (n != 0) {
		assert_int_equal(event_base_loop(worker->base, EVLOOP_NONBLOCK), 0);
		n = recv(fds[1], got, sizeof(got), 0);
		for (ssize_t i = 0; i < n; i++)
			if (got[i] != bytes[have + (size_t)i])
				fail_msg("byte %zu", have + (size_t)i);
		have += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(have, sent);
	assert_int_equal(me.drained, 1);
	assert_true(me.end.finished);
	assert_int_equal(worker->spilled, 0);
	assert_int_equal(worker->n_spills, 0);
	ptah_end_close(&me.end);
	close(fds[1]);
	ptah_worker_free(worker);
}

static void
says_when_what_it_keeps_can_never_be_sent(void **state)
{
	struct ptah_worker *worker = ptah_worker_new(0);
	struct ended me = { .drained = 0 };
	static uint8_t bytes[1 << 20];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(ptah_end_open(&me.end, worker, fds[0], &ops, &me), 0);
	assert_int_equal(ptah_end_write(&me.end, bytes, sizeof(bytes)), 1);
	close(fds[1]);
	for (int i = 0; i < 10 && me.failed == 0; i++)
		assert_int_equal(event_base_loop(worker->base, EVLOOP_NONBLOCK), 0);
	assert_int_equal(me.failed, 1);
	assert_int_equal(ptah_end_spilled(&me.end), 0);
	assert_true(ptah_end_write(&me.end, bytes, 1) < 0);
	ptah_end_close(&me.end);
	ptah_worker_free(worker);
}

/* Two connected sockets of TCP. */
static void
tcp_pair(int fds[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&at, len), 0);
	fds[1] = accept(listener, NULL, NULL);
	assert_int_not_equal(fds[1], -1);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	close(listener);
}

/* The kernel says so once, to the write; a read would be given an EOF, as if the peer had said all. */
static void
a_connection_that_broke_under_a_write_ends_in_no_eof(void **state)
{
	struct ptah_worker *worker = ptah_worker_new(0);
	static uint8_t bytes[1 << 20];
	struct ended me = { .drained = 0 };
	uint64_t until_ns = ptah_clock_now_ns() + 10 * PTAH_NS_PER_S;
	int fds[2], rc = 0, patience_ms = 100;

	(void)state;
	tcp_pair(fds);
	assert_int_equal(setsockopt(fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms)), 0);
	assert_int_equal(ptah_end_open(&me.end, worker, fds[0], &ops, &me), 0);
	while (rc == 0)
		rc = ptah_end_write(&me.end, bytes, sizeof(bytes));
	assert_int_equal(rc, 1);
	while (me.failed == 0) {
		assert_int_equal(event_base_loop(worker->base, EVLOOP_NONBLOCK), 0);
		assert_true(ptah_clock_now_ns() < until_ns);
	}
	assert_int_equal(me.rc, -ETIMEDOUT);
	assert_int_equal(ptah_end_read(&me.end, bytes, sizeof(bytes)), -ETIMEDOUT);
	ptah_end_close(&me.end);
	close(fds[1]);
	ptah_worker_free(worker);
}

/* ---- names ------------------------------------------------------------------------- */

struct answer {
	int rc, n;
	struct ptah_addr first;
};

static void
on_answer(int rc, const struct ptah_addr *addrs, size_t n, void *arg)
{
	struct answer *answer = arg;

	answer->rc = rc;
	answer->n++;
	if (n > 0)
		answer->first = addrs[0];
}

static void
resolves_names_that_need_no_network(void **state)
{
	static const char long_label[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example";
	struct ptah_worker *worker = ptah_worker_new(0);
	struct answer local = { .rc = 1 }, wrong = { .rc = 1 }, never = { .rc = 1 };

	(void)state;
	assert_non_null(ptah_dns_resolve(worker, "localhost", 80, AF_UNSPEC, on_answer, &local));
	assert_non_null(ptah_dns_resolve(worker, long_label, 80, AF_UNSPEC, on_answer, &wrong));
	struct ptah_dns *gone = ptah_dns_resolve(worker, "localhost", 80, AF_UNSPEC, on_answer, &never);
	assert_int_equal(local.n + wrong.n, 0); /* never inside the call */
	ptah_dns_cancel(gone);
	for (int i = 0; i < 100 && local.n + wrong.n < 2; i++)
		assert_int_equal(event_base_loop(worker->base, EVLOOP_ONCE), 0);
	assert_int_equal(local.rc, 0);
	assert_true(ptah_addr_is_loopback(&local.first));
	assert_int_equal(ptah_addr_port(&local.first), 80);
	assert_int_equal(wrong.rc, -EHOSTUNREACH);
	assert_int_equal(never.n, 0);
	ptah_worker_free(worker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(brings_every_letter_in_order),
		cmocka_unit_test(does_not_wait_for_ever_for_a_hook_that_hangs),
		cmocka_unit_test(ends_waits_in_their_order),
		cmocka_unit_test(rings_every_alarm_in_its_order_and_never_early),
		cmocka_unit_test(keeps_what_the_kernel_refuses_and_sends_eof_after_it),
		cmocka_unit_test(says_when_what_it_keeps_can_never_be_sent),
		cmocka_unit_test(a_connection_that_broke_under_a_write_ends_in_no_eof),
		cmocka_unit_test(resolves_names_that_need_no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
