/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/place.h: sockets bound to an address, which outlive the services that
 * take from them.
 *
 * A service that is started anew has the same sockets as the one before it, so
 * no moment is without a listener and nothing that waits in a queue is lost.
 * Each taker has descriptors of its own for them; the last one that drops a
 * place closes it.
 *
 * Threads: the main one.
 */
#ifndef PTAH_WIRE_PLACE_H
#define PTAH_WIRE_PLACE_H

#include <stdbool.h>

#include "base/addr.h"
#include "config/bounds.h"

struct ptah_place;
struct ptah_places;

/** No place yet; each will have a socket for each of 'n' workers.  NULL: ENOMEM. */
struct ptah_places *ptah_places_new(unsigned n);
/** All have been dropped.  NULL is fine. */
void ptah_places_free(struct ptah_places *places);

/** Lives for the call. */
struct ptah_place_want {
	bool udp;
	const struct ptah_addr *addr;     /* port 0: any, and the same again for the same name */
	const char *name;                 /* whose it is */
	const struct ptah_bounds *bounds; /* interface and family are of the place */
};

/**
 * The place that is wanted, there already or made now.  Nobody may have two of one address at work at a time: who
 * takes an address a second time shares it.
 * Gives: *out, for ptah_place_drop().
 * Fails: -errno of the call that failed.
 */
int ptah_place_take(struct ptah_places *places, const struct ptah_place_want *want, struct ptah_place **out);

/**
 * A place that the parent process holds: 'fds' are its sockets, one for each worker, as bound to 'want'.
 * Takes: fds, also on failure.
 * Gives: *out, for ptah_place_drop(); until then it is there for whoever wants it.
 */
int ptah_places_preset(struct ptah_places *places, const struct ptah_place_want *want, const int *fds,
    struct ptah_place **out);

/** A socket that another program opened is from now on the place of this name, until the end.  Takes: fd.  -EEXIST, -errno. */
int ptah_places_adopt(struct ptah_places *places, const char *name, int fd);
/** As ptah_place_take(), for one of those, which all workers share.  -ENOENT, or -EPROTOTYPE: it is not of that kind. */
int ptah_place_take_adopted(struct ptah_places *places, const char *name, bool udp, struct ptah_place **out);

/** Look at each that was bound to an address; anything but 0 ends it, and is what this returns.  Lends: all. */
int ptah_places_each(const struct ptah_places *places,
    int (*fn)(const struct ptah_place_want *want, const int *fds, unsigned n, void *arg), void *arg);
/**
 * What another process says of one of its own: from now on it is a place here, for whoever wants it.
 * Takes: 'n' descriptors, also on failure.
 * Fails: -EINVAL: as many as there are workers it must be; -errno.
 */
int ptah_places_inherit(struct ptah_places *places, const struct ptah_place_want *want, const int *fds, unsigned n);
/** Close those that were inherited and that nobody has taken. */
void ptah_places_settle(struct ptah_places *places);
/** Another process goes on at all that are there now, or does not: whoever drops one is told that somebody else has it. */
void ptah_places_share(struct ptah_places *places, bool shared);

/** Descriptors of its sockets, one for each worker (-1: none, for a UDP socket that was adopted); and the address.  Gives: fds.  -errno, and then none is open. */
int ptah_place_share(const struct ptah_place *place, int *fds, struct ptah_addr *bound);

/** Does another process go on there?  NULL is fine: no. */
bool ptah_place_is_shared(const struct ptah_place *place);

/** Give it up.  True: nobody else has it, so what is not accepted through descriptors that are left is lost.  NULL is fine: true. */
bool ptah_place_drop(struct ptah_place *place);

#endif
