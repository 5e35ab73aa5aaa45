/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/door.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loop/worker.h"
#include "plain/client.h"
#include "plain/datagram.h"
#include "plain/msgclient.h"
#include "plain/msgserver.h"
#include "plain/peers.h"
#include "plain/roster.h"
#include "plain/server.h"
#include "plain/udpclient.h"
#include "plain/udpserver.h"
#include "transport/instance.h"
#include "wire/listen.h"
#include "wire/place.h"
#include "wire/udp.h"

static bool
is_client(const struct ptah_doors *doors)
{
	return doors->plan->role == PTAH_ROLE_CLIENT;
}

static int
framing_of(const struct ptah_plan *plan)
{
	if (plan->mode == PTAH_MODE_STUN)
		return PTAH_FRAMING_STUN;
	return plan->udp_little_endian ? PTAH_FRAMING_LE : PTAH_FRAMING_BE;
}

/* ---- what they share ------------------------------------------------------------ */

bool
ptah_doors_take_arrivals(const struct ptah_doors *doors)
{
	return !is_client(doors) && !doors->instance->messages;
}

/* Of a stack, the bottom layer sees datagrams as they come. */
static int
make_shared(struct ptah_doors *doors, unsigned n)
{
	bool knows_strangers = !is_client(doors) && doors->instance->messages;
	bool keyed = knows_strangers && n > 1 && ptah_instance_bottom(doors->instance)->module->key;

	doors->peers = ptah_limit_new(doors->plan->udp_max_peers);
	if (knows_strangers)
		doors->strangers = ptah_limit_new(PTAH_STRANGERS_MOST);
	if (keyed)
		doors->roster = ptah_roster_new();
	return doors->peers && (doors->strangers || !knows_strangers) && (doors->roster || !keyed) ? 0 : -ENOMEM;
}

static int
take_place(struct ptah_doors *doors, bool udp, const struct ptah_addr *addr)
{
	const struct ptah_plan *plan = doors->plan;
	const struct ptah_place_want want = { .udp = udp, .addr = addr, .name = plan->label, .bounds = &plan->bounds };

	if (plan->activation)
		return ptah_place_take_adopted(doors->places, plan->activation, udp, &doors->place);
	return ptah_place_take(doors->places, &want, &doors->place);
}

int
ptah_doors_bind(struct ptah_doors *doors, const struct ptah_addr *addr, int *fds, unsigned n, struct ptah_addr *bound)
{
	/* A server that frames them has streams on its wire. */
	bool udp = doors->instance->messages || (is_client(doors) && ptah_mode_is_udp(doors->plan->mode));
	int rc = udp ? make_shared(doors, n) : 0;

	if (rc == 0 && !doors->plan->label)
		return (udp ? ptah_udp_listen : ptah_listen_open)(addr, fds, n, bound);
	if (rc == 0)
		rc = take_place(doors, udp, addr);
	return rc == 0 ? ptah_place_share(doors->place, fds, bound) : rc;
}

bool
ptah_doors_leave(struct ptah_doors *doors)
{
	struct ptah_place *place = doors->place;

	doors->place = NULL;
	doors->elsewhere = doors->elsewhere || ptah_place_is_shared(place);
	return ptah_place_drop(place);
}

void
ptah_doors_clear(struct ptah_doors *doors)
{
	(void)ptah_doors_leave(doors);
	ptah_limit_unref(doors->peers);
	ptah_limit_unref(doors->strangers);
	ptah_roster_unref(doors->roster);
}

/* ---- one of them ------------------------------------------------------------------ */

static int
open_msgclient(struct ptah_door *door, const struct ptah_doors *doors, struct ptah_worker *worker, int fd)
{
	const struct ptah_plan *plan = doors->plan;
	const struct ptah_msgclient_how how = {
		.instance = doors->instance, .dial = doors->dial, .quota = doors->quota, .gate = doors->gate,
		.framing = framing_of(plan), .limit = doors->peers,
		.queue_most = plan->udp_queue, .idle_ms = plan->udp_timeout_s * 1000,
	};

	door->msgclient = ptah_msgclient_new(worker, &how, fd);
	return door->msgclient ? 0 : -errno;
}

static int
open_udpclient(struct ptah_door *door, const struct ptah_doors *doors, struct ptah_worker *worker, int fd)
{
	const struct ptah_plan *plan = doors->plan;
	const struct ptah_udpclient_how how = {
		.instance = doors->instance, .dial = doors->dial, .quota = doors->quota, .gate = doors->gate,
		.framing = framing_of(plan), .limit = doors->peers,
		.queue_most = plan->udp_queue, .idle_ms = plan->udp_timeout_s * 1000,
		.dial_ms = plan->dial_timeout_s * 1000,
	};

	door->udpclient = ptah_udpclient_new(worker, &how, fd);
	return door->udpclient ? 0 : -errno;
}

static int
open_client(struct ptah_door *door, const struct ptah_doors *doors, struct ptah_worker *worker, int fd)
{
	const struct ptah_plan *plan = doors->plan;
	const struct ptah_client_how how = {
		.instance = doors->instance, .dial = doors->dial, .quota = doors->quota, .gate = doors->gate,
		.socks = plan->mode == PTAH_MODE_SOCKS5, .legacy80 = plan->legacy_socks80,
		.dialect = plan->dialect, .dial_ms = plan->dial_timeout_s * 1000,
	};

	door->client = ptah_client_new(worker, &how, fd);
	return door->client ? 0 : -errno;
}

static int
open_msgserver(struct ptah_door *door, const struct ptah_doors *doors, struct ptah_worker *worker, int fd)
{
	const struct ptah_plan *plan = doors->plan;
	const struct ptah_msgserver_how how = {
		.instance = doors->instance, .quota = doors->quota, .gate = doors->gate,
		.target = &plan->target, .family = plan->bounds.family,
		.framing = framing_of(plan), .limit = doors->peers, .strangers = doors->strangers,
		.roster = doors->roster, .idle_ms = plan->udp_timeout_s * 1000,
	};

	door->msgserver = ptah_msgserver_new(worker, &how, fd);
	return door->msgserver ? 0 : -errno;
}

static int
open_udpserver(struct ptah_door *door, const struct ptah_doors *doors, struct ptah_worker *worker, int fd)
{
	const struct ptah_plan *plan = doors->plan;
	const struct ptah_udpserver_how how = {
		.instance = doors->instance, .quota = doors->quota, .gate = doors->gate,
		.target = &plan->target, .family = plan->bounds.family,
		.framing = framing_of(plan), .idle_ms = plan->udp_timeout_s * 1000,
		.proxy_from = plan->proxy_from, .n_proxy_from = plan->n_proxy_from,
	};

	door->udpserver = ptah_udpserver_new(worker, &how, fd);
	return door->udpserver ? 0 : -errno;
}

static int
open_server(struct ptah_door *door, const struct ptah_doors *doors, struct ptah_worker *worker, int fd)
{
	const struct ptah_plan *plan = doors->plan;
	const struct ptah_server_how how = {
		.instance = doors->instance, .dial = doors->dial, .quota = doors->quota, .gate = doors->gate,
		.target = plan->has_extorport ? NULL : &plan->target,
		.has_extorport = plan->has_extorport, .extorport = plan->extorport,
		.cookie_path = plan->cookie_path, .proxy_protocol = plan->proxy_protocol,
		.proxy_from = plan->proxy_from, .n_proxy_from = plan->n_proxy_from,
		.dial_ms = plan->dial_timeout_s * 1000,
	};

	door->server = ptah_server_new(worker, &how, fd);
	return door->server ? 0 : -errno;
}

int
ptah_door_open(struct ptah_door *door, const struct ptah_doors *doors, struct ptah_worker *worker, int fd)
{
	if (doors->instance->messages)
		return (is_client(doors) ? open_msgclient : open_msgserver)(door, doors, worker, fd);
	if (ptah_mode_is_udp(doors->plan->mode))
		return (is_client(doors) ? open_udpclient : open_udpserver)(door, doors, worker, fd);
	return (is_client(doors) ? open_client : open_server)(door, doors, worker, fd);
}

int
ptah_door_arrive(struct ptah_door *door, const struct ptah_arrival *arrival)
{
	if (door->server && !door->shut)
		return ptah_server_arrive(door->server, arrival);
	if (door->udpserver && !door->shut)
		return ptah_udpserver_arrive(door->udpserver, arrival);
	close(arrival->fd);
	ptah_instance_tell_plain(arrival->from, arrival->cookie, -EAGAIN);
	return -EAGAIN;
}

void
ptah_door_shut(struct ptah_door *door, bool drain, bool elsewhere)
{
	door->shut = true;
	if (door->client)
		ptah_client_shut(door->client, drain);
	if (door->server)
		ptah_server_shut(door->server, drain);
	if (door->udpclient)
		ptah_udpclient_shut(door->udpclient, elsewhere);
	if (door->udpserver)
		ptah_udpserver_shut(door->udpserver, drain);
	if (door->msgclient)
		ptah_msgclient_shut(door->msgclient, elsewhere);
	if (door->msgserver)
		ptah_msgserver_shut(door->msgserver, elsewhere);
}

void
ptah_door_clear(struct ptah_door *door)
{
	ptah_client_free(door->client);
	ptah_server_free(door->server);
	ptah_udpclient_free(door->udpclient);
	ptah_udpserver_free(door->udpserver);
	ptah_msgclient_free(door->msgclient);
	ptah_msgserver_free(door->msgserver);
	memset(door, 0, sizeof(*door));
}
