/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What no shipped module uses yet, driven by the test modules: links of
 * carriers, stacks, children, handshakes in two moments, letters, timers,
 * replays, state and programs, on real workers and over loopback.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/worker.h"
#include "relay/link.h"
#include "relay/through.h"
#include "stage.h"
#include "wire/listen.h"

#define AMOUNT ((size_t)3 * 1024 * 1024 + 77)

static struct stage stage;
static char modules[600];
static char state_folder[64];

/* ---- errands of the main thread, which is this one --------------------------------- */

struct errand {
	struct errand *next;
	void (*fn)(void *arg);
	void *arg;
};

static pthread_mutex_t errands_lock = PTHREAD_MUTEX_INITIALIZER;
static struct errand *errands;

static int
on_main(void *hands_arg, void (*fn)(void *arg), void *arg)
{
	struct errand *errand = malloc(sizeof(*errand));

	(void)hands_arg;
	if (errand == NULL)
		return -ENOMEM;
	errand->fn = fn;
	errand->arg = arg;
	pthread_mutex_lock(&errands_lock);
	errand->next = errands;
	errands = errand;
	pthread_mutex_unlock(&errands_lock);
	return 0;
}

static void
run_errands(void)
{
	for (;;) {
		struct errand *errand;

		pthread_mutex_lock(&errands_lock);
		errand = errands;
		if (errand != NULL)
			errands = errand->next;
		pthread_mutex_unlock(&errands_lock);
		if (errand == NULL)
			return;
		errand->fn(errand->arg);
		free(errand);
	}
}

static const struct ptah_hands hands = { .through = &ptah_through_links, .on_main = on_main };

/* Look until it is so, running errands meanwhile. */
static void
wait_until(bool (*is_so)(void *arg), void *arg, const char *what)
{
	uint64_t limit = ptah_clock_now_ns() + STAGE_LIMIT_S * PTAH_NS_PER_S;

	while (!is_so(arg)) {
		struct pollfd none = { .fd = -1 };

		if (ptah_clock_now_ns() > limit)
			fail_msg("waited in vain for %s", what);
		run_errands();
		poll(&none, 1, 2);
	}
}

static bool
is_ready(void *arg)
{
	bool ready;

	(void)arg;
	pthread_mutex_lock(&stage.lock);
	ready = stage.n_ready > 0;
	pthread_mutex_unlock(&stage.lock);
	return ready;
}

static struct ptah_instance *
open_ready(const char *name, uint32_t role, const char *options)
{
	struct ptah_instance *instance = stage_open(&stage, name, role, options);

	if (instance == NULL)
		fail_msg("%s: %s", name, stage.why);
	wait_until(is_ready, NULL, "an instance to be ready");
	if (stage.ready_rc != 0)
		fail_msg("%s: %s", name, stage.reason);
	return instance;
}

/* ---- the two sides of a link, as descriptors ------------------------------------------ */

struct server {
	struct ptah_instance *instance;
	struct ptah_listener *listener; /* NULL: a carrier listens by itself */
	struct ptah_worker *worker;
	struct ptah_quota quota;
	pthread_mutex_t lock;
	int fd; /* the last plain end that came, or -1 */
	unsigned n, n_failed;
	char peer[64], dest[PTAH_DEST_TEXT];
	char address[PTAH_ADDR_TEXT];
	bool done;
};

static void
on_plain(int fd, const char *peer, const char *dest, void *arg)
{
	struct server *server = arg;

	pthread_mutex_lock(&server->lock);
	if (fd == -1) {
		server->n_failed++;
	} else {
		server->fd = fd;
		server->n++;
	}
	snprintf(server->peer, sizeof(server->peer), "%s", peer != NULL ? peer : "(none)");
	snprintf(server->dest, sizeof(server->dest), "%s", dest != NULL ? dest : "(none)");
	pthread_mutex_unlock(&server->lock);
}

static void
on_connection(int fd, const struct ptah_addr *peer, void *arg)
{
	struct server *server = arg;
	char text[PTAH_ADDR_TEXT];

	ptah_quota_release(&server->quota);
	assert_int_equal(ptah_through_links.accept(server->worker, server->instance, fd,
	    ptah_addr_format_peer(peer, text), NULL, on_plain, server), 0);
}

/* Carriers: the instance knows its server by this. */
static struct server *carrier_server;

static void
on_arrive(struct ptah_instance *instance, struct ptah_worker *worker, const struct ptah_arrival *arrival)
{
	assert_int_equal(ptah_through_links.accept(worker, instance, arrival->fd, arrival->peer != NULL ? arrival->peer : "",
	    arrival, on_plain, carrier_server), 0);
}

static bool
is_done(void *arg)
{
	struct server *server = arg;
	bool done;

	pthread_mutex_lock(&server->lock);
	done = server->done;
	pthread_mutex_unlock(&server->lock);
	return done;
}

static void
say_done(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	server->done = true;
	pthread_mutex_unlock(&server->lock);
}

static void
listen_here(struct ptah_worker *worker, void *arg)
{
	struct server *server = arg;
	struct ptah_addr any, bound;
	int fd;

	assert_int_equal(ptah_addr_parse(&any, "127.0.0.1:0"), 0);
	assert_int_equal(ptah_listen_open(&any, &fd, 1, &bound), 0);
	ptah_addr_format(&bound, server->address);
	server->worker = worker;
	server->listener = ptah_listener_new(worker, fd, &server->quota, NULL, on_connection, server);
	assert_non_null(server->listener);
	say_done(server);
}

static void
on_carrier_listens(int rc, const char *bound, void *arg)
{
	struct server *server = arg;

	assert_int_equal(rc, 0);
	snprintf(server->address, sizeof(server->address), "%s", bound);
	say_done(server);
}

static void
server_begin(struct server *server, const char *name, const char *options)
{
	struct ptah_instance *bottom;

	memset(server, 0, sizeof(*server));
	pthread_mutex_init(&server->lock, NULL);
	server->fd = -1;
	server->quota.most = 100;
	carrier_server = server;
	server->instance = open_ready(name, PTAH_SERVER, options);
	bottom = ptah_instance_bottom(server->instance);
	if ((bottom->module->abilities & PTAH_IS_CARRIER) != 0)
		assert_int_equal(ptah_instance_listen(bottom, "127.0.0.1:0", on_carrier_listens, server), 0);
	else
		assert_int_equal(ptah_worker_post(stage.workers[1], listen_here, server), 0);
	wait_until(is_done, server, "a server to listen");
}

static void
end_links(struct ptah_worker *worker, void *arg)
{
	struct server *server = arg;

	if (worker == server->worker && server->listener != NULL) {
		ptah_listener_free(server->listener, false);
		server->listener = NULL;
	}
	ptah_links_end_all(worker, 0);
	pthread_mutex_lock(&server->lock);
	server->n++;
	pthread_mutex_unlock(&server->lock);
}

static bool
all_ended(void *arg)
{
	struct server *server = arg;
	bool so;

	pthread_mutex_lock(&server->lock);
	so = server->n == stage.n_workers;
	pthread_mutex_unlock(&server->lock);
	return so;
}

/* End all links of both sides, then the instances; the order of a program's end. */
static void
both_end(struct server *server, struct ptah_instance *client)
{
	pthread_mutex_lock(&server->lock);
	server->n = 0;
	pthread_mutex_unlock(&server->lock);
	for (unsigned i = 0; i < stage.n_workers; i++)
		assert_int_equal(ptah_worker_post(stage.workers[i], end_links, server), 0);
	wait_until(all_ended, server, "links to end");
	if (client != NULL)
		stage_close(&stage, client);
	stage.stopped = false;
	if (server->instance != NULL)
		stage_close(&stage, server->instance);
	pthread_mutex_destroy(&server->lock);
}

struct dial {
	struct ptah_instance *instance;
	const char *server;
	struct ptah_json *args;
	int fds[2];
	int rc; /* 1: not known yet */
	pthread_mutex_t lock;
};

static void
on_through(int rc, void *arg)
{
	struct dial *dial = arg;

	pthread_mutex_lock(&dial->lock);
	dial->rc = rc;
	pthread_mutex_unlock(&dial->lock);
}

static void
dial_here(struct ptah_worker *worker, void *arg)
{
	struct dial *dial = arg;

	if (ptah_through_links.dial(worker, dial->instance, dial->fds[1], dial->server, dial->args, on_through, dial) == NULL)
		on_through(-errno, dial);
}

static bool
is_dialed(void *arg)
{
	struct dial *dial = arg;
	bool so;

	pthread_mutex_lock(&dial->lock);
	so = dial->rc != 1;
	pthread_mutex_unlock(&dial->lock);
	return so;
}

/* A client link; *fd is its plain side.  What the dial came to. */
static int
client_dial(struct ptah_instance *instance, const char *server, const char *args, int *fd)
{
	struct dial dial = { .instance = instance, .server = server, .rc = 1 };
	char why[128];

	pthread_mutex_init(&dial.lock, NULL);
	if (args != NULL)
		dial.args = ptah_json_parse(args, strlen(args), 0, why, sizeof(why));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, dial.fds), 0);
	assert_int_equal(ptah_worker_post(stage.workers[2], dial_here, &dial), 0);
	wait_until(is_dialed, &dial, "a dial");
	ptah_json_free(dial.args);
	pthread_mutex_destroy(&dial.lock);
	*fd = dial.fds[0];
	return dial.rc;
}

static bool
has_plain(void *arg)
{
	struct server *server = arg;
	bool so;

	pthread_mutex_lock(&server->lock);
	so = server->fd != -1;
	pthread_mutex_unlock(&server->lock);
	return so;
}

static int
server_plain(struct server *server)
{
	int fd;

	wait_until(has_plain, server, "a plain end of the server");
	pthread_mutex_lock(&server->lock);
	fd = server->fd;
	server->fd = -1;
	pthread_mutex_unlock(&server->lock);
	return fd;
}

/* ---- bytes ------------------------------------------------------------------------------ */

static uint8_t
byte_at(size_t at, unsigned salt)
{
	return (uint8_t)((at * 2654435761u >> 7) + at + salt);
}

struct flow {
	int fd;
	size_t sent, got;
	bool ended;
	unsigned out_salt, in_salt;
};

static void
send_some(struct flow *flow, size_t amount)
{
	uint8_t bytes[16 * 1024];
	size_t n = amount - flow->sent < sizeof(bytes) ? amount - flow->sent : sizeof(bytes);
	ssize_t sent;

	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(flow->sent + i, flow->out_salt);
	sent = send(flow->fd, bytes, n, MSG_NOSIGNAL);
	assert_true(sent > 0 || errno == EAGAIN);
	flow->sent += sent > 0 ? (size_t)sent : 0;
	if (flow->sent == amount)
		assert_int_equal(shutdown(flow->fd, SHUT_WR), 0);
}

static void
read_some(struct flow *flow)
{
	uint8_t bytes[16 * 1024];
	ssize_t n = read(flow->fd, bytes, sizeof(bytes));

	assert_true(n >= 0 || errno == EAGAIN);
	flow->ended = n == 0;
	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(flow->got + (size_t)i, flow->in_salt))
			fail_msg("byte %zu differs", flow->got + (size_t)i);
	flow->got += n > 0 ? (size_t)n : 0;
}

/* 'amount' bytes and an EOF each way, at once; then close both. */
static void
exchange(int one, int two, size_t amount)
{
	struct flow flows[2] = {
		{ .fd = one, .out_salt = 1, .in_salt = 2 },
		{ .fd = two, .out_salt = 2, .in_salt = 1 },
	};

	while (!flows[0].ended || !flows[1].ended) {
		struct pollfd polls[2];

		for (int i = 0; i < 2; i++) {
			polls[i].fd = flows[i].fd;
			polls[i].events = (short)((flows[i].ended ? 0 : POLLIN) | (flows[i].sent < amount ? POLLOUT : 0));
			if (polls[i].events == 0)
				polls[i].fd = -1;
		}
		if (poll(polls, 2, STAGE_LIMIT_S * 1000) <= 0)
			fail_msg("stands still: %zu and %zu of %zu sent, %zu and %zu come", flows[0].sent, flows[1].sent,
			    amount, flows[0].got, flows[1].got);
		for (int i = 0; i < 2; i++) {
			if ((polls[i].revents & POLLOUT) != 0)
				send_some(&flows[i], amount);
			if ((polls[i].revents & (POLLIN | POLLHUP)) != 0 && !flows[i].ended)
				read_some(&flows[i]);
		}
	}
	assert_int_equal(flows[0].got, amount);
	assert_int_equal(flows[1].got, amount);
	close(one);
	close(two);
}

/* Read up to 'most' bytes, until EOF if that comes before. */
static size_t
read_all(int fd, uint8_t *at, size_t most)
{
	size_t got = 0;

	while (got < most) {
		struct pollfd one = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&one, 1, STAGE_LIMIT_S * 1000), 1);
		n = read(fd, at + got, most - got);
		if (n == 0 || (n == -1 && errno == ECONNRESET))
			break;
		assert_true(n > 0);
		got += (size_t)n;
	}
	return got;
}

/* ---- tests -------------------------------------------------------------------------------- */

static void
carries_every_byte(const char *name, const char *client_options, const char *server_options)
{
	struct server server;
	struct ptah_instance *client;
	int here, there;

	server_begin(&server, name, server_options);
	client = open_ready(name, PTAH_CLIENT, client_options);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(client_dial(client, server.address, NULL, &here), 0);
		there = server_plain(&server);
		exchange(here, there, i == 0 ? 1 : AMOUNT);
	}
	both_end(&server, client);
}

static void
carries_bytes_through_stacks(void **state)
{
	(void)state;
	carries_every_byte("dummy", "{}", "{}");
	carries_every_byte("dummy", "{\"steps\":true}", "{\"steps\":true}");
	carries_every_byte("veil", "{\"key\":1}", "{\"key\":1}");
	carries_every_byte("veil+veil", "{\"key\":1,\"over\":{\"key\":2}}", "{\"key\":1,\"over\":{\"key\":2}}");
	carries_every_byte("dummy+veil+dummy", "{\"steps\":true,\"over\":{\"key\":2}}", "{\"over\":{\"key\":2}}");
}

static void
carries_bytes_through_carriers(void **state)
{
	(void)state;
	carries_every_byte("tunnel", "{}", "{}");
	carries_every_byte("tunnel", "{\"pump\":true}", "{}");
	carries_every_byte("veil+tunnel", "{\"key\":1}", "{\"key\":1}");
}

/* A port that nobody is given until what this gives is closed: bound without listening, so that who names it can have it. */
static int
keep_address(char out[static PTAH_ADDR_TEXT])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(out, PTAH_ADDR_TEXT, "127.0.0.1:%u", ntohs(at.sin_port));
	return fd;
}

static void
carries_bytes_through_children(void **state)
{
	struct server server;
	struct ptah_instance *client;
	char options[300], address[PTAH_ADDR_TEXT];
	int here, there;

	(void)state;
	int kept = keep_address(address);
	snprintf(options, sizeof(options), "{\"via\":\"veil\",\"via-options\":{\"key\":3},\"at\":\"%s\"}", address);
	server_begin(&server, "tunnel", options);
	for (int pump = 0; pump < 2; pump++) {
		snprintf(options, sizeof(options), "{\"via\":\"veil\",\"via-options\":{\"key\":3},\"pump\":%d}", pump);
		client = open_ready("tunnel", PTAH_CLIENT, options);
		assert_int_equal(client_dial(client, address, NULL, &here), 0);
		there = server_plain(&server);
		exchange(here, there, AMOUNT);
		if (pump == 0) {
			assert_int_equal(client_dial(client, "127.0.0.1:1", NULL, &here), -ECONNREFUSED);
			close(here);
			stage_close(&stage, client);
		}
	}
	both_end(&server, client);
	close(kept);
}

static void
is_not_ready_without_its_children(void **state)
{
	static const struct {
		const char *options, *says;
	} cases[] = {
		{ "{\"via\":\"ghost\"}", "its transport \"ghost\": no such transport" },
		{ "{\"via\":\"veil\",\"via-options\":{\"key\":0}}", "its transport \"veil\": option \"key\"" },
		{ "{\"via\":\"dummy\",\"via-options\":{\"fail\":5}}", "its transport \"dummy\": xxxxx" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_instance *one = stage_open(&stage, "tunnel", PTAH_CLIENT, cases[i].options);

		assert_non_null(one);
		wait_until(is_ready, NULL, "an instance to fail");
		assert_true(stage.ready_rc < 0);
		if (strncmp(stage.reason, cases[i].says, strlen(cases[i].says)) != 0)
			fail_msg("%s", stage.reason);
		stage_close(&stage, one);
	}
}

static void
echoes_without_an_address(void **state)
{
	struct server none = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct ptah_instance *client = open_ready("selfaddr", PTAH_CLIENT, "{}");
	uint8_t *heard = malloc(AMOUNT);
	size_t said = 0;
	int here;

	(void)state;
	assert_non_null(heard);
	assert_int_equal(client_dial(client, NULL, NULL, &here), 0);
	assert_int_equal(send(here, "hello", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(read_all(here, heard, 5), 5);
	assert_memory_equal(heard, "hello", 5);
	/* Say much and listen late: nothing may be lost, and nothing may grow. */
	for (;;) {
		struct pollfd one = { .fd = here, .events = POLLOUT };
		ssize_t n;

		if (said >= AMOUNT || poll(&one, 1, 200) == 0)
			break;
		n = send(here, heard, AMOUNT - said, MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		said += n > 0 ? (size_t)n : 0;
	}
	assert_true(said > 0 && said < AMOUNT);
	assert_int_equal(shutdown(here, SHUT_WR), 0);
	assert_int_equal(read_all(here, heard, AMOUNT), said);
	free(heard);
	close(here);
	both_end(&none, client);
}

static void
lets_peers_in_as_the_module_says(void **state)
{
	static const struct {
		const char *knock, *peer, *dest;
	} cases[] = {
		{ "{\"knock\":\"i\"}", "127.0.0.1:", "(none)" },
		{ "{\"knock\":\"p\"}", "", "(none)" },
		{ "{\"knock\":\"d\"}", "192.0.2.7:7", "away.example:5" },
	};
	struct server server;
	struct ptah_instance *client;
	int here, there;

	(void)state;
	server_begin(&server, "gate", "{\"dest\":\"away.example:5\"}");
	client = open_ready("gate", PTAH_CLIENT, "{}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(client_dial(client, server.address, cases[i].knock, &here), 0);
		there = server_plain(&server);
		assert_int_equal(strncmp(server.peer, cases[i].peer, strlen(cases[i].peer)), 0);
		assert_true((server.peer[0] == '\0') == (cases[i].peer[0] == '\0'));
		assert_string_equal(server.dest, cases[i].dest);
		exchange(here, there, 1000);
	}
	both_end(&server, client);
}

static bool
has_failed(void *arg)
{
	struct server *server = arg;
	bool so;

	pthread_mutex_lock(&server->lock);
	so = server->n_failed > 0;
	pthread_mutex_unlock(&server->lock);
	return so;
}

static void
turns_peers_away_as_the_module_says(void **state)
{
	static const char *const knocks[] = { "{\"knock\":\"h\"}", "{\"knock\":\"n\"}", "{\"knock\":\"e\"}" };
	struct server server;
	struct ptah_instance *client;
	int here;

	(void)state;
	server_begin(&server, "gate", "{}");
	client = open_ready("gate", PTAH_CLIENT, "{}");
	for (size_t i = 0; i < sizeof(knocks) / sizeof(knocks[0]); i++) {
		server.n_failed = 0;
		assert_true(client_dial(client, server.address, knocks[i], &here) < 0);
		close(here);
		wait_until(has_failed, &server, "the server to know");
		assert_int_equal(server.n, 0);
	}
	both_end(&server, client);
}

static void
says_nothing_to_whom_it_rejects_silently(void **state)
{
	struct server server;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct ptah_addr address;
	struct pollfd one;
	char junk[4096] = { 's' };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	server_begin(&server, "gate", "{}");
	assert_int_equal(ptah_addr_parse(&address, server.address), 0);
	to.sin_port = htons(ptah_addr_port(&address));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, junk, 1, 0), 1);
	wait_until(has_failed, &server, "the server to know");
	/* It goes on reading, and neither answers nor closes. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(send(fd, junk, sizeof(junk), MSG_NOSIGNAL), sizeof(junk));
	one = (struct pollfd){ .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&one, 1, 300), 0);
	close(fd);
	both_end(&server, NULL);
}

static void
shares_a_home_among_links(void **state)
{
	struct server server;
	struct ptah_instance *client, *second;
	uint8_t number;
	char path[200];
	struct stat st;
	int here, there;

	(void)state;
	stage.state_folder = state_folder;
	server_begin(&server, "office", "{}");
	assert_string_equal(ptah_json_get(server.instance->bridge_args, "openings")->text, "1");
	client = open_ready("office", PTAH_CLIENT, "{}");
	for (int i = 1; i <= 3; i++) {
		char token[64];

		snprintf(token, sizeof(token), "{\"token\":\"000000000000000%d\"}", i);
		assert_int_equal(client_dial(client, server.address, token, &here), 0);
		there = server_plain(&server);
		assert_int_equal(read_all(here, &number, 1), 1);
		assert_int_equal(number, i);
		exchange(here, there, 1000);
	}
	/* Shown before: no. */
	assert_true(client_dial(client, server.address, "{\"token\":\"0000000000000002\"}", &here) < 0);
	close(here);

	/* The state is in use. */
	second = stage_open(&stage, "office", PTAH_SERVER, "{}");
	assert_non_null(second);
	wait_until(is_ready, NULL, "a second instance to fail");
	assert_int_equal(stage.ready_rc, -EBUSY);
	stage_close(&stage, second);
	stage.stopped = false;
	both_end(&server, client);
	snprintf(path, sizeof(path), "%s/office_openings", state_folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	stage.state_folder = NULL;
}

static void
keeps_state_from_life_to_life(void **state)
{
	char path[200], count[8];
	struct stat st;

	(void)state;
	stage.state_folder = state_folder;
	for (int i = 0; i < 3; i++) {
		struct ptah_instance *one = open_ready("office", PTAH_SERVER, "{}");
		static int first;

		if (i == 0)
			first = atoi(ptah_json_get(one->bridge_args, "openings")->text);
		snprintf(count, sizeof(count), "%d", first + i);
		assert_string_equal(ptah_json_get(one->bridge_args, "openings")->text, count);
		stage_close(&stage, one);
		snprintf(path, sizeof(path), "%s/office_lock", state_folder);
		assert_int_equal(stat(path, &st), -1);
	}
	stage.state_folder = NULL;
}

static void
runs_programs(void **state)
{
	struct ptah_instance *one;

	(void)state;
	one = open_ready("runner", PTAH_SERVER, "{\"exec\":[\"/bin/sh\",\"-c\",\"cat; printf ,%s $RUNNER; exit 3\"],\"word\":\"hello\"}");
	assert_string_equal(ptah_json_get(one->bridge_args, "said")->text, "hello,yes");
	assert_string_equal(ptah_json_get(one->bridge_args, "status")->text, "768");
	stage_close(&stage, one);

	/* It has three descriptors, and no more. */
	one = open_ready("runner", PTAH_SERVER,
	    "{\"exec\":[\"/bin/sh\",\"-c\",\"for i in 3 4 5 6 7 8 9; do { true >&$i; } 2>/dev/null && printf %s $i; done; printf .\"]}");
	assert_string_equal(ptah_json_get(one->bridge_args, "said")->text, ".");
	stage_close(&stage, one);

	/* A signal ends it, and it may have a last word. */
	one = open_ready("runner", PTAH_SERVER,
	    "{\"exec\":[\"/bin/sh\",\"-c\",\"trap 'printf ,bye; exit 5' TERM; printf hello; while :; do sleep 0.01; done\"],\"signal\":15}");
	assert_string_equal(ptah_json_get(one->bridge_args, "said")->text, "hello,bye");
	assert_string_equal(ptah_json_get(one->bridge_args, "status")->text, "1280");
	stage_close(&stage, one);

	one = stage_open(&stage, "runner", PTAH_SERVER, "{\"exec\":\"/nowhere/at/all\"}");
	assert_non_null(one);
	wait_until(is_ready, NULL, "a program that is not there");
	assert_int_equal(stage.ready_rc, -ENOENT);
	stage_close(&stage, one);
}

static bool
is_nobody(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	return kill(pid, 0) == -1 && errno == ESRCH;
}

static void
leaves_no_program_behind(void **state)
{
	char path[100], options[600];
	struct ptah_instance *one;
	pid_t pid = 0;
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/pid", state_folder);
	snprintf(options, sizeof(options),
	    "{\"exec\":[\"/bin/sh\",\"-c\",\"echo $$ > %s.new; mv %s.new %s; exec sleep 1000\"],\"leave\":true}", path, path, path);
	one = open_ready("runner", PTAH_SERVER, options);
	while (pid == 0) {
		struct pollfd none = { .fd = -1 };

		file = fopen(path, "r");
		if (file != NULL) {
			assert_int_equal(fscanf(file, "%d", &pid), 1);
			fclose(file);
		}
		poll(&none, 1, 2);
	}
	assert_false(is_nobody(&pid));
	stage_close(&stage, one);
	wait_until(is_nobody, &pid, "the program to be gone");
}

static void
refuses_a_stream_of_what_carries_messages(void **state)
{
	(void)state;
	assert_null(stage_open(&stage, "parcel", PTAH_CLIENT, "{}"));
	assert_string_equal(stage.why, "carries messages only: it goes with -mode transparent-UDP or STUN");
}

static int
set_stage(void **state)
{
	static const struct ptah_module *const none[] = { NULL };
	const char *build = getenv("PTAH_BUILD") != NULL ? getenv("PTAH_BUILD") : ".";

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (getenv("PTAH_TEST_LOG") != NULL)
		assert_int_equal(ptah_log_add(PTAH_LOG_DEBUG, ptah_log_to_stderr, NULL), 0);
	stage_set(&stage, none, 3);
	ptah_registry_free(stage.registry);
	snprintf(modules, sizeof(modules), "%s/tests/modules:%s/modules", build, build);
	stage.registry = ptah_registry_new(modules, NULL);
	assert_non_null(stage.registry);
	ptah_registry_set_hands(stage.registry, &hands);
	stage.on_arrive = on_arrive;
	snprintf(state_folder, sizeof(state_folder), "%s", "/tmp/ptah-links-XXXXXX");
	assert_non_null(mkdtemp(state_folder));
	return 0;
}

static void
free_links(struct ptah_worker *worker, void *arg)
{
	(void)arg;
	ptah_links_free(worker);
}

static int
clear_stage(void **state)
{
	char line[128];

	(void)state;
	for (unsigned i = 0; i < stage.n_workers; i++)
		assert_int_equal(ptah_worker_post(stage.workers[i], free_links, NULL), 0);
	stage_clear(&stage);
	snprintf(line, sizeof(line), "rm -rf '%s'", state_folder);
	return system(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_bytes_through_stacks),
		cmocka_unit_test(carries_bytes_through_carriers),
		cmocka_unit_test(carries_bytes_through_children),
		cmocka_unit_test(is_not_ready_without_its_children),
		cmocka_unit_test(echoes_without_an_address),
		cmocka_unit_test(lets_peers_in_as_the_module_says),
		cmocka_unit_test(turns_peers_away_as_the_module_says),
		cmocka_unit_test(says_nothing_to_whom_it_rejects_silently),
		cmocka_unit_test(shares_a_home_among_links),
		cmocka_unit_test(keeps_state_from_life_to_life),
		cmocka_unit_test(runs_programs),
		cmocka_unit_test(leaves_no_program_behind),
		cmocka_unit_test(refuses_a_stream_of_what_carries_messages),
	};

	return cmocka_run_group_tests(tests, set_stage, clear_stage);
}
