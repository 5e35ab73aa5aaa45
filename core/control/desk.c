/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/desk.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/deadline.h"
#include "loop/end.h"
#include "loop/worker.h"

/* How soon it is looked again whether there are descriptors. */
#define REST_MS 500

struct ptah_visitor {
	struct ptah_desk *desk;
	struct ptah_visitor *prev, *next;
	struct ptah_end end;
	struct ptah_deadline deadline;
	uint8_t *bytes; /* what came and was not eaten; ask_most of room */
	size_t len;
	bool asking;    /* inside on_bytes() */
	bool waits;     /* its answer is not whole */
	bool eof;       /* it asks nothing more */
	bool last;      /* all is said */
	bool over;      /* its deadline is now */
	bool behind;    /* it has not taken all that was said, and has its limit for that */
	void *what;
};

struct ptah_desk {
	struct ptah_worker *worker;
	struct ptah_desk_how how;
	int fd;
	struct event *event;
	struct ptah_deadline rest;
	struct ptah_visitor *visitors;
	unsigned n;
	struct ptah_often said;
};

/* --- the end of a visit ----------------------------------------------------------- */

static void
visitor_free(struct ptah_visitor *visitor)
{
	struct ptah_desk *desk = visitor->desk;

	if (desk->how.on_gone)
		desk->how.on_gone(visitor, desk->how.arg);
	ptah_deadline_clear(&visitor->deadline);
	ptah_end_close(&visitor->end);
	*(visitor->prev ? &visitor->prev->next : &desk->visitors) = visitor->next;
	if (visitor->next)
		visitor->next->prev = visitor->prev;
	if (visitor->bytes)
		explicit_bzero(visitor->bytes, desk->how.ask_most);
	free(visitor->bytes);
	free(visitor);
	desk->n--;
	/* There may be one in the queue for whom there was no place. */
	if (!ptah_deadline_is_set(&desk->rest) && desk->fd != -1)
		(void)event_add(desk->event, NULL);
}

static void
on_deadline(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	visitor_free(arg);
}

static void
limit(struct ptah_visitor *visitor, unsigned ms)
{
	(void)ptah_deadline_set(visitor->desk->worker, &visitor->deadline, ms, on_deadline, visitor); /* it is reserved */
}

/* Whoever calls us may still be busy with it. */
static void
leave_soon(struct ptah_visitor *visitor)
{
	if (visitor->over)
		return;
	visitor->over = true;
	ptah_end_read_stop(&visitor->end);
	limit(visitor, 0);
}

/* --- questions -------------------------------------------------------------------- */

/* Has it been told all, and said all? */
static bool
is_done(const struct ptah_visitor *visitor)
{
	return visitor->eof && !visitor->waits && ptah_end_spilled(&visitor->end) == 0;
}

/*
 * How long it may take over what it is about to do: take an answer, ask, or nothing while it waits for us.  Of an answer
 * in many parts, the first that it leaves lying counts: else one that takes none of them would keep us as long as we speak.
 */
static void
set_limit(struct ptah_visitor *visitor)
{
	bool was_behind = visitor->behind;

	if (visitor->over)
		return;
	visitor->behind = !visitor->last && ptah_end_spilled(&visitor->end) > 0;
	if (visitor->behind && was_behind)
		return;
	if (visitor->last || visitor->behind)
		limit(visitor, visitor->desk->how.say_ms);
	else if (visitor->waits)
		ptah_deadline_clear(&visitor->deadline);
	else
		limit(visitor, visitor->desk->how.ask_ms);
}

static void
listen_to(struct ptah_visitor *visitor)
{
	bool full = visitor->len == visitor->desk->how.ask_most && !visitor->last;

	if (visitor->over || visitor->eof || full)
		ptah_end_read_stop(&visitor->end);
	else if (ptah_end_read_start(&visitor->end) != 0)
		leave_soon(visitor);
}

static bool
may_ask(const struct ptah_visitor *visitor)
{
	return !visitor->waits && !visitor->last && !visitor->over;
}

/* Let it have answers to all that is whole. */
static void
hear(struct ptah_visitor *visitor)
{
	const struct ptah_desk_how *how = &visitor->desk->how;
	long rc = 1;

	while (rc > 0 && visitor->len > 0 && may_ask(visitor)) {
		visitor->asking = true;
		rc = how->on_bytes(visitor, (struct ptah_span){ visitor->bytes, visitor->len }, how->arg);
		visitor->asking = false;
		if (rc < 0 || (rc == 0 && visitor->len == how->ask_most)) {
			leave_soon(visitor);
			return;
		}
		visitor->len -= (size_t)rc;
		memmove(visitor->bytes, visitor->bytes + rc, visitor->len);
	}
	if (is_done(visitor))
		leave_soon(visitor);
	listen_to(visitor);
}

static void
on_readable(struct ptah_end *end)
{
	struct ptah_visitor *visitor = end->arg;
	size_t at = visitor->last ? 0 : visitor->len; /* what comes behind the last question goes nowhere */
	ssize_t n = ptah_end_read(end, visitor->bytes + at, visitor->desk->how.ask_most - at);

	if (n == -EAGAIN)
		return;
	if (n < 0 || (n == 0 && visitor->last)) {
		leave_soon(visitor);
		return;
	}
	visitor->eof = n == 0;
	if (visitor->last)
		return;
	visitor->len += (size_t)n;
	hear(visitor);
	/* What comes in pieces has one limit for all of them. */
	if (visitor->len == 0 || visitor->waits || visitor->last)
		set_limit(visitor);
}

/* --- answers ---------------------------------------------------------------------- */

void
ptah_visitor_say(struct ptah_visitor *visitor, const void *bytes, size_t len, int then)
{
	int rc;

	if (visitor->over || visitor->last)
		return;
	visitor->waits = then == PTAH_SAY_MORE;
	visitor->last = then == PTAH_SAY_LAST;
	rc = ptah_end_write(&visitor->end, bytes, len);
	/* It is closed when it has said EOF, too: with bytes of its unread that would be a reset, and take our answer away. */
	if (rc >= 0 && visitor->last)
		rc = ptah_end_finish(&visitor->end);
	if (rc < 0) {
		leave_soon(visitor);
		return;
	}
	if (!visitor->asking)
		hear(visitor);
	set_limit(visitor);
}

void
ptah_visitor_wait(struct ptah_visitor *visitor)
{
	visitor->waits = true;
}

void *
ptah_visitor_get(const struct ptah_visitor *visitor)
{
	return visitor->what;
}

void
ptah_visitor_set(struct ptah_visitor *visitor, void *what)
{
	visitor->what = what;
}

int
ptah_visitor_who(const struct ptah_visitor *visitor, uid_t *uid, pid_t *pid)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(visitor->end.fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
		return -errno;
	*uid = who.uid;
	*pid = who.pid;
	return 0;
}

static void
on_drained(struct ptah_end *end)
{
	struct ptah_visitor *visitor = end->arg;

	if (is_done(visitor))
		leave_soon(visitor);
	set_limit(visitor);
}

static void
on_failed(struct ptah_end *end, int rc)
{
	(void)rc;
	leave_soon(end->arg);
}

static const struct ptah_end_ops end_ops = { on_readable, on_drained, on_failed };

/* --- who comes ------------------------------------------------------------------------ */

static void
visitor_begin(struct ptah_desk *desk, int fd)
{
	struct ptah_visitor *visitor = calloc(1, sizeof(*visitor));

	if (visitor)
		visitor->bytes = malloc(desk->how.ask_most);
	if (!visitor || !visitor->bytes || ptah_end_open(&visitor->end, desk->worker, fd, &end_ops, visitor) != 0) {
		if (visitor)
			free(visitor->bytes);
		free(visitor);
		close(fd);
		return;
	}
	visitor->desk = desk;
	visitor->next = desk->visitors;
	if (visitor->next)
		visitor->next->prev = visitor;
	desk->visitors = visitor;
	desk->n++;
	limit(visitor, desk->how.ask_ms);
	if (ptah_end_read_start(&visitor->end) != 0)
		leave_soon(visitor);
}

static void
on_rested(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_desk *desk = arg;

	(void)deadline;
	if (desk->n < desk->how.most)
		(void)event_add(desk->event, NULL);
}

static void
on_visitor(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_desk *desk = arg;
	int visitor;

	(void)what;
	while (desk->n < desk->how.most) {
		visitor = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (visitor != -1) {
			visitor_begin(desk, visitor);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		ptah_warn_often(&desk->said, AREA_HOST, "the %s socket cannot take a connection: %s", desk->how.name, strerror(errno));
		(void)ptah_deadline_set(desk->worker, &desk->rest, REST_MS, on_rested, desk); /* it is reserved */
		break;
	}
	event_del(desk->event); /* until one leaves, or it has rested */
}

struct ptah_desk *
ptah_desk_open(struct ptah_worker *worker, int fd, const struct ptah_desk_how *how)
{
	struct ptah_desk *desk = calloc(1, sizeof(*desk));

	if (desk) {
		*desk = (struct ptah_desk){ .worker = worker, .fd = fd, .how = *how };
		desk->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_visitor, desk);
		if (desk->event && ptah_deadline_reserve(worker, 0) == 0 && ptah_deadline_reserve(worker, REST_MS) == 0 &&
		    ptah_deadline_reserve(worker, how->ask_ms) == 0 && ptah_deadline_reserve(worker, how->say_ms) == 0 &&
		    event_add(desk->event, NULL) == 0)
			return desk;
		if (desk->event)
			event_free(desk->event);
	}
	free(desk);
	close(fd);
	errno = ENOMEM;
	return NULL;
}

void
ptah_desk_shut(struct ptah_desk *desk)
{
	if (!desk || desk->fd == -1)
		return;
	ptah_deadline_clear(&desk->rest);
	event_del(desk->event);
	close(desk->fd);
	desk->fd = -1;
}

int
ptah_desk_resume(struct ptah_desk *desk, int fd)
{
	ptah_desk_shut(desk);
	if (event_assign(desk->event, desk->worker->base, fd, EV_READ | EV_PERSIST, on_visitor, desk) == -1 ||
	    (desk->n < desk->how.most && event_add(desk->event, NULL) == -1)) {
		close(fd);
		return -ENOMEM;
	}
	desk->fd = fd;
	return 0;
}

void
ptah_desk_close(struct ptah_desk *desk)
{
	if (!desk)
		return;
	ptah_desk_shut(desk);
	while (desk->visitors)
		visitor_free(desk->visitors);
	event_free(desk->event);
	free(desk);
}
