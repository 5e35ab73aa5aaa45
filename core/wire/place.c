/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/worker.h"
#include "wire/listen.h"
#include "wire/udp.h"

struct ptah_place {
	struct ptah_place **back, *next;
	unsigned refs, n_workers;
	unsigned backlog, keep_alive_s;
	bool udp, adopted;
	bool inherited; /* one of the references is ours */
	bool shared;    /* another process has it, too */
	char *name;
	struct ptah_addr wanted, bound;
	char interface[IFNAMSIZ];
	int family;
	unsigned n; /* of the sockets; worker i has number i % n */
	int fds[PTAH_WORKERS_MAX];
};

struct ptah_places {
	struct ptah_place *first;
	unsigned n_workers;
};

struct ptah_places *
ptah_places_new(unsigned n)
{
	struct ptah_places *places = calloc(1, sizeof(*places));

	if (places != NULL)
		places->n_workers = n;
	return places;
}

static struct ptah_place *
place_new(struct ptah_places *places, const char *name)
{
	struct ptah_place *place = calloc(1, sizeof(*place));

	if (place == NULL)
		return NULL;
	place->name = strdup(name);
	if (place->name == NULL) {
		free(place);
		return NULL;
	}
	place->refs = 1;
	place->n_workers = places->n_workers;
	place->next = places->first;
	place->back = &places->first;
	if (place->next != NULL)
		place->next->back = &place->next;
	places->first = place;
	return place;
}

static void
place_free(struct ptah_place *place)
{
	*place->back = place->next;
	if (place->next != NULL)
		place->next->back = place->back;
	for (unsigned i = 0; i < place->n; i++)
		close(place->fds[i]);
	free(place->name);
	free(place);
}

void
ptah_places_free(struct ptah_places *places)
{
	if (places == NULL)
		return;
	while (places->first != NULL)
		place_free(places->first);
	free(places);
}

/* ---- by address --------------------------------------------------------------- */

static bool
is_wanted(const struct ptah_place *place, const struct ptah_place_want *want)
{
	return !place->adopted && place->udp == want->udp && ptah_addr_equal(&place->wanted, want->addr) &&
	    (ptah_addr_port(want->addr) != 0 || strcmp(place->name, want->name) == 0) &&
	    strcmp(place->interface, want->bounds->interface) == 0 && place->family == want->bounds->family;
}

static struct ptah_place *
place_wanted(struct ptah_places *places, const struct ptah_place_want *want)
{
	struct ptah_place *place = place_new(places, want->name);

	if (place == NULL)
		return NULL;
	place->udp = want->udp;
	place->wanted = *want->addr;
	memcpy(place->interface, want->bounds->interface, sizeof(place->interface));
	place->family = want->bounds->family;
	place->backlog = want->bounds->backlog;
	place->keep_alive_s = want->bounds->keep_alive_s;
	return place;
}

/* Who takes it last says how many may wait there, and how they are watched. */
static void
adapt(struct ptah_place *place, const struct ptah_bounds *bounds)
{
	if (place->udp || (place->backlog == bounds->backlog && place->keep_alive_s == bounds->keep_alive_s))
		return;
	place->backlog = bounds->backlog;
	place->keep_alive_s = bounds->keep_alive_s;
	for (unsigned i = 0; i < place->n; i++)
		(void)ptah_listen_again(place->fds[i], bounds); /* else it stays as it was, which is as good */
}

int
ptah_place_take(struct ptah_places *places, const struct ptah_place_want *want, struct ptah_place **out)
{
	struct ptah_place *place = places->first;
	int rc;

	while (place != NULL && !is_wanted(place, want))
		place = place->next;
	if (place != NULL) {
		adapt(place, want->bounds);
		place->refs++;
		*out = place;
		return 0;
	}
	place = place_wanted(places, want);
	if (place == NULL)
		return -ENOMEM;
	rc = (want->udp ? ptah_udp_listen_within : ptah_listen_open_within)(want->bounds, want->addr, place->fds,
	    places->n_workers, &place->bound);
	if (rc < 0) {
		place_free(place);
		return rc;
	}
	place->n = places->n_workers;
	*out = place;
	return 0;
}

int
ptah_places_preset(struct ptah_places *places, const struct ptah_place_want *want, const int *fds,
    struct ptah_place **out)
{
	struct ptah_place *place = place_wanted(places, want);
	int rc = place != NULL ? ptah_addr_of_socket(&place->bound, fds[0]) : -ENOMEM;

	if (rc < 0) {
		for (unsigned i = 0; i < places->n_workers; i++)
			close(fds[i]);
		if (place != NULL)
			place_free(place);
		return rc;
	}
	place->n = places->n_workers;
	memcpy(place->fds, fds, place->n * sizeof(*fds));
	*out = place;
	return 0;
}

/* ---- by name -------------------------------------------------------------------- */

static struct ptah_place *
find_adopted(const struct ptah_places *places, const char *name)
{
	struct ptah_place *place = places->first;

	while (place != NULL && !(place->adopted && strcmp(place->name, name) == 0))
		place = place->next;
	return place;
}

static int
adopt(struct ptah_places *places, const char *name, int fd)
{
	struct ptah_place *place;
	int type, rc, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof(type);

	if (find_adopted(places, name) != NULL)
		return -EEXIST;
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1)
		return -errno;
	place = place_new(places, name);
	if (place == NULL)
		return -ENOMEM;
	place->adopted = true;
	place->udp = type == SOCK_DGRAM;
	rc = ptah_addr_of_socket(&place->bound, fd);
	if (rc == 0)
		place->fds[place->n++] = fd;
	else
		place_free(place);
	return rc;
}

int
ptah_places_adopt(struct ptah_places *places, const char *name, int fd)
{
	int rc = adopt(places, name, fd);

	if (rc < 0)
		close(fd);
	return rc;
}

int
ptah_place_take_adopted(struct ptah_places *places, const char *name, bool udp, struct ptah_place **out)
{
	struct ptah_place *place = find_adopted(places, name);

	if (place == NULL)
		return -ENOENT;
	if (place->udp != udp)
		return -EPROTOTYPE;
	place->refs++;
	*out = place;
	return 0;
}

/* ---- between processes ---------------------------------------------------------------- */

int
ptah_places_each(const struct ptah_places *places,
    int (*fn)(const struct ptah_place_want *want, const int *fds, unsigned n, void *arg), void *arg)
{
	int rc = 0;

	for (const struct ptah_place *place = places->first; place != NULL && rc == 0; place = place->next) {
		struct ptah_bounds bounds = { .family = place->family };
		const struct ptah_place_want want = { .udp = place->udp, .addr = &place->wanted, .name = place->name,
			.bounds = &bounds };

		if (place->adopted)
			continue;
		memcpy(bounds.interface, place->interface, sizeof(bounds.interface));
		rc = fn(&want, place->fds, place->n, arg);
	}
	return rc;
}

int
ptah_places_inherit(struct ptah_places *places, const struct ptah_place_want *want, const int *fds, unsigned n)
{
	struct ptah_place *place;
	int rc;

	if (n != places->n_workers) {
		while (n > 0)
			close(fds[--n]);
		return -EINVAL;
	}
	rc = ptah_places_preset(places, want, fds, &place);
	if (rc != 0)
		return rc;
	place->inherited = true;
	place->backlog = place->keep_alive_s = UINT_MAX; /* as it was there; whoever takes it says how it is to be */
	return 0;
}

void
ptah_places_settle(struct ptah_places *places)
{
	struct ptah_place *next;

	for (struct ptah_place *place = places->first; place != NULL; place = next) {
		next = place->next;
		if (!place->inherited)
			continue;
		place->inherited = false;
		(void)ptah_place_drop(place);
	}
}

void
ptah_places_share(struct ptah_places *places, bool shared)
{
	for (struct ptah_place *place = places->first; place != NULL; place = place->next)
		place->shared = shared;
}

/* ---- what takers have -------------------------------------------------------------- */

int
ptah_place_share(const struct ptah_place *place, int *fds, struct ptah_addr *bound)
{
	for (unsigned i = 0; i < place->n && !place->udp; i++)
		ptah_listen_tidy(place->fds[i]);
	for (unsigned i = 0; i < place->n_workers; i++) {
		/* Of one UDP socket there is one reader: each source must come to one worker. */
		bool has = i < place->n || !place->udp;

		fds[i] = has ? fcntl(place->fds[i % place->n], F_DUPFD_CLOEXEC, 0) : -1;
		if (has && fds[i] == -1) {
			int rc = -errno;

			while (i > 0)
				if (fds[--i] != -1)
					close(fds[i]);
			return rc;
		}
	}
	*bound = place->bound;
	return 0;
}

bool
ptah_place_is_shared(const struct ptah_place *place)
{
	return place != NULL && place->shared;
}

bool
ptah_place_drop(struct ptah_place *place)
{
	if (place == NULL)
		return true;
	bool shared = place->shared;

	if (--place->refs > 0)
		return false;
	place_free(place);
	return !shared;
}
