/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/msgserver.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/worker.h"
#include "plain/datagram.h"
#include "plain/lineage.h"
#include "plain/outlet.h"
#include "plain/peers.h"
#include "plain/permit.h"
#include "plain/roster.h"
#include "relay/courier.h"
#include "stats/stats.h"
#include "wire/post.h"

struct ptah_msgserver {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	struct ptah_issuer issuer;
	struct ptah_msgserver_how how;
	int fd;
	struct event *event;
	struct ptah_lineage line;
	bool shut, joined;
	size_t head, tail; /* room that messages need around them */
	struct ptah_instance *bottom;
	struct ptah_udp_batch *batch;
	struct ptah_post *post;
	struct ptah_outlet_how outlet_how;
	struct ptah_peers known, strangers;
	struct ptah_often no_memory, unreachable;
};

/* A peer, its courier, and its socket to the target. */
struct flow {
	struct ptah_peer peer; /* first */
	struct ptah_msgserver *server;
	struct ptah_permit permit; /* a stranger's, until it is admitted */
	struct ptah_courier *courier;
	struct ptah_roster_entry entry;
	struct ptah_lane wire; /* back to the peer */
	struct ptah_outlet outlet;
	char peer_text[PTAH_ADDR_TEXT];
};

static void
count(const struct ptah_msgserver *server, enum ptah_stat stat)
{
	ptah_stats_add(server->stats, stat, 1);
}

/* ---- a flow's end ------------------------------------------------------------- */

static void
send_on(struct ptah_msgserver *server, struct ptah_lane *lane, struct ptah_span body, bool lasts)
{
	ptah_post_add(server->post, lane, body);
	if (!lasts)
		ptah_post_flush(server->post);
}

static void
flow_free(struct flow *flow)
{
	struct ptah_msgserver *server = flow->server;

	ptah_post_leave(server->post, &flow->wire);
	if (server->how.roster != NULL)
		ptah_roster_remove(server->how.roster, &flow->entry);
	ptah_outlet_clear(&flow->outlet);
	ptah_peers_remove(&flow->peer);
	ptah_permit_return(&flow->permit);
	free(flow);
}

static void
on_closed(int rc, const char *reason, void *arg)
{
	(void)rc;
	(void)reason;
	flow_free(arg);
}

static void
on_over(struct ptah_peer *peer)
{
	ptah_courier_end(((struct flow *)(void *)peer)->courier, -ECANCELED);
}

/* ---- from the plain side ------------------------------------------------------------ */

static struct flow *
flow_of(struct ptah_outlet *outlet)
{
	return (struct flow *)(void *)((char *)outlet - offsetof(struct flow, outlet));
}

/* false: the courier is over, and the flow gone. */
static bool
on_got(struct ptah_outlet *outlet, const struct ptah_udp_got *got, const char *from)
{
	struct flow *flow = flow_of(outlet);
	const struct ptah_msgserver *server = flow->server;
	struct ptah_room pieces[PTAH_UDP_JOIN_MOST];
	size_t n = ptah_udp_pieces(server->batch, got, pieces);
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++) {
		struct ptah_msg msg = ptah_courier_msg(PTAH_SIDE_PLAIN, pieces[i], server->head, server->tail);
		bool fit = ptah_datagram_is_fit(server->how.framing, msg.body);

		msg.peer = from;
		count(server, fit ? PTAH_STAT_UDP_IN : PTAH_STAT_UDP_DROP_ALIEN);
		if (fit)
			rc = ptah_courier_take(flow->courier, &msg);
	}
	if (rc >= 0)
		ptah_peers_touch(&flow->peer);
	return rc >= 0;
}

static void
on_turn(struct ptah_outlet *outlet)
{
	ptah_post_flush(flow_of(outlet)->server->post);
}

/* ---- what leaves the courier -------------------------------------------------------- */

/* What goes out to the plain side was spoken to 'dest', or to the target. */
static void
send_plain(struct flow *flow, const struct ptah_msg *msg, bool lasts)
{
	struct ptah_msgserver *server = flow->server;
	struct ptah_lane *lane;

	if (!ptah_datagram_is_fit(server->how.framing, msg->body)) {
		count(server, PTAH_STAT_UDP_DROP_ALIEN);
		return;
	}
	int rc = ptah_outlet_lane(&flow->outlet, msg->dest, &lane);
	if (rc == -EINPROGRESS) {
		if (ptah_outlet_hold(&flow->outlet, msg->dest, msg->body) != 0)
			count(server, PTAH_STAT_UDP_DROP_WAITING);
	} else if (rc < 0) {
		ptah_warn_often(&server->unreachable, AREA_WIRE, "cannot open a UDP socket to the target: %s", strerror(-rc));
		count(server, PTAH_STAT_UDP_DROP_SEND);
	} else {
		send_on(server, lane, msg->body, lasts);
	}
}

static void
on_message(struct ptah_courier *courier, const struct ptah_msg *msg, bool lasts, void *arg)
{
	struct flow *flow = arg;

	(void)courier;
	if (msg->side == PTAH_SIDE_WIRE)
		send_on(flow->server, &flow->wire, msg->body, lasts);
	else
		send_plain(flow, msg, lasts);
}

/* ---- the courier ---------------------------------------------------------------------- */

static void
on_aimed(struct ptah_outlet *outlet, int rc)
{
	struct flow *flow = flow_of(outlet);

	if (rc != 0)
		ptah_warn_often(&flow->server->unreachable, AREA_WIRE, "cannot resolve the target's name: %s", strerror(-rc));
	(void)ptah_courier_plain_opened(flow->courier, rc);
}

/*
 * It is no stranger any more, and so a link: who has proved nothing may have lied about its address, and would take
 * the places of others.
 */
static void
on_admit(struct ptah_courier *courier, void *arg)
{
	struct flow *flow = arg;
	struct ptah_msgserver *server = flow->server;
	const struct ptah_peer_key key = flow->peer.key;
	int rc = ptah_permit_admit(&flow->permit, &flow->wire.addr);

	if (rc != 0) {
		(void)ptah_courier_plain_opened(courier, rc);
		return;
	}
	ptah_peers_remove(&flow->peer);
	ptah_peers_add(&server->known, &flow->peer, &key);
	if (ptah_outlet_aim(&flow->outlet) != 0)
		(void)ptah_courier_plain_opened(courier, -ENOMEM);
}

static void
on_open(struct ptah_courier *courier, void *arg)
{
	(void)courier;
	(void)arg;
}

static const struct ptah_courier_ops courier_ops = {
	.on_open = on_open,
	.on_admit = on_admit,
	.on_message = on_message,
	.on_closed = on_closed,
};

/* A stranger.  NULL: no memory, or its layers would not have it. */
static struct flow *
flow_new(struct ptah_msgserver *server, const struct ptah_udp_got *got, const struct ptah_peer_key *key)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (flow == NULL) {
		ptah_warn_often(&server->no_memory, AREA_WIRE, "out of memory: a peer is turned away");
		return NULL;
	}
	flow->server = server;
	flow->wire = (struct ptah_lane){
		.fd = server->fd, .addr = got->from, .local = got->local, .most = ptah_lane_most_of(&got->from),
	};
	ptah_outlet_init(&flow->outlet, &server->outlet_how);
	const struct ptah_courier_how how = {
		.instance = server->how.instance, .role = PTAH_SERVER, .peer = ptah_addr_format_peer(&got->from, flow->peer_text),
	};
	ptah_permit_stranger(&flow->permit, &server->issuer);
	flow->courier = ptah_courier_new(server->worker, &how, &courier_ops, flow);
	if (flow->courier == NULL) {
		flow_free(flow);
		return NULL;
	}
	ptah_peers_add(&server->strangers, &flow->peer, key);
	if (server->how.roster != NULL && ptah_roster_add(server->how.roster, &flow->entry, key, server->worker) != 0) {
		ptah_courier_end(flow->courier, -ECANCELED);
		return NULL;
	}
	return ptah_courier_go(flow->courier) == 0 ? flow : NULL;
}

/* ---- from the wire ---------------------------------------------------------------------- */

/* Whose is it?  0, or not: nobody's. */
static int
key_of(const struct ptah_msgserver *server, const struct ptah_msg *msg, const struct ptah_addr *from, struct ptah_peer_key *key)
{
	const struct ptah_instance *bottom = server->bottom;
	uint8_t bytes[16] = { 0 };
	int rc = PTAH_PASS;

	if (bottom->module->key != NULL)
		rc = bottom->module->key(bottom->conf,
		    bottom->worker_state != NULL ? bottom->worker_state[server->worker->index] : NULL, msg, bytes);
	*key = rc == PTAH_PASS ? ptah_peer_key_of(from) : ptah_peer_key_from(bytes);
	return rc == PTAH_PASS ? 0 : rc;
}

static struct flow *
flow_find(const struct ptah_msgserver *server, const struct ptah_peer_key *key)
{
	struct ptah_peer *peer = ptah_peers_find(&server->known, key);

	return (struct flow *)(void *)(peer != NULL ? peer : ptah_peers_find(&server->strangers, key));
}

static void
turn_to(struct flow *flow, const struct ptah_addr *addr, const struct ptah_udp_local *local)
{
	ptah_post_leave(flow->server->post, &flow->wire);
	flow->wire.addr = *addr;
	flow->wire.local = *local;
	flow->wire.most = ptah_lane_most_of(addr);
	ptah_addr_format_peer(addr, flow->peer_text);
}

/* The peer may speak from elsewhere: answers go there, and if it is good, so does all that follows. */
static void
give(struct flow *flow, const struct ptah_udp_got *got, struct ptah_msg *msg)
{
	struct ptah_addr addr = flow->wire.addr;
	struct ptah_udp_local local = flow->wire.local;
	bool moved = !ptah_addr_equal(&addr, &got->from);

	if (moved)
		turn_to(flow, &got->from, &got->local);
	else
		flow->wire.local = got->local;
	msg->peer = flow->peer_text;
	int rc = ptah_courier_take(flow->courier, msg);
	if (rc < 0)
		return;
	if (rc != PTAH_REJECT)
		ptah_peers_touch(&flow->peer);
	else if (moved)
		turn_to(flow, &addr, &local);
}

/* Has another worker this peer?  Then it goes there. */
static bool
carried(struct ptah_msgserver *server, const struct ptah_peer_key *key, const struct ptah_udp_got *got, struct ptah_span body)
{
	int at = server->how.roster != NULL ? ptah_roster_find(server->how.roster, key) : -1;

	if (at == -1 || (unsigned)at == server->worker->index)
		return false;
	if (ptah_roster_carry(server->how.roster, (unsigned)at, got, body) != 0)
		count(server, PTAH_STAT_UDP_DROP_FULL);
	return true;
}

/* From another worker.  A peer that is not here any more begins anew with its next one. */
static void
on_carried(const struct ptah_udp_got *got, void *arg)
{
	struct ptah_msgserver *server = arg;
	struct ptah_room room = { (uint8_t *)(uintptr_t)got->at, got->len };
	struct ptah_msg msg = ptah_courier_msg(PTAH_SIDE_WIRE, room, 0, 0);
	struct ptah_peer_key key;
	struct flow *flow = key_of(server, &msg, &got->from, &key) == 0 ? flow_find(server, &key) : NULL;

	if (flow == NULL)
		count(server, PTAH_STAT_UDP_DROP_REFUSED);
	else
		give(flow, got, &msg);
	ptah_post_flush(server->post);
}

static void
on_piece(struct ptah_msgserver *server, const struct ptah_udp_got *got, struct ptah_room piece)
{
	struct ptah_msg msg = ptah_courier_msg(PTAH_SIDE_WIRE, piece, 0, 0);
	struct ptah_peer_key key;

	bool has_key = key_of(server, &msg, &got->from, &key) == 0;
	struct flow *flow = has_key ? flow_find(server, &key) : NULL;

	/* A peer of one before us is that one's still; what it is known by may be its own matter. */
	if (flow == NULL && server->line.elder != NULL && ptah_lineage_offer(&server->line, got, piece))
		return;
	if (!has_key) {
		count(server, PTAH_STAT_UDP_DROP_REJECTED);
		return;
	}
	if (flow == NULL && carried(server, &key, got, msg.body))
		return;
	if (flow == NULL)
		flow = server->shut ? NULL : flow_new(server, got, &key);
	if (flow == NULL)
		count(server, PTAH_STAT_UDP_DROP_REFUSED);
	else
		give(flow, got, &msg);
}

/* From an heir. */
static bool
on_offer(const struct ptah_udp_got *got, void *arg)
{
	struct ptah_msgserver *server = arg;
	const struct ptah_room piece = { (uint8_t *)(uintptr_t)got->at, got->len };
	struct ptah_msg msg = ptah_courier_msg(PTAH_SIDE_WIRE, piece, 0, 0);
	struct ptah_peer_key key;

	if (key_of(server, &msg, &got->from, &key) != 0)
		return false;
	struct flow *flow = flow_find(server, &key);
	if (flow == NULL)
		return carried(server, &key, got, msg.body);
	give(flow, got, &msg);
	ptah_post_flush(server->post);
	return true;
}

static void
on_datagrams(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_msgserver *server = arg;
	struct ptah_udp_got got[PTAH_UDP_BATCH];
	struct ptah_room pieces[PTAH_UDP_JOIN_MOST];
	int n = ptah_udp_read(fd, server->batch, got);

	(void)what;
	for (int i = 0; i < n; i++) {
		size_t count = ptah_udp_pieces(server->batch, &got[i], pieces);

		for (size_t j = 0; j < count; j++)
			on_piece(server, &got[i], pieces[j]);
	}
	ptah_post_flush(server->post);
}

/* ---- the listener ------------------------------------------------------------------------- */

struct ptah_msgserver *
ptah_msgserver_new(struct ptah_worker *worker, const struct ptah_msgserver_how *how, int fd)
{
	struct ptah_msgserver *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	server->worker = worker;
	server->stats = ptah_instance_stats(how->instance, worker);
	server->how = *how;
	server->issuer = (struct ptah_issuer){ how->quota, how->gate, server->stats };
	server->fd = fd;
	server->bottom = ptah_instance_bottom(how->instance);
	ptah_courier_margins(how->instance, &server->head, &server->tail);
	server->batch = ptah_udp_batch_new_roomy(server->head, server->tail);
	server->post = ptah_post_new(server->stats);
	server->outlet_how = (struct ptah_outlet_how){
		.worker = worker, .stats = server->stats, .batch = server->batch, .post = server->post, .target = how->target, .family = how->family,
		.on_got = on_got, .on_turn = on_turn, .on_aimed = on_aimed,
	};
	server->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_datagrams, server);
	if (server->batch != NULL && server->post != NULL && server->event != NULL &&
	    ptah_peers_init(&server->known, worker, server->stats, how->limit, how->idle_ms, on_over) == 0 &&
	    ptah_peers_init(&server->strangers, worker, server->stats, how->strangers, ptah_courier_handshake_ms(how->instance), on_over) == 0 &&
	    ptah_lineage_begin(&server->line, worker, fd, server->event, on_offer, server) == 0) {
		ptah_udp_join(fd, ptah_udp_batch_may_join(server->batch));
		if (how->roster != NULL)
			ptah_roster_join(how->roster, worker, on_carried, server);
		server->joined = how->roster != NULL;
		return server;
	}
	ptah_msgserver_free(server);
	errno = ENOMEM;
	return NULL;
}

void
ptah_msgserver_shut(struct ptah_msgserver *server, bool elsewhere)
{
	server->shut = true;
	if (elsewhere)
		ptah_lineage_rest(&server->line);
}

static void
end_all(struct ptah_peers *peers)
{
	while (peers->oldest != NULL)
		ptah_courier_end(((struct flow *)(void *)peers->oldest)->courier, -ECANCELED);
	ptah_peers_clear(peers);
}

void
ptah_msgserver_free(struct ptah_msgserver *server)
{
	if (server == NULL)
		return;
	if (server->joined)
		ptah_roster_leave(server->how.roster, server->worker);
	end_all(&server->known);
	end_all(&server->strangers);
	ptah_lineage_end(&server->line);
	if (server->event != NULL)
		event_free(server->event);
	ptah_udp_batch_free(server->batch);
	ptah_post_free(server->post);
	close(server->fd);
	free(server);
}
