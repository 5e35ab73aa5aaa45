/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/streambody.h: what a stream is made of, for the files that each do
 * a part of it: stream.c its life and its news, flow.c its bytes, dialled.c
 * its way to somebody else, handover.c its end as a link's.
 *
 * Private to this room.
 *
 * Threads: the owner's worker.
 */
#ifndef PTAH_TRANSPORT_STREAMBODY_H
#define PTAH_TRANSPORT_STREAMBODY_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

#include "loop/deadline.h"
#include "loop/end.h"
#include "transport/child.h"
#include "transport/stream.h"
#include "wire/dial.h"

/** One read at most: several streams share a worker. */
#define PTAH_STREAM_READ_LEN ((size_t)64 * 1024)

struct ptah_stream {
	struct ptah_self *owner;
	struct ptah_stream *prev, *next; /* of the owner's list */
	struct ptah_end end;
	struct event soon;         /* brings 'news' */
	uint32_t news;             /* PTAH_STREAM_ bits that were not told yet */
	int rc;                    /* of FAILED */
	int write_rc;              /* writing failed so; what has come is still read */
	struct ptah_dial *dial;
	struct ptah_through *through;
	struct ptah_deadline limit; /* of the dial */
	uint64_t dialed_ns;        /* when it began; 0: to this machine, and not counted */
	bool dialing;
	bool stranger;             /* EV_ACCEPT comes first */
	int32_t via;               /* for that, as the next three */
	uint64_t cookie;
	char *peer, *dest;
	void (*gone)(void *arg);   /* who counts it */
	void *gone_arg;
	uint8_t *tail;             /* what has come and was not eaten */
	size_t len, room, ate;
	size_t want;
	bool hold, finish;         /* as asked */
	bool eof;                  /* nothing more comes */
	bool short_of_room;        /* a write was not taken whole, or its EOF waits */
	bool telling;              /* a hook of the owner runs */
	bool dropped;              /* ... and it dropped us */
};

/* stream.c */
/** A stream that has no descriptor yet.  NULL: ENOMEM. */
struct ptah_stream *ptah_stream_make(struct ptah_self *self);
/** The descriptor is there.  -errno, and it is closed. */
int ptah_stream_open_on(struct ptah_stream *stream, int fd);
/** Tell the owner these PTAH_STREAM_ bits soon. */
void ptah_stream_bring(struct ptah_stream *stream, uint32_t news);
/** Call the owner; false: the stream is gone. */
bool ptah_stream_tell(struct ptah_stream *stream, uint32_t what, uint32_t bits);
/** The owner may be waiting for that; the stream may be gone after. */
void ptah_stream_look_if_idle(struct ptah_stream *stream);
/** It is over, and the owner hears so. */
void ptah_stream_fail(struct ptah_stream *stream, int rc);

/* flow.c */
extern const struct ptah_end_ops ptah_stream_end_ops;
/** Is there anything that the owner wants to be called for? */
bool ptah_stream_has_input(const struct ptah_stream *stream);
/** Read on, or rest? */
void ptah_stream_set_reader(struct ptah_stream *stream);
/** Move what was not eaten to the front. */
void ptah_stream_take_eaten(struct ptah_stream *stream);
void ptah_stream_forget_tail(struct ptah_stream *stream);
void ptah_stream_send_eof(struct ptah_stream *stream);

/* dialled.c */
void ptah_stream_forget_dial(struct ptah_stream *stream);

#endif
