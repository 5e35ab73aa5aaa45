/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/msgclient.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/dns.h"
#include "loop/worker.h"
#include "plain/datagram.h"
#include "plain/lineage.h"
#include "plain/peers.h"
#include "plain/permit.h"
#include "relay/courier.h"
#include "stats/stats.h"
#include "wire/post.h"

struct ptah_msgclient {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	struct ptah_issuer issuer;
	struct ptah_msgclient_how how;
	int fd;
	struct event *event;
	struct ptah_lineage line;
	uint8_t *offered; /* a datagram that an heir read, with its room; made for the first */
	bool shut;
	size_t head, tail; /* room that messages need around them */
	struct ptah_udp_batch *batch;
	struct ptah_post *post;
	struct ptah_peers peers;
	struct ptah_often refused;
};

/* A source address, its courier, and its socket to the server. */
struct source {
	struct ptah_peer peer; /* first */
	struct ptah_msgclient *client;
	struct ptah_permit permit;
	struct ptah_courier *courier; /* NULL: it is over */
	struct ptah_lane app;  /* back to the source */
	struct ptah_lane wire; /* fd -1: not there yet */
	struct event *event;   /* of the wire */
	struct ptah_dns *dns;
	unsigned n_held;
};

static void
count(const struct ptah_msgclient *client, enum ptah_stat stat)
{
	ptah_stats_add(client->stats, stat, 1);
}

/* ---- a source's end -------------------------------------------------------- */

static void
source_free(struct source *source)
{
	struct ptah_msgclient *client = source->client;

	ptah_post_leave(client->post, &source->app);
	ptah_post_leave(client->post, &source->wire);
	ptah_peers_remove(&source->peer);
	ptah_dns_cancel(source->dns);
	if (source->event != NULL)
		event_free(source->event);
	if (source->wire.fd != -1)
		close(source->wire.fd);
	ptah_permit_return(&source->permit);
	free(source);
}

static void
on_closed(int rc, const char *reason, void *arg)
{
	(void)rc;
	(void)reason;
	source_free(arg);
}

static void
on_over(struct ptah_peer *peer)
{
	ptah_courier_end(((struct source *)(void *)peer)->courier, -ECANCELED);
}

/* ---- what leaves the courier -------------------------------------------------- */

static void
on_message(struct ptah_courier *courier, const struct ptah_msg *msg, bool lasts, void *arg)
{
	struct source *source = arg;
	struct ptah_post *post = source->client->post;
	struct ptah_lane *lane = msg->side == PTAH_SIDE_WIRE ? &source->wire : &source->app;

	(void)courier;
	if (lane->plain && !ptah_datagram_is_fit(source->client->how.framing, msg->body)) {
		count(source->client, PTAH_STAT_UDP_DROP_ALIEN);
		return;
	}
	ptah_post_add(post, lane, msg->body);
	if (!lasts)
		ptah_post_flush(post);
}

static void
on_open(struct ptah_courier *courier, void *arg)
{
	(void)courier;
	(void)arg;
}

static const struct ptah_courier_ops courier_ops = {
	.on_open = on_open,
	.on_message = on_message,
	.on_closed = on_closed,
};

/* ---- from the wire ---------------------------------------------------------------- */

/*
 * 0, or -errno: the courier is over, and its owner knows.  What a layer rejects is no traffic: anybody may have written
 * it, and could keep a link for ever.
 */
static int
take_pieces(const struct ptah_msgclient *client, struct ptah_courier *courier, const struct ptah_udp_got *got, bool *heard)
{
	struct ptah_room pieces[PTAH_UDP_JOIN_MOST];
	size_t n = ptah_udp_pieces(client->batch, got, pieces);
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++) {
		const struct ptah_msg msg = ptah_courier_msg(PTAH_SIDE_WIRE, pieces[i], client->head, client->tail);

		rc = ptah_courier_take(courier, &msg);
		*heard = *heard || rc == PTAH_GO;
	}
	return rc < 0 ? rc : 0;
}

static void
on_wire(evutil_socket_t fd, short what, void *arg)
{
	struct source *source = arg;
	struct ptah_msgclient *client = source->client;
	struct ptah_udp_got got[PTAH_UDP_BATCH];
	int n = ptah_udp_read(fd, client->batch, got), rc = 0;
	bool heard = false;

	(void)what;
	for (int i = 0; i < n && rc == 0; i++)
		rc = take_pieces(client, source->courier, &got[i], &heard);
	if (rc == 0 && heard)
		ptah_peers_touch(&source->peer);
	/* Nobody is there: what comes next begins anew, perhaps at another address. */
	if (n == -ECONNREFUSED)
		ptah_courier_end(source->courier, -ECONNREFUSED);
	ptah_post_flush(client->post);
}

/* ---- a new source ------------------------------------------------------------------- */

/* It is over in it if that fails. */
static void
open_wire(struct source *source, const struct ptah_addr *server)
{
	struct ptah_msgclient *client = source->client;
	const struct ptah_dial_how *dial = client->how.dial;
	const struct ptah_addr *from = server->sa.sa_family == AF_INET6 ? &dial->bind_v6 : &dial->bind_v4;
	bool bound = from->sa.sa_family != AF_UNSPEC && !ptah_addr_is_loopback(server);
	int rc = ptah_udp_connect_from(bound ? from : NULL, server);

	if (rc >= 0) {
		source->wire.fd = rc;
		source->wire.most = ptah_lane_most_of(server);
		ptah_udp_join(rc, ptah_udp_batch_may_join(client->batch));
		source->event = event_new(client->worker->base, rc, EV_READ | EV_PERSIST, on_wire, source);
		rc = source->event == NULL || event_add(source->event, NULL) == -1 ? -ENOMEM : 0;
	}
	if (rc != 0)
		ptah_courier_end(source->courier, rc);
	else
		(void)ptah_courier_go(source->courier);
}

static void
on_resolved(int rc, const struct ptah_addr *addrs, size_t n, void *arg)
{
	struct source *source = arg;

	(void)n;
	source->dns = NULL;
	if (rc != 0)
		ptah_courier_end(source->courier, rc);
	else
		open_wire(source, &addrs[0]);
}

/* 0 or -errno, and then there is none. */
static int
courier_new(struct source *source, struct ptah_dest *server)
{
	struct ptah_msgclient *client = source->client;
	struct ptah_args args;
	char why[256] = "";
	int rc = ptah_args_make(&args, client->how.instance, NULL, why, sizeof(why));

	if (rc == 0) {
		const struct ptah_courier_how how = {
			.instance = client->how.instance, .role = PTAH_CLIENT, .args = &args, .server = args.server,
		};

		source->courier = ptah_courier_new(client->worker, &how, &courier_ops, source);
		rc = source->courier != NULL ? ptah_courier_find_server(source->courier, server) : -ENOMEM;
		if (source->courier == NULL)
			ptah_args_free(&args);
	}
	if (rc != 0)
		ptah_warn_often(&client->refused, AREA_LINK, "%s: no link can be made: %s", client->how.instance->name,
		    why[0] != '\0' ? why : rc == -EDESTADDRREQ ? "no server address" : strerror(-rc));
	return rc;
}

/* NULL: no memory, or its options are refused. */
static struct source *
source_new(struct ptah_msgclient *client, const struct ptah_udp_got *got, const struct ptah_peer_key *key, struct ptah_dest *server)
{
	struct ptah_permit permit;
	struct source *source;

	if (ptah_permit_take(&permit, &client->issuer, &got->from) != 0)
		return NULL;
	source = calloc(1, sizeof(*source));
	if (source == NULL) {
		ptah_permit_return(&permit);
		return NULL;
	}
	source->client = client;
	source->permit = permit;
	source->app = (struct ptah_lane){
		.fd = client->fd, .plain = true, .addr = got->from, .local = got->local, .most = ptah_lane_most_of(&got->from),
	};
	source->wire.fd = -1;
	if (courier_new(source, server) != 0) {
		if (source->courier != NULL)
			ptah_courier_end(source->courier, -ECANCELED); /* frees the source */
		else
			source_free(source);
		return NULL;
	}
	ptah_peers_add(&client->peers, &source->peer, key);
	return source;
}

/* ---- from the source ---------------------------------------------------------------------- */

/* 7.2: before it is open they are dropped, unless there is a queue. */
static bool
may_wait(struct source *source)
{
	if (ptah_courier_is_open(source->courier))
		return true;
	if (source->n_held < source->client->how.queue_most) {
		source->n_held++;
		return true;
	}
	count(source->client, PTAH_STAT_UDP_DROP_WAITING);
	return false;
}

/* 0, or -errno: the source is gone. */
static int
take(struct source *source, struct ptah_room piece)
{
	const struct ptah_msgclient *client = source->client;
	const struct ptah_msg msg = ptah_courier_msg(PTAH_SIDE_PLAIN, piece, client->head, client->tail);

	return may_wait(source) ? ptah_courier_take(source->courier, &msg) : 0;
}

static void
begin(struct source *source, const struct ptah_dest *server)
{
	if (server->literal) {
		open_wire(source, &server->addr);
		return;
	}
	source->dns = ptah_dns_resolve(source->client->worker, server->host, server->port, source->client->how.dial->family,
	    on_resolved, source);
	if (source->dns == NULL)
		ptah_courier_end(source->courier, -ENOMEM);
}

static void
on_got(struct ptah_msgclient *client, const struct ptah_udp_got *got)
{
	const struct ptah_peer_key key = ptah_peer_key_of(&got->from);
	struct source *source = (struct source *)(void *)ptah_peers_find(&client->peers, &key);
	struct ptah_room pieces[PTAH_UDP_JOIN_MOST];
	size_t n = ptah_udp_pieces(client->batch, got, pieces), fit = 0;

	/* A source that one before us knows is that one's still. */
	if (source == NULL && client->line.elder != NULL)
		n = ptah_lineage_offer_all(&client->line, got, pieces, n);
	for (size_t i = 0; i < n; i++)
		if (ptah_datagram_is_fit(client->how.framing, (struct ptah_span){ pieces[i].at, pieces[i].len }))
			pieces[fit++] = pieces[i];
	ptah_stats_add(client->stats, PTAH_STAT_UDP_DROP_ALIEN, n - fit); /* they open nothing, and keep nothing alive */
	ptah_stats_add(client->stats, PTAH_STAT_UDP_IN, fit);
	if (fit == 0)
		return;
	/* A send has eaten the ICMP error that on_wire() would have read. */
	if (source != NULL && source->wire.out.refused) {
		ptah_courier_end(source->courier, -ECONNREFUSED);
		source = NULL;
	}
	struct ptah_dest server;
	bool is_new = source == NULL;
	if (is_new && !client->shut)
		source = source_new(client, got, &key, &server);
	if (source == NULL) {
		ptah_stats_add(client->stats, PTAH_STAT_UDP_DROP_REFUSED, fit);
		return;
	}
	source->app.local = got->local;
	if (!is_new)
		ptah_peers_touch(&source->peer);
	for (size_t i = 0; i < fit; i++)
		if (take(source, pieces[i]) < 0)
			return;
	if (is_new)
		begin(source, &server);
}

/* From an heir. */
static bool
on_offer(const struct ptah_udp_got *got, void *arg)
{
	struct ptah_msgclient *client = arg;
	const struct ptah_peer_key key = ptah_peer_key_of(&got->from);
	struct source *source = (struct source *)(void *)ptah_peers_find(&client->peers, &key);

	if (source == NULL)
		return false;
	if (source->wire.out.refused) {
		ptah_courier_end(source->courier, -ECONNREFUSED);
		return false;
	}
	if (client->offered == NULL)
		client->offered = malloc(client->head + PTAH_MESSAGE_MAX + client->tail);
	if (client->offered == NULL || !ptah_datagram_is_fit(client->how.framing, (struct ptah_span){ got->at, got->len })) {
		count(client, PTAH_STAT_UDP_DROP_ALIEN);
		return true;
	}
	count(client, PTAH_STAT_UDP_IN);
	memcpy(client->offered + client->head, got->at, got->len);
	source->app.local = got->local;
	ptah_peers_touch(&source->peer);
	(void)take(source, (struct ptah_room){ client->offered + client->head, got->len });
	ptah_post_flush(client->post);
	return true;
}

static void
on_datagrams(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_msgclient *client = arg;
	struct ptah_udp_got got[PTAH_UDP_BATCH];
	int n = ptah_udp_read(fd, client->batch, got);

	(void)what;
	for (int i = 0; i < n; i++)
		on_got(client, &got[i]);
	ptah_post_flush(client->post);
}

/* ---- the listener ------------------------------------------------------------------------------ */

struct ptah_msgclient *
ptah_msgclient_new(struct ptah_worker *worker, const struct ptah_msgclient_how *how, int fd)
{
	struct ptah_msgclient *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	client->worker = worker;
	client->stats = ptah_instance_stats(how->instance, worker);
	client->how = *how;
	client->issuer = (struct ptah_issuer){ how->quota, how->gate, client->stats };
	client->fd = fd;
	ptah_courier_margins(how->instance, &client->head, &client->tail);
	client->batch = ptah_udp_batch_new_roomy(client->head, client->tail);
	client->post = ptah_post_new(client->stats);
	client->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_datagrams, client);
	if (client->batch != NULL && client->post != NULL && client->event != NULL &&
	    ptah_peers_init(&client->peers, worker, client->stats, how->limit, how->idle_ms, on_over) == 0 &&
	    ptah_lineage_begin(&client->line, worker, fd, client->event, on_offer, client) == 0) {
		ptah_udp_join(fd, ptah_udp_batch_may_join(client->batch));
		return client;
	}
	ptah_msgclient_free(client);
	errno = ENOMEM;
	return NULL;
}

void
ptah_msgclient_shut(struct ptah_msgclient *client, bool elsewhere)
{
	client->shut = true;
	if (elsewhere)
		ptah_lineage_rest(&client->line);
}

void
ptah_msgclient_free(struct ptah_msgclient *client)
{
	if (client == NULL)
		return;
	while (client->peers.oldest != NULL)
		ptah_courier_end(((struct source *)(void *)client->peers.oldest)->courier, -ECANCELED);
	ptah_peers_clear(&client->peers);
	ptah_lineage_end(&client->line);
	free(client->offered);
	if (client->event != NULL)
		event_free(client->event);
	ptah_udp_batch_free(client->batch);
	ptah_post_free(client->post);
	close(client->fd);
	free(client);
}
