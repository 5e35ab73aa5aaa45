/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "loop/deadline.h"
#include "loop/dns.h"
#include "loop/worker.h"
#include "wire/broker.h"
#include "wire/keepalive.h"
#include "wire/tunnel.h"

/* RFC 8305, section 8: the pause before the next address is tried beside the
 * ones that have not answered yet. */
#define NEXT_ATTEMPT_MS 250
#define ATTEMPTS_MOST 16
#define PEEK_LEN 4096

/* One socket that tries one address. */
struct attempt {
	struct ptah_dial *dial;
	int fd;
	struct event event;
};

struct ptah_dial {
	struct ptah_worker *worker;
	const struct ptah_dial_how *how;
	struct ptah_dest dest;
	ptah_dialed_fn *fn;
	void *arg;

	struct ptah_broker_call *call; /* with a broker, nothing but this */
	struct ptah_dns *dns;
	struct ptah_addr addrs[ATTEMPTS_MOST];
	size_t n_addrs, next;
	struct attempt *attempts[ATTEMPTS_MOST]; /* NULL: not begun, or over */
	struct ptah_deadline pause;
	int rc; /* of the first address that failed: the one most wanted */

	/* The tunnel, once the proxy is reached. */
	int fd;
	struct event *on_tunnel;
	struct ptah_tunnel tunnel;
	struct ptah_buf out;
};

static bool
by_proxy(const struct ptah_dial_how *how)
{
	return how->proxy != NULL && how->proxy->scheme != PTAH_PROXY_NONE;
}

static unsigned
gone_s(const struct ptah_worker *worker, const struct ptah_dial_how *how)
{
	return how->keep_alive_s > 0 ? how->keep_alive_s : worker->gone_s;
}

/* 0: connected; -EINPROGRESS; or -errno with nothing open. */
static int
connect_begin(const struct ptah_worker *worker, const struct ptah_dial_how *how, const struct ptah_addr *to, int *out)
{
	const struct ptah_addr *from = to->sa.sa_family == AF_INET ? &how->bind_v4 : &how->bind_v6;
	int on = 1, rc;
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	if (from->sa.sa_family == to->sa.sa_family && !ptah_addr_is_loopback(to)) {
		/* Without this, a bound source port could not be shared by two destinations. */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, &from->sa, ptah_addr_len(from)) == -1)
			goto fail;
	}
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		goto fail;
	ptah_keepalive_set(fd, gone_s(worker, how));
	rc = connect(fd, &to->sa, ptah_addr_len(to));
	/* A near peer has answered by the time that the call returns, yet the
	 * first call never says so; the second does, and saves a turn of the
	 * loop and two changes of the poll set. */
	if (rc == -1 && errno == EINPROGRESS)
		rc = connect(fd, &to->sa, ptah_addr_len(to));
	if (rc == -1 && errno != EALREADY && errno != EINPROGRESS && errno != EISCONN)
		goto fail;
	*out = fd;
	return rc == 0 || errno == EISCONN ? 0 : -EINPROGRESS;

fail:
	rc = -errno;
	close(fd);
	return rc;
}

static void
dial_free(struct ptah_dial *dial)
{
	ptah_broker_cancel(dial->call);
	ptah_dns_cancel(dial->dns);
	ptah_deadline_clear(&dial->pause);
	for (size_t i = 0; i < dial->next; i++)
		if (dial->attempts[i] != NULL) {
			event_del(&dial->attempts[i]->event);
			close(dial->attempts[i]->fd);
			free(dial->attempts[i]);
		}
	if (dial->on_tunnel != NULL)
		event_free(dial->on_tunnel);
	if (dial->fd != -1)
		close(dial->fd);
	ptah_tunnel_clear(&dial->tunnel);
	ptah_buf_wipe(&dial->out);
	free(dial);
}

static void
end(struct ptah_dial *dial, int fd, int rc, const char *reason)
{
	ptah_dialed_fn *fn = dial->fn;
	void *arg = dial->arg;

	dial_free(dial);
	fn(fd, rc, reason, arg);
}

/* ---- the tunnel through a proxy ---------------------------------------- */

static void on_tunnel_event(evutil_socket_t fd, short what, void *arg);

/* Send what there is, then wait for what comes next.  0 or -errno. */
static int
tunnel_go(struct ptah_dial *dial)
{
	while (dial->out.len > 0) {
		ssize_t n = send(dial->fd, dial->out.at, dial->out.len, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
			return -errno;
		if (n == -1)
			break;
		ptah_buf_eat(&dial->out, (size_t)n);
	}
	if (dial->on_tunnel != NULL)
		event_free(dial->on_tunnel);
	dial->on_tunnel = event_new(dial->worker->base, dial->fd, dial->out.len > 0 ? EV_WRITE : EV_READ, on_tunnel_event, dial);
	return dial->on_tunnel == NULL || event_add(dial->on_tunnel, NULL) == -1 ? -ENOMEM : 0;
}

static void
tunnel_begin(struct ptah_dial *dial, int fd)
{
	int rc;

	dial->fd = fd;
	rc = ptah_tunnel_begin(&dial->tunnel, dial->how->proxy, &dial->dest, &dial->out);
	if (rc == -EAFNOSUPPORT) {
		end(dial, -1, -PTAH_EPROXY - dial->tunnel.rep, dial->tunnel.reason);
		return;
	}
	if (rc == 0)
		rc = tunnel_go(dial);
	if (rc != 0)
		end(dial, -1, rc, "talking to the upstream proxy");
}

/* Look at what came without taking it, so that no byte behind the proxy's
 * answer leaves the socket: it is the tunnel's. */
static void
on_tunnel_event(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_dial *dial = arg;
	uint8_t seen[PEEK_LEN];
	size_t eaten = 0;
	int answer = PTAH_TUNNEL_MORE, rc = 0;

	if (what & EV_READ) {
		ssize_t n = recv(fd, seen, sizeof(seen), MSG_PEEK);

		if (n == -1 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
			n = 0;
		else if (n <= 0) {
			end(dial, -1, -PTAH_EPROXY - 1, "the upstream proxy closed the connection");
			return;
		}
		answer = ptah_tunnel_feed(&dial->tunnel, (struct ptah_span){ seen, (size_t)n }, &eaten, &dial->out);
		while (eaten > 0) {
			n = recv(fd, seen, eaten, 0);
			if (n == -1 && errno == EINTR)
				continue;
			if (n <= 0) {
				rc = n == 0 ? -ECONNRESET : -errno;
				break;
			}
			eaten -= (size_t)n;
		}
	}
	if (rc == 0 && answer == PTAH_TUNNEL_OPEN) {
		dial->fd = -1;
		event_free(dial->on_tunnel);
		dial->on_tunnel = NULL;
		end(dial, fd, 0, NULL);
		return;
	}
	if (rc == 0 && answer == PTAH_TUNNEL_FAIL) {
		end(dial, -1, -PTAH_EPROXY - dial->tunnel.rep, dial->tunnel.reason);
		return;
	}
	if (rc == 0)
		rc = answer < 0 ? answer : tunnel_go(dial);
	if (rc != 0)
		end(dial, -1, rc, "talking to the upstream proxy");
}

/* ---- addresses, one after another -------------------------------------- */

static void
connected(struct ptah_dial *dial, int fd)
{
	if (by_proxy(dial->how)) {
		/* The other attempts, if any, were for the same proxy. */
		tunnel_begin(dial, fd);
		return;
	}
	end(dial, fd, 0, NULL);
}

static void attempt_next(struct ptah_dial *dial);

static void
on_attempt(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	struct ptah_dial *dial = attempt->dial;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)what;
	for (size_t i = 0; i < dial->next; i++)
		if (dial->attempts[i] == attempt)
			dial->attempts[i] = NULL;
	event_del(&attempt->event);
	free(attempt);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error == 0) {
		connected(dial, fd);
		return;
	}
	close(fd);
	if (dial->rc == 0)
		dial->rc = -error;
	attempt_next(dial);
}

static void
on_pause(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	attempt_next(arg);
}

/* Wait for a socket that is connecting.  -ENOMEM leaves it closed. */
static int
attempt_wait(struct ptah_dial *dial, size_t i, int fd)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));

	if (attempt != NULL) {
		attempt->dial = dial;
		attempt->fd = fd;
		if (event_assign(&attempt->event, dial->worker->base, fd, EV_WRITE, on_attempt, attempt) == 0 &&
		    event_add(&attempt->event, NULL) == 0) {
			dial->attempts[i] = attempt;
			return 0;
		}
	}
	free(attempt);
	close(fd);
	return -ENOMEM;
}

/* Try the next address; ends the dial when there is none and none is under way. */
static void
attempt_next(struct ptah_dial *dial)
{
	ptah_deadline_clear(&dial->pause);
	while (dial->next < dial->n_addrs) {
		size_t i = dial->next++;
		int fd;
		int rc = connect_begin(dial->worker, dial->how, &dial->addrs[i], &fd);

		if (rc == 0) {
			connected(dial, fd);
			return;
		}
		if (rc == -EINPROGRESS)
			rc = attempt_wait(dial, i, fd);
		if (rc == 0) {
			if (dial->next < dial->n_addrs &&
			    ptah_deadline_set(dial->worker, &dial->pause, NEXT_ATTEMPT_MS, on_pause, dial) != 0)
				continue; /* no timer: the next one now */
			return;
		}
		if (dial->rc == 0)
			dial->rc = rc;
	}
	for (size_t i = 0; i < dial->next; i++)
		if (dial->attempts[i] != NULL)
			return;
	end(dial, -1, dial->rc, NULL);
}

/* RFC 8305, section 4: families take turns, the resolver's first one begins. */
static void
interleave(struct ptah_dial *dial, const struct ptah_addr *addrs, size_t n)
{
	sa_family_t want = addrs[0].sa.sa_family;
	bool used[ATTEMPTS_MOST] = { false };

	if (n > ATTEMPTS_MOST)
		n = ATTEMPTS_MOST;
	while (dial->n_addrs < n) {
		size_t pick = n;

		for (size_t i = 0; i < n; i++)
			if (!used[i] && (pick == n || (addrs[i].sa.sa_family == want && addrs[pick].sa.sa_family != want)))
				pick = i;
		used[pick] = true;
		dial->addrs[dial->n_addrs++] = addrs[pick];
		want = addrs[pick].sa.sa_family == AF_INET ? AF_INET6 : AF_INET;
	}
}

static void
on_resolved(int rc, const struct ptah_addr *addrs, size_t n, void *arg)
{
	struct ptah_dial *dial = arg;

	dial->dns = NULL;
	if (rc != 0) {
		end(dial, -1, rc, "the name cannot be resolved");
		return;
	}
	interleave(dial, addrs, n);
	attempt_next(dial);
}

static struct ptah_dial *
dial_new(struct ptah_worker *worker, const struct ptah_dial_how *how, const struct ptah_dest *dest,
    ptah_dialed_fn *fn, void *arg)
{
	struct ptah_dial *dial = calloc(1, sizeof(*dial));

	if (dial == NULL)
		return NULL;
	dial->worker = worker;
	dial->how = how;
	dial->dest = *dest;
	dial->fn = fn;
	dial->arg = arg;
	dial->fd = -1;
	return dial;
}

/* ---- by somebody else ----------------------------------------------------- */

static void
on_brokered(int fd, int rc, const char *reason, void *arg)
{
	struct ptah_dial *dial = arg;

	dial->call = NULL;
	if (fd != -1)
		ptah_keepalive_set(fd, gone_s(dial->worker, dial->how));
	end(dial, fd, rc, reason);
}

static int
ask_broker(struct ptah_worker *worker, const struct ptah_dial_how *how, const struct ptah_dest *dest,
    ptah_dialed_fn *fn, void *arg, struct ptah_dial **out)
{
	struct ptah_dial *dial = dial_new(worker, how, dest, fn, arg);
	int rc = dial == NULL ? -ENOMEM : ptah_broker_dial(how->broker, worker, dest, on_brokered, dial, &dial->call);

	if (rc < 0) {
		if (dial != NULL)
			dial_free(dial);
		return rc;
	}
	*out = dial;
	return -EINPROGRESS;
}

int
ptah_dial_start(struct ptah_worker *worker, const struct ptah_dial_how *how, const struct ptah_dest *dest,
    ptah_dialed_fn *fn, void *arg, struct ptah_dial **out)
{
	const struct ptah_addr *to = by_proxy(how) ? &how->proxy->addr : dest->literal ? &dest->addr : NULL;
	struct ptah_dial *dial = NULL;
	int fd = -1, rc = 0;

	if (how->broker != NULL)
		return ask_broker(worker, how, dest, fn, arg, out);
	if (to != NULL) {
		rc = connect_begin(worker, how, to, &fd);
		if (rc == 0 && !by_proxy(how))
			return fd;
		if (rc != 0 && rc != -EINPROGRESS)
			return rc;
	}
	dial = dial_new(worker, how, dest, fn, arg);
	if (dial == NULL) {
		if (fd != -1)
			close(fd);
		return -ENOMEM;
	}
	if (to == NULL) {
		dial->dns = ptah_dns_resolve(worker, dest->host, dest->port, how->family, on_resolved, dial);
		rc = dial->dns == NULL ? -ENOMEM : 0;
	} else {
		/* A proxy that is connected already waits for its event too: 'fn'
		 * must not run inside this call. */
		dial->addrs[0] = *to;
		dial->n_addrs = dial->next = 1;
		rc = attempt_wait(dial, 0, fd);
	}
	if (rc != 0) {
		dial_free(dial);
		return rc;
	}
	*out = dial;
	return -EINPROGRESS;
}

void
ptah_dial_cancel(struct ptah_dial *dial)
{
	if (dial != NULL)
		dial_free(dial);
}
