/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/end.h"

#include <errno.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/worker.h"

/* How long, and after how many freed bytes, memory goes back to the kernel. */
#define TRIM_MS 500
#define TRIM_AFTER ((size_t)256 * 1024)

struct ptah_spill {
	uint8_t *at;
	size_t off, len, room; /* [off, len) is what waits */
	bool moved;            /* since 'stall' began */
	struct ptah_deadline stall;
	struct event event;
};

static void
on_trim(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_worker *worker = arg;

	(void)deadline;
	if (worker->n_spills > 0) {
		(void)ptah_deadline_set(worker, &worker->trim, TRIM_MS, on_trim, worker);
		return;
	}
	worker->freed = 0;
	malloc_trim(0);
}

static void
spill_free(struct ptah_end *end)
{
	struct ptah_worker *worker = end->worker;

	if (end->spill == NULL)
		return;
	event_del(&end->spill->event);
	ptah_deadline_clear(&end->spill->stall);
	worker->spilled -= end->spill->len - end->spill->off;
	worker->n_spills--;
	worker->freed += end->spill->room;
	free(end->spill->at);
	free(end->spill);
	end->spill = NULL;
	if (worker->freed >= TRIM_AFTER && !ptah_deadline_is_set(&worker->trim))
		(void)ptah_deadline_set(worker, &worker->trim, TRIM_MS, on_trim, worker);
}

static void
on_read_event(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_end *end = arg;

	(void)fd;
	(void)what;
	end->ops->on_readable(end);
}

int
ptah_end_open(struct ptah_end *end, struct ptah_worker *worker, int fd,
    const struct ptah_end_ops *ops, void *arg)
{
	if (event_assign(&end->read_event, worker->base, fd, EV_READ | EV_PERSIST, on_read_event, end) == -1)
		return -ENOMEM;
	end->fd = fd;
	end->reading = end->finishing = end->finished = end->failed = false;
	end->broke_rc = 0;
	end->read_kib = PTAH_SCRATCH_LEN / 1024;
	end->worker = worker;
	end->ops = ops;
	end->arg = arg;
	end->spill = NULL;
	return 0;
}

void
ptah_end_close(struct ptah_end *end)
{
	if (end->fd == -1)
		return;
	ptah_end_read_stop(end);
	spill_free(end);
	close(end->fd);
	end->fd = -1;
}

void
ptah_end_abort(struct ptah_end *end)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (end->fd == -1)
		return;
	(void)setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	ptah_end_close(end);
}

int
ptah_end_take_fd(struct ptah_end *end)
{
	int fd = end->fd;

	ptah_end_read_stop(end);
	spill_free(end);
	end->fd = -1;
	return fd;
}

int
ptah_end_read_start(struct ptah_end *end)
{
	if (end->reading)
		return 0;
	if (event_add(&end->read_event, NULL) == -1)
		return -ENOMEM;
	end->reading = true;
	return 0;
}

void
ptah_end_read_stop(struct ptah_end *end)
{
	if (!end->reading)
		return;
	event_del(&end->read_event);
	end->reading = false;
}

ssize_t
ptah_end_read(struct ptah_end *end, uint8_t *at, size_t room)
{
	size_t most = (size_t)end->read_kib * 1024;
	ssize_t n;

	do
		n = read(end->fd, at, room < most ? room : most);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return n == 0 ? end->broke_rc : n;
}

/* Bytes that the kernel took, or -errno. */
static ssize_t
send_some(struct ptah_end *end, const uint8_t *at, size_t len)
{
	ssize_t n;

	do
		n = send(end->fd, at, len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	/* After an EOF of the other side it would be EPIPE, and short memory breaks no connection. */
	end->broke_rc = n == -1 && errno != EPIPE && errno != ENOMEM && errno != ENOBUFS ? -errno : 0;
	return n == -1 ? -errno : n;
}

static int
send_eof(struct ptah_end *end)
{
	end->finishing = false;
	end->finished = true;
	if (shutdown(end->fd, SHUT_WR) == -1 && errno != ENOTCONN)
		return -errno;
	return 0;
}

static void
fail(struct ptah_end *end, int rc)
{
	end->failed = true;
	spill_free(end);
	end->ops->on_failed(end, rc);
}

/*
 * A reader may rest as long as it likes, but not at the cost of others: once
 * new links had to wait, those go that took nothing for a while, until half of
 * what all may keep is free.
 */
static void
on_stall(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_end *end = arg;
	struct ptah_worker *worker = end->worker;

	if (!end->spill->moved && worker->spilled_most > 0 && worker->spilled > worker->spilled_most / 2) {
		fail(end, -ENOBUFS);
		return;
	}
	end->spill->moved = false;
	(void)ptah_deadline_set(worker, deadline, worker->stall_ms, on_stall, end); /* it is reserved */
}

static void
on_write_event(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_end *end = arg;
	struct ptah_spill *spill = end->spill;

	(void)fd;
	(void)what;
	ssize_t n = send_some(end, spill->at + spill->off, spill->len - spill->off);
	if (n < 0) {
		fail(end, (int)n);
		return;
	}
	spill->off += (size_t)n;
	spill->moved = spill->moved || n > 0;
	end->worker->spilled -= (size_t)n;
	if (spill->off < spill->len)
		return;
	spill_free(end);
	if (end->finishing) {
		int rc = send_eof(end);

		if (rc != 0) {
			fail(end, rc);
			return;
		}
	}
	end->ops->on_drained(end);
}

static int
keep(struct ptah_end *end, const uint8_t *at, size_t len)
{
	struct ptah_spill *spill = end->spill;

	if (spill == NULL) {
		spill = calloc(1, sizeof(*spill));
		if (spill == NULL)
			return -ENOMEM;
		if (event_assign(&spill->event, end->worker->base, end->fd, EV_WRITE | EV_PERSIST, on_write_event, end) == -1 ||
		    event_add(&spill->event, NULL) == -1) {
			free(spill);
			return -ENOMEM;
		}
		end->spill = spill;
		end->worker->n_spills++;
		(void)ptah_deadline_set(end->worker, &spill->stall, end->worker->stall_ms, on_stall, end);
	}
	if (spill->room - spill->len < len && spill->off > 0) {
		memmove(spill->at, spill->at + spill->off, spill->len - spill->off);
		spill->len -= spill->off;
		spill->off = 0;
	}
	if (spill->room - spill->len < len) {
		uint8_t *more = realloc(spill->at, spill->len + len);

		if (more == NULL)
			return -ENOMEM;
		spill->at = more;
		spill->room = spill->len + len;
	}
	memcpy(spill->at + spill->len, at, len);
	spill->len += len;
	end->worker->spilled += len;
	return 1;
}

int
ptah_end_write(struct ptah_end *end, const uint8_t *at, size_t len)
{
	ptah_assert(!end->finishing && !end->finished);
	if (end->failed)
		return -EPIPE;
	if (len == 0)
		return end->spill != NULL;
	if (end->spill == NULL) {
		ssize_t n = send_some(end, at, len);

		if (n < 0) {
			end->failed = true;
			return (int)n;
		}
		if ((size_t)n == len)
			return 0;
		at += n;
		len -= (size_t)n;
	}
	int rc = keep(end, at, len);
	if (rc < 0)
		end->failed = true;
	return rc;
}

int
ptah_end_finish(struct ptah_end *end)
{
	if (end->finished)
		return 0;
	if (end->failed)
		return -EPIPE;
	if (end->spill != NULL) {
		end->finishing = true;
		return 1;
	}
	return send_eof(end);
}

bool
ptah_end_is_flushed(const struct ptah_end *end)
{
	struct pollfd gone = { .fd = end->fd };
	int waiting = 0;

	if (end->spill != NULL)
		return false;
	if (ioctl(end->fd, SIOCOUTQ, &waiting) == -1 || waiting == 0)
		return true;
	return poll(&gone, 1, 0) == 1; /* of a connection that broke the rest still counts as waiting */
}

size_t
ptah_end_waiting(const struct ptah_end *end)
{
	int waiting = 0;

	if (end->fd == -1 || end->failed || ioctl(end->fd, SIOCOUTQ, &waiting) == -1)
		waiting = 0;
	return ptah_end_spilled(end) + (size_t)waiting;
}

int
ptah_end_error(const struct ptah_end *end)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ? 0 : -error;
}

size_t
ptah_end_spilled(const struct ptah_end *end)
{
	return end->spill == NULL ? 0 : end->spill->len - end->spill->off;
}
