/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relay/link.h: a client link and a server link, joined by a loopback
 * connection, with codecs of several kinds between them.
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

#include "linkends.h"

/* ---- codecs ---------------------------------------------------------------- */

/* frames: a hello each way of 5 bytes, then [len:2][len bytes, each ^ 0x5a], len at most 1000. */
#define HELLO 5
#define FRAME 1000

struct frames {
	uint32_t role;
	bool open;
};

static int
frames_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	struct frames *me = link;

	me->role = open->role;
	io->wire.want = HELLO;
	if (me->role == PTAH_CLIENT) {
		assert_true(io->wire.out.len >= HELLO);
		memcpy(io->wire.out.at, "hello", HELLO);
		io->wire.made = HELLO;
	}
	return PTAH_GO;
}

static int
frames_wrap(void *link, struct ptah_io *io)
{
	size_t n = io->plain.in.len < FRAME ? io->plain.in.len : FRAME;

	(void)link;
	if (n == 0 || io->wire.out.len < n + 2)
		return PTAH_GO;
	io->wire.out.at[0] = (uint8_t)(n >> 8);
	io->wire.out.at[1] = (uint8_t)n;
	for (size_t i = 0; i < n; i++)
		io->wire.out.at[2 + i] = io->plain.in.at[i] ^ 0x5a;
	io->plain.eaten = n;
	io->wire.made = n + 2;
	return PTAH_GO;
}

static int
frames_unwrap(void *link, struct ptah_io *io)
{
	struct frames *me = link;

	if (!me->open) {
		if (io->wire.in.len < HELLO)
			return PTAH_GO;
		if (memcmp(io->wire.in.at, "hello", HELLO) != 0)
			return PTAH_REJECT;
		io->wire.eaten = HELLO;
		io->wire.want = 2;
		me->open = true;
		if (me->role == PTAH_SERVER) {
			memcpy(io->wire.out.at, "hello", HELLO);
			io->wire.made = HELLO;
		}
		return PTAH_OPEN;
	}
	io->wire.want = 2;
	if (io->wire.in.len < 2)
		return PTAH_GO;
	size_t n = (size_t)io->wire.in.at[0] << 8 | io->wire.in.at[1];
	if (n > FRAME)
		return n == UINT16_MAX ? PTAH_REJECT : -EPROTO;
	if (io->wire.in.len < n + 2) {
		io->wire.want = n + 2;
		return PTAH_GO;
	}
	if (io->plain.out.len < n)
		return PTAH_GO;
	for (size_t i = 0; i < n; i++)
		io->plain.out.at[i] = io->wire.in.at[2 + i] ^ 0x5a;
	io->wire.eaten = n + 2;
	io->plain.made = n;
	return PTAH_GO;
}

static const struct ptah_module frames_module = {
	.head = PTAH_HEAD(0),
	.name = "frames",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.link_size = sizeof(struct frames),
	.unit = FRAME + 2,
	.open = frames_open,
	.wrap = frames_wrap,
	.unwrap = frames_unwrap,
};

/* the same without a half-close */
static const struct ptah_module blunt_module = {
	.head = PTAH_HEAD(0),
	.name = "blunt",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM,
	.link_size = sizeof(struct frames),
	.unit = FRAME + 2,
	.open = frames_open,
	.wrap = frames_wrap,
	.unwrap = frames_unwrap,
};

static const struct ptah_module pass_module = {
	.head = PTAH_HEAD(0),
	.name = "pass",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.open = open_and_pass,
};

/* greets, then steps out of the path, with whatever came behind the greeting left uneaten */
static int
greet_unwrap(void *link, struct ptah_io *io)
{
	struct frames *me = link;

	if (io->wire.in.len < HELLO)
		return PTAH_GO;
	io->wire.eaten = HELLO;
	if (me->role == PTAH_SERVER) {
		memcpy(io->wire.out.at, "hello", HELLO);
		io->wire.made = HELLO;
	}
	return PTAH_PASS;
}

static const struct ptah_module greet_module = {
	.head = PTAH_HEAD(0),
	.name = "greet",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.link_size = sizeof(struct frames),
	.unit = HELLO,
	.open = frames_open,
	.unwrap = greet_unwrap,
};

static int
stuck_step(void *link, struct ptah_io *io)
{
	(void)link;
	io->plain.want = io->wire.want = 1;
	return PTAH_GO;
}

static const struct ptah_module stuck_module = {
	.head = PTAH_HEAD(0),
	.name = "stuck",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM,
	.open = open_for_a_byte,
	.wrap = stuck_step,
	.unwrap = stuck_step,
};

static int
liar_step(void *link, struct ptah_io *io)
{
	(void)link;
	io->plain.eaten = io->plain.in.len + 1;
	io->wire.made = io->wire.out.len + 1;
	return PTAH_GO;
}

static const struct ptah_module liar_module = {
	.head = PTAH_HEAD(0),
	.name = "liar",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM,
	.open = open_for_a_byte,
	.wrap = liar_step,
	.unwrap = liar_step,
};

/* paced: takes little, holds its reader meanwhile, and says it byte by byte: each one write, and none for input */
#define PACED_ROOM 16

struct paced {
	uint8_t kept[PACED_ROOM];
	size_t n, said;
};

static int
paced_wrap(void *link, struct ptah_io *io)
{
	struct paced *me = link;

	if (me->said == me->n) {
		me->n = io->plain.in.len < PACED_ROOM ? io->plain.in.len : PACED_ROOM;
		me->said = 0;
		if (me->n > 0)
			memcpy(me->kept, io->plain.in.at, me->n);
		io->plain.eaten = me->n;
	} else if (io->wire.out.len > 0) {
		io->wire.out.at[0] = me->kept[me->said++];
		io->wire.made = 1;
		io->flush = 1;
	}
	io->plain.hold = io->wire.more = me->said < me->n;
	return PTAH_GO;
}

static const struct ptah_module paced_module = {
	.head = PTAH_HEAD(0),
	.name = "paced",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE,
	.link_size = sizeof(struct paced),
	.open = open_at_once,
	.wrap = paced_wrap,
	.unwrap = unwrap_copying,
};

/* promises more and gives nothing */
static int
boastful_wrap(void *link, struct ptah_io *io)
{
	(void)link;
	io->wire.more = 1;
	return PTAH_GO;
}

static const struct ptah_module boastful_module = {
	.head = PTAH_HEAD(0),
	.name = "boastful",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM,
	.open = open_at_once,
	.wrap = boastful_wrap,
	.unwrap = unwrap_copying,
};

/* page: admits whoever says hello; has a page for him when the plain end fails, and opens all the same if he says "x" */
static int
page_unwrap(void *link, struct ptah_io *io)
{
	struct frames *me = link;

	if (me->open) {
		io->wire.eaten = io->wire.in.len;
		return io->wire.in.len > 0 && io->wire.in.at[0] == 'x' ? PTAH_OPEN : PTAH_GO;
	}
	if (io->wire.in.len < HELLO)
		return PTAH_GO;
	io->wire.eaten = HELLO;
	me->open = true;
	return PTAH_ADMIT;
}

static int
page_event(void *link, const struct ptah_event *event, struct ptah_io *io)
{
	(void)link;
	if (event->what != PTAH_EV_PLAIN)
		return PTAH_GO;
	if (event->val == 0)
		return PTAH_PASS;
	memcpy(io->wire.out.at, "sorry", 5);
	io->wire.made = 5;
	return PTAH_GO;
}

static const struct ptah_module page_module = {
	.head = PTAH_HEAD(0),
	.name = "page",
	.abilities = PTAH_CAN_SERVER | PTAH_CAN_STREAM,
	.link_size = sizeof(struct frames),
	.unit = 5,
	.open = open_later,
	.unwrap = page_unwrap,
	.event = page_event,
};

/* turns everybody away, and says when he has to be gone */
static uint32_t strict_close_s;

static int
strict_unwrap(void *link, struct ptah_io *io)
{
	(void)link;
	io->close_s = strict_close_s;
	return PTAH_REJECT;
}

static const struct ptah_module strict_module = {
	.head = PTAH_HEAD(0),
	.name = "strict",
	.abilities = PTAH_CAN_SERVER | PTAH_CAN_STREAM,
	.open = open_later,
	.unwrap = strict_unwrap,
};

/* ---- a pair of links ----------------------------------------------------------- */

struct pair {
	struct ptah_worker *worker;
	struct ptah_instance client[3], server[3];
	struct ptah_dial_how how;
	struct ptah_quota quota;
	struct ptah_listener *listener;
	struct ptah_addr bound;
	int app, far; /* our sides of the two plain ends */
	int far_given;
	int client_rc, server_rc;
	bool client_open, client_over, server_over, no_plain;
};

static struct ptah_span
on_open(struct ptah_link *link, void *arg)
{
	struct pair *pair = arg;

	(void)link;
	pair->client_open = true;
	return (struct ptah_span){ (const uint8_t *)"OK", 2 };
}

static void
on_failed(int fd, int rc, const char *reason, void *arg)
{
	struct pair *pair = arg;

	(void)reason;
	close(fd);
	pair->client_over = true;
	pair->client_rc = rc;
}

static void
on_closed(int rc, void *arg)
{
	struct pair *pair = arg;

	pair->client_over = true;
	pair->client_rc = rc;
}

static void
on_admit(struct ptah_link *link, const char *dest, const char *peer, void *arg)
{
	struct pair *pair = arg;
	int fds[2];

	assert_null(dest);
	assert_true(strlen(peer) > 0);
	if (pair->no_plain) {
		ptah_link_plain_failed(link, -ECONNREFUSED);
		return;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	pair->far = fds[0];
	ptah_link_plain_opened(link, fds[1], (struct ptah_span){ NULL, 0 });
}

static void
on_server_closed(int rc, void *arg)
{
	struct pair *pair = arg;

	pair->server_over = true;
	pair->server_rc = rc;
}

static const struct ptah_link_ops client_ops = { .on_open = on_open, .on_failed = on_failed, .on_closed = on_closed };
static const struct ptah_link_ops server_ops = { .on_admit = on_admit, .on_closed = on_server_closed };

static void
on_accept(int fd, const struct ptah_addr *peer, void *arg)
{
	struct pair *pair = arg;
	char text[PTAH_ADDR_TEXT];
	struct ptah_link *link = ptah_link_server_new(pair->worker, &pair->server[0], fd,
	    ptah_addr_format_peer(peer, text), &server_ops, pair);

	assert_non_null(link);
	ptah_link_go(link);
}

static void
turn(struct pair *pair)
{
	assert_int_not_equal(event_base_loop(pair->worker->base, EVLOOP_ONCE | EVLOOP_NONBLOCK), -1);
}

static void
pair_open(struct pair *pair, const struct ptah_module *const *client, const struct ptah_module *const *server, int half_close)
{
	static const struct ptah_addr none;
	int fds[2], fd;

	memset(pair, 0, sizeof(*pair));
	pair->far = -1;
	pair->quota.most = 10;
	pair->how.bind_v4 = pair->how.bind_v6 = none;
	stack_instances(pair->client, PTAH_CLIENT, client);
	stack_instances(pair->server, PTAH_SERVER, server);
	pair->client[0].half_close = half_close;
	pair->worker = ptah_worker_new(0);
	assert_non_null(pair->worker);
	fd = listen_somewhere(&pair->bound);
	pair->listener = ptah_listener_new(pair->worker, fd, &pair->quota, NULL, on_accept, pair);
	assert_non_null(pair->listener);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	pair->app = fds[0];
	client_goes(pair->worker, &pair->bound, (struct ptah_link_client){
		.instance = &pair->client[0],
		.how = &pair->how,
		.plain_fd = fds[1],
		.early = { (const uint8_t *)"early", 5 },
	}, &client_ops, pair);
}

static void
pair_close(struct pair *pair)
{
	close(pair->app);
	if (pair->far != -1)
		close(pair->far);
	ptah_listener_free(pair->listener, false);
	ptah_links_free(pair->worker);
	ptah_worker_free(pair->worker);
}

static uint8_t
pattern(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

/* Move as much as goes, in pieces of 'piece', from 'from' to 'to'. */
struct flow {
	int from, to;
	size_t sent, got, total, piece;
	bool shut, ended;
};

static void
flow_turn(struct flow *flow)
{
	static uint8_t buf[70000];
	size_t n = flow->total - flow->sent < flow->piece ? flow->total - flow->sent : flow->piece;

	for (size_t i = 0; i < n; i++)
		buf[i] = pattern(flow->sent + i);
	ssize_t did = n > 0 ? send(flow->from, buf, n, MSG_NOSIGNAL) : 0;
	if (did > 0)
		flow->sent += (size_t)did;
	if (flow->sent == flow->total && !flow->shut) {
		shutdown(flow->from, SHUT_WR);
		flow->shut = true;
	}
	did = recv(flow->to, buf, flow->piece, 0);
	if (did == 0)
		flow->ended = true;
	for (ssize_t i = 0; i < did; i++)
		if (buf[i] != pattern(flow->got + (size_t)i))
			fail_msg("byte %zu is wrong", flow->got + (size_t)i);
	if (did > 0)
		flow->got += (size_t)did;
}

static void
expect_bytes(struct pair *pair, int *fd, const char *text)
{
	char got[16] = "";
	size_t have = 0;
	uint64_t until = ptah_clock_now_ns() + 20 * PTAH_NS_PER_S;

	while (have < strlen(text)) {
		turn(pair);
		ssize_t n = *fd == -1 ? -1 : recv(*fd, got + have, strlen(text) - have, 0);
		if (n > 0)
			have += (size_t)n;
		assert_true(ptah_clock_now_ns() < until);
	}
	assert_memory_equal(got, text, have);
}

static void
carry(const struct ptah_module *const *stack_of, size_t piece, size_t total)
{
	struct pair pair;

	pair_open(&pair, stack_of, stack_of, PTAH_HALF_CLOSE_AUTO);
	expect_bytes(&pair, &pair.app, "OK");
	assert_true(pair.client_open);
	expect_bytes(&pair, &pair.far, "early");

	struct flow there = { .from = pair.app, .to = pair.far, .total = total, .piece = piece };
	struct flow back = { .from = pair.far, .to = pair.app, .total = total / 2 + 1, .piece = piece };
	uint64_t until = ptah_clock_now_ns() + 60 * PTAH_NS_PER_S;

	while (!there.ended || !back.ended) {
		turn(&pair);
		flow_turn(&there);
		flow_turn(&back);
		assert_true(ptah_clock_now_ns() < until);
	}
	assert_int_equal(there.got, there.total);
	assert_int_equal(back.got, back.total);
	while (!pair.client_over || !pair.server_over) {
		turn(&pair);
		assert_true(ptah_clock_now_ns() < until);
	}
	assert_int_equal(pair.client_rc, 0);
	assert_int_equal(pair.server_rc, 0);
	assert_int_equal(ptah_links_count(pair.worker), 0);
	pair_close(&pair);
}

static const struct ptah_module *const just_pass[] = { &pass_module, NULL };
static const struct ptah_module *const just_frames[] = { &frames_module, NULL };
static const struct ptah_module *const just_greet[] = { &greet_module, NULL };
static const struct ptah_module *const two_frames[] = { &frames_module, &frames_module, NULL };
static const struct ptah_module *const mixed[] = { &greet_module, &frames_module, &pass_module, NULL };
static const struct ptah_module *const blunt[] = { &blunt_module, NULL };
static const struct ptah_module *const just_paced[] = { &paced_module, NULL };
static const struct ptah_module *const paced_frames[] = { &paced_module, &frames_module, NULL };
static const struct ptah_module *const frames_paced[] = { &frames_module, &paced_module, NULL };
static const struct ptah_module *const boastful[] = { &boastful_module, NULL };
static const struct ptah_module *const page[] = { &page_module, NULL };
static const struct ptah_module *const strict[] = { &strict_module, NULL };
static const struct ptah_module *const stuck[] = { &stuck_module, NULL };
static const struct ptah_module *const liar[] = { &liar_module, NULL };

static void
carries_every_byte_through_every_stack(void **state)
{
	static const struct ptah_module *const *const stacks[] = { just_pass, just_frames, just_greet, two_frames, mixed };
	static const size_t pieces[] = { 1, 7, 1460, 65536 };

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
		for (size_t j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++)
			carry(stacks[i], pieces[j], pieces[j] == 1 ? 3000 : pieces[j] * 57);
}

static void
calls_a_step_again_that_has_more_to_say(void **state)
{
	static const struct ptah_module *const *const stacks[] = { just_paced, paced_frames, frames_paced };

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		carry(stacks[i], 7, 2000);
		carry(stacks[i], 1460, 60000);
	}
}

/* The far side does not read: the app can only send so much, and nothing is lost. */
static void
stops_a_sender_whose_reader_rests(void **state)
{
	static const struct ptah_module *const *const stacks[] = { just_pass, just_frames, two_frames };

	(void)state;
	for (size_t k = 0; k < sizeof(stacks) / sizeof(stacks[0]); k++) {
		struct pair pair;
		static uint8_t buf[65536];
		size_t sent = 0;
		int refused = 0;

		pair_open(&pair, stacks[k], stacks[k], PTAH_HALF_CLOSE_AUTO);
		expect_bytes(&pair, &pair.app, "OK");
		expect_bytes(&pair, &pair.far, "early");
		while (refused < 200) {
			for (size_t i = 0; i < sizeof(buf); i++)
				buf[i] = pattern(sent + i);
			ssize_t n = send(pair.app, buf, sizeof(buf), MSG_NOSIGNAL);
			if (n > 0) {
				sent += (size_t)n;
				refused = 0;
			} else {
				refused++;
			}
			turn(&pair);
			assert_true(sent < 64u * 1024 * 1024);
		}
		assert_true(pair.worker->spilled < 2u * 1024 * 1024);

		struct flow there = { .from = pair.app, .to = pair.far, .sent = sent, .total = sent, .piece = 65536 };
		uint64_t until = ptah_clock_now_ns() + 20 * PTAH_NS_PER_S;
		while (!there.ended) {
			turn(&pair);
			flow_turn(&there);
			assert_true(ptah_clock_now_ns() < until);
		}
		assert_int_equal(there.got, sent);
		pair_close(&pair);
	}
}

static void
holds_the_wire_open_where_an_eof_cannot_be_said(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair, blunt, blunt, PTAH_HALF_CLOSE_AUTO);
	expect_bytes(&pair, &pair.app, "OK");
	expect_bytes(&pair, &pair.far, "early");
	shutdown(pair.app, SHUT_WR);
	for (int i = 0; i < 200; i++)
		turn(&pair);
	assert_false(pair.client_over);
	assert_int_equal(send(pair.far, "reply", 5, 0), 5);
	expect_bytes(&pair, &pair.app, "reply");
	shutdown(pair.far, SHUT_WR);
	for (int i = 0; i < 200; i++)
		turn(&pair);
	assert_false(pair.server_over); /* it holds, too; until one really closes */
	close(pair.far);
	pair.far = -1;
	pair_close(&pair);
}

static void
tells_the_client_that_nobody_answers(void **state)
{
	struct pair pair;
	uint64_t until = ptah_clock_now_ns() + 20 * PTAH_NS_PER_S;

	(void)state;
	memset(&pair, 0, sizeof(pair));
	pair_open(&pair, just_frames, just_frames, PTAH_HALF_CLOSE_AUTO);
	pair.no_plain = true;
	while (!pair.server_over) {
		turn(&pair);
		assert_true(ptah_clock_now_ns() < until);
	}
	assert_int_equal(pair.server_rc, -ECONNREFUSED);
	pair_close(&pair);
}

static void
ends_the_link_of_a_module_that(const struct ptah_module *const *modules)
{
	struct pair pair;
	uint64_t until = ptah_clock_now_ns() + 20 * PTAH_NS_PER_S;

	pair_open(&pair, modules, just_pass, PTAH_HALF_CLOSE_AUTO);
	while (!pair.client_over) {
		turn(&pair);
		assert_true(ptah_clock_now_ns() < until);
	}
	assert_int_equal(pair.client_rc, -EPROTO);
	pair_close(&pair);
}

static void
ends_the_link_of_a_module_that_makes_no_progress(void **state)
{
	(void)state;
	ends_the_link_of_a_module_that(stuck);
}

static void
ends_the_link_of_a_module_that_lies_about_lengths(void **state)
{
	(void)state;
	ends_the_link_of_a_module_that(liar);
}

static void
ends_the_link_of_a_module_that_promises_more_and_gives_nothing(void **state)
{
	(void)state;
	ends_the_link_of_a_module_that(boastful);
}

/* Somebody who is no ptah knocks at the server; give the descriptor. */
static int
knock(const struct pair *pair, const char *words)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, &pair->bound.sa, ptah_addr_len(&pair->bound)), 0);
	assert_int_equal(send(fd, words, strlen(words), 0), strlen(words));
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Turn until the server closes; how long that took, in ms. */
static uint64_t
wait_for_eof(struct pair *pair, int fd)
{
	uint64_t begin = ptah_clock_now_ns();
	char byte;
	ssize_t n;

	while ((n = recv(fd, &byte, 1, 0)) == -1 && errno == EAGAIN) {
		turn(pair);
		assert_true(ptah_clock_now_ns() < begin + 20 * PTAH_NS_PER_S);
	}
	assert_int_equal(n, 0);
	return (ptah_clock_now_ns() - begin) / PTAH_NS_PER_MS;
}

static void
goes_on_unadmitted_when_a_codec_wants_to(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair, just_pass, page, PTAH_HALF_CLOSE_AUTO);
	pair.no_plain = true;
	expect_bytes(&pair, &pair.app, "OK");
	/* In pieces, of which the codec eats none before it has all. */
	int fd = knock(&pair, "hel");
	for (int i = 0; i < 100; i++)
		turn(&pair);
	assert_int_equal(send(fd, "lo", 2, 0), 2);
	expect_bytes(&pair, &fd, "sorry");
	for (int i = 0; i < 100; i++)
		turn(&pair);
	assert_false(pair.server_over);
	/* ... but there is nothing that it could open. */
	assert_int_equal(send(fd, "x", 1, 0), 1);
	(void)wait_for_eof(&pair, fd);
	assert_true(pair.server_over);
	assert_int_equal(pair.server_rc, -EPROTO);
	close(fd);
	pair_close(&pair);
}

static void
closes_a_rejected_peer_when_the_codec_says(void **state)
{
	struct pair pair;

	(void)state;
	strict_close_s = 1;
	pair_open(&pair, just_pass, strict, PTAH_HALF_CLOSE_AUTO);
	int fd = knock(&pair, "HELP!");
	assert_true(wait_for_eof(&pair, fd) >= 900);
	close(fd);
	/* One that goes first is not kept, and this waits for no minute. */
	strict_close_s = 60;
	fd = knock(&pair, "HELP!");
	shutdown(fd, SHUT_WR);
	(void)wait_for_eof(&pair, fd);
	close(fd);
	pair_close(&pair);
}

/* One that was good, and is no more: not on the spot, but soon. */
static void
hangs_up_late_on_a_peer_whose_words_turn_bad(void **state)
{
	struct pair pair;
	uint64_t until = ptah_clock_now_ns() + 20 * PTAH_NS_PER_S;
	char hello[HELLO];

	(void)state;
	pair_open(&pair, just_pass, just_frames, PTAH_HALF_CLOSE_AUTO);
	ptah_links_hurry_rejected(pair.worker, 0.05);
	expect_bytes(&pair, &pair.app, "OK");
	/* The pair's own link says no hello. */
	while (!pair.server_over) {
		turn(&pair);
		assert_true(ptah_clock_now_ns() < until);
	}
	pair.server_over = false;
	int fd = knock(&pair, "hello");
	while (recv(fd, hello, HELLO, MSG_PEEK) != HELLO) {
		turn(&pair);
		assert_true(ptah_clock_now_ns() < until);
	}
	assert_int_equal(recv(fd, hello, HELLO, 0), HELLO);
	assert_int_equal(send(fd, "\0\1\x22", 3, 0), 3);
	expect_bytes(&pair, &pair.far, "x");
	assert_false(pair.server_over);
	uint64_t begin = ptah_clock_now_ns();
	assert_int_equal(send(fd, "\xff\xff", 2, 0), 2);
	while (!pair.server_over) {
		turn(&pair);
		assert_true(ptah_clock_now_ns() < until);
	}
	assert_int_equal(pair.server_rc, -EACCES);
	while (recv(fd, hello, 1, 0) != 0) {
		assert_int_equal(errno, EAGAIN);
		turn(&pair);
		assert_true(ptah_clock_now_ns() < begin + 15 * PTAH_NS_PER_S);
	}
	/* From before it was rejected, and the loop's clock may be one tick of the kernel behind. */
	assert_true(ptah_clock_now_ns() >= begin + PTAH_NS_PER_S / 25);
	close(fd);
	pair_close(&pair);
}

static void
keeps_a_rejected_peer_in_the_dark(void **state)
{
	struct pair pair;
	uint64_t until = ptah_clock_now_ns() + 20 * PTAH_NS_PER_S;
	char byte;

	(void)state;
	pair_open(&pair, just_frames, just_frames, PTAH_HALF_CLOSE_AUTO);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, &pair.bound.sa, ptah_addr_len(&pair.bound)), 0);
	assert_int_equal(send(fd, "HELP!", 5, 0), 5);
	expect_bytes(&pair, &pair.app, "OK");
	while (!pair.server_over) {
		turn(&pair);
		assert_true(ptah_clock_now_ns() < until);
	}
	assert_int_equal(pair.server_rc, -EACCES);
	for (int i = 0; i < 100; i++)
		turn(&pair);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN); /* neither a byte nor an EOF */
	close(fd);
	pair_close(&pair);
}

/* Of which neither an EOF nor a reset came; and not one of them hears a byte. */
static int
n_still_open(const int *fds, int n)
{
	int n_open = 0;

	for (int i = 0; i < n; i++) {
		char byte;
		ssize_t got = recv(fds[i], &byte, 1, MSG_DONTWAIT);

		assert_true(got <= 0);
		n_open += got == -1 && errno == EAGAIN;
	}
	return n_open;
}

/* However many are rejected, only so many are kept, and it is never a matter of bytes which of them go. */
static void
keeps_no_more_rejected_peers_than_it_may(void **state)
{
	struct pair pair;
	uint64_t until = ptah_clock_now_ns() + 20 * PTAH_NS_PER_S;
	int fds[64], n_open = 0;

	(void)state;
	pair_open(&pair, just_frames, just_frames, PTAH_HALF_CLOSE_AUTO);
	pair.quota.most = 100;
	ptah_links_keep_rejected(pair.worker, 8);
	expect_bytes(&pair, &pair.app, "OK");
	for (int i = 0; i < 64; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(fds[i], &pair.bound.sa, ptah_addr_len(&pair.bound)), 0);
		assert_int_equal(send(fds[i], "HELP!", 5, 0), 5);
		pair.server_over = false;
		while (!pair.server_over) {
			turn(&pair);
			assert_true(ptah_clock_now_ns() < until);
		}
	}
	/* The last that went may be on their way here still; then they are so many, and stay. */
	until = ptah_clock_now_ns() + 20 * PTAH_NS_PER_S;
	do {
		for (int i = 0; i < 50; i++)
			turn(&pair);
		n_open = n_still_open(fds, 64);
		assert_true(ptah_clock_now_ns() < until);
	} while (n_open > 8);
	assert_int_equal(n_open, 8);
	for (int i = 0; i < 64; i++)
		close(fds[i]);
	pair_close(&pair);
}

/* New links wait while the old ones hold more than they may; then they come. */
static void
lets_new_links_wait_while_memory_is_short(void **state)
{
	struct pair pair;
	uint64_t until = ptah_clock_now_ns() + 10 * PTAH_NS_PER_S;

	(void)state;
	pair_open(&pair, just_pass, just_pass, PTAH_HALF_CLOSE_AUTO);
	pair.quota.spilled_most = 1000;
	pair.worker->spilled += 1001; /* as if stalled links held it */
	for (int i = 0; i < 50; i++) {
		turn(&pair);
		usleep(1000);
	}
	assert_int_equal(pair.far, -1);
	assert_int_equal(atomic_load(&pair.quota.used), 0);
	pair.worker->spilled -= 1001;
	while (pair.far == -1) {
		turn(&pair);
		assert_true(ptah_clock_now_ns() < until);
	}
	expect_bytes(&pair, &pair.far, "early");
	pair_close(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_every_byte_through_every_stack),
		cmocka_unit_test(stops_a_sender_whose_reader_rests),
		cmocka_unit_test(holds_the_wire_open_where_an_eof_cannot_be_said),
		cmocka_unit_test(tells_the_client_that_nobody_answers),
		cmocka_unit_test(ends_the_link_of_a_module_that_makes_no_progress),
		cmocka_unit_test(ends_the_link_of_a_module_that_lies_about_lengths),
		cmocka_unit_test(hangs_up_late_on_a_peer_whose_words_turn_bad),
		cmocka_unit_test(keeps_a_rejected_peer_in_the_dark),
		cmocka_unit_test(keeps_no_more_rejected_peers_than_it_may),
		cmocka_unit_test(lets_new_links_wait_while_memory_is_short),
		cmocka_unit_test(closes_a_rejected_peer_when_the_codec_says),
		cmocka_unit_test(goes_on_unadmitted_when_a_codec_wants_to),
		cmocka_unit_test(calls_a_step_again_that_has_more_to_say),
		cmocka_unit_test(ends_the_link_of_a_module_that_promises_more_and_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
