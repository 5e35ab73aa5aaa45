/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOT 65536

struct ptah_udp_batch {
	struct mmsghdr headers[PTAH_UDP_BATCH];
	struct iovec iov[PTAH_UDP_BATCH];
	union {
		struct sockaddr sa;
		struct sockaddr_in6 v6;
	} from[PTAH_UDP_BATCH];
	uint8_t *slots;
};

struct ptah_udp_batch *
ptah_udp_batch_new(void)
{
	struct ptah_udp_batch *batch = calloc(1, sizeof(*batch));

	if (batch == NULL)
		return NULL;
	batch->slots = malloc((size_t)PTAH_UDP_BATCH * SLOT);
	if (batch->slots == NULL) {
		free(batch);
		return NULL;
	}
	for (size_t i = 0; i < PTAH_UDP_BATCH; i++) {
		batch->iov[i].iov_base = batch->slots + i * SLOT;
		batch->iov[i].iov_len = SLOT;
		batch->headers[i].msg_hdr.msg_iov = &batch->iov[i];
		batch->headers[i].msg_hdr.msg_iovlen = 1;
		batch->headers[i].msg_hdr.msg_name = &batch->from[i];
	}
	return batch;
}

void
ptah_udp_batch_free(struct ptah_udp_batch *batch)
{
	if (batch == NULL)
		return;
	free(batch->slots);
	free(batch);
}

int
ptah_udp_listen(const struct ptah_addr *addr, struct ptah_addr *bound)
{
	int rc, fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	rc = bind(fd, &addr->sa, ptah_addr_len(addr)) == -1 ? -errno : ptah_addr_of_socket(bound, fd);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int
ptah_udp_connect(const struct ptah_addr *target)
{
	int rc, fd = socket(target->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	if (connect(fd, &target->sa, ptah_addr_len(target)) == -1) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int
ptah_udp_read(int fd, struct ptah_udp_batch *batch, struct ptah_udp_got *got)
{
	int n;

	for (size_t i = 0; i < PTAH_UDP_BATCH; i++)
		batch->headers[i].msg_hdr.msg_namelen = sizeof(batch->from[i]);
	do
		n = recvmmsg(fd, batch->headers, PTAH_UDP_BATCH, 0, NULL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		got[i].at = batch->iov[i].iov_base;
		got[i].len = batch->headers[i].msg_len;
		if (batch->headers[i].msg_hdr.msg_namelen > 0)
			ptah_addr_from_sockaddr(&got[i].from, &batch->from[i].sa);
		else
			got[i].from.sa.sa_family = AF_UNSPEC;
	}
	return n;
}

int
ptah_udp_send(int fd, const struct ptah_addr *to, const uint8_t *at, size_t len)
{
	ssize_t n;

	do
		n = to != NULL ? sendto(fd, at, len, MSG_NOSIGNAL, &to->sa, ptah_addr_len(to)) : send(fd, at, len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : 0;
}
