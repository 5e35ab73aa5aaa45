/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * load.c: both outer ends of many links at once, each checked to the byte.
 *
 * The driver plays every application and every destination.  What lies
 * between is either PT programs that are entered through SOCKS5, or, with
 * --direct, any relay of TCP.  It starts nothing and knows no transport.
 *
 *     load links --entry H:P --dest H:P --target-fd N [--links N] [--seed N]
 *     load slow  ...   sockets that begin a SOCKS greeting and wait
 *     load stall ...   links whose far end stops reading
 *
 * A stream's bytes follow from the seed, the link and the place alone, so
 * either end knows what the other must see.  An application begins with
 *
 *     +--------+--------+------------------+
 *     | "PTLK" | id, BE | mix(seed ^ id)   |   16 bytes
 *     +--------+--------+------------------+
 *
 * by which the destination finds the link.  One thread, one epoll.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER_LEN 16
#define PING_LEN 64
#define BUFFER_LEN 65536
#define N_ENTRIES_MAX 8
#define N_PIDS_MAX 16
#define N_SHOWN 12
#define OPENING_MAX 128

#define SETUP_FAILED 2

/* How a link goes; after a reset the other end may see a prefix only. */
enum kind {
	BOTH,		/* both ends send at once, each ends its own stream */
	APP_FIRST,	/* the destination answers after the application's end */
	TARGET_FIRST,	/* the application answers after the other's end */
	APP_RESET,	/* the application resets somewhere in its stream */
	TARGET_RESET,	/* the destination does */
	PING,		/* the destination echoes, the application counts */
	STALL_UP,	/* the destination does not read until told */
	STALL_DOWN,	/* the application does not */
	N_KINDS,
};

static const char *const kind_names[N_KINDS] = {
	"both", "app-first", "target-first", "app-reset", "target-reset",
	"ping", "stall-up", "stall-down",
};

/* Where an application's socket is on its way. */
enum step { CONNECTING, METHOD, LOGIN, REPLY, OPEN };

enum role { APP, TARGET, UNKNOWN, SLOW, LISTENER };

struct link;

/** One socket of ours. */
struct end {
	enum role role;
	enum step step;
	int fd;
	uint32_t mask;		/* what epoll watches */
	struct link *link;	/* NULL for SLOW, LISTENER and UNKNOWN */
	uint8_t small[HEADER_LEN]; /* of a handshake or a header */
	size_t n_small;
	uint64_t out_base, in_base;
	uint64_t out_len, sent;	/* of the stream after the header */
	uint64_t in_len, got;
	uint64_t chunk;		/* at most so many bytes at a time */
	bool may_send, may_read;
	bool fin_sent, eof, gone;
	double wake_s;		/* naps until then; 0 is awake */
	double since_s;		/* connected, or the last byte */
	double born_s;		/* connected, by the clock */
};

struct link {
	uint32_t id;
	enum kind kind;
	struct end app, target;
	uint64_t cut;		/* resets after so many bytes */
	uint64_t random;
	bool naps, open, done, failed;
	double begun_s, reset_s;
	double ping_s;		/* when the last ping left; 0 is none */
	unsigned n_pings;
};

static struct {
	struct sockaddr_storage entry[N_ENTRIES_MAX];
	socklen_t entry_len[N_ENTRIES_MAX];
	unsigned n_entries;
	/* of each entry: what SOCKS is asked for, and PT arguments */
	struct sockaddr_storage dest[N_ENTRIES_MAX];
	const char *args[N_ENTRIES_MAX];
	unsigned n_dests, n_args;
	bool direct;
	int target_fd;
	unsigned n_links, n_slow, n_good;
	uint64_t seed;
	double limit_s, drop_s, slack_s, max_ms, p99_ms, newcomer_ms;
	unsigned kib_per_link;
	bool no_half_close;
	int pid[N_PIDS_MAX];
	unsigned n_pids;
} o = {
	.target_fd = -1, .n_links = 2000, .n_slow = 10000, .n_good = 50,
	.limit_s = 90, .drop_s = 5, .slack_s = 2.5, .max_ms = 2000,
	.p99_ms = 250, .newcomer_ms = 2000, .kib_per_link = 512,
};

static int ep;
static struct link *links;
static unsigned n_links, n_open, n_done, n_opening, n_wrong;
static uint8_t scratch[BUFFER_LEN], wanted[BUFFER_LEN];
static bool all_go;

static double
clock_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A turn takes some milliseconds: in one that takes so much longer the machine stood still, for all. */
#define STILL_S 0.3

static double stood_s, last_turn_s;

static void
count_still(void)
{
	double t = clock_s();

	if (last_turn_s != 0 && t - last_turn_s > STILL_S)
		stood_s += t - last_turn_s;
	last_turn_s = t;
}

/* The seconds in which we could run: what is to happen within a time has these. */
static double
now(void)
{
	return clock_s() - stood_s;
}

static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint64_t
draw(uint64_t *state)
{
	*state += 0x632be59bd9b4e019u;
	return mix(*state);
}

/** Write the bytes from place 'at' on of the stream that 'base' names. */
static void
fill(uint8_t *out, uint64_t base, uint64_t at, size_t len)
{
	while (len > 0) {
		uint64_t word = mix(base + at / 8);
		size_t skip = at % 8;
		size_t n = 8 - skip < len ? 8 - skip : len;

		if (n == 8)
			memcpy(out, &word, 8);
		else
			memcpy(out, (uint8_t *)&word + skip, n);
		out += n;
		at += n;
		len -= n;
	}
}

static void die(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));
static void
die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "load: ");
	vfprintf(stderr, format, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(SETUP_FAILED);
}

static void wrong(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static void
wrong(const char *format, ...)
{
	va_list ap;

	if (n_wrong++ >= N_SHOWN)
		return;
	va_start(ap, format);
	printf("  wrong: ");
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
}

static void
watch(struct end *end)
{
	struct epoll_event ev = { .data.ptr = end };
	bool awake = end->wake_s == 0;

	if (end->gone)
		return;
	if (end->role == SLOW)
		ev.events = end->step == CONNECTING ? EPOLLOUT : EPOLLIN;
	else if (end->role == UNKNOWN)
		ev.events = EPOLLIN;
	else if (end->step == CONNECTING)
		ev.events = EPOLLOUT;
	else if (end->step != OPEN)
		ev.events = EPOLLIN;
	else {
		if (awake && end->may_read && !end->eof)
			ev.events |= EPOLLIN;
		if (awake && end->may_send && !end->fin_sent)
			ev.events |= EPOLLOUT;
	}
	if (ev.events == end->mask)
		return;
	if (epoll_ctl(ep, EPOLL_CTL_MOD, end->fd, &ev) == -1)
		die("epoll_ctl: %s", strerror(errno));
	end->mask = ev.events;
}

static void
begin_watching(struct end *end)
{
	struct epoll_event ev = { .data.ptr = end };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, end->fd, &ev) == -1)
		die("epoll_ctl: %s", strerror(errno));
	end->mask = 0;
	watch(end);
}

static void
shut(struct end *end, bool reset)
{
	struct linger now_ = { .l_onoff = 1, .l_linger = 0 };

	if (end->gone)
		return;
	if (reset)
		setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &now_, sizeof(now_));
	close(end->fd);
	end->fd = -1;
	end->gone = true;
}

static void
finish(struct link *link)
{
	if (link->done)
		return;
	if (link->begun_s != 0 && !link->open)
		n_opening--;
	shut(&link->app, false);
	shut(&link->target, false);
	link->done = true;
	n_done++;
}

static void fail(struct link *link, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void
fail(struct link *link, const char *format, ...)
{
	char text[256];
	va_list ap;

	if (link->failed || link->done)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	wrong("link %u (%s): %s; app sent %llu of %llu got %llu of %llu, "
	      "target sent %llu of %llu got %llu of %llu",
	    link->id, kind_names[link->kind], text,
	    (unsigned long long)link->app.sent,
	    (unsigned long long)link->app.out_len,
	    (unsigned long long)link->app.got,
	    (unsigned long long)link->app.in_len,
	    (unsigned long long)link->target.sent,
	    (unsigned long long)link->target.out_len,
	    (unsigned long long)link->target.got,
	    (unsigned long long)link->target.in_len);
	link->failed = true;
	finish(link);
}

static bool
resets(const struct link *link)
{
	return link->kind == APP_RESET || link->kind == TARGET_RESET;
}

static const char *
name_of(const struct end *end)
{
	return end->role == APP ? "app" : "target";
}

/* A size that is often small, sometimes nothing, and rarely a megabyte. */
static uint64_t
draw_size(uint64_t *random)
{
	uint64_t dice = draw(random) % 100;

	if (dice < 10)
		return draw(random) % 17;
	if (dice < 60)
		return draw(random) % 16384;
	if (dice < 90)
		return draw(random) % (128 * 1024);
	return draw(random) % (1024 * 1024);
}

/* Small pieces too, but not so small that a long stream takes for ever. */
static uint64_t
draw_chunk(struct link *link)
{
	uint64_t longest = link->app.out_len > link->app.in_len
	    ? link->app.out_len : link->app.in_len;
	uint64_t chunk = 1 + draw(&link->random) % BUFFER_LEN;

	return chunk < longest / 500 + 1 ? longest / 500 + 1 : chunk;
}

static void
plan(struct link *link, uint32_t id, enum kind kind)
{
	uint64_t r = mix(o.seed) ^ mix(id);

	memset(link, 0, sizeof(*link));
	link->id = id;
	link->kind = kind;
	link->app.role = APP;
	link->target.role = TARGET;
	link->app.fd = link->target.fd = -1;
	link->target.gone = link->app.gone = true;
	link->app.link = link->target.link = link;
	link->app.out_base = link->target.in_base = mix(r);
	link->target.out_base = link->app.in_base = mix(r + 1);
	link->random = mix(r + 2);
	link->app.out_len = link->target.in_len = draw_size(&link->random);
	link->target.out_len = link->app.in_len = draw_size(&link->random);
	link->app.chunk = draw_chunk(link);
	link->target.chunk = draw_chunk(link);
	link->naps = draw(&link->random) % 4 == 0;
	if (kind == APP_RESET)
		link->cut = draw(&link->random) % (link->app.out_len + 1);
	else if (kind == TARGET_RESET)
		link->cut = draw(&link->random) % (link->target.out_len + 1);
	if (kind == PING || kind == STALL_UP || kind == STALL_DOWN) {
		link->app.out_len = link->app.in_len = UINT64_MAX;
		link->target.out_len = link->target.in_len = UINT64_MAX;
		link->app.chunk = link->target.chunk = BUFFER_LEN;
		link->naps = false;
	}
	if (kind == STALL_UP)
		link->target.out_len = link->app.in_len = 0;
	if (kind == STALL_DOWN)
		link->app.out_len = link->target.in_len = 0;
}

static void
dial(struct end *end, unsigned which)
{
	int one = 1;

	end->fd = socket(o.entry[which].ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (end->fd == -1)
		die("socket: %s", strerror(errno));
	setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	end->gone = false;
	end->step = CONNECTING;
	end->since_s = now();
	if (connect(end->fd, (struct sockaddr *)&o.entry[which],
		o.entry_len[which]) == -1 && errno != EINPROGRESS)
		die("connect: %s", strerror(errno));
	begin_watching(end);
}

static void
start_link(struct link *link)
{
	n_opening++;
	link->begun_s = now();
	dial(&link->app, link->id % o.n_entries);
}

static void
send_small(struct end *end, const void *bytes, size_t len)
{
	ssize_t n = send(end->fd, bytes, len, MSG_NOSIGNAL);

	if (n != (ssize_t)len)
		fail(end->link, "%zu bytes of a handshake did not go out: %s",
		    len, n == -1 ? strerror(errno) : "short");
}

static size_t
put_dest(const struct sockaddr_storage *dest, uint8_t *out)
{
	const struct sockaddr_in *v4 = (const void *)dest;
	const struct sockaddr_in6 *v6 = (const void *)dest;

	if (dest->ss_family == AF_INET) {
		out[0] = 1;
		memcpy(out + 1, &v4->sin_addr, 4);
		memcpy(out + 5, &v4->sin_port, 2);
		return 7;
	}
	out[0] = 4;
	memcpy(out + 1, &v6->sin6_addr, 16);
	memcpy(out + 17, &v6->sin6_port, 2);
	return 19;
}

/* Links take the entries in turn. */
static unsigned
entry_of(const struct end *end)
{
	return end->link->id % o.n_entries;
}

static void
send_request(struct end *end)
{
	uint8_t request[3 + 19] = { 5, 1, 0 };
	size_t len = 3 + put_dest(&o.dest[entry_of(end)], request + 3);

	end->step = REPLY;
	send_small(end, request, len);
}

/* The stream is open; say who we are, and wait for all the others. */
static void
send_header(struct end *end)
{
	struct link *link = end->link;
	uint8_t header[HEADER_LEN] = "PTLK";
	uint32_t id = htonl(link->id);
	uint64_t check = mix(o.seed ^ link->id);

	memcpy(header + 4, &id, 4);
	memcpy(header + 8, &check, 8);
	end->step = OPEN;
	send_small(end, header, sizeof(header));
}

static void
on_connected(struct end *end)
{
	static const uint8_t none[] = { 5, 1, 0 }, both[] = { 5, 2, 0, 2 };
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		fail(end->link, "connect: %s", strerror(error));
		return;
	}
	if (o.direct) {
		send_header(end);
		return;
	}
	end->step = METHOD;
	if (o.n_args > 0)
		send_small(end, both, sizeof(both));
	else
		send_small(end, none, sizeof(none));
}

/** Read up to 'want' bytes of a handshake: true when they are there. */
static bool
read_small(struct end *end, size_t want)
{
	ssize_t n = recv(end->fd, end->small + end->n_small,
	    want - end->n_small, 0);

	if (n == -1 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		fail(end->link, "closed in the SOCKS handshake: %s",
		    n == -1 ? strerror(errno) : "EOF");
		return false;
	}
	end->n_small += (size_t)n;
	if (end->n_small < want)
		return false;
	end->n_small = 0;
	return true;
}

static void
on_handshake(struct end *end)
{
	uint8_t login[3 + 255 + 1] = { 1 };
	const char *args = o.args[entry_of(end)];
	size_t len;

	switch (end->step) {
	case METHOD:
		if (!read_small(end, 2))
			return;
		if (end->small[0] != 5 || end->small[1] == 0xff) {
			fail(end->link, "no SOCKS method");
			return;
		}
		if (end->small[1] == 0) {
			send_request(end);
			return;
		}
		len = args == NULL ? 0 : strlen(args);
		if (len == 0 || len > 255)
			die("--args must have 1 to 255 bytes");
		login[1] = (uint8_t)len;
		memcpy(login + 2, args, len);
		login[2 + len] = 1;
		end->step = LOGIN;
		send_small(end, login, len + 4);
		return;
	case LOGIN:
		if (!read_small(end, 2))
			return;
		if (end->small[1] != 0)
			fail(end->link, "the login was refused");
		else
			send_request(end);
		return;
	case REPLY:
		if (!read_small(end, 10))
			return;
		if (end->small[0] != 5 || end->small[1] != 0 ||
		    end->small[3] != 1)
			fail(end->link, "SOCKS reply %u", end->small[1]);
		else
			send_header(end);
		return;
	default:
		return;
	}
}

/* What each end may do at the start, once all links are open. */
static void
go(struct link *link)
{
	bool app_sends = link->kind != TARGET_FIRST && link->kind != PING &&
	    link->kind != STALL_DOWN;
	bool target_sends = link->kind != APP_FIRST && link->kind != PING &&
	    link->kind != STALL_UP;

	link->app.may_send = app_sends;
	link->target.may_send = target_sends;
	link->app.may_read = link->kind != STALL_DOWN;
	link->target.may_read = link->kind != STALL_UP;
	watch(&link->app);
	watch(&link->target);
}

static void
end_if_all_done(struct link *link)
{
	struct end *a = &link->app, *t = &link->target;

	if (link->done)
		return;
	if (a->fin_sent && a->eof)
		shut(a, false);
	if (t->fin_sent && t->eof)
		shut(t, false);
	if (!a->gone || !t->gone)
		return;
	if (a->got != a->in_len || t->got != t->in_len)
		fail(link, "ended well, but short");
	finish(link);
}

/* Without half-close nobody ends before both have all. */
static void
end_if_whole(struct link *link)
{
	struct end *a = &link->app, *t = &link->target;

	if (o.no_half_close && !link->done && a->sent == a->out_len &&
	    t->sent == t->out_len && a->got == a->in_len &&
	    t->got == t->in_len)
		finish(link);
}

static void
nap(struct end *end)
{
	if (end->link->naps && draw(&end->link->random) % 16 == 0)
		end->wake_s = now() + 0.001 +
		    (double)(draw(&end->link->random) % 50) * 0.001;
}

/** An end broke; that is well after a reset, and wrong otherwise. */
static void
on_broken(struct end *end, const char *what)
{
	struct link *link = end->link;

	if (link->reset_s != 0)
		finish(link);
	else
		fail(link, "%s: %s", name_of(end), what);
}

static void
on_writable(struct end *end)
{
	struct link *link = end->link;
	bool cuts = (link->kind == APP_RESET && end->role == APP) ||
	    (link->kind == TARGET_RESET && end->role == TARGET);
	uint64_t until = cuts ? link->cut : end->out_len;
	uint64_t len = until - end->sent;

	if (len > end->chunk)
		len = 1 + draw(&link->random) % end->chunk;
	if (len > 0) {
		fill(scratch, end->out_base, end->sent, len);
		ssize_t n = send(end->fd, scratch, len, MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1) {
			on_broken(end, strerror(errno));
			return;
		}
		end->sent += (uint64_t)n;
		end->since_s = now();
	}
	if (end->sent == until && cuts) {
		link->reset_s = now();
		shut(end, true);
		return;
	}
	if (end->sent == until && o.no_half_close) {
		end->may_send = false;
	} else if (end->sent == until) {
		if (shutdown(end->fd, SHUT_WR) == -1) {
			on_broken(end, strerror(errno));
			return;
		}
		end->fin_sent = true;
	}
	nap(end);
	end_if_all_done(link);
	end_if_whole(link);
}

static void on_ping(struct end *end, size_t len);

static void
on_eof(struct end *end)
{
	struct link *link = end->link;
	struct end *other = end == &link->app ? &link->target : &link->app;

	end->eof = true;
	if (resets(link)) {
		if (link->reset_s != 0)
			finish(link);
		else if (end->got < end->in_len || !other->fin_sent)
			fail(link, "%s: EOF before the reset", name_of(end));
		return;
	}
	if (end->got < end->in_len && !(link->kind == PING && other->gone)) {
		fail(link, "%s: EOF too early", name_of(end));
		return;
	}
	if (link->kind == PING) {
		finish(link);
		return;
	}
	end->may_send = true; /* the answer, where it had to wait */
	end_if_all_done(link);
}

static void
on_stream(struct end *end)
{
	struct link *link = end->link;
	struct end *other = end == &link->app ? &link->target : &link->app;
	size_t room = end->chunk;
	ssize_t n = recv(end->fd, scratch, room, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1) {
		on_broken(end, strerror(errno));
		return;
	}
	if (n == 0) {
		on_eof(end);
		return;
	}
	if (link->kind != PING && (uint64_t)n > other->sent - end->got) {
		fail(link, "%s got more than was sent", name_of(end));
		return;
	}
	fill(wanted, end->in_base, end->got, (size_t)n);
	if (link->kind == PING && end->role == APP)
		fill(wanted, end->out_base, end->got, (size_t)n);
	if (memcmp(scratch, wanted, (size_t)n) != 0) {
		size_t at = 0;

		while (scratch[at] == wanted[at])
			at++;
		fail(link, "%s got other bytes from place %llu on",
		    name_of(end), (unsigned long long)(end->got + at));
		return;
	}
	end->got += (uint64_t)n;
	end->since_s = now();
	if (link->kind == PING)
		on_ping(end, (size_t)n);
	else
		nap(end);
	end_if_whole(link);
}

static void
on_header(struct end *end, struct link **found)
{
	uint32_t id;
	uint64_t check;
	ssize_t n = recv(end->fd, end->small + end->n_small,
	    HEADER_LEN - end->n_small, 0);

	*found = NULL;
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		/* Nobody's link: a socket that never said who it was. */
		wrong("a connection reached the target without its header: %s",
		    n == -1 ? strerror(errno) : "EOF");
		shut(end, false);
		free(end);
		return;
	}
	end->n_small += (size_t)n;
	if (end->n_small < HEADER_LEN)
		return;
	memcpy(&id, end->small + 4, 4);
	memcpy(&check, end->small + 8, 8);
	id = ntohl(id);
	if (memcmp(end->small, "PTLK", 4) != 0 || id >= n_links ||
	    check != mix(o.seed ^ id) || links[id].open) {
		wrong("a header reached the target broken, or twice");
		shut(end, false);
		free(end);
		return;
	}

	struct link *link = &links[id];

	if (link->done) {
		shut(end, false);
		free(end);
		return;
	}
	epoll_ctl(ep, EPOLL_CTL_DEL, end->fd, NULL);
	link->target.fd = end->fd;
	link->target.gone = false;
	link->target.step = OPEN;
	free(end);
	begin_watching(&link->target);
	link->open = true;
	n_open++;
	n_opening--;
	*found = link;
}

static void
on_accept(struct end *listener)
{
	for (;;) {
		int one = 1;
		int fd = accept4(listener->fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd == -1 && (errno == EAGAIN || errno == ECONNABORTED))
			return;
		if (fd == -1)
			die("accept: %s", strerror(errno));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

		struct end *end = calloc(1, sizeof(*end));

		if (end == NULL)
			die("no memory");
		end->role = UNKNOWN;
		end->fd = fd;
		begin_watching(end);
	}
}

/* ------------------------------------------------------------------ pings */

static double *pings_ms;
static size_t n_pings, pings_room;
static double ping_pause_s = 0.02;

static void
keep_ping(double ms)
{
	if (n_pings == pings_room) {
		pings_room = pings_room ? 2 * pings_room : 4096;
		pings_ms = realloc(pings_ms, pings_room * sizeof(*pings_ms));
		if (pings_ms == NULL)
			die("no memory");
	}
	pings_ms[n_pings++] = ms;
}

static void
send_ping(struct link *link)
{
	uint8_t ping[PING_LEN];
	struct end *app = &link->app;

	fill(ping, app->out_base, app->sent, PING_LEN);
	link->ping_s = now();
	if (send(app->fd, ping, PING_LEN, MSG_NOSIGNAL) != PING_LEN) {
		fail(link, "a ping did not go out: %s", strerror(errno));
		return;
	}
	app->sent += PING_LEN;
}

static void
on_ping(struct end *end, size_t len)
{
	struct link *link = end->link;

	if (end->role == TARGET) {
		/* What it echoes is at hand: the bytes just compared. */
		if (send(end->fd, scratch, len, MSG_NOSIGNAL) != (ssize_t)len)
			fail(link, "an echo did not go out");
		return;
	}
	if (end->got < end->sent)
		return;
	keep_ping((now() - link->ping_s) * 1000);
	link->n_pings++;
	link->ping_s = 0;
	end->wake_s = now() + ping_pause_s;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/** Say how long pings took since the last call, and judge that. */
static void
report_pings(const char *when)
{
	double p50, p99, max;

	if (n_pings == 0) {
		wrong("%s: no ping came back", when);
		return;
	}
	qsort(pings_ms, n_pings, sizeof(*pings_ms), by_value);
	p50 = pings_ms[n_pings / 2];
	p99 = pings_ms[n_pings * 99 / 100];
	max = pings_ms[n_pings - 1];
	printf("  %s: %zu pings, median %.2f ms, 99 of 100 %.2f ms, "
	       "slowest %.1f ms\n", when, n_pings, p50, p99, max);
	if (p99 > o.p99_ms || max > o.max_ms)
		wrong("%s: pings are too slow", when);
	n_pings = 0;
}

/* ------------------------------------------------------------ slow sockets */

static unsigned n_slow_connected, n_slow_dropped, n_slow_started;
static double slow_first_s, slow_last_s;

static void
on_slow(struct end *end)
{
	uint8_t five = 5;
	int error = 0;
	socklen_t len = sizeof(error);
	ssize_t n;
	double life_s;

	if (end->step == CONNECTING) {
		getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0 ||
		    send(end->fd, &five, 1, MSG_NOSIGNAL) != 1) {
			wrong("a slow socket cannot connect: %s",
			    strerror(error));
			shut(end, false);
			n_slow_dropped++;
		}
		n_slow_connected++;
		end->since_s = now();
		end->born_s = clock_s();
		end->step = OPEN;
		watch(end);
		return;
	}
	n = recv(end->fd, scratch, sizeof(scratch), 0);
	if (n == -1 && errno == EAGAIN)
		return;
	life_s = now() - end->since_s;
	if (n > 0)
		wrong("a slow socket was answered %zd bytes", n);
	/* None is to be dropped earlier, wherever the machine stood. */
	if (n_slow_dropped == 0 || clock_s() - end->born_s < slow_first_s)
		slow_first_s = clock_s() - end->born_s;
	if (life_s > slow_last_s)
		slow_last_s = life_s;
	shut(end, false);
	n_slow_dropped++;
}

static double
cpu_s(int pid)
{
	char path[64], text[1024];
	unsigned long user = 0, system = 0;
	const char *after;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	after = strrchr(text, ')');
	if (after == NULL || sscanf(after + 1,
		" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		&system) != 2)
		return 0;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* -------------------------------------------------------------- the loop */

static void
dispatch(struct end *end, uint32_t events)
{
	struct link *link;

	if (end->gone)
		return;
	switch (end->role) {
	case LISTENER:
		on_accept(end);
		return;
	case SLOW:
		on_slow(end);
		return;
	case UNKNOWN:
		on_header(end, &link);
		if (link != NULL && all_go)
			go(link);
		return;
	default:
		break;
	}
	link = end->link;
	if (end->step == CONNECTING)
		on_connected(end);
	else if (end->step != OPEN)
		on_handshake(end);
	else if (end->mask == 0) {
		/* Dead, while nobody wants to read; see why at the next turn. */
		end->may_read = true;
		end->wake_s = 0;
	} else {
		if ((end->mask & EPOLLIN) && (events & ~(uint32_t)EPOLLOUT))
			on_stream(end);
		if (!end->gone && (end->mask & EPOLLOUT) &&
		    (events & EPOLLOUT) && end->wake_s == 0)
			on_writable(end);
	}
	watch(&link->app);
	watch(&link->target);
}

static void
turn(void)
{
	struct epoll_event events[256];
	int n;

	count_still();
	n = epoll_wait(ep, events, 256, 5);
	count_still();
	for (int i = 0; i < n; i++) {
		struct end *end = events[i].data.ptr;

		/* An UNKNOWN end is freed when its header is whole, but has
		 * one event in a batch at most. */
		dispatch(end, events[i].events);
	}
}

static void
wake(struct end *end, double t)
{
	if (end->gone || end->wake_s == 0 || end->wake_s > t)
		return;
	end->wake_s = 0;
	watch(end);
}

static void
wake_all(void)
{
	static double last;
	double t = now();

	if (t - last < 0.004)
		return;
	last = t;
	for (unsigned i = 0; i < n_links; i++) {
		struct link *link = &links[i];

		if (link->done || !link->open)
			continue;
		wake(&link->app, t);
		wake(&link->target, t);
		if (link->kind == PING && all_go && link->ping_s == 0 &&
		    link->app.wake_s == 0 && link->app.step == OPEN)
			send_ping(link);
	}
}

/** Open links [from, to) all, so that all are there at once. */
static void
open_links(unsigned from, unsigned to, double until_s)
{
	unsigned next = from;

	all_go = false;
	for (;;) {
		unsigned here = 0;

		while (next < to && n_opening < OPENING_MAX)
			start_link(&links[next++]);
		for (unsigned i = from; i < next; i++)
			here += links[i].open || links[i].done;
		if (here == to - from)
			break;
		if (now() > until_s) {
			for (unsigned i = from; i < to; i++)
				if (!links[i].open)
					fail(&links[i], "did not open in time");
			break;
		}
		turn();
	}
	all_go = true;
	for (unsigned i = from; i < to; i++)
		if (!links[i].done)
			go(&links[i]);
}

static void
fail_unfinished(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		if (!links[i].done)
			fail(&links[i], "%s", resets(&links[i]) &&
			    links[i].reset_s != 0
				? "the other end never heard of the reset"
				: "did not end in time");
}

static void
run_links(void)
{
	static const enum kind all[] = { BOTH, BOTH, APP_FIRST, TARGET_FIRST,
		APP_RESET, TARGET_RESET };
	unsigned count[N_KINDS] = { 0 };
	uint64_t bytes = 0, random = mix(o.seed + 77);
	double begun_s = now(), open_s;

	n_links = o.n_links;
	links = calloc(n_links, sizeof(*links));
	if (links == NULL)
		die("no memory");
	for (unsigned i = 0; i < n_links; i++) {
		enum kind kind = all[draw(&random) % 6];

		if (o.no_half_close && kind != APP_RESET && kind != TARGET_RESET)
			kind = BOTH;
		plan(&links[i], i, kind);
		count[links[i].kind]++;
	}
	open_links(0, n_links, begun_s + o.limit_s);
	open_s = now();
	printf("  %u links open at once after %.1f s\n", n_open,
	    open_s - begun_s);
	while (n_done < n_links && now() < begun_s + o.limit_s) {
		turn();
		wake_all();
	}
	fail_unfinished(0, n_links);
	for (unsigned i = 0; i < n_links; i++)
		bytes += links[i].app.got + links[i].target.got;
	printf("  %u both, %u app-first, %u target-first, %u app-reset, "
	       "%u target-reset; %.1f MiB compared in %.1f s\n",
	    count[BOTH], count[APP_FIRST], count[TARGET_FIRST],
	    count[APP_RESET], count[TARGET_RESET],
	    (double)bytes / 1048576, now() - open_s);
}

static void
spin_for(double seconds)
{
	double until_s = now() + seconds;

	while (now() < until_s) {
		turn();
		wake_all();
	}
}

static void
stop_pings(unsigned from, unsigned to)
{
	double until_s = now() + 10;

	for (unsigned i = from; i < to; i++) {
		struct link *link = &links[i];

		while (link->ping_s != 0 && !link->done && now() < until_s)
			turn();
		if (link->ping_s != 0)
			fail(link, "a ping was never answered");
		finish(link);
	}
}

static void
run_slow(void)
{
	unsigned n_fresh_max = 400, n_fresh = 0;
	struct end *slow = calloc(o.n_slow, sizeof(*slow));
	double begun_s, last_fresh_s = 0, fresh_max_s = 0;
	double before_cpu[N_PIDS_MAX];

	n_links = o.n_good + n_fresh_max;
	links = calloc(n_links, sizeof(*links));
	if (links == NULL || slow == NULL)
		die("no memory");
	for (unsigned i = 0; i < n_links; i++)
		plan(&links[i], i, PING);
	open_links(0, o.n_good, now() + 20);
	spin_for(1.5);
	report_pings("before");

	for (unsigned i = 0; i < o.n_pids; i++)
		before_cpu[i] = cpu_s(o.pid[i]);
	begun_s = now();
	while (n_slow_dropped < o.n_slow && now() < begun_s + o.limit_s) {
		double t = now();

		while (n_slow_started < o.n_slow &&
		    n_slow_started - n_slow_connected < OPENING_MAX) {
			struct end *end = &slow[n_slow_started];

			end->role = SLOW;
			dial(end, n_slow_started % o.n_entries);
			n_slow_started++;
		}
		/* A newcomer now and then; it must get in. */
		if (t - last_fresh_s > 0.2 && n_fresh < n_fresh_max) {
			last_fresh_s = t;
			start_link(&links[o.n_good + n_fresh++]);
		}
		turn();
		wake_all();
		for (unsigned i = o.n_good; i < o.n_good + n_fresh; i++)
			if (!links[i].done && links[i].n_pings > 0) {
				double s = now() - links[i].begun_s;

				if (s > fresh_max_s)
					fresh_max_s = s;
				finish(&links[i]);
			}
	}
	for (unsigned i = 0; i < o.n_pids; i++) {
		double cpu = cpu_s(o.pid[i]) - before_cpu[i];

		printf("  process %u took %.2f s of CPU in %.1f s\n", i, cpu,
		    now() - begun_s);
		if (cpu > 0.6 * (now() - begun_s))
			wrong("process %u spins", i);
	}
	report_pings("meanwhile");
	printf("  %u slow sockets, the first dropped after %.2f s of its life, "
	       "the last after %.2f s; %u newcomers, the slowest %.0f ms\n",
	    n_slow_dropped, slow_first_s, slow_last_s, n_fresh,
	    fresh_max_s * 1000);
	if (n_slow_dropped < o.n_slow)
		wrong("%u slow sockets were never dropped",
		    o.n_slow - n_slow_dropped);
	if (slow_first_s < o.drop_s - 1)
		wrong("a slow socket was dropped after %.2f s", slow_first_s);
	if (slow_last_s > o.drop_s + o.slack_s)
		wrong("a slow socket lived for %.2f s", slow_last_s);
	if (fresh_max_s * 1000 > o.newcomer_ms)
		wrong("a newcomer had to wait for %.2f s", fresh_max_s);
	stop_pings(0, o.n_good + n_fresh);
	free(slow);
}

/* ------------------------------------------------------------------ stall */

static long
anonymous_kib(int pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static void
stall_once(unsigned from, unsigned to, enum kind kind, unsigned ping)
{
	const uint64_t never = (uint64_t)128 << 20;
	double begun_s = now(), still_s, quiet_cpu[N_PIDS_MAX];
	uint64_t held = 0, most = 0;
	long before_kib[N_PIDS_MAX];
	bool stalled = false;

	for (unsigned i = from; i < to; i++)
		plan(&links[i], i, kind);
	for (unsigned i = 0; i < o.n_pids; i++)
		before_kib[i] = anonymous_kib(o.pid[i]);
	open_links(from, to, begun_s + 20);

	/* Full is when nobody could send a byte for a while. */
	still_s = now();
	while (!stalled && now() < begun_s + 40) {
		turn();
		wake_all();
		for (unsigned i = from; i < to; i++) {
			struct end *end = kind == STALL_UP ? &links[i].app
							   : &links[i].target;

			if (end->since_s > still_s)
				still_s = end->since_s;
			if (end->sent > never) {
				wrong("a link took %llu MiB that nobody read",
				    (unsigned long long)(end->sent >> 20));
				goto release;
			}
		}
		stalled = now() - still_s > 0.7;
	}
	if (!stalled)
		wrong("the links never came to rest");
	for (unsigned i = 0; i < o.n_pids; i++)
		quiet_cpu[i] = cpu_s(o.pid[i]);
	n_pings = 0;
	spin_for(1.0);
	if (links[ping].done || n_pings == 0)
		wrong("a link beside the stalled ones does not work");
	n_pings = 0;
	for (unsigned i = 0; i < o.n_pids; i++) {
		long kib = anonymous_kib(o.pid[i]) - before_kib[i];
		double cpu = cpu_s(o.pid[i]) - quiet_cpu[i];

		printf("  %s: process %u holds %ld KiB more, %.0f KiB a link, "
		       "%.2f s of CPU in a second of rest\n",
		    kind_names[kind], i, kib, (double)kib / (to - from), cpu);
		if (kib > (long)o.kib_per_link * (long)(to - from))
			wrong("process %u grew by %ld KiB for %u links", i,
			    kib, to - from);
		if (cpu > 0.4)
			wrong("process %u spins while the links rest", i);
	}

release:
	for (unsigned i = from; i < to; i++) {
		struct link *link = &links[i];
		struct end *sender = kind == STALL_UP ? &link->app
						      : &link->target;
		struct end *reader = kind == STALL_UP ? &link->target
						      : &link->app;

		if (link->done)
			continue;
		held += sender->sent;
		if (sender->sent > most)
			most = sender->sent;
		sender->out_len = reader->in_len = sender->sent + 262144;
		reader->may_read = reader->may_send = true;
		watch(reader);
		watch(sender);
	}
	begun_s = now();
	for (;;) {
		unsigned left = 0;

		for (unsigned i = from; i < to; i++)
			left += !links[i].done;
		if (left == 0 || now() > begun_s + o.limit_s)
			break;
		turn();
		wake_all();
	}
	fail_unfinished(from, to);
	printf("  %s: %u links held %.1f MiB on the way, at most %.2f a link; "
	       "all came %.1f s after\n", kind_names[kind], to - from,
	    (double)held / 1048576, (double)most / 1048576, now() - begun_s);
}

static void
run_stall(void)
{
	unsigned each = o.n_links, n_ping = o.n_entries;

	n_links = n_ping + 2 * each;
	links = calloc(n_links, sizeof(*links));
	if (links == NULL)
		die("no memory");
	for (unsigned i = 0; i < n_links; i++)
		plan(&links[i], i, i < n_ping ? PING : STALL_UP);
	open_links(0, n_ping, now() + 10);
	stall_once(n_ping, n_ping + each, STALL_UP, 0);
	stall_once(n_ping + each, n_ping + 2 * each, STALL_DOWN, 0);
	stop_pings(0, n_ping);
}

/* ------------------------------------------------------------------- main */

static socklen_t
parse_address(const char *text, struct sockaddr_storage *out)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char host[128];
	const char *colon = strrchr(text, ':');
	const char *start = text;
	size_t len;
	socklen_t out_len;

	if (colon == NULL)
		die("%s: want HOST:PORT", text);
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		start++;
		len -= 2;
	}
	if (len >= sizeof(host))
		die("%s: too long", text);
	memcpy(host, start, len);
	host[len] = 0;
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		die("%s: not an address and a port", text);
	memcpy(out, found->ai_addr, found->ai_addrlen);
	out_len = found->ai_addrlen;
	freeaddrinfo(found);
	return out_len;
}

static double
number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != 0 || value < 0)
		die("%s: not a number", text);
	return value;
}

static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "entry", 1, NULL, 'e' }, { "dest", 1, NULL, 'd' },
		{ "args", 1, NULL, 'a' }, { "direct", 0, NULL, 'D' },
		{ "target-fd", 1, NULL, 't' }, { "links", 1, NULL, 'n' },
		{ "slow", 1, NULL, 's' }, { "good", 1, NULL, 'g' },
		{ "seed", 1, NULL, 'S' }, { "limit", 1, NULL, 'l' },
		{ "drop", 1, NULL, 'x' }, { "slack", 1, NULL, 'y' },
		{ "max-ms", 1, NULL, 'm' }, { "p99-ms", 1, NULL, 'q' },
		{ "newcomer-ms", 1, NULL, 'N' },
		{ "kib-per-link", 1, NULL, 'k' }, { "pid", 1, NULL, 'p' },
		{ "no-half-close", 0, NULL, 'w' }, { NULL, 0, NULL, 0 },
	};
	struct end listener = { .role = LISTENER, .step = OPEN,
		.may_read = true };
	const char *mode;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'e':
			if (o.n_entries == N_ENTRIES_MAX)
				die("too many entries");
			o.entry_len[o.n_entries] = parse_address(optarg,
			    &o.entry[o.n_entries]);
			o.n_entries++;
			break;
		case 'd':
			if (o.n_dests == N_ENTRIES_MAX)
				die("too many destinations");
			parse_address(optarg, &o.dest[o.n_dests++]);
			break;
		case 'a':
			if (o.n_args == N_ENTRIES_MAX)
				die("too many arguments");
			o.args[o.n_args++] = optarg;
			break;
		case 'D': o.direct = true; break;
		case 't': o.target_fd = (int)number(optarg); break;
		case 'n': o.n_links = (unsigned)number(optarg); break;
		case 's': o.n_slow = (unsigned)number(optarg); break;
		case 'g': o.n_good = (unsigned)number(optarg); break;
		case 'S': o.seed = (uint64_t)number(optarg); break;
		case 'l': o.limit_s = number(optarg); break;
		case 'x': o.drop_s = number(optarg); break;
		case 'y': o.slack_s = number(optarg); break;
		case 'm': o.max_ms = number(optarg); break;
		case 'N': o.newcomer_ms = number(optarg); break;
		case 'q': o.p99_ms = number(optarg); break;
		case 'k': o.kib_per_link = (unsigned)number(optarg); break;
		case 'p':
			if (o.n_pids == N_PIDS_MAX)
				die("too many processes");
			o.pid[o.n_pids++] = (int)number(optarg);
			break;
		case 'w': o.no_half_close = true; break;
		default: return SETUP_FAILED;
		}
	}
	if (optind != argc - 1 || o.n_entries == 0 || o.target_fd == -1 ||
	    (!o.direct && o.n_dests != o.n_entries) ||
	    (o.n_args > 0 && o.n_args != o.n_entries))
		die("want links, slow or stall, --target-fd, and for each "
		    "--entry a --dest, perhaps --args, or once --direct");
	mode = argv[optind];
	raise_limit();
	setvbuf(stdout, NULL, _IOLBF, 0);
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep == -1)
		die("epoll: %s", strerror(errno));
	listener.fd = o.target_fd;
	fcntl(listener.fd, F_SETFL, O_NONBLOCK);
	begin_watching(&listener);
	if (strcmp(mode, "links") == 0)
		run_links();
	else if (strcmp(mode, "slow") == 0)
		run_slow();
	else if (strcmp(mode, "stall") == 0)
		run_stall();
	else
		die("%s: no such mode", mode);
	if (n_wrong > N_SHOWN)
		printf("  and %u more\n", n_wrong - N_SHOWN);
	free(links);
	free(pings_ms);
	return n_wrong > 0;
}
