/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole session in one process, again and again, and each time one thing
 * more is refused: the first allocation, the second, and so on, until a run
 * asks for less than that; the same with descriptors and with calls on
 * sockets.
 *
 * A run makes a worker, instances and listeners, carries a link (handshakes,
 * bytes both ways with back-pressure, half-closes) while it may be refused
 * something, then another link with nothing refused, and takes all down.
 * What is expected: no crash, no wait without end, no wrong byte, no EOF in
 * place of bytes that were lost, a line in the log that says why, the second
 * link whole, no memory and no descriptor left.
 *
 *     session                  a sample of all cases ("make check")
 *     session --all            every n ("make check-memory")
 *     session CASE...          only these
 *     session --list           the cases
 *     session --at N CASE KIND one run, with the log on stderr
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ptah/module.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/flag.h"
#include "config/plan.h"
#include "faults.h"
#include "host/dispatcher.h"
#include "loop/worker.h"
#include "plain/client.h"
#include "plain/datagram.h"
#include "plain/extor.h"
#include "plain/peers.h"
#include "plain/server.h"
#include "plain/udpclient.h"
#include "plain/udpserver.h"
#include "relay/link.h"
#include "relay/through.h"
#include "transport/child.h"
#include "transport/instance.h"
#include "transport/registry.h"
#include "wire/udp.h"

extern const struct ptah_module dummy_LTX_ptah_module, tunnel_LTX_ptah_module, veil_LTX_ptah_module;

/* No run waits longer than this for anything. */
#define LIMIT_S 8
/* Nor one that never comes back to the loop. */
#define RUN_LIMIT_S 60
/* More than all buffers on the way hold. */
#define CARRIED ((size_t)900 * 1000)
#define PIECE 20000
/* Runs of one case and kind in "make check". */
#define SAMPLE 10

struct scenario {
	const char *name;
	const char *client, *server; /* transports */
	const char *client_options, *server_options;
	const char *block;           /* method 09; NULL: transparent */
	const char *proxy;           /* of the client; NULL: none */
	bool by_name, extor;
	unsigned proxy_protocol;
	bool udp, dispatcher;
};

static const struct scenario scenarios[] = {
	{ .name = "dummy", .client = "dummy", .server = "dummy", .block = "{\"a\": {\"b\": [1]}}" },
	{ .name = "codec", .client = "veil", .server = "veil", .server_options = "{\"key\": 4711}",
	    .block = "{\"key\": 4711}" },
	{ .name = "stack", .client = "dummy+veil+veil", .server = "dummy+veil+veil", 
	    .server_options = "{\"over\": {\"key\": 4711, \"over\": {\"key\": 12}}}",
	    .block = "{\"over\": {\"key\": 4711, \"over\": {\"key\": 12}}}" },
	{ .name = "name", .client = "veil", .server = "veil", .server_options = "{\"key\": 4711}",
	    .block = "{\"key\": 4711}", .by_name = true },
	{ .name = "orport", .client = "dummy", .server = "dummy", .block = "{}", .extor = true },
	{ .name = "header", .client = "dummy", .server = "dummy", .proxy_protocol = 2 },
	{ .name = "socks5", .client = "veil", .server = "veil", .server_options = "{\"key\": 4711}",
	    .block = "{\"key\": 4711}", .proxy = "socks5://ab:cd@" },
	{ .name = "http", .client = "dummy", .server = "dummy", .block = "{}", .proxy = "http://ab:cd@" },
	{ .name = "carrier", .client = "dummy+tunnel", .server = "dummy+tunnel",
	    .client_options = "{\"over\": {\"module\": \"tunnel\", \"pump\": true}}", .block = "{}" },
	{ .name = "udp", .client = "veil", .server = "veil", .client_options = "{\"key\": 4711}",
	    .server_options = "{\"key\": 4711}", .udp = true },
	{ .name = "dispatcher", .client = "dummy", .dispatcher = true },
};

static const char *const kinds[FAULTS_KINDS] = { "nothing", "memory", "descriptors", "calls" };

/* ---- what is said when it goes wrong ------------------------------------------ */

static const struct scenario *current;
static enum faults_kind current_kind;
static long current_n;
static unsigned n_lines; /* of the log, in this run */
static bool loud;

static _Noreturn void __attribute__((format(printf, 1, 2)))
wrong(const char *format, ...)
{
	va_list args;

	faults_disarm();
	fprintf(stderr, "%s, %s, %ld: ", current->name, kinds[current_kind], current_n);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n    again: --at %ld %s %s\n", current_n, current->name, kinds[current_kind]);
	exit(1);
}

static void
on_alarm(int number)
{
	(void)number;
	wrong("it never comes back");
}

static void
on_line(int level, const char *area, const char *text, size_t len, void *arg)
{
	(void)arg;
	n_lines++;
	if (loud)
		ptah_log_to_stderr(level, area, text, len, NULL);
}

/* ---- our side of a house --------------------------------------------------------- */

struct house {
	const struct scenario *s;
	struct ptah_worker *worker;
	struct ptah_registry *registry;
	struct ptah_instance *in, *out; /* the server's, the client's */
	struct ptah_client *client;
	struct ptah_server *server;
	struct ptah_udpclient *udpclient;
	struct ptah_limit *limit;
	struct ptah_udpserver *udpserver;
	struct ptah_quota quota;
	struct ptah_proxy proxy;
	struct ptah_dial_how directly, by_proxy;
	struct ptah_dest target;
	struct ptah_addr client_at, server_at, target_at, proxy_at;
	int target_fd, proxy_fd; /* the peers' */
	char cookie_path[64];
	uint8_t cookie[PTAH_EXTOR_COOKIE];
	int n_ready, ready_rc, n_stopped;
	bool listening;
	int listen_rc;
};

static void
turn(struct house *h)
{
	if (event_base_loop(h->worker->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) == -1)
		wrong("the loop failed");
}

static void
on_ready(struct ptah_instance *instance, int rc, const char *reason, void *arg)
{
	struct house *h = arg;

	(void)instance;
	(void)reason;
	h->n_ready++;
	if (rc < 0)
		h->ready_rc = rc;
}

static void
on_stopped(void *arg)
{
	((struct house *)arg)->n_stopped++;
}

static void
on_listening(int rc, const char *bound, void *arg)
{
	struct house *h = arg;

	h->listening = true;
	h->listen_rc = rc < 0 ? rc : ptah_addr_parse(&h->server_at, bound);
}

static void
on_arrive(struct ptah_instance *instance, struct ptah_worker *worker, const struct ptah_arrival *arrival)
{
	struct house *h = instance->arg;

	(void)worker;
	if (h->server != NULL) {
		(void)ptah_server_arrive(h->server, arrival);
	} else {
		close(arrival->fd);
		ptah_instance_tell_plain(arrival->from, arrival->cookie, -EAGAIN);
	}
}

static int
open_instance(struct house *h, const char *name, uint32_t role, const char *options, struct ptah_instance **out)
{
	char why[256], bind[] = "127.0.0.1:0";
	struct ptah_json *json = NULL;
	struct ptah_instance_wish wish = {
		.name = name,
		.role = role,
		.bind = role == PTAH_SERVER ? bind : NULL,
		.has_proxy = role == PTAH_CLIENT && h->s->proxy != NULL,
		.workers = &h->worker,
		.n_workers = 1,
		.dial_how = role == PTAH_CLIENT ? &h->by_proxy : &h->directly,
		.on_arrive = on_arrive,
	};
	int before = h->n_ready;
	uint64_t until = ptah_clock_now_ns() + LIMIT_S * PTAH_NS_PER_S;

	if (options != NULL) {
		json = ptah_json_parse(options, strlen(options), 0, why, sizeof(why));
		if (json == NULL)
			return -errno;
		wish.options = json;
	}
	*out = ptah_instance_open(h->registry, &wish, on_ready, h, why, sizeof(why));
	ptah_json_free(json);
	if (*out == NULL)
		return -errno;
	(*out)->arg = h;
	while (h->n_ready == before) {
		turn(h);
		if (ptah_clock_now_ns() > until)
			wrong("an instance is not ready and does not say that it will not be");
	}
	return h->ready_rc;
}

static int
open_listener(struct ptah_addr *at, bool udp)
{
	struct ptah_addr any;
	int fd = -1;
	int rc = ptah_addr_parse(&any, "127.0.0.1:0");

	if (rc == 0 && udp)
		rc = ptah_udp_listen(&any, &fd, 1, at);
	else if (rc == 0)
		rc = ptah_listen_open(&any, &fd, 1, at);
	return rc < 0 ? rc : fd;
}

static int
open_server(struct house *h)
{
	const struct ptah_server_how how = {
		.instance = h->in,
		.dial = &h->directly,
		.quota = &h->quota,
		.target = h->s->extor ? NULL : &h->target,
		.has_extorport = h->s->extor,
		.extorport = h->target_at,
		.cookie_path = h->cookie_path,
		.proxy_protocol = h->s->proxy_protocol,
		.dial_ms = 2000,
	};
	const struct ptah_udpserver_how udp = {
		.instance = h->in,
		.quota = &h->quota,
		.target = &h->target,
		.framing = PTAH_FRAMING_BE,
		.idle_ms = 2000,
	};
	bool carrier = (ptah_instance_bottom(h->in)->module->abilities & PTAH_IS_CARRIER) != 0;
	int fd = carrier ? -1 : open_listener(&h->server_at, false);

	if (!carrier && fd < 0)
		return fd;
	if (h->s->udp)
		h->udpserver = ptah_udpserver_new(h->worker, &udp, fd);
	else
		h->server = ptah_server_new(h->worker, &how, fd);
	if (h->server == NULL && h->udpserver == NULL)
		return -errno;
	if (!carrier)
		return 0;
	int rc = ptah_instance_listen(ptah_instance_bottom(h->in), "127.0.0.1:0", on_listening, h);
	if (rc < 0)
		return rc;
	for (uint64_t until = ptah_clock_now_ns() + LIMIT_S * PTAH_NS_PER_S; !h->listening; turn(h))
		if (ptah_clock_now_ns() > until)
			wrong("a carrier does not say whether it listens");
	return h->listen_rc;
}

static int
open_client(struct house *h)
{
	const struct ptah_client_how how = {
		.instance = h->out,
		.dial = &h->by_proxy,
		.quota = &h->quota,
		.socks = h->s->block != NULL,
		.dialect = PTAH_D3,
		.dial_ms = 2000,
	};
	h->limit = h->s->udp ? ptah_limit_new(4) : NULL;
	if (h->s->udp && h->limit == NULL)
		return -errno;
	const struct ptah_udpclient_how udp = {
		.instance = h->out,
		.dial = &h->directly,
		.quota = &h->quota,
		.framing = PTAH_FRAMING_BE,
		.limit = h->limit,
		.queue_most = 4,
		.idle_ms = 2000,
		.dial_ms = 2000,
	};
	int fd = open_listener(&h->client_at, h->s->udp);

	if (fd < 0)
		return fd;
	if (h->s->udp)
		h->udpclient = ptah_udpclient_new(h->worker, &udp, fd);
	else
		h->client = ptah_client_new(h->worker, &how, fd);
	return h->client == NULL && h->udpclient == NULL ? -errno : 0;
}

/* The options of a client that is not asked over SOCKS name the server. */
static int
open_client_instance(struct house *h)
{
	const char *given = h->s->client_options != NULL ? h->s->client_options : "{}";
	char options[256], at[PTAH_ADDR_TEXT];
	size_t len = strlen(given);

	if (h->s->block != NULL)
		return open_instance(h, h->s->client, PTAH_CLIENT, h->s->client_options, &h->out);
	snprintf(options, sizeof(options), "%.*s%s\"serverAddress\": \"%s\"}", (int)len - 1, given, len > 2 ? ", " : "",
	    ptah_addr_format(&h->server_at, at));
	return open_instance(h, h->s->client, PTAH_CLIENT, options, &h->out);
}

static int
house_open(struct house *h)
{
	char why[256], uri[128], at[PTAH_ADDR_TEXT];
	int rc = 0;

	h->worker = ptah_worker_new(0);
	h->registry = h->worker != NULL ? ptah_registry_new(NULL, NULL) : NULL;
	if (h->registry == NULL)
		return -errno;
	if (h->s->proxy != NULL) {
		snprintf(uri, sizeof(uri), "%s%s", h->s->proxy, ptah_addr_format(&h->proxy_at, at));
		rc = ptah_proxy_parse(&h->proxy, uri, why, sizeof(why));
		h->by_proxy.proxy = &h->proxy;
	}
	if (rc == 0)
		rc = ptah_registry_link(h->registry, &dummy_LTX_ptah_module, why, sizeof(why));
	if (rc == 0)
		rc = ptah_registry_link(h->registry, &veil_LTX_ptah_module, why, sizeof(why));
	if (rc == 0)
		rc = ptah_registry_link(h->registry, &tunnel_LTX_ptah_module, why, sizeof(why));
	if (rc == 0)
		rc = open_instance(h, h->s->server, PTAH_SERVER, h->s->server_options, &h->in);
	if (rc == 0)
		rc = open_server(h);
	if (rc == 0)
		rc = open_client_instance(h);
	if (rc == 0)
		rc = open_client(h);
	return rc;
}

static void
stop_instance(struct house *h, struct ptah_instance *instance)
{
	uint64_t now = ptah_clock_now_ns(), until = now + LIMIT_S * PTAH_NS_PER_S;
	int before = h->n_stopped;

	if (instance == NULL)
		return;
	ptah_instance_stop(instance, now + PTAH_NS_PER_S, on_stopped, h);
	while (h->n_stopped == before) {
		turn(h);
		if (ptah_clock_now_ns() > until)
			wrong("an instance does not stop");
	}
	ptah_instance_unref(instance);
}

/* In the order of the dispatcher. */
static void
house_close(struct house *h)
{
	if (h->worker != NULL) {
		if (h->client != NULL)
			ptah_client_shut(h->client, false);
		if (h->server != NULL)
			ptah_server_shut(h->server, false);
		ptah_links_end_all(h->worker, 0);
		ptah_client_free(h->client);
		ptah_server_free(h->server);
		ptah_udpclient_free(h->udpclient);
		ptah_limit_unref(h->limit);
		ptah_udpserver_free(h->udpserver);
		ptah_links_free(h->worker);
		stop_instance(h, h->in);
		stop_instance(h, h->out);
	}
	ptah_registry_free(h->registry);
	ptah_worker_free(h->worker);
	ptah_proxy_clear(&h->proxy);
}

/* ---- the peers ------------------------------------------------------------------------ */

static uint8_t
pattern(size_t at)
{
	return (uint8_t)((uint64_t)at * 2654435761u >> 13);
}

/* One direction of a link, from our 'from' to our 'to'. */
struct flow {
	int from, to;
	size_t sent, got;
	unsigned refused; /* turns in which no byte could be sent */
	bool shut, ended, broken;
};

static void
flow_turn(struct flow *flow)
{
	static uint8_t bytes[PIECE];
	size_t n = CARRIED - flow->sent < PIECE ? CARRIED - flow->sent : PIECE;

	for (size_t i = 0; i < n; i++)
		bytes[i] = pattern(flow->sent + i);
	ssize_t did = n > 0 ? send(flow->from, bytes, n, MSG_NOSIGNAL) : 0;
	if (did > 0) {
		flow->sent += (size_t)did;
		flow->refused = 0;
	} else if (n > 0) {
		if (errno != EAGAIN)
			flow->broken = true;
		flow->refused++;
	}
	if (flow->sent == CARRIED && !flow->shut) {
		shutdown(flow->from, SHUT_WR);
		flow->shut = true;
		flow->refused = 100;
	}
	/* Read only when nothing goes any more: back-pressure must have come all the way. */
	if (flow->refused < 30 && flow->got == 0 && !flow->broken)
		return;
	did = recv(flow->to, bytes, sizeof(bytes), 0);
	if (did == 0)
		flow->ended = true;
	else if (did < 0 && errno != EAGAIN)
		flow->broken = true;
	for (ssize_t i = 0; i < did; i++)
		if (bytes[i] != pattern(flow->got + (size_t)i))
			wrong("byte %zu is wrong", flow->got + (size_t)i);
	if (did > 0)
		flow->got += (size_t)did;
}

/* It began, and now says that there is no more. */
static bool
is_cut(const struct flow *flow)
{
	return flow->ended && flow->got > 0 && flow->got < CARRIED;
}

/* A proxy, or an Extended ORPort: words of known lengths, then the tunnel. */
struct talker {
	int fd;
	unsigned step;
	uint8_t got[1024];
	size_t len;
	bool open, broken;
	uint8_t nonce[PTAH_EXTOR_NONCE];
};

/* True once there are 'n' bytes. */
static bool
hear(struct talker *t, size_t n)
{
	if (t->len < n) {
		ssize_t did = recv(t->fd, t->got + t->len, n - t->len, 0);

		if (did > 0)
			t->len += (size_t)did;
		else if (did == 0 || errno != EAGAIN)
			t->broken = true;
	}
	return t->len >= n;
}

static void
answer(struct talker *t, const void *words, size_t len)
{
	if (len > 0 && send(t->fd, words, len, MSG_NOSIGNAL) != (ssize_t)len)
		t->broken = true;
	t->step++;
	t->len = 0;
}

static void
talk_socks5(struct talker *t)
{
	static const size_t lens[] = { 4, 7, 10 };
	static const char *const words[] = { "\5\2", "\1\0", "\5\0\0\1\0\0\0\0\0\0" };
	static const size_t word_lens[] = { 2, 2, 10 };

	if (!hear(t, lens[t->step]))
		return;
	t->open = t->step == 2;
	answer(t, words[t->step], word_lens[t->step]);
}

static void
talk_http(struct talker *t)
{
	static const char words[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";

	if (!hear(t, t->len + 1) || t->len < 4 || memcmp(t->got + t->len - 4, "\r\n\r\n", 4) != 0) {
		if (t->len == sizeof(t->got))
			t->broken = true;
		return;
	}
	t->open = true;
	answer(t, words, sizeof(words) - 1);
}

static void
talk_orport(struct house *h, struct talker *t)
{
	uint8_t words[PTAH_EXTOR_HASH + PTAH_EXTOR_NONCE], hash[PTAH_EXTOR_HASH];

	switch (t->step) {
	case 0:
		answer(t, "\1\0", 2);
		break;
	case 1:
		if (!hear(t, 1 + PTAH_EXTOR_NONCE))
			break;
		memset(words + PTAH_EXTOR_HASH, 7, PTAH_EXTOR_NONCE);
		ptah_extor_hash(PTAH_EXTOR_BY_SERVER, h->cookie, t->got + 1, words + PTAH_EXTOR_HASH, words);
		memcpy(t->nonce, t->got + 1, sizeof(t->nonce));
		answer(t, words, sizeof(words));
		break;
	case 2:
		if (!hear(t, PTAH_EXTOR_HASH))
			break;
		memset(words, 7, PTAH_EXTOR_NONCE);
		ptah_extor_hash(PTAH_EXTOR_BY_CLIENT, h->cookie, t->nonce, words, hash);
		if (memcmp(hash, t->got, sizeof(hash)) != 0)
			wrong("the hash is wrong");
		answer(t, "\1", 1);
		break;
	default:
		if (!hear(t, 4) || !hear(t, 4 + ((size_t)t->got[2] << 8 | t->got[3])))
			break;
		t->open = t->got[0] == 0 && t->got[1] == 0;
		answer(t, "\x10\0\0\0", t->open ? 4 : 0);
		break;
	}
}

static int
peer_connect(const struct ptah_addr *to, int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd == -1 || connect(fd, &to->sa, ptah_addr_len(to)) == -1)
		wrong("a peer cannot connect: %s", strerror(errno));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* A UDP socket that is told of each datagram by itself, as a target's is. */
static int
peer_bind(struct ptah_addr *at)
{
	socklen_t len = sizeof(at->v4);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)ptah_addr_parse(at, "127.0.0.1:0");
	if (fd == -1 || bind(fd, &at->sa, len) == -1 || getsockname(fd, &at->sa, &len) == -1)
		wrong("a peer cannot bind: %s", strerror(errno));
	return fd;
}

static int
peer_accept(int listen_fd)
{
	return accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void
peer_close(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* Carry what has come from one side of our proxy to the other; false: it broke. */
static bool
peer_pump(int from, int to)
{
	uint8_t bytes[4096];

	for (;;) {
		ssize_t n = recv(from, bytes, sizeof(bytes), MSG_PEEK);

		if (n == 0)
			shutdown(to, SHUT_WR);
		if (n <= 0)
			return n == 0 || errno == EAGAIN;
		n = send(to, bytes, (size_t)n, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		(void)recv(from, bytes, (size_t)n, 0);
	}
}

/* ---- a link ------------------------------------------------------------------------------- */

struct session {
	int app, far;
	struct talker proxy, orport;
	int behind; /* the proxy's connection to our server */
	size_t answered, header;
	uint8_t reply[12];
	bool over;  /* the application sees that it is */
	struct flow there, back;
};

static void
send_hello(struct house *h, struct session *s)
{
	uint8_t words[512] = { 5, 1, 9, 0, 0 };
	size_t block = h->s->block != NULL ? strlen(h->s->block) : 0, len = 0;
	uint16_t port = ptah_addr_port(&h->server_at);

	if (h->s->block == NULL)
		return;
	len = 5;
	words[len++] = (uint8_t)(block >> 8);
	words[len++] = (uint8_t)block;
	memcpy(words + len, h->s->block, block);
	len += block;
	if (h->s->by_name) {
		memcpy(words + len, "\5\1\0\3\11localhost", 14);
		len += 14;
	} else {
		memcpy(words + len, "\5\1\0\1\x7f\0\0\1", 8);
		len += 8;
	}
	words[len++] = (uint8_t)(port >> 8);
	words[len++] = (uint8_t)port;
	if (send(s->app, words, len, MSG_NOSIGNAL) != (ssize_t)len)
		s->over = true;
}

static void
hear_reply(struct house *h, struct session *s)
{
	ssize_t n;

	if (h->s->block == NULL)
		s->answered = sizeof(s->reply);
	if (s->answered == sizeof(s->reply))
		return;
	n = recv(s->app, s->reply + s->answered, sizeof(s->reply) - s->answered, 0);
	if (n > 0)
		s->answered += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN) || (s->answered >= 4 && s->reply[3] != 0))
		s->over = true;
}

static void
play_proxy(struct house *h, struct session *s)
{
	if (h->s->proxy == NULL)
		return;
	if (s->proxy.fd == -1) {
		s->proxy.fd = peer_accept(h->proxy_fd);
		return;
	}
	if (!s->proxy.open) {
		(h->s->proxy[0] == 's' ? talk_socks5 : talk_http)(&s->proxy);
		if (s->proxy.open)
			s->behind = peer_connect(&h->server_at, SOCK_STREAM);
		if (s->proxy.broken)
			s->over = true;
		return;
	}
	if (!peer_pump(s->proxy.fd, s->behind) || !peer_pump(s->behind, s->proxy.fd))
		s->over = true;
}

static void
play_target(struct house *h, struct session *s)
{
	uint8_t header[PIECE];

	if (s->far == -1) {
		s->far = peer_accept(h->target_fd);
		s->orport.fd = s->far;
		s->header = h->s->proxy_protocol != 0;
		return;
	}
	if (h->s->extor && !s->orport.open) {
		talk_orport(h, &s->orport);
		if (s->orport.broken)
			s->over = true;
	}
	if (s->header > 0) {
		/* 12 bytes that are always the same, 2 more, and the length of the rest. */
		ssize_t n = recv(s->far, header, sizeof(header), MSG_PEEK);
		size_t len = n >= 16 ? 16 + ((size_t)header[14] << 8 | header[15]) : 16;

		if (n >= (ssize_t)len && recv(s->far, header, len, 0) == (ssize_t)len)
			s->header = 0;
		else if (n == 0)
			s->over = true;
	}
}

static void
forget_all(struct session *s)
{
	peer_close(&s->app);
	peer_close(&s->far);
	peer_close(&s->proxy.fd);
	peer_close(&s->behind);
}

/* A link from its first byte to its last; true if it was whole. */
static bool
carry(struct house *h)
{
	struct session s = { .app = -1, .far = -1, .behind = -1, .proxy.fd = -1 };
	uint64_t until = ptah_clock_now_ns() + LIMIT_S * PTAH_NS_PER_S;
	bool whole = false;

	faults_off = true;
	s.app = peer_connect(&h->client_at, SOCK_STREAM);
	send_hello(h, &s);
	while (!s.over && !whole) {
		faults_off = false;
		turn(h);
		faults_off = true;
		if (ptah_clock_now_ns() > until)
			wrong("a link hangs (%zu bytes of the answer, %zu and %zu of what it carries)", s.answered, s.there.got,
			    s.back.got);
		hear_reply(h, &s);
		play_proxy(h, &s);
		play_target(h, &s);
		if (s.over || s.answered < sizeof(s.reply) || s.far == -1 || (h->s->extor && !s.orport.open) || s.header > 0) {
			/* The far side may never be asked: then the near one closes. */
			struct pollfd fd = { .fd = s.app, .events = POLLRDHUP };

			if (s.answered == sizeof(s.reply) && poll(&fd, 1, 0) == 1)
				s.over = true;
			continue;
		}
		s.there.from = s.back.to = s.app;
		s.there.to = s.back.from = s.far;
		flow_turn(&s.there);
		if (s.there.ended || s.there.broken)
			flow_turn(&s.back);
		/* A carrier's streams are its own, and to end one it has one word only: the far side cannot know that the near one was reset. */
		bool may_hide = current_kind == FAULTS_CALLS && strstr(h->s->client, "tunnel") != NULL;

		if (!s.there.broken && !s.back.broken && ((is_cut(&s.there) && !may_hide) || is_cut(&s.back)))
			wrong("an EOF after %zu and %zu of %zu bytes: it hides that some are lost", s.there.got, s.back.got, CARRIED);
		s.over = s.there.broken || s.back.broken;
		whole = s.there.ended && s.back.ended;
	}
	forget_all(&s);
	/* Until all is still, for what waits in a listener's queue is not counted. */
	for (unsigned still = 0; still < 20; still++) {
		if (ptah_links_count(h->worker) > 0 || (h->client != NULL && ptah_client_waiting(h->client) > 0))
			still = 0;
		faults_off = false;
		turn(h);
		faults_off = true;
		/* What the peers had not yet taken. */
		s.far = peer_accept(h->target_fd);
		s.behind = h->s->proxy != NULL ? peer_accept(h->proxy_fd) : -1;
		forget_all(&s);
		if (ptah_clock_now_ns() > until)
			wrong("a link lives on after both its ends have gone");
	}
	faults_off = false;
	return whole;
}

static uint64_t
time_for_one(bool must)
{
	return must || !faults_refused() ? LIMIT_S * PTAH_NS_PER_S : PTAH_NS_PER_S / 5;
}

/* Datagrams there and back, until one has come; false if that takes too long: what was refused something has hardly any time. */
static bool
carry_datagrams(struct house *h, bool must)
{
	uint64_t begun = ptah_clock_now_ns(), now = begun, next = 0;
	uint8_t bytes[1400], got[2000];
	struct sockaddr_in from;
	socklen_t len;
	bool came = false;
	ssize_t n;

	faults_off = true;
	/* A target is no part of ptah, and has each datagram by itself. */
	(void)setsockopt(h->target_fd, IPPROTO_UDP, UDP_GRO, &(int){ 0 }, sizeof(int));
	int app = peer_connect(&h->client_at, SOCK_DGRAM);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = pattern(i);
	for (unsigned round = 0; !came && (now = ptah_clock_now_ns()) < begun + time_for_one(must);) {
		/* Again, and more of them each time: what is lost is lost. */
		if (now >= next) {
			for (unsigned i = 0; i <= round % 4; i++)
				(void)send(app, bytes, sizeof(bytes) - i, MSG_NOSIGNAL);
			next = now + 20 * PTAH_NS_PER_MS;
			round++;
		}
		faults_off = false;
		turn(h);
		faults_off = true;
		len = sizeof(from);
		n = recvfrom(h->target_fd, got, sizeof(got), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
		if (n > (ssize_t)sizeof(bytes) || (n > 0 && memcmp(got, bytes, (size_t)n) != 0))
			wrong("a datagram is not what it was");
		if (n > 0)
			(void)sendto(h->target_fd, got, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&from, len);
		n = recv(app, got, sizeof(got), 0);
		if (n > (ssize_t)sizeof(bytes) || (n > 0 && memcmp(got, bytes, (size_t)n) != 0))
			wrong("a datagram that came back is not what it was");
		came = n > 0;
	}
	peer_close(&app);
	faults_off = false;
	if (must && !came)
		wrong("no datagram comes through");
	/* Its source falls silent, and the link ends of itself; that takes its time once only. */
	return came;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void
write_cookie(struct house *h)
{
	int fd;

	snprintf(h->cookie_path, sizeof(h->cookie_path), "/tmp/ptah-cookie-XXXXXX");
	fd = mkstemp(h->cookie_path);
	memset(h->cookie, 0x42, sizeof(h->cookie));
	if (fd == -1 || write(fd, "! Extended ORPort Auth Cookie !\n", 32) != 32 ||
	    write(fd, h->cookie, sizeof(h->cookie)) != sizeof(h->cookie))
		wrong("cannot write a cookie: %s", strerror(errno));
	close(fd);
}

/* With 'n' of what is refused; true if that many were asked for. */
static bool
run_house(const struct scenario *s, enum faults_kind kind, long n)
{
	struct house h = { .s = s, .target_fd = -1, .proxy_fd = -1, .quota.most = 8 };
	char text[PTAH_ADDR_TEXT];
	bool refused, whole = false;

	faults_off = true;
	h.target_fd = s->udp ? peer_bind(&h.target_at) : open_listener(&h.target_at, false);
	if (s->proxy != NULL)
		h.proxy_fd = open_listener(&h.proxy_at, false);
	if (s->extor)
		write_cookie(&h);
	(void)ptah_dest_parse(&h.target, ptah_addr_format(&h.target_at, text), false);
	faults_off = false;

	faults_arm(kind, n, false);
	int rc = house_open(&h);
	if (rc == 0)
		whole = s->udp ? carry_datagrams(&h, false) : carry(&h);
	unsigned lines = n_lines;
	refused = faults_disarm();
	if (rc < 0 && !refused)
		wrong("cannot be set up: %s", strerror(-rc));
	if (rc == 0 && !whole && !refused)
		wrong("nothing was refused, and yet it did not work");
	/* That a peer resets its connection is no news. */
	if (rc == 0 && !whole && !s->udp && lines == 0 && kind != FAULTS_CALLS)
		wrong("a link ended without a word in the log");
	if (rc == 0 && !(s->udp ? carry_datagrams(&h, true) : carry(&h)))
		wrong("after that no other link works");
	house_close(&h);

	faults_off = true;
	close(h.target_fd);
	if (h.proxy_fd != -1)
		close(h.proxy_fd);
	if (s->extor)
		unlink(h.cookie_path);
	faults_off = false;
	return refused;
}

/* ---- the dispatcher, with threads ---------------------------------------------------------------- */

struct master {
	struct ptah_plan plan;
	struct ptah_worker *loop;
	struct ptah_crew *crew;
	struct ptah_dispatcher *dispatcher;
	struct ptah_addr bound;
	bool ready, has_method;
};

static int
on_method(const char *name, const struct ptah_addr *bound, const char *address, const struct ptah_kv *args, void *arg)
{
	struct master *m = arg;

	(void)name;
	(void)address;
	(void)args;
	m->bound = *bound;
	m->has_method = true;
	return 0;
}

static void
on_method_error(const char *name, const char *text, void *arg)
{
	(void)name;
	(void)arg;
	if (text[0] == '\0')
		wrong("a method error without a reason");
}

static void
on_all_ready(void *arg)
{
	((struct master *)arg)->ready = true;
}

static int
on_version(const char *token, void *arg)
{
	(void)token;
	(void)arg;
	return 0;
}

/*
 * Connect to one of the workers.  One that cannot go on closes its listener,
 * and what the kernel has queued there is reset: the next is another's.
 */
static int
connect_to_worker(const struct ptah_addr *to)
{
	for (int i = 0; i < 3; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd != -1 && connect(fd, &to->sa, ptah_addr_len(to)) == 0)
			return fd;
		if (fd == -1 || errno != ECONNRESET)
			break;
		close(fd);
	}
	wrong("an application cannot connect: %s", strerror(errno));
	return -1;
}

static bool
run_dispatcher(const struct scenario *s, enum faults_kind kind, long n)
{
	static const struct ptah_dispatcher_says says = {
		.on_method = on_method, .on_method_error = on_method_error, .on_ready = on_all_ready,
	};
	const char *build = getenv("PTAH_BUILD");
	char path[640], *envp[] = { path, NULL };
	char *argv[] = { (char *)(uintptr_t)"ptah", (char *)(uintptr_t)"-ptversion", (char *)(uintptr_t)"3.0",
		(char *)(uintptr_t)"-client", (char *)(uintptr_t)"-transport", (char *)(uintptr_t)s->client,
		(char *)(uintptr_t)"-workers", (char *)(uintptr_t)"2", (char *)(uintptr_t)"-state", (char *)(uintptr_t)"/nonexistent",
		NULL };
	struct ptah_verdict verdict;
	struct master m = { .ready = false };
	bool refused;

	snprintf(path, sizeof(path), "PTAH_MODULE_PATH=%s/tests/modules", build != NULL ? build : ".");
	faults_arm(kind, n, false);
	int rc = ptah_plan_read(&m.plan, &verdict, 10, argv, envp, on_version, &m);
	if (rc == 0) {
		m.loop = ptah_worker_new(0);
		rc = m.loop == NULL ? -errno : 0;
	} else if (verdict.text[0] == '\0') {
		wrong("no plan, and no reason");
	}
	if (rc == 0) {
		const struct ptah_crew_how how = {
			.n_workers = m.plan.workers, .peer_timeout_s = m.plan.peer_timeout_s,
			.module_path = m.plan.module_path, .descriptors = 1000,
		};

		m.crew = ptah_crew_start(&how, m.loop);
		rc = m.crew == NULL ? -errno : 0;
	}
	if (rc == 0) {
		m.dispatcher = ptah_dispatcher_start(m.crew, &m.plan, &says, &m);
		rc = m.dispatcher == NULL ? -errno : 0;
	}
	if (m.dispatcher != NULL) {
		for (uint64_t until = ptah_clock_now_ns() + LIMIT_S * PTAH_NS_PER_S; !m.ready;) {
			if (event_base_loop(m.loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) == -1)
				wrong("the loop of the main thread failed");
			if (ptah_clock_now_ns() > until)
				wrong("the dispatcher does not get ready");
		}
		if (m.has_method) {
			uint8_t reply[2];

			faults_off = true;
			int fd = connect_to_worker(&m.bound);
			(void)send(fd, "\5\1\0", 3, MSG_NOSIGNAL);
			struct pollfd waits = { .fd = fd, .events = POLLIN };
			if (poll(&waits, 1, LIMIT_S * 1000) != 1)
				wrong("an application is neither answered nor turned away");
			ssize_t got = recv(fd, reply, 2, 0);
			if (got == 2 && memcmp(reply, "\5\0", 2) != 0)
				wrong("an application got a wrong answer");
			close(fd);
			faults_off = false;
		}
	}
	uint64_t until = ptah_clock_now_ns() + LIMIT_S * PTAH_NS_PER_S;
	if (ptah_dispatcher_stop(m.dispatcher, until) != 0)
		wrong("the dispatcher does not stop");
	if (ptah_crew_stop(m.crew, until) != 0)
		wrong("the crew does not stop");
	refused = faults_disarm();
	if (rc < 0 && !refused)
		wrong("does not start: %s", strerror(-rc));
	if (!refused && !m.has_method)
		wrong("nothing was refused, and yet there is no method");
	ptah_worker_free(m.loop);
	ptah_plan_clear(&m.plan);
	return refused;
}

static bool
run(const struct scenario *s, enum faults_kind kind, long n)
{
	int descriptors = faults_descriptors();
	size_t live;

	current = s;
	current_kind = kind;
	current_n = n;
	n_lines = 0;
	alarm(RUN_LIMIT_S);
	bool refused = (s->dispatcher ? run_dispatcher : run_house)(s, kind, n);
	live = faults_live();
	if (live != 0) {
		faults_show();
		wrong("%zu pieces of memory are left", live);
	}
	if (faults_descriptors() != descriptors)
		wrong("%d descriptors are left", faults_descriptors() - descriptors);
	return refused;
}

/* How many there are in a good run, as a power of two that is too many, halved down. */
static long
how_many(const struct scenario *s, enum faults_kind kind)
{
	long low = 0, high = 1;

	while (run(s, kind, high))
		low = high, high *= 2;
	while (high - low > 1) {
		long middle = (low + high) / 2;

		if (run(s, kind, middle))
			low = middle;
		else
			high = middle;
	}
	return high;
}

static void
sweep(const struct scenario *s, bool all)
{
	for (int kind = FAULTS_MEMORY; kind < FAULTS_KINDS; kind++) {
		long n = 0, runs = 0, step = 1;

		if (!all) {
			step = how_many(s, (enum faults_kind)kind) / SAMPLE;
			step = step > 0 ? step : 1;
		}
		while (run(s, (enum faults_kind)kind, n)) {
			n += step;
			runs++;
		}
		printf("%-12s %-12s %4ld refused in turn, of about %ld\n", s->name, kinds[kind], runs, n);
		fflush(stdout);
		if (runs == 0)
			wrong("nothing of this kind was ever asked for");
	}
}

static int
run_one(char *argv[])
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		for (int kind = 0; kind < FAULTS_KINDS; kind++)
			if (strcmp(argv[2], scenarios[i].name) == 0 && strcmp(argv[3], kinds[kind]) == 0) {
				bool refused = run(&scenarios[i], (enum faults_kind)kind, strtol(argv[1], NULL, 10));

				puts(refused ? "was refused something, and is well" : "was refused nothing");
				return 0;
			}
	return 64;
}

int
main(int argc, char *argv[])
{
	bool all = false, any = false;

	faults_begin();
	signal(SIGALRM, on_alarm);
	(void)ptah_log_add(PTAH_LOG_DEBUG, on_line, NULL);
	if (argc == 5 && strcmp(argv[1], "--at") == 0) {
		loud = true;
		return run_one(argv + 1);
	}
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
			puts(scenarios[i].name);
		return 0;
	}
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--all") == 0)
			all = true;
		else
			any = true;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		bool chosen = !any;

		for (int j = 1; j < argc; j++)
			chosen = chosen || strcmp(argv[j], scenarios[i].name) == 0;
		if (chosen)
			sweep(&scenarios[i], all);
	}
	return 0;
}
