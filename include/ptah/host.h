/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * ptah/host.h: what the host does for a module.
 *
 * The services come as a table, so a module links no symbol of the host's and
 * a test can hand in a fake.  Each takes the 'self' of the life that calls it,
 * on that life's thread; the comment says which lives may: [L]ink, [H]ome,
 * [W]orker.  Texts and spans are read before a service returns.
 *
 * Errors: negative errno values; a service that was asked by the wrong life
 * answers -EINVAL.
 */
#ifndef PTAH_HOST_H
#define PTAH_HOST_H

#include <ptah/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A byte stream of a carrier's: a connection, one side of a pipe, a child process's output. */
struct ptah_stream;

#define PTAH_HOME UINT64_C(0) /* as a mail address: the home of the calling link's instance */

/* Through what host->dial() goes: the number of a child of the home (0, 1, ... as they were made), or */
#define PTAH_OUT (-1)   /* the network: TCP, through the upstream proxy if there is one */
#define PTAH_LOCAL (-2) /* a program of this machine: a loopback address, never through a proxy */

#define PTAH_TIMERS 8u        /* each life has timers 0 to 7 */

/* What an event is about. */
#define PTAH_EV_TIMER 1u  /* val: which */
#define PTAH_EV_PLAIN 2u  /* val: 0 the plain end is open, else the -errno that it failed with: answer that, or GO to go on unadmitted.  Home: cookie as given to arrive() */
#define PTAH_EV_MAIL 3u   /* body, from */
#define PTAH_EV_REPLAY 4u /* cookie as given; val: 1 fresh, 0 seen before, <0 cannot be known */
#define PTAH_EV_STATE 5u  /* cookie as given; val: 0 it is on disk, or -errno */
#define PTAH_EV_STREAM 6u /* stream; val: PTAH_STREAM_ bits; body: input that was not eaten yet */
#define PTAH_EV_ACCEPT 7u /* stream: a new one, open; val: the child that it came through, or PTAH_OUT: listen(), and its cookie; peer, dest */
#define PTAH_EV_EXIT 8u   /* process 'from' ended; val: its wait status */
#define PTAH_EV_STOP 9u   /* home: finish by deadline_ns, then call home_done() */

#define PTAH_STREAM_OPENED 1
#define PTAH_STREAM_INPUT 2
#define PTAH_STREAM_ROOM 4
#define PTAH_STREAM_ENDED 8   /* no more input after 'body' */
#define PTAH_STREAM_FAILED 16 /* 'rc' says why; the stream is gone after this event */

struct ptah_event {
	uint32_t size, what;
	int64_t val;
	uint64_t cookie, from, deadline_ns;
	struct ptah_span body;
	struct ptah_stream *stream;
	const char *peer, *dest;
	int32_t rc;
	uint32_t reserved;
};

#define PTAH_SIDE_PLAIN 1u
#define PTAH_SIDE_WIRE 2u

/** A datagram: 'side' is where it came from, or, given to host->message(), where it goes. */
struct ptah_msg {
	uint32_t size, side;
	struct ptah_span body;
	struct ptah_room room;   /* of a hook: the memory that body lies in, to write to; of wrap_message() with msg_head bytes before body and msg_tail behind it at least.  What lies there stays as it is once it was given to message(), until the hook returns */
	const char *peer, *dest; /* "host:port" or NULL: whose word it is, and for whom; on a server's plain side the target that spoke, and the one that shall hear it (NULL: the configured one) */
};

#define PTAH_SPAWN_MAY_GAIN 1u /* privileges, by its file's owner or capabilities: else it never can */

/** A program to start: with default signals, a process group of its own, no terminal, no descriptors but 0, 1 and 2, and its death should ours come first. */
struct ptah_spawn {
	uint32_t size, flags;
	const char *const *argv; /* the first is a path, the last NULL */
	const char *const *env;  /* exactly this; NULL: nothing */
};

#define PTAH_LOG_LEVEL_ERROR 1u
#define PTAH_LOG_LEVEL_WARN 2u
#define PTAH_LOG_LEVEL_INFO 4u
#define PTAH_LOG_LEVEL_DEBUG 5u

struct ptah_host {
	uint32_t size;
	uint16_t major, minor;

	/* Time, chance, words, numbers. [LHW] */
	uint64_t (*now_ns)(struct ptah_self *self);
	int64_t (*wall_s)(struct ptah_self *self);
	void (*random)(struct ptah_self *self, void *out, size_t len);
	int (*timer)(struct ptah_self *self, uint32_t which, uint64_t after_ns); /* 0 stops it */
	void (*log)(struct ptah_self *self, uint32_t level, const char *text, size_t len);
	void (*count)(struct ptah_self *self, uint32_t counter, int64_t add);

	/* What links share. */
	uint64_t (*id)(struct ptah_self *self); /* mail address of this link [L] */
	int (*mail)(struct ptah_self *self, uint64_t to, struct ptah_span body); /* copied; to a dead link: dropped [LH] */
	int (*replay)(struct ptah_self *self, struct ptah_span scope, struct ptah_span token, uint32_t ttl_s, uint64_t cookie); /* 1 fresh, 0 seen, or -EINPROGRESS: EV_REPLAY comes [LH] */

	/* State of an instance: small named files.  Reading is for home_open only. [H] */
	long (*state_get)(struct ptah_self *self, const char *name, struct ptah_room out); /* bytes, -ENOENT, -ENOSPC ... */
	int (*state_put)(struct ptah_self *self, const char *name, struct ptah_span body, uint64_t cookie); /* EV_STATE comes; -ENOENT: it was given no folder */

	/* An instance's life. [H] */
	void (*ready)(struct ptah_self *self, int rc, const char *advertise, const char *bridge_args, const char *reason); /* advertise: address to announce, NULL for the bound one; bridge_args: a JSON object of strings, or NULL */
	void (*home_done)(struct ptah_self *self);

	/* Streams. [LH]  They belong to the life that made them and tell it of themselves by EV_STREAM. */
	struct ptah_stream *(*dial)(struct ptah_self *self, int32_t via, const char *server, const char *args); /* args: link options of a child as JSON, or NULL */
	struct ptah_stream *(*pipe)(struct ptah_self *self, struct ptah_stream **other);
	void (*eat)(struct ptah_stream *stream, size_t n);
	size_t (*write)(struct ptah_stream *stream, struct ptah_span bytes); /* how much it took; EV_STREAM with ROOM when there is more */
	void (*ask)(struct ptah_stream *stream, size_t want, uint32_t hold, uint32_t finish); /* as the answers of a step; EV_STREAM with ROOM when a 'finish' has gone out */
	void (*drop)(struct ptah_stream *stream); /* at once, with what has not gone out; NULL is fine */
	int (*give)(struct ptah_self *self, struct ptah_stream *stream); /* client carrier: here is the link's end; the host owns it now, unless that fails, and what was not eaten is the link's first input [L] */
	int (*arrive)(struct ptah_self *self, struct ptah_stream *stream, const char *peer, const char *dest, uint64_t cookie); /* server carrier: a link begins on it, as with give(); EV_PLAIN comes once [H] */
	int (*listen)(struct ptah_self *self, const char *bind, uint64_t cookie, char *bound, size_t room); /* EV_ACCEPT comes; 'bound' says where [H] */

	/* Other transports and programs. [H] */
	int (*child)(struct ptah_self *self, const char *name, const char *options, const char *bind); /* its number; in home_open only; bind: NULL for a client, else where it listens */
	long (*spawn)(struct ptah_self *self, const struct ptah_spawn *how, struct ptah_stream *stdio[3]); /* the process's number (never reused), or -errno; EV_EXIT comes */
	int (*kill)(struct ptah_self *self, uint64_t process, int sig);

	/* Messages. [L]  -EMSGSIZE: longer than any datagram; that it was lost on its way nobody says. */
	int (*message)(struct ptah_self *self, const struct ptah_msg *msg);

	/* To the parent: what stands behind STATUS in a line of its protocol; only a parent that knows it hears it. [H] */
	void (*status)(struct ptah_self *self, const char *text, size_t len);
};

#ifdef __cplusplus
}
#endif

#endif
