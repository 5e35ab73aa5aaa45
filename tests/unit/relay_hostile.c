/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relay/link.h with peers, applications and modules that mean no good: the
 * test is the application on one side of a client link and a bare socket on
 * the other.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/worker.h"

#include <ptah/host.h>

#include "linkends.h"
#include "relay/layer.h"

/* ---- memory that is out when a test says so: the linker puts this before the C library's ---- */

static bool no_memory;

void *__real_calloc(size_t n, size_t len);
void *__wrap_calloc(size_t n, size_t len);

void *
__wrap_calloc(size_t n, size_t len)
{
	if (!no_memory)
		return __real_calloc(n, len);
	errno = ENOMEM;
	return NULL;
}

/* ---- a client link between two sockets of ours -------------------------------- */

struct one {
	struct ptah_worker *worker;
	struct ptah_instance instances[2];
	struct ptah_dial_how how;
	int listener, app, peer;
	bool open, over, closed;
	bool hungry; /* it has a reply for the application when memory is out */
	int rc, failed_fd;
};

static struct ptah_span
on_open(struct ptah_link *link, void *arg)
{
	struct one *one = arg;

	(void)link;
	one->open = true;
	no_memory = one->hungry;
	return (struct ptah_span){ (const uint8_t *)"OK", one->hungry ? 2 : 0 };
}

static void
on_failed(int fd, int rc, const char *reason, void *arg)
{
	struct one *one = arg;

	(void)reason;
	one->over = true;
	one->rc = rc;
	one->failed_fd = fd;
	no_memory = false;
}

static void
on_closed(int rc, void *arg)
{
	struct one *one = arg;

	one->over = one->closed = true;
	one->rc = rc;
	no_memory = false;
}

static const struct ptah_link_ops ops = { .on_open = on_open, .on_failed = on_failed, .on_closed = on_closed };

static void
turn(struct one *one)
{
	turn_worker(one->worker, one->listener, &one->peer);
}

static void
turn_for_ms(struct one *one, unsigned ms)
{
	uint64_t until = ptah_clock_now_ns() + ms * PTAH_NS_PER_MS;

	while (ptah_clock_now_ns() < until)
		turn(one);
}

/* Nothing can be written any more until the other side reads. */
static void
fill(int fd)
{
	static const uint8_t bytes[4096];

	while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
		continue;
	while (send(fd, bytes, 1, MSG_NOSIGNAL) > 0)
		continue;
	assert_int_equal(errno, EAGAIN);
}

static void
one_begin(struct one *one, const struct ptah_module *const *modules, bool hungry)
{
	struct ptah_addr bound;
	int fds[2];

	memset(one, 0, sizeof(*one));
	one->peer = one->failed_fd = -1;
	stack_instances(one->instances, PTAH_CLIENT, modules);
	one->worker = ptah_worker_new(0);
	assert_non_null(one->worker);
	one->listener = listen_somewhere(&bound);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	one->app = fds[0];
	one->hungry = hungry;
	if (hungry)
		fill(fds[1]);
	client_goes(one->worker, &bound, (struct ptah_link_client){ .instance = &one->instances[0], .how = &one->how, .plain_fd = fds[1] },
	    &ops, one);
}

static void
one_open(struct one *one, const struct ptah_module *module)
{
	const struct ptah_module *const modules[] = { module, NULL };

	one_begin(one, modules, false);
}

static void
close_one(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
one_close(struct one *one)
{
	close_one(&one->app);
	close_one(&one->peer);
	close_one(&one->failed_fd);
	close_one(&one->listener);
	ptah_links_free(one->worker);
	ptah_worker_free(one->worker);
}

/* ---- a handshake that the peer breaks off -------------------------------------- */

static const struct ptah_module patient = {
	.head = PTAH_HEAD(0),
	.name = "patient",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.open = open_later,
	.wrap = step_idly,
	.unwrap = step_idly,
};

static void
an_application_still_hears_why_when_the_peer_hangs_up(void **state)
{
	struct one one;
	char got[8];

	(void)state;
	one_open(&one, &patient);
	TURN_UNTIL(&one, one.peer != -1);
	close_one(&one.peer);
	TURN_UNTIL(&one, one.over);
	assert_int_equal(one.rc, -ECONNRESET);
	/* The SOCKS reply goes this way. */
	assert_int_equal(send(one.failed_fd, "no", 2, MSG_NOSIGNAL), 2);
	assert_int_equal(recv(one.app, got, sizeof(got), 0), 2);
	one_close(&one);
}

/* ---- a step that answers on the side where its input comes from -------------------- */

static int
echo_unwrap(void *link, struct ptah_io *io)
{
	size_t n = io->wire.in.len < io->wire.out.len ? io->wire.in.len : io->wire.out.len;

	(void)link;
	if (n > 0)
		memcpy(io->wire.out.at, io->wire.in.at, n);
	io->wire.eaten = io->wire.made = n;
	return PTAH_GO;
}

static const struct ptah_module echo = {
	.head = PTAH_HEAD(0),
	.name = "echo",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.open = open_for_a_byte,
	.wrap = step_idly,
	.unwrap = echo_unwrap,
};

static void
a_step_may_wait_for_room_to_answer(void **state)
{
	static uint8_t bytes[65536], got[65536];
	size_t sent = 0, came = 0;
	struct one one;
	unsigned refused = 0;
	ssize_t n;

	(void)state;
	one_open(&one, &echo);
	TURN_UNTIL(&one, one.open && one.peer != -1);
	memset(bytes, 0x17, sizeof(bytes));
	/* The peer talks, and does not listen. */
	while (refused < 100) {
		n = send(one.peer, bytes, sizeof(bytes), MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		refused = n > 0 ? 0 : refused + 1;
		turn(&one);
		if (one.over)
			fail_msg("the link ended after %zu bytes: %s", sent, strerror(-one.rc));
		assert_true(sent < (size_t)256 * 1024 * 1024);
	}
	TURN_UNTIL(&one, (n = recv(one.peer, got, sizeof(got), 0), came += n > 0 ? (size_t)n : 0, came == sent));
	assert_false(one.over);
	one_close(&one);
}

/* ---- a step that changes its mind for ever ------------------------------------------- */

static int
fickle_unwrap(void *link, struct ptah_io *io)
{
	(void)link;
	io->wire.want = io->wire.want == 1 ? 2 : 1;
	return PTAH_GO;
}

static const struct ptah_module fickle = {
	.head = PTAH_HEAD(0),
	.name = "fickle",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.open = open_for_a_byte,
	.wrap = step_idly,
	.unwrap = fickle_unwrap,
};

static void
a_step_that_only_changes_its_mind_ends_its_link(void **state)
{
	struct one one;

	(void)state;
	one_open(&one, &fickle);
	TURN_UNTIL(&one, one.open && one.peer != -1);
	assert_int_equal(send(one.peer, "12345", 5, MSG_NOSIGNAL), 5);
	TURN_UNTIL(&one, one.over);
	assert_int_equal(one.rc, -EPROTO);
	one_close(&one);
}

/* ---- a codec that takes its time, and an application that does not wait ----------------- */

#define SLICE 10000
#define WHOLE 20000
#define MUCH 900000

struct slow {
	const struct ptah_host *host;
	struct ptah_self *self;
};

static int
slow_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct slow *mine = link;

	mine->host = open->host;
	mine->self = open->self;
	io->plain.want = PTAH_NEVER;
	assert_int_equal(mine->host->timer(mine->self, 0, 5 * PTAH_NS_PER_MS), 0);
	return PTAH_OPEN;
}

static int
slow_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	struct slow *mine = link;
	size_t n = io->plain.in.len < SLICE ? io->plain.in.len : SLICE;

	(void)event;
	if (n > io->wire.out.len)
		n = io->wire.out.len;
	if (n > 0)
		memcpy(io->wire.out.at, io->plain.in.at, n);
	io->plain.eaten = io->wire.made = n;
	assert_int_equal(mine->host->timer(mine->self, 0, 5 * PTAH_NS_PER_MS), 0);
	return PTAH_GO;
}

static const struct ptah_module slow = {
	.head = PTAH_HEAD(0),
	.name = "slow",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.link_size = sizeof(struct slow),
	.open = slow_open,
	.wrap = step_idly,
	.unwrap = unwrap_copying,
	.event = slow_event,
};

static void
what_a_codec_still_holds_goes_out_when_the_application_is_gone(void **state)
{
	static uint8_t bytes[WHOLE], got[WHOLE];
	size_t came = 0;
	struct one one;
	ssize_t n;

	(void)state;
	one_open(&one, &slow);
	TURN_UNTIL(&one, one.open && one.peer != -1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	assert_int_equal(send(one.app, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	close_one(&one.app);
	/* Nobody hears this: it breaks the plain end. */
	assert_int_equal(send(one.peer, "hello", 5, MSG_NOSIGNAL), 5);
	TURN_UNTIL(&one, (n = recv(one.peer, got + came, sizeof(got) - came, 0), came += n > 0 ? (size_t)n : 0,
	    came == sizeof(got) || n == 0));
	assert_int_equal(came, sizeof(got));
	assert_memory_equal(got, bytes, sizeof(got));
	TURN_UNTIL(&one, one.over);
	one_close(&one);
}

static int
copy_wrap(void *link, struct ptah_io *io)
{
	size_t n = io->plain.in.len < io->wire.out.len ? io->plain.in.len : io->wire.out.len;

	(void)link;
	if (n > 0)
		memcpy(io->wire.out.at, io->plain.in.at, n);
	io->plain.eaten = io->wire.made = n;
	return PTAH_GO;
}

static const struct ptah_module copy = {
	.head = PTAH_HEAD(0),
	.name = "copy",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM,
	.open = open_at_once,
	.wrap = copy_wrap,
	.unwrap = unwrap_copying,
};

/* Neither the application nor a layer above brings it more than may be kept. */
static void
carries_much_through(const struct ptah_module *const *modules)
{
	static uint8_t bytes[MUCH], got[MUCH];
	size_t sent = 0, came = 0;
	struct one one;
	ssize_t n;

	one_begin(&one, modules, false);
	TURN_UNTIL(&one, one.open && one.peer != -1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	TURN_UNTIL(&one, (n = send(one.app, bytes + sent, sizeof(bytes) - sent, MSG_NOSIGNAL), sent += n > 0 ? (size_t)n : 0,
	    n = recv(one.peer, got + came, sizeof(got) - came, 0), came += n > 0 ? (size_t)n : 0,
	    came == sizeof(got) || one.over));
	assert_int_equal(one.rc, 0);
	assert_memory_equal(got, bytes, sizeof(got));
	one_close(&one);
}

static void
a_codec_may_take_its_time_while_an_application_talks(void **state)
{
	static const struct ptah_module *const alone[] = { &slow, NULL }, *const below[] = { &copy, &slow, NULL };

	(void)state;
	carries_much_through(alone);
	carries_much_through(below);
}

/* ---- peers that stop reading --------------------------------------------------------------- */

static const struct ptah_module pass = {
	.head = PTAH_HEAD(0),
	.name = "pass",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.open = open_and_pass,
};

static void
a_reader_that_rests_goes_only_when_memory_is_short(void **state)
{
	static uint8_t bytes[65536];
	unsigned refused = 0;
	struct one one;

	(void)state;
	one_open(&one, &pass);
	one.worker->stall_ms = 50;
	TURN_UNTIL(&one, one.open && one.peer != -1);
	while (refused < 100) {
		refused = send(one.app, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0 ? 0 : refused + 1;
		turn(&one);
	}
	assert_true(one.worker->spilled > 0);
	turn_for_ms(&one, 300);
	assert_false(one.over);
	/* As if very many links did the same. */
	one.worker->spilled_most = PTAH_SPILLED_MOST;
	one.worker->spilled += PTAH_SPILLED_MOST;
	TURN_UNTIL(&one, one.over);
	assert_int_equal(one.rc, -ETIMEDOUT);
	assert_int_equal(one.worker->spilled, PTAH_SPILLED_MOST);
	one_close(&one);
}

/* ---- an application that takes no reply, when there is no memory to keep it ------------------- */

static void
a_reply_that_cannot_be_kept_ends_a_link_that_was_open(void **state)
{
	static const struct ptah_module *const modules[] = { &pass, NULL };
	struct one one;

	(void)state;
	one_begin(&one, modules, true);
	TURN_UNTIL(&one, one.over);
	assert_true(one.open);
	/* Not failed: its owner has let go of what it would free then. */
	assert_true(one.closed);
	assert_int_equal(one.rc, -ENOMEM);
	one_close(&one);
}

/* ---- a peer that is rejected when there is no memory to remember it ----------------------------- */

static void
a_rejected_peer_that_cannot_be_kept_is_hung_up_on(void **state)
{
	const struct ptah_rejection how = { .born_ns = ptah_clock_now_ns(), .manner = PTAH_SILENT };
	struct ptah_worker *worker = ptah_worker_new(0);
	int fds[2];
	char got;

	(void)state;
	assert_non_null(worker);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	no_memory = true;
	ptah_drain_begin(worker, fds[1], &how);
	no_memory = false;
	assert_int_equal(recv(fds[0], &got, 1, 0), 0);
	close(fds[0]);
	ptah_links_free(worker);
	ptah_worker_free(worker);
}

/* ---- descriptors ------------------------------------------------------------------------------ */

static int
next_descriptor(void)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	assert_int_not_equal(fd, -1);
	close(fd);
	return fd;
}

/* Every way to end, many times: the number of descriptors is what it was. */
static void
a_churn_of_failures_leaves_no_descriptor(void **state)
{
	static const struct ptah_module *const modules[] = { &patient, &echo, &fickle, &slow, &pass };
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	int before = next_descriptor();

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct one one;

		one_open(&one, modules[i % 5]);
		if (i % 3 != 0)
			TURN_UNTIL(&one, one.peer != -1);
		if (i % 4 == 1)
			(void)send(one.app, "abc", 3, MSG_NOSIGNAL);
		if (i % 4 == 2 && one.peer != -1)
			(void)send(one.peer, "abc", 3, MSG_NOSIGNAL);
		if (i % 5 == 0 && one.peer != -1)
			setsockopt(one.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		if (i % 2 != 0)
			shutdown(one.app, SHUT_WR);
		turn(&one);
		if (i % 7 < 3)
			close_one(&one.peer);
		turn(&one);
		if (i % 7 > 4)
			close_one(&one.app);
		turn(&one);
		one_close(&one);
		assert_int_equal(next_descriptor(), before);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_application_still_hears_why_when_the_peer_hangs_up),
		cmocka_unit_test(a_step_may_wait_for_room_to_answer),
		cmocka_unit_test(a_step_that_only_changes_its_mind_ends_its_link),
		cmocka_unit_test(what_a_codec_still_holds_goes_out_when_the_application_is_gone),
		cmocka_unit_test(a_codec_may_take_its_time_while_an_application_talks),
		cmocka_unit_test(a_reader_that_rests_goes_only_when_memory_is_short),
		cmocka_unit_test(a_reply_that_cannot_be_kept_ends_a_link_that_was_open),
		cmocka_unit_test(a_rejected_peer_that_cannot_be_kept_is_hung_up_on),
		cmocka_unit_test(a_churn_of_failures_leaves_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
