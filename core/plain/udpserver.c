/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/udpserver.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/deadline.h"
#include "loop/worker.h"
#include "plain/outlet.h"
#include "plain/porch.h"
#include "plain/unframer.h"
#include "relay/link.h"
#include "stats/stats.h"
#include "wire/udp.h"

#define GATHER_LEN ((size_t)PTAH_FRAME_MAX * 2)

/* Frames of one wake-up. */
struct gathered {
	size_t len, n;
};

struct ptah_udpserver {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	struct ptah_udpserver_how how;
	struct ptah_porch porch;
	struct ptah_udp_batch *batch;
	uint8_t *gather;
	struct gathered gathered;
	struct ptah_outlet_how outlet_how;
	unsigned n_flows;
	struct ptah_often full, unreachable;
};

/* A link and its socket. */
struct flow {
	struct ptah_udpserver *server;
	struct ptah_permit permit;
	struct ptah_link *link;
	struct ptah_outlet outlet;
	struct ptah_deadline idle;
	struct ptah_unframer unframer;
};

static void
count(const struct ptah_udpserver *server, enum ptah_stat stat, size_t n)
{
	ptah_stats_add(server->stats, stat, n);
}

static void
flow_free(struct flow *flow)
{
	ptah_deadline_clear(&flow->idle);
	ptah_outlet_clear(&flow->outlet);
	ptah_unframer_clear(&flow->unframer);
	flow->server->n_flows--;
	ptah_permit_return(&flow->permit);
	free(flow);
}

static void
on_idle(struct ptah_deadline *deadline, void *arg)
{
	struct flow *flow = arg;

	(void)deadline;
	ptah_link_end(flow->link, -ECANCELED);
}

static void
touch(struct flow *flow)
{
	(void)ptah_deadline_set(flow->server->worker, &flow->idle, flow->server->how.idle_ms, on_idle, flow);
}

/* ---- from the wire to the target ------------------------------------------------ */

static void
on_unframed(const struct ptah_span *datagrams, size_t n, void *arg)
{
	static const struct ptah_udp_to to = { NULL, NULL };
	struct flow *flow = arg;
	/* Too long for this family, or nobody listens there: it is lost, as UDP may lose it. */
	struct ptah_lane *lane;
	size_t taken = 0;

	if (ptah_outlet_lane(&flow->outlet, NULL, &lane) == 0)
		taken = ptah_udp_send(lane->fd, &lane->out, &to, datagrams, n);

	count(flow->server, PTAH_STAT_UDP_OUT, taken);
	count(flow->server, PTAH_STAT_UDP_DROP_SEND, n - taken);
}

static int
on_bytes(struct ptah_link *link, struct ptah_span in, void *arg)
{
	struct flow *flow = arg;

	(void)link;
	touch(flow);
	return ptah_unframer_feed(&flow->unframer, flow->server->how.framing, in, on_unframed, flow);
}

/* ---- from the target to the wire --------------------------------------------------- */

/* false: the link has ended, and the flow with it. */
static bool
push(struct flow *flow, struct gathered *gathered)
{
	struct ptah_udpserver *server = flow->server;
	unsigned before = server->n_flows;

	struct ptah_span frames = { server->gather, gathered->len };

	if (gathered->n > 0 && ptah_link_push(flow->link, frames) != 0) {
		size_t fit;

		/* What fits goes, and the tail is dropped. */
		frames.len = ptah_datagram_fit(server->how.framing, frames, ptah_link_push_room(flow->link), &fit);
		ptah_warn_often(&server->full, AREA_LINK, "a link's send queue is full: datagrams are dropped");
		count(server, PTAH_STAT_UDP_DROP_FULL, gathered->n - fit);
		if (fit > 0)
			(void)ptah_link_push(flow->link, frames);
	}
	*gathered = (struct gathered){ 0, 0 };
	return server->n_flows == before;
}

/* false as above. */
static bool
take(struct flow *flow, struct ptah_span datagram, struct gathered *gathered)
{
	struct ptah_udpserver *server = flow->server;

	if (GATHER_LEN - gathered->len < PTAH_FRAME_MAX && !push(flow, gathered))
		return false;
	size_t n = ptah_datagram_frame(server->how.framing, datagram, server->gather + gathered->len);
	gathered->len += n;
	gathered->n += n > 0;
	count(server, n > 0 ? PTAH_STAT_UDP_IN : PTAH_STAT_UDP_DROP_ALIEN, 1);
	if (n > 0 && gathered->n == 1)
		touch(flow);
	return true;
}

static struct flow *
flow_of(struct ptah_outlet *outlet)
{
	return (struct flow *)(void *)((char *)outlet - offsetof(struct flow, outlet));
}

static bool
on_got(struct ptah_outlet *outlet, const struct ptah_udp_got *got, const char *from)
{
	struct flow *flow = flow_of(outlet);
	size_t at = 0;

	(void)from;
	do {
		size_t len = got->len - at < got->each ? got->len - at : got->each;

		if (!take(flow, (struct ptah_span){ got->at + at, len }, &flow->server->gathered))
			return false;
		at += len;
	} while (at < got->len);
	return true;
}

static void
on_turn(struct ptah_outlet *outlet)
{
	struct flow *flow = flow_of(outlet);

	(void)push(flow, &flow->server->gathered);
}

/* ---- the link ------------------------------------------------------------------------- */

static void
target_failed(struct flow *flow, int rc, const char *what)
{
	ptah_warn_often(&flow->server->unreachable, AREA_WIRE, "%s: %s", what, strerror(-rc));
	ptah_link_plain_failed(flow->link, rc);
}

static void
on_aimed(struct ptah_outlet *outlet, int rc)
{
	static const struct ptah_span none = { NULL, 0 };
	struct flow *flow = flow_of(outlet);
	struct ptah_lane *lane;

	if (rc != 0) {
		target_failed(flow, rc, "cannot resolve the target's name");
		return;
	}
	rc = ptah_outlet_lane(outlet, NULL, &lane);
	if (rc != 0) {
		target_failed(flow, rc, "cannot open a UDP socket to the target");
		return;
	}
	touch(flow);
	ptah_link_plain_opened(flow->link, -1, none);
}

static void
on_admit(struct ptah_link *link, const char *dest, const char *peer, void *arg)
{
	struct flow *flow = arg;

	(void)link;
	(void)dest;
	(void)peer;
	if (ptah_outlet_aim(&flow->outlet) != 0)
		target_failed(flow, -ENOMEM, "cannot resolve the target's name");
}

static void
on_closed(int rc, void *arg)
{
	(void)rc;
	flow_free(arg);
}

static const struct ptah_link_ops link_ops = { .on_admit = on_admit, .on_closed = on_closed, .on_bytes = on_bytes };

static int
on_caller(struct ptah_caller *caller, void *arg)
{
	struct ptah_udpserver *server = arg;
	struct flow *flow = calloc(1, sizeof(*flow));

	if (flow == NULL) {
		close(caller->fd);
		ptah_permit_return(&caller->permit);
		return -ENOMEM;
	}
	flow->server = server;
	flow->permit = caller->permit;
	ptah_outlet_init(&flow->outlet, &server->outlet_how);
	server->n_flows++;
	flow->link = ptah_caller_link(caller, server->worker, server->how.instance, &link_ops, flow);
	if (flow->link == NULL) {
		flow_free(flow);
		return -ENOMEM;
	}
	ptah_link_go(flow->link);
	return 0;
}

int
ptah_udpserver_arrive(struct ptah_udpserver *server, const struct ptah_arrival *arrival)
{
	return ptah_porch_arrive(&server->porch, arrival);
}

struct ptah_udpserver *
ptah_udpserver_new(struct ptah_worker *worker, const struct ptah_udpserver_how *how, int listen_fd)
{
	struct ptah_udpserver *server = calloc(1, sizeof(*server));
	const struct ptah_porch_how porch = {
		.worker = worker, .instance = how->instance, .quota = how->quota, .gate = how->gate,
		.from = how->proxy_from, .n_from = how->n_proxy_from, .on_caller = on_caller, .arg = server,
	};

	if (server != NULL) {
		server->worker = worker;
		server->stats = ptah_instance_stats(how->instance, worker);
		server->how = *how;
		server->batch = ptah_udp_batch_new();
		server->gather = malloc(GATHER_LEN);
		server->outlet_how = (struct ptah_outlet_how){
			.worker = worker, .stats = server->stats, .batch = server->batch, .target = how->target, .family = how->family,
			.on_got = on_got, .on_turn = on_turn, .on_aimed = on_aimed,
		};
	}
	bool has_all = server != NULL && server->batch != NULL && server->gather != NULL &&
	    ptah_deadline_reserve(worker, how->idle_ms) == 0;
	if (!has_all && listen_fd != -1)
		close(listen_fd);
	if (!has_all || ptah_porch_open(&server->porch, &porch, listen_fd) != 0) {
		ptah_udpserver_free(server);
		errno = ENOMEM;
		return NULL;
	}
	return server;
}

void
ptah_udpserver_shut(struct ptah_udpserver *server, bool drain)
{
	ptah_porch_shut(&server->porch, drain);
}

void
ptah_udpserver_free(struct ptah_udpserver *server)
{
	if (server == NULL)
		return;
	ptah_porch_clear(&server->porch);
	ptah_udp_batch_free(server->batch);
	free(server->gather);
	free(server);
}
