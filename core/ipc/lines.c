/* SPDX-License-Identifier: BSD-3-Clause */
#include "ipc/lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void
ptah_lines_init(struct ptah_lines *lines, int fd, int wake_fd)
{
	memset(lines, 0, sizeof(*lines));
	lines->fd = fd;
	lines->wake_fd = wake_fd;
	pthread_mutex_init(&lines->lock, NULL);
}

/* One try: bytes written, -EAGAIN if it would wait, or -errno. */
static ssize_t
write_now(int fd, const char *at, size_t len)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	if (poll(&ready, 1, 0) != 1)
		return -EAGAIN;
	do
		n = write(fd, at, len);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return n;
}

/* With the lock: send what is kept.  0, -EAGAIN, or the error that is then kept. */
static int
flush(struct ptah_lines *lines)
{
	while (lines->rest_at < lines->rest_len) {
		ssize_t n = write_now(lines->fd, lines->rest + lines->rest_at,
		    lines->rest_len - lines->rest_at);

		if (n == -EAGAIN)
			return -EAGAIN;
		if (n < 0) {
			lines->failed = (int)n;
			return lines->failed;
		}
		lines->rest_at += (size_t)n;
	}
	return 0;
}

/* With the lock, and nothing kept: send 'line', or keep what the kernel did not take. */
static int
send_line(struct ptah_lines *lines, const char *line, size_t len, int may_drop)
{
	ssize_t n = write_now(lines->fd, line, len);

	if (n == (ssize_t)len)
		return 0;
	if (n == -EAGAIN && may_drop)
		return -EAGAIN;
	if (n < 0 && n != -EAGAIN) {
		lines->failed = (int)n;
		return lines->failed;
	}
	if (n < 0)
		n = 0;
	memcpy(lines->rest, line, len);
	lines->rest_at = (size_t)n;
	lines->rest_len = len;
	return may_drop ? 0 : -EAGAIN;
}

void
ptah_lines_clear(struct ptah_lines *lines)
{
	if (lines->failed == 0 && lines->rest_at > 0)
		flush(lines);
	pthread_mutex_destroy(&lines->lock);
}

int
ptah_lines_offer(struct ptah_lines *lines, const char *line, size_t len)
{
	int rc;

	if (len > PTAH_LINE_MAX)
		return -EMSGSIZE;
	pthread_mutex_lock(&lines->lock);
	rc = lines->failed;
	if (rc == 0)
		rc = flush(lines);
	if (rc == 0)
		rc = send_line(lines, line, len, 1);
	pthread_mutex_unlock(&lines->lock);
	return rc;
}

/* Without the lock: until the reader has read, or somebody wants us to stop. */
static int
wait_for_reader(const struct ptah_lines *lines)
{
	struct pollfd fds[2] = {
		{ .fd = lines->fd, .events = POLLOUT },
		{ .fd = lines->wake_fd, .events = POLLIN },
	};

	if (poll(fds, 2, -1) == -1 && errno != EINTR)
		return -errno;
	return fds[1].revents != 0 ? -EINTR : 0;
}

int
ptah_lines_say(struct ptah_lines *lines, const char *line, size_t len)
{
	int kept = 0, rc;

	if (len > PTAH_LINE_MAX)
		return -EMSGSIZE;
	pthread_mutex_lock(&lines->lock);
	for (;;) {
		rc = lines->failed;
		if (rc == 0)
			rc = flush(lines);
		if (rc == 0 && !kept) {
			rc = send_line(lines, line, len, 0);
			kept = 1;
		}
		if (rc != -EAGAIN)
			break;
		pthread_mutex_unlock(&lines->lock);
		rc = wait_for_reader(lines);
		pthread_mutex_lock(&lines->lock);
		if (rc != 0)
			break;
	}
	pthread_mutex_unlock(&lines->lock);
	return rc;
}
