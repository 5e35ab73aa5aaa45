/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "loop/deadline.h"
#include "loop/end.h"
#include "loop/worker.h"
#include "plain/extor.h"
#include "plain/porch.h"
#include "plain/proxyhdr.h"
#include "relay/link.h"
#include "wire/broker.h"

struct ptah_server {
	struct ptah_worker *worker;
	struct ptah_server_how how;
	struct ptah_porch porch;
	struct ptah_often unreachable, no_cookie, failed;
};

/* The Extended ORPort exchange of one peer. */
struct exchange {
	struct ptah_end end;
	struct ptah_extor extor;
	struct ptah_buf out;
};

/* A peer until it relays. */
struct peer {
	struct ptah_server *server;
	struct ptah_permit permit;
	struct ptah_link *link;
	struct ptah_dial *dial;
	struct exchange *exchange;
	struct ptah_deadline deadline; /* of the dial, or of the whole exchange */
	struct ptah_addr local; /* where it came in, for a PROXY header */
	char text[PTAH_ADDR_TEXT];
	char dest[PTAH_DEST_TEXT]; /* a carrier's; or "" */
};

static void
exchange_free(struct exchange *exchange)
{
	if (exchange == NULL)
		return;
	ptah_end_close(&exchange->end);
	ptah_extor_clear(&exchange->extor);
	ptah_buf_wipe(&exchange->out);
	free(exchange);
}

static void
peer_free(struct peer *peer)
{
	ptah_deadline_clear(&peer->deadline);
	ptah_dial_cancel(peer->dial);
	exchange_free(peer->exchange);
	ptah_permit_return(&peer->permit);
	free(peer);
}

/* ---- once it relays ---------------------------------------------------------- */

/* The plain end is there.  What only the beginning needs is freed. */
static void
hand_over(struct peer *peer, int fd, struct ptah_span early)
{
	struct ptah_link *link = peer->link;

	ptah_permit_to_link(&peer->permit, peer->link);
	ptah_link_plain_opened(link, fd, early);
	peer_free(peer);
}

/* Whoever calls this has said why. */
static void
give_up(struct peer *peer, int rc)
{
	struct ptah_link *link = peer->link;

	ptah_permit_to_link(&peer->permit, peer->link);
	ptah_link_plain_failed(link, rc);
	peer_free(peer);
}

static void
plain_refused(struct peer *peer, int rc)
{
	ptah_warn_often(&peer->server->unreachable, AREA_WIRE, "cannot reach the %s: %s",
	    peer->server->how.has_extorport ? "Extended ORPort" : "target", strerror(-rc));
	give_up(peer, rc);
}

/* ---- the target ----------------------------------------------------------------- */

static int
send_proxy_header(struct peer *peer, int fd)
{
	uint8_t header[PTAH_PROXYHDR_MAX];
	struct ptah_addr from = { .sa.sa_family = AF_UNSPEC };

	(void)ptah_addr_parse(&from, peer->text); /* "": not known, and the header says so */
	size_t len = ptah_proxyhdr_make(peer->server->how.proxy_protocol, &from, &peer->local, header);
	/* The first bytes on a new connection: they fit its buffer. */
	ssize_t n = send(fd, header, len, MSG_NOSIGNAL);
	return n == (ssize_t)len ? 0 : n == -1 ? -errno : -EAGAIN;
}

static void
target_opened(struct peer *peer, int fd)
{
	static const struct ptah_span none = { NULL, 0 };
	int rc = peer->server->how.proxy_protocol != 0 ? send_proxy_header(peer, fd) : 0;

	if (rc != 0) {
		close(fd);
		plain_refused(peer, rc);
		return;
	}
	hand_over(peer, fd, none);
}

/* ---- the Extended ORPort ----------------------------------------------------------- */

static void
extor_failed(struct peer *peer, int rc, const char *reason)
{
	ptah_warn_often(&peer->server->failed, AREA_ORPORT, "the Extended ORPort exchange failed: %s",
	    reason != NULL ? reason : strerror(-rc));
	give_up(peer, rc);
}

static void
on_extor_deadline(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	extor_failed(arg, -ETIMEDOUT, "no answer in 5 s");
}

static void
on_extor_readable(struct ptah_end *end)
{
	struct peer *peer = end->arg;
	struct exchange *exchange = peer->exchange;
	uint8_t got[4096];
	ssize_t n = ptah_end_read(end, got, sizeof(got));
	size_t eaten = 0;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		extor_failed(peer, n == 0 ? -ECONNRESET : (int)n, "the Extended ORPort closed the connection");
		return;
	}
	int answer = ptah_extor_feed(&exchange->extor, (struct ptah_span){ got, (size_t)n }, &eaten, &exchange->out);
	int rc = exchange->out.len > 0 ? ptah_end_write(end, exchange->out.at, exchange->out.len) : 0;
	ptah_buf_eat(&exchange->out, exchange->out.len);
	if (answer < 0 || rc < 0)
		extor_failed(peer, answer < 0 ? answer : rc, NULL);
	else if (answer == PTAH_EXTOR_FAIL)
		extor_failed(peer, -EACCES, exchange->extor.why);
	else if (answer == PTAH_EXTOR_OPEN)
		hand_over(peer, ptah_end_take_fd(end), (struct ptah_span){ got + eaten, (size_t)n - eaten });
}

static void
on_extor_drained(struct ptah_end *end)
{
	(void)end;
}

static void
on_extor_broken(struct ptah_end *end, int rc)
{
	extor_failed(end->arg, rc, NULL);
}

static const struct ptah_end_ops extor_ops = { on_extor_readable, on_extor_drained, on_extor_broken };

static void
extor_opened(struct peer *peer, int fd)
{
	const struct ptah_server_how *how = &peer->server->how;
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	uint8_t cookie[PTAH_EXTOR_COOKIE];
	struct ptah_addr from = { .sa.sa_family = AF_UNSPEC };
	int rc = exchange == NULL ? -ENOMEM : ptah_end_open(&exchange->end, peer->server->worker, fd, &extor_ops, peer);

	if (rc != 0) {
		free(exchange);
		close(fd);
		plain_refused(peer, rc);
		return;
	}
	peer->exchange = exchange;
	/* Read anew each time: Tor may write it after it has started us. */
	rc = how->dial->broker != NULL ? ptah_broker_secret(how->dial->broker, peer->server->worker, cookie, sizeof(cookie)) :
	    ptah_extor_cookie_read(how->cookie_path, cookie);
	if (rc != 0) {
		ptah_error_often(&peer->server->no_cookie, AREA_ORPORT,
		    "cannot read the cookie %s (is Tor running, and may we read it?): %s", how->cookie_path, strerror(-rc));
		give_up(peer, rc);
		return;
	}
	(void)ptah_addr_parse(&from, peer->text);
	ptah_extor_init(&exchange->extor, cookie, NULL, &from, how->instance->name);
	explicit_bzero(cookie, sizeof(cookie));
	rc = ptah_end_read_start(&exchange->end);
	if (rc != 0)
		plain_refused(peer, rc);
}

/* ---- from the wire ------------------------------------------------------------------ */

static void
plain_dialed(struct peer *peer, int fd)
{
	if (peer->server->how.has_extorport)
		extor_opened(peer, fd);
	else
		target_opened(peer, fd);
}

static void
on_dialed(int fd, int rc, const char *reason, void *arg)
{
	struct peer *peer = arg;

	(void)reason;
	peer->dial = NULL;
	if (rc != 0)
		plain_refused(peer, rc);
	else
		plain_dialed(peer, fd);
}

static void
on_target_deadline(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	plain_refused(arg, -ETIMEDOUT);
}

static void
on_admit(struct ptah_link *link, const char *named, const char *text, void *arg)
{
	struct peer *peer = arg;
	const struct ptah_server_how *how = &peer->server->how;
	struct ptah_dest dest;

	(void)ptah_text_copy(peer->text, sizeof(peer->text), text);
	if (named == NULL && peer->dest[0] != '\0')
		named = peer->dest;
	/* Fail closed: with an Extended ORPort nothing else is ever dialled. */
	if (how->has_extorport) {
		char port[PTAH_ADDR_TEXT];

		(void)ptah_dest_parse(&dest, ptah_addr_format(&how->extorport, port), false);
	} else if (named != NULL) {
		if (ptah_dest_parse(&dest, named, false) != 0) {
			plain_refused(peer, -EDESTADDRREQ);
			return;
		}
	} else if (how->target != NULL) {
		dest = *how->target;
	} else {
		plain_refused(peer, -EDESTADDRREQ);
		return;
	}
	(void)link;
	int rc = ptah_deadline_set(peer->server->worker, &peer->deadline,
	    how->has_extorport ? PTAH_EXTOR_MS : how->dial_ms,
	    how->has_extorport ? on_extor_deadline : on_target_deadline, peer);
	if (rc != 0) {
		plain_refused(peer, rc);
		return;
	}
	rc = ptah_dial_start(peer->server->worker, how->dial, &dest, on_dialed, peer, &peer->dial);
	if (rc >= 0)
		plain_dialed(peer, rc);
	else if (rc != -EINPROGRESS)
		plain_refused(peer, rc);
}

static void
on_closed(int rc, void *arg)
{
	struct peer *peer = arg;

	(void)rc;
	peer_free(peer);
}

static const struct ptah_link_ops peer_ops = { .on_admit = on_admit, .on_closed = on_closed };

static int
on_caller(struct ptah_caller *caller, void *arg)
{
	struct ptah_server *server = arg;
	const struct ptah_arrival *arrival = caller->arrival;
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL) {
		close(caller->fd);
		ptah_permit_return(&caller->permit);
		return -ENOMEM;
	}
	peer->server = server;
	peer->permit = caller->permit;
	if (arrival != NULL && arrival->dest != NULL)
		(void)ptah_text_copy(peer->dest, sizeof(peer->dest), arrival->dest);
	peer->local = caller->local;
	if (server->how.proxy_protocol != 0 && !caller->named)
		(void)ptah_addr_of_socket(&peer->local, caller->fd); /* else not known, and the header says so */
	peer->link = ptah_caller_link(caller, server->worker, server->how.instance, &peer_ops, peer);
	if (peer->link == NULL) {
		peer_free(peer);
		return -ENOMEM;
	}
	ptah_link_go(peer->link);
	return 0;
}

int
ptah_server_arrive(struct ptah_server *server, const struct ptah_arrival *arrival)
{
	return ptah_porch_arrive(&server->porch, arrival);
}

struct ptah_server *
ptah_server_new(struct ptah_worker *worker, const struct ptah_server_how *how, int listen_fd)
{
	struct ptah_server *server = calloc(1, sizeof(*server));
	const struct ptah_porch_how porch = {
		.worker = worker, .instance = how->instance, .quota = how->quota, .gate = how->gate,
		.from = how->proxy_from, .n_from = how->n_proxy_from, .on_caller = on_caller, .arg = server,
	};

	if (server == NULL) {
		if (listen_fd != -1)
			close(listen_fd);
		errno = ENOMEM;
		return NULL;
	}
	server->worker = worker;
	server->how = *how;
	if (ptah_porch_open(&server->porch, &porch, listen_fd) != 0) {
		ptah_server_free(server);
		errno = ENOMEM;
		return NULL;
	}
	return server;
}

void
ptah_server_shut(struct ptah_server *server, bool drain)
{
	ptah_porch_shut(&server->porch, drain);
}

void
ptah_server_free(struct ptah_server *server)
{
	if (server == NULL)
		return;
	ptah_porch_clear(&server->porch);
	free(server);
}
