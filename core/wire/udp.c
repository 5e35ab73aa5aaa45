/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/listen.h"

#define SLOT 65536
/* Between slots: if they stood a power of two apart, all would want the same few lines of the cache. */
#define ASTRAY (9 * 64 * 13)
/* As much as the kernel will let us have: a wake-up brings datagrams in bursts. */
#define KERNEL_ROOM (4 << 20)
/* So many datagrams are joined to one that goes, as many as each kernel takes, and so many bytes (an IPv6 datagram, less headers). */
#define JOIN_MOST 64
#define JOIN_BYTES 65000

/* Room for what comes, or goes, beside a datagram. */
union beside {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

struct ptah_udp_batch {
	struct mmsghdr headers[PTAH_UDP_BATCH];
	struct iovec iov[PTAH_UDP_BATCH];
	union {
		struct sockaddr sa;
		struct sockaddr_in6 v6;
	} from[PTAH_UDP_BATCH];
	union beside beside[PTAH_UDP_BATCH];
	uint8_t *slots;
	unsigned used; /* by the last read */
	size_t head, gap; /* room before the first datagram of a slot; and that and what is kept behind each, if any is */
};

/* Past this the pieces of what the kernel joined are not worth moving apart. */
#define GAP_MOST 1024

struct ptah_udp_batch *
ptah_udp_batch_new(void)
{
	return ptah_udp_batch_new_roomy(0, 0);
}

struct ptah_udp_batch *
ptah_udp_batch_new_roomy(size_t head, size_t tail)
{
	size_t slot = SLOT + ASTRAY + (head + tail) * (head + tail <= GAP_MOST ? PTAH_UDP_JOIN_MOST : 1);
	struct ptah_udp_batch *batch = calloc(1, sizeof(*batch));

	if (batch == NULL)
		return NULL;
	batch->head = head;
	batch->gap = head + tail;
	batch->used = PTAH_UDP_BATCH;
	batch->slots = malloc(PTAH_UDP_BATCH * slot);
	if (batch->slots == NULL) {
		free(batch);
		return NULL;
	}
	for (size_t i = 0; i < PTAH_UDP_BATCH; i++) {
		batch->iov[i].iov_base = batch->slots + i * slot + head;
		batch->iov[i].iov_len = SLOT;
		batch->headers[i].msg_hdr.msg_iov = &batch->iov[i];
		batch->headers[i].msg_hdr.msg_iovlen = 1;
		batch->headers[i].msg_hdr.msg_name = &batch->from[i];
		batch->headers[i].msg_hdr.msg_control = &batch->beside[i];
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

/* What makes it quicker, where the kernel has it. */
static void
tune(int fd)
{
	int on = 1, room = KERNEL_ROOM;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
}

int
ptah_udp_open(sa_family_t family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	tune(fd);
	return fd;
}

static bool
is_wildcard(const struct ptah_addr *addr)
{
	if (addr->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr);
	return addr->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

/* A wildcard listener must answer from the address that it was asked at. */
static int
ask_for_local(int fd, const struct ptah_addr *addr)
{
	int on = 1, rc = 0;

	if (!is_wildcard(addr))
		return 0;
	if (addr->sa.sa_family == AF_INET6)
		rc = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	else
		rc = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	return rc;
}

static int
listen_one(const struct ptah_bounds *bounds, const struct ptah_addr *addr, bool shared)
{
	int on = 1, rc, fd = ptah_udp_open(addr->sa.sa_family);

	if (fd < 0)
		return fd;
	rc = ptah_listen_narrow(fd, addr, bounds);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	/* As with TCP: the first takes the port alone, and shares it only then. */
	if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1) ||
	    bind(fd, &addr->sa, ptah_addr_len(addr)) == -1 ||
	    (!shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1) ||
	    ask_for_local(fd, addr) == -1) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int
ptah_udp_listen_within(const struct ptah_bounds *bounds, const struct ptah_addr *addr, int *fds, unsigned n,
    struct ptah_addr *bound)
{
	unsigned made = 0;
	int rc = 0;

	*bound = *addr;
	while (rc == 0 && made < n) {
		rc = listen_one(bounds, bound, made > 0);
		if (rc < 0)
			break;
		fds[made++] = rc;
		rc = made == 1 ? ptah_addr_of_socket(bound, fds[0]) : 0;
	}
	while (rc < 0 && made > 0)
		close(fds[--made]);
	return rc;
}

int
ptah_udp_listen(const struct ptah_addr *addr, int *fds, unsigned n, struct ptah_addr *bound)
{
	return ptah_udp_listen_within(NULL, addr, fds, n, bound);
}

int
ptah_udp_connect(const struct ptah_addr *target)
{
	return ptah_udp_connect_from(NULL, target);
}

int
ptah_udp_connect_from(const struct ptah_addr *from, const struct ptah_addr *target)
{
	int rc, fd = ptah_udp_open(target->sa.sa_family);

	if (fd < 0)
		return fd;
	if ((from != NULL && bind(fd, &from->sa, ptah_addr_len(from)) == -1) ||
	    connect(fd, &target->sa, ptah_addr_len(target)) == -1) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* What the kernel says beside a datagram: of what length they are, and which of our addresses was asked. */
static void
look_beside(struct msghdr *header, struct ptah_udp_got *got)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int each;

			memcpy(&each, CMSG_DATA(c), sizeof(each));
			if (each > 0)
				got->each = (size_t)each;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			got->local.family = AF_INET;
			memcpy(&got->local.v4, CMSG_DATA(c), sizeof(got->local.v4));
			/* Let the route choose the interface, and fix the address alone. */
			got->local.v4.ipi_ifindex = 0;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			got->local.family = AF_INET6;
			memcpy(&got->local.v6, CMSG_DATA(c), sizeof(got->local.v6));
		}
	}
}

bool
ptah_udp_batch_may_join(const struct ptah_udp_batch *batch)
{
	return batch->gap <= GAP_MOST;
}

void
ptah_udp_join(int fd, bool on)
{
	int value = on;

	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &value, sizeof(value));
}

size_t
ptah_udp_pieces(const struct ptah_udp_batch *batch, const struct ptah_udp_got *got, struct ptah_room *pieces)
{
	uint8_t *at = (uint8_t *)(uintptr_t)got->at;
	size_t n = got->len > got->each ? (got->len + got->each - 1) / got->each : 1, last;

	if (n > PTAH_UDP_JOIN_MOST)
		n = PTAH_UDP_JOIN_MOST;
	last = got->len - (n - 1) * got->each < got->each ? got->len - (n - 1) * got->each : got->each;
	for (size_t i = n; i-- > 0;) {
		uint8_t *to = at + i * (got->each + batch->gap);
		size_t len = i + 1 == n ? last : got->each;

		/* From the last one on, so that none is overwritten that has not moved. */
		if (i > 0 && batch->gap > 0)
			memmove(to, at + i * got->each, len);
		pieces[i] = (struct ptah_room){ to, len };
	}
	return n;
}

int
ptah_udp_read(int fd, struct ptah_udp_batch *batch, struct ptah_udp_got *got)
{
	int n;

	for (unsigned i = 0; i < batch->used; i++) {
		batch->headers[i].msg_hdr.msg_namelen = sizeof(batch->from[i]);
		batch->headers[i].msg_hdr.msg_controllen = sizeof(batch->beside[i]);
	}
	do
		n = recvmmsg(fd, batch->headers, PTAH_UDP_BATCH, 0, NULL);
	while (n == -1 && errno == EINTR);
	batch->used = n > 0 ? (unsigned)n : 1;
	if (n == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		got[i].at = batch->iov[i].iov_base;
		got[i].len = got[i].each = batch->headers[i].msg_len;
		got[i].local.family = AF_UNSPEC;
		look_beside(&batch->headers[i].msg_hdr, &got[i]);
		if (batch->headers[i].msg_hdr.msg_namelen > 0)
			ptah_addr_from_sockaddr(&got[i].from, &batch->from[i].sa);
		else
			got[i].from.sa.sa_family = AF_UNSPEC;
	}
	return n;
}

/* Messages of one call: each is a datagram, or several of one length that the kernel takes apart again. */
struct burst {
	struct mmsghdr headers[PTAH_UDP_SEND_MOST];
	size_t counts[PTAH_UDP_SEND_MOST];
	struct iovec iov[PTAH_UDP_SEND_MOST];
	union beside beside[PTAH_UDP_SEND_MOST];
	unsigned n;
};

/* How many of these can be one message. */
static size_t
joined(const struct ptah_udp_out *out, const struct ptah_span *datagrams, size_t n)
{
	size_t each = datagrams[0].len, total = each, count = 1;

	if (each == 0 || (out->no_join != 0 && each >= out->no_join))
		return 1;
	while (count < n && count < JOIN_MOST && datagrams[count].len > 0 && datagrams[count].len <= each &&
	    total + datagrams[count].len <= JOIN_BYTES) {
		total += datagrams[count].len;
		/* A shorter one can be the last. */
		if (datagrams[count++].len < each)
			break;
	}
	return count;
}

static void
put_beside(struct msghdr *header, union beside *room, size_t each, const struct ptah_udp_local *local)
{
	struct cmsghdr *c = &room->align;
	size_t used = 0;

	memset(room, 0, sizeof(*room));
	if (local != NULL && local->family != AF_UNSPEC) {
		bool v6 = local->family == AF_INET6;
		size_t len = v6 ? sizeof(local->v6) : sizeof(local->v4);

		c->cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
		c->cmsg_type = v6 ? IPV6_PKTINFO : IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(len);
		memcpy(CMSG_DATA(c), v6 ? (const void *)&local->v6 : (const void *)&local->v4, len);
		used = CMSG_SPACE(len);
	}
	if (each > 0) {
		uint16_t segment = (uint16_t)each;

		c = (struct cmsghdr *)(void *)(room->room + used);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(segment));
		memcpy(CMSG_DATA(c), &segment, sizeof(segment));
		used += CMSG_SPACE(sizeof(segment));
	}
	header->msg_control = used > 0 ? room : NULL;
	header->msg_controllen = used;
}

static void
burst_fill(struct burst *burst, const struct ptah_udp_out *out, const struct ptah_udp_to *to,
    const struct ptah_span *datagrams, size_t n)
{
	static uint8_t nothing;
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		burst->iov[i] = (struct iovec){ datagrams[i].len > 0 ? (void *)(uintptr_t)datagrams[i].at : &nothing, datagrams[i].len };
	for (burst->n = 0; at < n; burst->n++) {
		size_t count = joined(out, datagrams + at, n - at);
		struct msghdr *header = &burst->headers[burst->n].msg_hdr;

		*header = (struct msghdr){ .msg_iov = &burst->iov[at], .msg_iovlen = count };
		if (to->addr != NULL) {
			header->msg_name = (void *)(uintptr_t)&to->addr->sa;
			header->msg_namelen = ptah_addr_len(to->addr);
		}
		put_beside(header, &burst->beside[burst->n], count > 1 ? datagrams[at].len : 0, to->local);
		burst->counts[burst->n] = count;
		at += count;
	}
}

size_t
ptah_udp_send(int fd, struct ptah_udp_out *out, const struct ptah_udp_to *to, const struct ptah_span *datagrams, size_t n)
{
	struct burst burst;
	size_t taken = 0, at = 0;
	unsigned i = 0;
	bool again = false; /* what was refused has been tried once more */

	burst_fill(&burst, out, to, datagrams, n);
	while (i < burst.n) {
		int rc = sendmmsg(fd, burst.headers + i, burst.n - i, MSG_NOSIGNAL);

		if (rc > 0) {
			for (; rc > 0; rc--, i++) {
				taken += burst.counts[i];
				at += burst.counts[i];
			}
			again = false;
		} else if (errno == EINTR) {
			continue;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			break; /* no room: the tail is lost */
		} else if (burst.counts[i] > 1 && (errno == EMSGSIZE || errno == EINVAL || errno == EIO || errno == EOPNOTSUPP)) {
			/* Longer than this path takes in one piece, or a device that cannot: one by one from now on. */
			out->no_join = (uint16_t)datagrams[at].len;
			burst_fill(&burst, out, to, datagrams + at, n - at);
			datagrams += at;
			n -= at;
			at = 0;
			i = 0;
		} else if (!again) {
			out->refused = out->refused || errno == ECONNREFUSED;
			again = true; /* the error may be of an earlier one (ICMP), and this one was not tried */
		} else {
			at += burst.counts[i++];
			again = false;
		}
	}
	return taken;
}
