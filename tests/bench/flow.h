/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * tests/bench/flow.h: streams of known bytes through whatever lies between
 * two ends.
 *
 * The near end is the application's, the far end is the destination's; both
 * live in this process, each on a thread and an epoll of its own, and share
 * one table of streams.  So nothing has to be acknowledged in band: what one
 * side sent and what the other got is compared in the table.  Every byte is
 * held against a pattern that depends on the stream, the direction and the
 * position.
 *
 * Threads: a loop belongs to the thread that runs it; 'sent', 'got', 'marks',
 * 'hold' and 'stop' are written on one thread and read on both.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two sides, and the index of what each of them does. */
#define NEAR 0
#define FAR  1

/* When a side sends what it wants to send. */
#define SEND_NOW  0 /* as soon as the stream is known to it */
#define SEND_LAST 1 /* after the other side has ended */
#define SEND_ECHO 2 /* as much as it got */

/* What a side does after it sent all and got what it expects. */
#define THEN_KEEP  0 /* stays, and closes after the other side has ended */
#define THEN_SHUT  1 /* says that it will send no more, closes like KEEP */
#define THEN_CLOSE 2
#define THEN_RESET 3

#define UNTIL_STOP UINT64_MAX

/* What has happened to a side of a stream. */
#define MARK_OPEN 1u  /* near: connected; far: knows which stream it is */
#define MARK_END  2u  /* it saw the other side's end */
#define MARK_FAIL 4u  /* it saw an error */
#define MARK_BAD  8u  /* it got a byte that nobody sent there */
#define MARK_GONE 16u /* closed */

struct plan {
	uint64_t want;   /* bytes to send */
	uint64_t expect; /* bytes to get before 'then' */
	uint8_t when;
	uint8_t then;
};

struct stream {
	uint32_t id;
	uint32_t kind; /* the caller's */
	double born, opened; /* when it was asked for; of the near end, open */
	struct plan plan[2];
	_Atomic uint64_t sent[2];
	_Atomic uint64_t got[2];
	_Atomic uint32_t marks[2];
};

/* How the near end reaches the far one. */
struct route {
	struct sockaddr_in to;     /* the client program, or the far end itself */
	bool socks;                /* speak SOCKS5 with it */
	struct sockaddr_in target; /* what SOCKS5 asks for */
	const char *args;          /* per-connection arguments, or NULL */
};

struct flow {
	struct stream *streams;
	uint32_t n_streams; /* room in 'streams' */
	bool bare;          /* no stream header: each far end echoes a byte */
	_Atomic int hold;   /* neither side reads */
	_Atomic int stop;   /* UNTIL_STOP is over */
	_Atomic int quit;
	_Atomic uint32_t n_ends[2];   /* open ends */
	_Atomic uint64_t n_served;    /* far ends that came and went */
	_Atomic uint64_t n_strangers; /* far ends that never said who they are */
};

struct loop;

typedef void flow_gone_fn(struct loop *loop, struct stream *s, void *arg);
typedef bool flow_test_fn(void *arg);

/**
 * Make the loop of one side.
 *
 * Lends: 'flow', for as long as the loop lives.
 * Gives: a loop; free it with loop_free().
 * Fails: never; a benchmark that cannot start says so and exits 2.
 */
struct loop *loop_new(struct flow *flow, int side);
void loop_free(struct loop *loop);

/** Take connections from a listening descriptor, which stays the caller's. */
void loop_serve(struct loop *loop, int fd);

/** Hear of each end that closed. */
void loop_on_gone(struct loop *loop, flow_gone_fn *fn, void *arg);

/** Start a stream from the near side. */
void loop_open(struct loop *loop, struct stream *s, const struct route *by);

/** Run until 'test' holds (true) or 'seconds' have passed (false). */
bool loop_run(struct loop *loop, flow_test_fn *test, void *arg,
    double seconds);

/** Look at every end again after a plan, 'hold' or 'stop' has changed. */
void loop_poke(struct loop *loop);

/** The same for one stream of this loop; cheap enough for each round trip. */
void loop_poke_one(struct loop *loop, struct stream *s);

/** Ask the loop of another thread to look again, or to leave on 'quit'. */
void loop_wake(struct loop *loop);

/** Seconds on the monotonic clock. */
double bench_now(void);

/** Say what is wrong and exit 2. */
_Noreturn void bench_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

#endif
