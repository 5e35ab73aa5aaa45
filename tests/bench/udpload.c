/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load of the UDP figures: the application and its target in one thread,
 * with relays between them.
 *
 *	udpload rate --to ADDR:PORT --far FD [--down] [--flows N] [--size N]
 *	    [--seconds S] [--window N] [--burst N] [NAME=PID ...]
 *	udpload rtt  --to ADDR:PORT --far FD [--size N] [--trips N] [NAME=PID ...]
 *	udpload idle --to ADDR:PORT --far FD [--flows N] NAME=PID ...
 *
 * The far end is a bound UDP socket that was inherited.  Each datagram carries
 * its flow, its number and a pattern of both, and each that arrives is held
 * against them.  No more than a window of datagrams is under way, so that what is
 * measured is carrying, not throwing away; what does not arrive within a
 * quarter of a second is counted as lost.  The last line is JSON.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cost.h"

#define BATCH 32
#define ROOM 2048
#define HEADER 12
#define STALL_NS 250000000u
#define PATIENCE_NS 10000000000u

struct flow {
	int fd;               /* the application's socket */
	struct sockaddr_in as; /* how the far end sees it */
	bool known;
	uint32_t sent, got;
};

struct load {
	struct sockaddr_in to;
	int far, epoll;
	bool down;
	size_t size;
	unsigned n_flows, window, burst, trips;
	double seconds;
	const char *names[4];
	pid_t pids[4];
	int n_pids;
	struct flow *flows;
	uint64_t sent, got, wrong, lost;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "udpload: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* [flow:4][number:4][size:4][bytes that depend on all three] */
static void
fill(uint8_t *at, size_t size, uint32_t flow, uint32_t number)
{
	uint32_t head[3] = { flow, number, (uint32_t)size };

	memset(at, (int)(flow * 31 + number * 7 + size), size);
	memcpy(at, head, sizeof(head));
}

static bool
is_right(const uint8_t *at, size_t size, uint32_t *flow)
{
	uint8_t want[ROOM];
	uint32_t head[3];

	if (size < HEADER)
		return false;
	memcpy(head, at, sizeof(head));
	*flow = head[0];
	fill(want, size, head[0], head[1]);
	return head[2] == size && memcmp(want, at, size) == 0;
}

static void
open_flows(struct load *load)
{
	int room = 8 << 20;

	load->flows = calloc(load->n_flows, sizeof(*load->flows));
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->flows == NULL || load->epoll == -1)
		die("memory");
	(void)setsockopt(load->far, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	for (unsigned i = 0; i < load->n_flows; i++) {
		struct flow *flow = &load->flows[i];
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		flow->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (flow->fd == -1 || connect(flow->fd, (struct sockaddr *)&load->to, sizeof(load->to)) == -1)
			die("socket");
		(void)setsockopt(flow->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
		if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, flow->fd, &event) == -1)
			die("epoll_ctl");
	}
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = UINT32_MAX };
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->far, &event) == -1)
		die("epoll_ctl");
}

/* Take what has come to one socket.  'from': note how the flows are seen there. */
static unsigned
receive(struct load *load, int fd, int expect, bool from)
{
	static uint8_t slots[BATCH][ROOM];
	struct sockaddr_in addrs[BATCH];
	struct mmsghdr headers[BATCH];
	struct iovec iov[BATCH];
	unsigned right = 0;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ slots[i], ROOM };
		headers[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &addrs[i], .msg_namelen = sizeof(addrs[i]),
		    .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	int n = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		uint32_t which;

		if (!is_right(slots[i], headers[i].msg_len, &which) || which >= load->n_flows ||
		    (expect >= 0 && which != (uint32_t)expect)) {
			load->wrong++;
			continue;
		}
		right++;
		load->flows[which].got++;
		if (from) {
			load->flows[which].as = addrs[i];
			load->flows[which].known = true;
		}
	}
	return right;
}

/* Wait at most 'ms', and take what is there.  How many arrived at the side that is asked for. */
static unsigned
turn(struct load *load, int ms, bool at_far)
{
	struct epoll_event events[64];
	unsigned right = 0;
	int n = epoll_wait(load->epoll, events, 64, ms);

	for (int i = 0; i < n; i++) {
		bool far = events[i].data.u32 == UINT32_MAX;
		unsigned got = far ? receive(load, load->far, -1, true) :
		    receive(load, load->flows[events[i].data.u32].fd, (int)events[i].data.u32, false);

		if (far == at_far)
			right += got;
	}
	return right;
}

/* Send 'count' of one flow, up or down.  How many the kernel took. */
static unsigned
send_some(struct load *load, unsigned which, unsigned count, bool down)
{
	static uint8_t slots[BATCH][ROOM];
	struct flow *flow = &load->flows[which];
	struct mmsghdr headers[BATCH];
	struct iovec iov[BATCH];

	for (unsigned i = 0; i < count; i++) {
		fill(slots[i], load->size, which, flow->sent + i);
		iov[i] = (struct iovec){ slots[i], load->size };
		headers[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
		if (down) {
			headers[i].msg_hdr.msg_name = &flow->as;
			headers[i].msg_hdr.msg_namelen = sizeof(flow->as);
		}
	}
	int n = sendmmsg(down ? load->far : flow->fd, headers, count, MSG_DONTWAIT);
	if (n <= 0)
		return 0;
	flow->sent += (uint32_t)n;
	return (unsigned)n;
}

/* The first datagram of a flow is lost by design; go on until each has arrived. */
static void
warm_up(struct load *load)
{
	uint64_t end = now_ns() + PATIENCE_NS;
	unsigned missing;

	do {
		missing = 0;
		for (unsigned i = 0; i < load->n_flows; i++)
			if (!load->flows[i].known) {
				missing++;
				(void)send_some(load, i, 1, false);
			}
		uint64_t pause = now_ns() + 20000000u;
		while (missing > 0 && now_ns() < pause)
			(void)turn(load, 5, true);
		if (now_ns() > end) {
			fprintf(stderr, "udpload: %u of %u flows do not open\n", missing, load->n_flows);
			exit(1);
		}
	} while (missing > 0);
	/* What is still under way of these. */
	while (turn(load, 100, true) > 0)
		;
}

static void
run_for(struct load *load, double seconds)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), last = now_ns();
	unsigned next = 0, under_way = 0;
	unsigned burst = load->burst;

	load->sent = load->got = load->lost = 0;
	while (now_ns() < end || under_way > 0) {
		bool over = now_ns() >= end;

		while (!over && under_way + burst <= load->window) {
			unsigned n = send_some(load, next, burst, load->down);

			next = (next + 1) % load->n_flows;
			if (n == 0)
				break;
			load->sent += n;
			under_way += n;
		}
		unsigned got = turn(load, 10, !load->down);
		if (got > under_way)
			got = under_way; /* one that was given up came after all */
		load->got += got;
		under_way -= got;
		if (got > 0) {
			last = now_ns();
		} else if (now_ns() - last > STALL_NS) {
			load->lost += under_way;
			under_way = 0;
			last = now_ns();
		}
	}
}

static void
print_cost(const struct load *load, const uint64_t *before)
{
	for (int i = 0; i < load->n_pids; i++)
		printf(", \"cpu_%s\": %" PRIu64, load->names[i], cost_cpu_ns(load->pids[i]) - before[i]);
	printf("}\n");
}

static void
rate(struct load *load)
{
	uint64_t before[4] = { 0 };

	warm_up(load);
	run_for(load, load->seconds / 4);
	for (int i = 0; i < load->n_pids; i++)
		before[i] = cost_cpu_ns(load->pids[i]);
	uint64_t began = now_ns();
	run_for(load, load->seconds);
	printf("{\"seconds\": %.6f, \"sent\": %" PRIu64 ", \"got\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"wrong\": %" PRIu64,
	    (double)(now_ns() - began) / 1e9, load->sent, load->got, load->lost, load->wrong);
	print_cost(load, before);
}

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Wait for one datagram with poll alone, as an application would. */
static bool
hear(struct load *load, int fd, int expect)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, 1000) == 1 && receive(load, fd, expect, expect < 0) > 0;
}

static void
rtt(struct load *load)
{
	uint64_t *took = calloc(load->trips, sizeof(*took)), before[4] = { 0 };
	unsigned n = 0;

	if (took == NULL)
		die("memory");
	warm_up(load);
	for (int i = 0; i < load->n_pids; i++)
		before[i] = cost_cpu_ns(load->pids[i]);
	for (unsigned i = 0; i < load->trips; i++) {
		uint64_t began = now_ns();

		if (send_some(load, 0, 1, false) == 1 && hear(load, load->far, -1) &&
		    send_some(load, 0, 1, true) == 1 && hear(load, load->flows[0].fd, 0))
			took[n++] = now_ns() - began;
		else
			load->lost++;
	}
	qsort(took, n, sizeof(*took), by_size);
	printf("{\"trips\": %u, \"lost\": %" PRIu64 ", \"wrong\": %" PRIu64 ", \"p50_us\": %.2f, \"p99_us\": %.2f", n, load->lost,
	    load->wrong, n > 0 ? (double)took[n / 2] / 1e3 : 0, n > 0 ? (double)took[n * 99 / 100] / 1e3 : 0);
	print_cost(load, before);
	free(took);
}

/* One flow first, so that what belongs to the process is there; then all of them. */
static void
idle(struct load *load)
{
	unsigned n = load->n_flows;
	uint64_t before[4] = { 0 };

	load->n_flows = 1;
	warm_up(load);
	load->n_flows = n;
	for (int i = 0; i < load->n_pids; i++)
		before[i] = cost_memory(load->pids[i]).pss_kib;
	warm_up(load);
	printf("{\"flows\": %u, \"wrong\": %" PRIu64, n - 1, load->wrong);
	for (int i = 0; i < load->n_pids; i++)
		printf(", \"kib_%s\": %.3f", load->names[i],
		    ((double)cost_memory(load->pids[i]).pss_kib - (double)before[i]) / (n - 1));
	printf("}\n");
}

static const char *
value(int argc, char **argv, int *i)
{
	if (++*i >= argc) {
		fprintf(stderr, "udpload: %s needs a value\n", argv[*i - 1]);
		exit(64);
	}
	return argv[*i];
}

static void
take_addr(struct load *load, const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');

	snprintf(host, sizeof(host), "%.*s", colon != NULL ? (int)(colon - text) : 0, text);
	load->to.sin_family = AF_INET;
	if (colon == NULL || inet_pton(AF_INET, host, &load->to.sin_addr) != 1) {
		fprintf(stderr, "udpload: %s: no address\n", text);
		exit(64);
	}
	load->to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
}

int
main(int argc, char **argv)
{
	struct load load = { .far = -1, .size = 64, .n_flows = 1, .window = 64, .burst = 1, .trips = 10000, .seconds = 1 };
	const char *mode = argc > 1 ? argv[1] : "";

	for (int i = 2; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (strcmp(argv[i], "--to") == 0)
			take_addr(&load, value(argc, argv, &i));
		else if (strcmp(argv[i], "--far") == 0)
			load.far = (int)strtol(value(argc, argv, &i), NULL, 10);
		else if (strcmp(argv[i], "--down") == 0)
			load.down = true;
		else if (strcmp(argv[i], "--flows") == 0)
			load.n_flows = (unsigned)strtoul(value(argc, argv, &i), NULL, 10);
		else if (strcmp(argv[i], "--size") == 0)
			load.size = strtoul(value(argc, argv, &i), NULL, 10);
		else if (strcmp(argv[i], "--window") == 0)
			load.window = (unsigned)strtoul(value(argc, argv, &i), NULL, 10);
		else if (strcmp(argv[i], "--burst") == 0)
			load.burst = (unsigned)strtoul(value(argc, argv, &i), NULL, 10);
		else if (strcmp(argv[i], "--trips") == 0)
			load.trips = (unsigned)strtoul(value(argc, argv, &i), NULL, 10);
		else if (strcmp(argv[i], "--seconds") == 0)
			load.seconds = strtod(value(argc, argv, &i), NULL);
		else if (equals != NULL && load.n_pids < 4) {
			*equals = '\0';
			load.names[load.n_pids] = argv[i];
			load.pids[load.n_pids++] = (pid_t)strtol(equals + 1, NULL, 10);
		} else {
			fprintf(stderr, "udpload: %s: what is that?\n", argv[i]);
			return 64;
		}
	}
	if (load.size < HEADER || load.size > ROOM || load.n_flows == 0 || load.far == -1 || load.to.sin_port == 0 ||
	    load.trips == 0 || load.burst < 1 || load.burst > BATCH || load.window < load.burst) {
		fprintf(stderr, "udpload: arguments do not fit\n");
		return 64;
	}
	open_flows(&load);
	if (strcmp(mode, "rate") == 0)
		rate(&load);
	else if (strcmp(mode, "rtt") == 0)
		rtt(&load);
	else if (strcmp(mode, "idle") == 0 && load.n_flows > 1)
		idle(&load);
	else
		return 64;
	return 0;
}
