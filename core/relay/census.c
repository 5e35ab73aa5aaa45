/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/census.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "relay/flock.h"
#include "relay/hop.h"
#include "relay/layer.h"

const char *
ptah_seen_state_name(unsigned state)
{
	static const char *const names[] = {
		[PTAH_SEEN_DIALS] = "dials", [PTAH_SEEN_SHAKES_HANDS] = "shakes hands", [PTAH_SEEN_CARRIES] = "carries",
		[PTAH_SEEN_HALF_CLOSED] = "half closed",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : NULL;
}

static unsigned
state_of(const struct ptah_link *link)
{
	switch (link->stage) {
	case STAGE_DIAL:
		return PTAH_SEEN_DIALS;
	case STAGE_LAYERS:
		return PTAH_SEEN_SHAKES_HANDS;
	default:
		return link->eof[PLAIN] || link->eof[WIRE] ? PTAH_SEEN_HALF_CLOSED : PTAH_SEEN_CARRIES;
	}
}

static void
find_peer(const struct ptah_link *link, struct ptah_addr *out)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (link->end[WIRE].fd == -1 || getpeername(link->end[WIRE].fd, (struct sockaddr *)&peer, &len) == -1)
		return;
	ptah_addr_from_sockaddr(out, (const struct sockaddr *)&peer);
}

static int
show_links(const struct ptah_flock *flock, bool addresses, uint64_t now_ns, int (*fn)(const struct ptah_seen *seen, void *arg),
    void *arg)
{
	int rc = 0;

	for (const struct ptah_link *link = flock->links; link != NULL && rc == 0; link = link->next) {
		struct ptah_seen seen = {
			.transport = link->instance->name, .role = link->role, .state = state_of(link),
			.age_ns = now_ns - link->born_ns, .got = { link->got[PLAIN], link->got[WIRE] },
			.peer.sa.sa_family = AF_UNSPEC,
		};

		if (addresses)
			find_peer(link, &seen.peer);
		rc = fn(&seen, arg);
	}
	return rc;
}

static int
show_couriers(const struct ptah_flock *flock, bool addresses, uint64_t now_ns,
    int (*fn)(const struct ptah_seen *seen, void *arg), void *arg)
{
	int rc = 0;

	for (const struct ptah_courier *courier = flock->couriers; courier != NULL && rc == 0; courier = courier->next) {
		struct ptah_seen seen = {
			.transport = courier->instance->name, .role = courier->role, .messages = true,
			.state = courier->open ? PTAH_SEEN_CARRIES : PTAH_SEEN_SHAKES_HANDS, .age_ns = now_ns - courier->born_ns,
			.got = { courier->got[PLAIN], courier->got[WIRE] }, .peer.sa.sa_family = AF_UNSPEC,
		};

		if (addresses)
			(void)ptah_addr_parse(&seen.peer, courier->peer);
		rc = fn(&seen, arg);
	}
	return rc;
}

int
ptah_census(const struct ptah_flock *flock, bool addresses, int (*fn)(const struct ptah_seen *seen, void *arg), void *arg)
{
	uint64_t now_ns = ptah_clock_now_ns();
	int rc = show_links(flock, addresses, now_ns, fn, arg);

	return rc != 0 ? rc : show_couriers(flock, addresses, now_ns, fn, arg);
}
