/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/deadline.h"
#include "loop/end.h"
#include "loop/worker.h"
#include "stats/stats.h"
#include "transport/child.h"
#include "transport/home.h"
#include "transport/instance.h"
#include "wire/dial.h"

/* One read at most: several streams share a worker. */
#define READ_LEN ((size_t)64 * 1024)

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

static void on_soon(evutil_socket_t fd, short what, void *arg);
static void on_readable(struct ptah_end *end);
static void on_drained(struct ptah_end *end);
static void on_write_failed(struct ptah_end *end, int rc);

static const struct ptah_end_ops end_ops = { on_readable, on_drained, on_write_failed };

/* ---- birth and death --------------------------------------------------------- */

static struct ptah_stream *
stream_new(struct ptah_self *self)
{
	struct ptah_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	stream->owner = self;
	stream->end.fd = -1;
	if (evtimer_assign(&stream->soon, self->worker->base, on_soon, stream) == -1) {
		free(stream);
		errno = ENOMEM;
		return NULL;
	}
	stream->next = self->streams;
	if (self->streams != NULL)
		self->streams->prev = stream;
	self->streams = stream;
	return stream;
}

static void
unlink_stream(struct ptah_stream *stream)
{
	if (stream->owner == NULL)
		return;
	if (stream->prev != NULL)
		stream->prev->next = stream->next;
	else
		stream->owner->streams = stream->next;
	if (stream->next != NULL)
		stream->next->prev = stream->prev;
	stream->owner = NULL;
}

static void
forget_dial(struct ptah_stream *stream)
{
	ptah_deadline_clear(&stream->limit);
	ptah_dial_cancel(stream->dial);
	stream->dial = NULL;
	if (stream->through != NULL)
		ptah_child_forget(stream->owner->instance, stream->through);
	stream->through = NULL;
}

/* Everything but the memory, which a hook above us may still look at. */
static void
shut(struct ptah_stream *stream)
{
	forget_dial(stream);
	if (stream->owner != NULL && stream->owner->broken)
		ptah_end_abort(&stream->end);
	unlink_stream(stream);
	event_del(&stream->soon);
	ptah_end_close(&stream->end);
	if (stream->gone != NULL)
		stream->gone(stream->gone_arg);
	stream->gone = NULL;
}

static void
forget_tail(struct ptah_stream *stream)
{
	if (stream->tail != NULL)
		explicit_bzero(stream->tail, stream->len);
	free(stream->tail);
	stream->tail = NULL;
	stream->len = stream->room = 0;
}

static void
free_memory(struct ptah_stream *stream)
{
	forget_tail(stream);
	free(stream->peer);
	free(stream->dest);
	free(stream);
}

void
ptah_stream_drop(struct ptah_stream *stream)
{
	if (stream == NULL || stream->dropped)
		return;
	shut(stream);
	stream->dropped = true;
	if (!stream->telling)
		free_memory(stream);
}

void
ptah_streams_end(struct ptah_self *self)
{
	while (self->streams != NULL)
		ptah_stream_drop(self->streams);
}

/* ---- news ---------------------------------------------------------------------- */

static void
bring(struct ptah_stream *stream, uint32_t news)
{
	stream->news |= news;
	event_active(&stream->soon, EV_TIMEOUT, 0);
}

static void
take_eaten(struct ptah_stream *stream)
{
	if (stream->ate == 0)
		return;
	memmove(stream->tail, stream->tail + stream->ate, stream->len - stream->ate);
	stream->len -= stream->ate;
	stream->ate = 0;
	if (stream->len == 0)
		forget_tail(stream);
}

/* Read on, or rest? */
static void
set_reader(struct ptah_stream *stream)
{
	if (stream->end.fd == -1 || stream->dialing || stream->stranger || stream->hold || stream->eof ||
	    stream->len >= PTAH_STREAM_KEPT)
		ptah_end_read_stop(&stream->end);
	else if (ptah_end_read_start(&stream->end) < 0) {
		stream->rc = -ENOMEM;
		bring(stream, PTAH_STREAM_FAILED);
	}
}

static bool
has_input(const struct ptah_stream *stream)
{
	if (stream->hold || stream->want == PTAH_NEVER)
		return false;
	return stream->eof || (stream->len > 0 && stream->len >= stream->want);
}

/* Call the owner; false: the stream is gone. */
static bool
tell(struct ptah_stream *stream, uint32_t what, uint32_t bits)
{
	struct ptah_self *owner = stream->owner;

	/* That there is no more is true of every later event, too. */
	if (what == PTAH_EV_STREAM && stream->eof && !stream->hold)
		bits |= PTAH_STREAM_ENDED;
	struct ptah_event event = {
		.size = sizeof(event),
		.what = what,
		.val = what == PTAH_EV_ACCEPT ? stream->via : (int64_t)bits,
		.cookie = stream->cookie,
		.stream = stream,
		.body = { stream->tail, stream->len },
		.peer = stream->peer,
		.dest = stream->dest,
		.rc = (bits & PTAH_STREAM_FAILED) != 0 ? stream->rc : 0,
	};

	stream->telling = true;
	owner->ops->deliver(owner, &event);
	stream->telling = false;
	if ((bits & PTAH_STREAM_FAILED) != 0 && !stream->dropped) {
		shut(stream);
		stream->dropped = true;
	}
	if (stream->dropped) {
		free_memory(stream);
		return false;
	}
	take_eaten(stream);
	set_reader(stream);
	return true;
}

static bool
is_busy(const struct ptah_stream *stream)
{
	return !stream->eof || stream->len > stream->ate || !stream->end.finished || stream->news != 0;
}

bool
ptah_streams_busy(const struct ptah_self *self)
{
	for (const struct ptah_stream *stream = self->streams; stream != NULL; stream = stream->next)
		if (is_busy(stream))
			return true;
	return false;
}

/* The owner may be waiting for that; the stream may be gone after. */
static void
look_if_idle(struct ptah_stream *stream)
{
	struct ptah_self *owner = stream->owner;

	if (owner->ops->idle != NULL && !ptah_streams_busy(owner))
		owner->ops->idle(owner);
}

static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_stream *stream = arg;
	uint32_t news;

	(void)fd;
	(void)what;
	if (stream->stranger) {
		/* Nobody was told of it yet, so nobody need hear how it ended. */
		if ((stream->news & PTAH_STREAM_FAILED) != 0) {
			ptah_stream_drop(stream);
			return;
		}
		stream->stranger = false;
		if (!tell(stream, PTAH_EV_ACCEPT, 0))
			return;
	}
	news = stream->news;
	stream->news = 0;
	if ((news & PTAH_STREAM_INPUT) != 0 && !has_input(stream))
		news &= ~(uint32_t)PTAH_STREAM_INPUT;
	if (news == 0 || tell(stream, PTAH_EV_STREAM, news))
		look_if_idle(stream);
}

static void
fail(struct ptah_stream *stream, int rc)
{
	stream->rc = rc;
	stream->eof = true;
	ptah_end_read_stop(&stream->end);
	bring(stream, PTAH_STREAM_FAILED);
}

/* ---- reading -------------------------------------------------------------------- */

static int
make_room(struct ptah_stream *stream)
{
	size_t room = stream->len + READ_LEN < PTAH_STREAM_KEPT ? stream->len + READ_LEN : PTAH_STREAM_KEPT;
	uint8_t *more;

	if (stream->room >= room)
		return 0;
	more = realloc(stream->tail, room);
	if (more == NULL)
		return -ENOMEM;
	stream->tail = more;
	stream->room = room;
	return 0;
}

static void
on_readable(struct ptah_end *end)
{
	struct ptah_stream *stream = end->arg;
	ssize_t n = make_room(stream);

	if (n == 0)
		n = ptah_end_read(end, stream->tail + stream->len, stream->room - stream->len);
	if (n == -EAGAIN) {
		if (stream->len == 0)
			forget_tail(stream);
		return;
	}
	if (n < 0) {
		fail(stream, (int)n);
		return;
	}
	stream->len += (size_t)n;
	stream->eof = n == 0;
	if (stream->eof && stream->write_rc != 0)
		fail(stream, stream->write_rc);
	else if (!has_input(stream))
		set_reader(stream);
	else if (tell(stream, PTAH_EV_STREAM, PTAH_STREAM_INPUT))
		look_if_idle(stream);
}

void
ptah_stream_eat(struct ptah_stream *stream, size_t n)
{
	size_t left = stream->len - stream->ate;

	stream->ate += n < left ? n : left;
	if (stream->telling)
		return;
	take_eaten(stream);
	set_reader(stream);
	if (stream->len > 0 && has_input(stream))
		bring(stream, PTAH_STREAM_INPUT);
}

/* ---- writing --------------------------------------------------------------------- */

static void
on_drained(struct ptah_end *end)
{
	struct ptah_stream *stream = end->arg;

	if (stream->short_of_room) {
		stream->short_of_room = false;
		if (!tell(stream, PTAH_EV_STREAM, PTAH_STREAM_ROOM))
			return;
	}
	look_if_idle(stream);
}

/* A peer that closed may have said something before: read that first. */
static void
fail_writing(struct ptah_stream *stream, int rc)
{
	stream->finish = true;
	stream->write_rc = rc;
	if (rc == -ENOMEM || rc == -ENOBUFS || stream->eof || stream->hold || stream->want == PTAH_NEVER || stream->len >= PTAH_STREAM_KEPT)
		fail(stream, rc == -ENOBUFS ? -ETIMEDOUT : rc);
}

static void
on_write_failed(struct ptah_end *end, int rc)
{
	fail_writing(end->arg, rc);
}

size_t
ptah_stream_write(struct ptah_stream *stream, struct ptah_span bytes)
{
	size_t kept, n;
	int rc;

	if (stream->finish || (stream->news & PTAH_STREAM_FAILED) != 0)
		return 0;
	if (stream->dialing || stream->end.fd == -1) {
		stream->short_of_room = true;
		return 0;
	}
	kept = ptah_end_spilled(&stream->end);
	n = bytes.len < PTAH_STREAM_KEPT - kept ? bytes.len : PTAH_STREAM_KEPT - kept;
	rc = n > 0 ? ptah_end_write(&stream->end, bytes.at, n) : 0;
	if (rc < 0) {
		fail_writing(stream, rc);
		return 0;
	}
	if (n < bytes.len)
		stream->short_of_room = true;
	return n;
}

static void
send_eof(struct ptah_stream *stream)
{
	int rc = ptah_end_finish(&stream->end);

	if (rc < 0)
		fail(stream, rc);
	else if (rc == 1)
		stream->short_of_room = true;
	else
		bring(stream, PTAH_STREAM_ROOM);
}

void
ptah_stream_ask(struct ptah_stream *stream, size_t want, uint32_t hold, uint32_t finish)
{
	bool more = (stream->hold && hold == 0) || want < stream->want || stream->want == PTAH_NEVER;

	/* More than is ever kept would be waited for in vain. */
	stream->want = want != PTAH_NEVER && want > PTAH_STREAM_KEPT ? PTAH_STREAM_KEPT : want;
	stream->hold = hold != 0;
	if (finish != 0 && !stream->finish) {
		stream->finish = true;
		if (!stream->dialing && stream->end.fd != -1)
			send_eof(stream);
	}
	if (!stream->telling)
		set_reader(stream);
	if (more && has_input(stream))
		bring(stream, PTAH_STREAM_INPUT);
}

/* ---- where streams come from ------------------------------------------------------ */

/* The descriptor is there.  -errno, and it is closed. */
static int
open_on(struct ptah_stream *stream, int fd)
{
	int rc = ptah_end_open(&stream->end, stream->owner->worker, fd, &end_ops, stream);

	if (rc < 0) {
		close(fd);
		stream->end.fd = -1;
		return rc;
	}
	stream->end.read_kib = READ_LEN / 1024;
	return 0;
}

struct ptah_stream *
ptah_stream_new(struct ptah_self *self, int fd)
{
	struct ptah_stream *stream = stream_new(self);

	if (stream == NULL) {
		close(fd);
		return NULL;
	}
	if (open_on(stream, fd) < 0) {
		ptah_stream_drop(stream);
		errno = ENOMEM;
		return NULL;
	}
	set_reader(stream);
	return stream;
}

int
ptah_stream_introduce(struct ptah_stream *stream, int32_t via, uint64_t cookie, const char *peer, const char *dest,
    void (*gone)(void *arg), void *arg)
{
	stream->via = via;
	stream->cookie = cookie;
	stream->peer = peer != NULL ? strdup(peer) : NULL;
	stream->dest = dest != NULL ? strdup(dest) : NULL;
	if ((peer != NULL && stream->peer == NULL) || (dest != NULL && stream->dest == NULL))
		return -ENOMEM;
	stream->gone = gone;
	stream->gone_arg = arg;
	stream->stranger = true;
	set_reader(stream);
	bring(stream, 0);
	return 0;
}

struct ptah_stream *
ptah_stream_pipe(struct ptah_self *self, struct ptah_stream **other)
{
	struct ptah_stream *one, *two;
	int fds[2];

	*other = NULL;
	if (self->life == PTAH_LIFE_WORKER) {
		errno = EINVAL;
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
		return NULL;
	one = ptah_stream_new(self, fds[0]);
	two = ptah_stream_new(self, fds[1]);
	if (one == NULL || two == NULL) {
		ptah_stream_drop(one);
		ptah_stream_drop(two);
		errno = ENOMEM;
		return NULL;
	}
	*other = two;
	return one;
}

static void
dial_is_over(struct ptah_stream *stream, int rc)
{
	ptah_deadline_clear(&stream->limit);
	if (rc < 0) {
		fail(stream, rc);
		return;
	}
	stream->dialing = false;
	stream->short_of_room = false;
	if (stream->finish)
		send_eof(stream);
	bring(stream, PTAH_STREAM_OPENED | PTAH_STREAM_ROOM);
}

static void
count_dial(const struct ptah_stream *stream, int rc)
{
	struct ptah_stats *stats = ptah_instance_stats(stream->owner->instance, stream->owner->worker);

	if (rc == 0)
		ptah_stats_dialed(stats, ptah_clock_now_ns() - stream->dialed_ns);
	else
		ptah_stats_add(stats, PTAH_STAT_DIALS_FAILED, 1);
}

static void
on_dialed(int fd, int rc, const char *reason, void *arg)
{
	struct ptah_stream *stream = arg;

	(void)reason;
	stream->dial = NULL;
	if (stream->dialed_ns != 0)
		count_dial(stream, rc);
	if (rc == 0)
		rc = open_on(stream, fd);
	dial_is_over(stream, rc);
}

static void
on_through(int rc, void *arg)
{
	struct ptah_stream *stream = arg;

	stream->through = NULL;
	dial_is_over(stream, rc);
}

static void
on_limit(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_stream *stream = arg;

	(void)deadline;
	forget_dial(stream);
	fail(stream, -ETIMEDOUT);
}

static int
dial_directly(struct ptah_stream *stream, int32_t via, const char *server)
{
	static const struct ptah_dial_how directly;
	const struct ptah_dial_how *how = stream->owner->instance->dial_how;
	struct ptah_dest dest;
	int fd;

	if (ptah_dest_parse(&dest, server, false) < 0)
		return -EINVAL;
	if (via == PTAH_LOCAL) {
		if (!dest.literal || !ptah_addr_is_loopback(&dest.addr))
			return -EINVAL;
		if (how != NULL && how->broker != NULL)
			return -EACCES; /* a program of this machine is not for one that is locked up */
		how = &directly;
	}
	stream->dialed_ns = via == PTAH_LOCAL ? 0 : ptah_clock_now_ns();
	fd = ptah_dial_start(stream->owner->worker, how != NULL ? how : &directly, &dest, on_dialed, stream, &stream->dial);
	if (fd >= 0)
		on_dialed(fd, 0, NULL, stream);
	else if (fd != -EINPROGRESS && fd != -ENOMEM)
		on_dialed(-1, fd, NULL, stream);
	return fd == -ENOMEM ? fd : 0;
}

static int
dial_through(struct ptah_stream *stream, int32_t via, const char *server, const char *args)
{
	struct ptah_child *child = ptah_child_find(stream->owner->instance, via);
	int fds[2], rc;

	if (child == NULL)
		return -EINVAL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
		return -errno;
	rc = open_on(stream, fds[0]);
	if (rc < 0) {
		close(fds[1]);
		return rc;
	}
	stream->through = ptah_child_dial(child, stream->owner->worker, fds[1], server, args, on_through, stream);
	return stream->through != NULL ? 0 : -errno;
}

struct ptah_stream *
ptah_stream_dial(struct ptah_self *self, int32_t via, const char *server, const char *args)
{
	struct ptah_stream *stream;
	int rc;

	if (self->life == PTAH_LIFE_WORKER || (via < 0 && server == NULL) || via < PTAH_LOCAL) {
		errno = EINVAL;
		return NULL;
	}
	stream = stream_new(self);
	if (stream == NULL)
		return NULL;
	stream->dialing = true;
	rc = ptah_deadline_set(self->worker, &stream->limit, PTAH_STREAM_DIAL_MS, on_limit, stream);
	if (rc == 0)
		rc = via >= 0 ? dial_through(stream, via, server, args) : dial_directly(stream, via, server);
	if (rc < 0) {
		ptah_stream_drop(stream);
		errno = -rc;
		return NULL;
	}
	return stream;
}

/* ---- where they go ---------------------------------------------------------------- */

/* Take the descriptor; what was not eaten stays for the caller to pass on before he drops the stream.  -errno. */
static int
take_fd(struct ptah_self *self, struct ptah_stream *stream, struct ptah_span *early)
{
	if (stream->owner != self || stream->dialing || stream->stranger || stream->end.fd == -1 ||
	    (stream->news & PTAH_STREAM_FAILED) != 0)
		return -EINVAL;
	take_eaten(stream);
	if (ptah_end_spilled(&stream->end) > 0 || stream->finish)
		return -EBUSY;
	*early = (struct ptah_span){ stream->tail, stream->len };
	return ptah_end_take_fd(&stream->end);
}

int
ptah_stream_give(struct ptah_self *self, struct ptah_stream *stream)
{
	struct ptah_span early;
	int fd, rc;

	if (self->ops->give == NULL)
		return -EINVAL;
	fd = take_fd(self, stream, &early);
	if (fd < 0)
		return fd;
	rc = self->ops->give(self, fd, early);
	if (rc == 0) {
		ptah_stream_drop(stream);
		return 0;
	}
	/* It stays whose it was. */
	int open = open_on(stream, fd);
	if (open < 0)
		fail(stream, open);
	else if (!stream->telling)
		set_reader(stream);
	return rc;
}

int
ptah_stream_arrive(struct ptah_self *self, struct ptah_stream *stream, const char *peer, const char *dest,
    uint64_t cookie)
{
	struct ptah_instance *top = self->instance;
	struct ptah_arrival arrival = { .peer = peer, .dest = dest, .from = self->instance, .cookie = cookie };

	while (top->above != NULL)
		top = top->above;
	if (self->life != PTAH_LIFE_HOME || top->role != PTAH_SERVER || top->on_arrive == NULL)
		return -EINVAL;
	arrival.fd = take_fd(self, stream, &arrival.early);
	if (arrival.fd < 0)
		return arrival.fd;
	top->on_arrive(top, self->worker, &arrival);
	ptah_stream_drop(stream);
	return 0;
}
