/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for the descriptors of a message, as the kernel wants it. */
union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(PTAH_PASS_MOST * sizeof(int))];
};

int
ptah_pass_send(int fd, const void *bytes, size_t len, const int *fds, unsigned n)
{
	struct iovec part = { (void *)bytes, len };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control;
	ssize_t sent;

	if (n > PTAH_PASS_MOST)
		return -EINVAL;
	if (n > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
	}
	/* A process in a cell may not call sendmsg, and has none to send. */
	do
		sent = n > 0 ? sendmsg(fd, &msg, MSG_NOSIGNAL) : send(fd, bytes, len, MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	if (sent == -1)
		return -errno;
	return (size_t)sent == len ? 0 : -EMSGSIZE;
}

/* Keep what there is room for. */
static void
take(const struct cmsghdr *head, int *fds, unsigned room, unsigned *n)
{
	size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
		if (*n < room)
			fds[(*n)++] = fd;
		else
			close(fd);
	}
}

ssize_t
ptah_pass_receive(int fd, void *bytes, size_t room, int *fds, unsigned *n)
{
	struct iovec part = { bytes, room };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control;
	unsigned most = *n;
	ssize_t got;

	/* Without room for them the kernel installs none. */
	if (most > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	*n = 0;
	do
		got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return -errno;
	for (struct cmsghdr *head = CMSG_FIRSTHDR(&msg); head != NULL; head = CMSG_NXTHDR(&msg, head))
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
			take(head, fds, most, n);
	return got;
}
