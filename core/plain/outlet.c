/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/outlet.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "loop/dns.h"
#include "loop/worker.h"
#include "stats/stats.h"

/* Messages that wait for one name. */
#define WAITING_MOST 8u

struct waiting {
	struct waiting *next;
	size_t len;
	uint8_t body[];
};

/* A destination that messages have named. */
struct ptah_place {
	struct ptah_place *next;
	struct ptah_outlet *outlet;
	char dest[PTAH_DEST_TEXT];
	char text[PTAH_ADDR_TEXT]; /* of its address */
	struct ptah_lane lane;     /* fd -1: its name is looked up */
	struct ptah_dns *dns;
	struct waiting *waiting, **waiting_end;
	unsigned n_waiting;
};

static void
count(const struct ptah_outlet *outlet, enum ptah_stat stat)
{
	ptah_stats_add(outlet->how->stats, stat, 1);
}

/* ---- reading ------------------------------------------------------------------ */

static const struct ptah_place *
place_at(const struct ptah_outlet *outlet, const struct ptah_addr *addr)
{
	const struct ptah_place *place = outlet->places;

	while (place != NULL && (place->lane.fd == -1 || !ptah_addr_equal(&place->lane.addr, addr)))
		place = place->next;
	return place;
}

static void
on_free(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_outlet *outlet = ((struct ptah_outlet_free *)arg)->outlet;
	struct ptah_udp_got got[PTAH_UDP_BATCH];
	int n = ptah_udp_read(fd, outlet->how->batch, got);

	(void)what;
	for (int i = 0; i < n; i++) {
		const struct ptah_place *place = place_at(outlet, &got[i].from);
		char text[PTAH_ADDR_TEXT];

		if (place == NULL) {
			count(outlet, PTAH_STAT_UDP_DROP_ALIEN);
			continue;
		}
		memcpy(text, place->text, sizeof(text)); /* it may have to go for another meanwhile */
		if (!outlet->how->on_got(outlet, &got[i], text))
			return;
	}
	outlet->how->on_turn(outlet);
}

static void look_again(struct ptah_outlet *outlet);

static void
on_target(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_outlet *outlet = arg;
	struct ptah_udp_got got[PTAH_UDP_BATCH];
	int n = ptah_udp_read(fd, outlet->how->batch, got);

	(void)what;
	for (int i = 0; i < n; i++)
		if (!outlet->how->on_got(outlet, &got[i], outlet->at_text))
			return;
	if (n < 0)
		look_again(outlet); /* an ICMP error */
	outlet->how->on_turn(outlet);
}

/* Takes: fd.  NULL: memory is short, and fd closed. */
static struct event *
watch(struct ptah_outlet *outlet, int fd, event_callback_fn fn, void *arg)
{
	struct event *event = event_new(outlet->how->worker->base, fd, EV_READ | EV_PERSIST, fn, arg);

	if (event != NULL && event_add(event, NULL) == 0) {
		ptah_udp_join(fd, ptah_udp_batch_may_join(outlet->how->batch));
		return event;
	}
	if (event != NULL)
		event_free(event);
	close(fd);
	return NULL;
}

/* ---- the target ------------------------------------------------------------------ */

static void
close_target(struct ptah_outlet *outlet)
{
	ptah_post_leave(outlet->how->post, &outlet->target);
	if (outlet->event != NULL)
		event_free(outlet->event);
	if (outlet->target.fd != -1)
		close(outlet->target.fd);
	outlet->event = NULL;
	outlet->target.fd = -1;
}

static void
aim_at(struct ptah_outlet *outlet, const struct ptah_addr *at)
{
	outlet->at = *at;
	outlet->aimed = true;
	ptah_addr_format(at, outlet->at_text);
}

static int
open_target(struct ptah_outlet *outlet)
{
	int fd = outlet->aimed ? ptah_udp_connect(&outlet->at) : -EDESTADDRREQ;

	if (fd < 0)
		return fd;
	outlet->event = watch(outlet, fd, on_target, outlet);
	if (outlet->event == NULL)
		return -ENOMEM;
	outlet->target = (struct ptah_lane){ .fd = fd, .plain = true, .most = ptah_lane_most_of(&outlet->at) };
	return 0;
}

static void
on_resolved(int rc, const struct ptah_addr *addrs, size_t n, void *arg)
{
	struct ptah_outlet *outlet = arg;
	bool was_aimed = outlet->aimed;

	outlet->dns = NULL;
	if (!was_aimed) {
		if (rc == 0)
			aim_at(outlet, &addrs[0]);
		outlet->how->on_aimed(outlet, rc);
		return;
	}
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (ptah_addr_equal(&addrs[i], &outlet->at))
			return; /* it still has that one */
	if (rc != 0)
		return;
	close_target(outlet);
	aim_at(outlet, &addrs[0]);
}

static int
resolve(struct ptah_outlet *outlet)
{
	const struct ptah_dest *target = outlet->how->target;

	outlet->looked_ns = ptah_clock_now_ns();
	outlet->dns = ptah_dns_resolve(outlet->how->worker, target->host, target->port, outlet->how->family, on_resolved, outlet);
	return outlet->dns != NULL ? 0 : -ENOMEM;
}

/* Nobody is where the target was: its name may know better by now. */
static void
look_again(struct ptah_outlet *outlet)
{
	if (!outlet->how->target->literal && outlet->dns == NULL &&
	    ptah_clock_now_ns() - outlet->looked_ns >= PTAH_OUTLET_LOOK_MS * PTAH_NS_PER_MS)
		(void)resolve(outlet);
}

int
ptah_outlet_aim(struct ptah_outlet *outlet)
{
	if (!outlet->how->target->literal)
		return resolve(outlet);
	aim_at(outlet, &outlet->how->target->addr);
	outlet->how->on_aimed(outlet, 0);
	return 0;
}

/* ---- places ------------------------------------------------------------------------ */

static void
place_free(struct ptah_place *place)
{
	ptah_post_leave(place->outlet->how->post, &place->lane);
	ptah_dns_cancel(place->dns);
	while (place->waiting != NULL) {
		struct waiting *next = place->waiting->next;

		count(place->outlet, PTAH_STAT_UDP_DROP_REFUSED);
		free(place->waiting);
		place->waiting = next;
	}
	free(place);
}

static int
place_open(struct ptah_place *place, const struct ptah_addr *addr)
{
	struct ptah_outlet_free *from = &place->outlet->free[addr->sa.sa_family == AF_INET6];

	if (from->fd == -1) {
		int fd = ptah_udp_open(addr->sa.sa_family);

		if (fd < 0)
			return fd;
		from->event = watch(place->outlet, fd, on_free, from);
		if (from->event == NULL)
			return -ENOMEM;
		from->fd = fd;
	}
	place->lane = (struct ptah_lane){ .fd = from->fd, .plain = true, .addr = *addr, .most = ptah_lane_most_of(addr) };
	ptah_addr_format(addr, place->text);
	return 0;
}

/* Gone from the list; its memory is not. */
static void
place_unlist(struct ptah_place *place)
{
	struct ptah_place **at = &place->outlet->places;

	while (*at != place)
		at = &(*at)->next;
	*at = place->next;
	place->outlet->n_places--;
}

static void
on_place_resolved(int rc, const struct ptah_addr *addrs, size_t n, void *arg)
{
	struct ptah_place *place = arg;

	(void)n;
	place->dns = NULL;
	if (rc == 0)
		rc = place_open(place, &addrs[0]);
	if (rc != 0) {
		place_unlist(place); /* whoever names it again asks again */
		place_free(place);
		return;
	}
	for (const struct waiting *waiting = place->waiting; waiting != NULL; waiting = waiting->next)
		ptah_post_add(place->outlet->how->post, &place->lane, (struct ptah_span){ waiting->body, waiting->len });
	ptah_post_flush(place->outlet->how->post);
	while (place->waiting != NULL) {
		struct waiting *next = place->waiting->next;

		free(place->waiting);
		place->waiting = next;
	}
	place->n_waiting = 0;
}

/* The eldest goes for a new one. */
static void
make_room(struct ptah_outlet *outlet)
{
	struct ptah_place *last = outlet->places;

	if (outlet->n_places < PTAH_PLACES_MOST)
		return;
	while (last->next != NULL)
		last = last->next;
	place_unlist(last);
	place_free(last);
}

static struct ptah_place *
place_new(struct ptah_outlet *outlet, const char *text, int *rc)
{
	struct ptah_dest dest;
	struct ptah_place *place;

	*rc = -EINVAL;
	if (ptah_dest_parse(&dest, text, false) != 0)
		return NULL;
	make_room(outlet);
	place = calloc(1, sizeof(*place));
	*rc = -ENOMEM;
	if (place == NULL)
		return NULL;
	place->outlet = outlet;
	place->lane.fd = -1;
	place->waiting_end = &place->waiting;
	(void)ptah_text_copy(place->dest, sizeof(place->dest), text);
	if (dest.literal) {
		*rc = place_open(place, &dest.addr);
	} else {
		place->dns = ptah_dns_resolve(outlet->how->worker, dest.host, dest.port, outlet->how->family,
		    on_place_resolved, place);
		*rc = place->dns != NULL ? 0 : -ENOMEM;
	}
	if (*rc != 0) {
		place_free(place);
		return NULL;
	}
	place->next = outlet->places;
	outlet->places = place;
	outlet->n_places++;
	return place;
}

/* NULL: never named, or long ago. */
static struct ptah_place *
place_find(struct ptah_outlet *outlet, const char *dest)
{
	struct ptah_place **at = &outlet->places, *place;

	while (*at != NULL && strcmp((*at)->dest, dest) != 0)
		at = &(*at)->next;
	place = *at;
	if (place != NULL && place != outlet->places) {
		*at = place->next;
		place->next = outlet->places;
		outlet->places = place;
	}
	return place;
}

int
ptah_outlet_lane(struct ptah_outlet *outlet, const char *dest, struct ptah_lane **lane)
{
	struct ptah_place *place;
	int rc = 0;

	if (dest == NULL) {
		if (outlet->target.out.refused) {
			outlet->target.out.refused = false;
			look_again(outlet);
		}
		*lane = &outlet->target;
		return outlet->target.fd == -1 ? open_target(outlet) : 0;
	}
	place = place_find(outlet, dest);
	if (place == NULL)
		place = place_new(outlet, dest, &rc);
	if (place == NULL)
		return rc;
	*lane = &place->lane;
	return place->lane.fd == -1 ? -EINPROGRESS : 0;
}

int
ptah_outlet_hold(struct ptah_outlet *outlet, const char *dest, struct ptah_span body)
{
	struct ptah_place *place = place_find(outlet, dest);
	struct waiting *waiting;

	if (place == NULL || place->n_waiting == WAITING_MOST)
		return -ENOBUFS;
	waiting = malloc(sizeof(*waiting) + body.len);
	if (waiting == NULL)
		return -ENOMEM;
	waiting->next = NULL;
	waiting->len = body.len;
	if (body.len > 0)
		memcpy(waiting->body, body.at, body.len);
	if (place->waiting == NULL)
		place->waiting_end = &place->waiting;
	*place->waiting_end = waiting;
	place->waiting_end = &waiting->next;
	place->n_waiting++;
	return 0;
}

/* ---- life --------------------------------------------------------------------------- */

void
ptah_outlet_init(struct ptah_outlet *outlet, const struct ptah_outlet_how *how)
{
	*outlet = (struct ptah_outlet){ .how = how, .target = { .fd = -1 }, .free = { { outlet, -1, NULL }, { outlet, -1, NULL } } };
}

void
ptah_outlet_clear(struct ptah_outlet *outlet)
{
	while (outlet->places != NULL) {
		struct ptah_place *place = outlet->places;

		place_unlist(place);
		place_free(place);
	}
	close_target(outlet);
	for (unsigned i = 0; i < 2; i++) {
		if (outlet->free[i].event != NULL)
			event_free(outlet->free[i].event);
		if (outlet->free[i].fd != -1)
			close(outlet->free[i].fd);
	}
	ptah_dns_cancel(outlet->dns);
}
