/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/listen.h: take connections from a port, as many as there is room for.
 *
 * Each worker has a listening socket of its own on the shared port.  Where a
 * quota is full, a gate is shut, memory is short or descriptors are out, a
 * listener rests: new connections wait in the kernel, live ones go on.
 *
 * Threads: a listener belongs to its worker; a quota to all.
 */
#ifndef PTAH_WIRE_LISTEN_H
#define PTAH_WIRE_LISTEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct ptah_stats;
struct ptah_bounds;
struct ptah_gate;
struct ptah_listener;
struct ptah_worker;

/** How many connections may be open at once in the process, and what they may hold. */
struct ptah_quota {
	atomic_uint used, most;
	size_t spilled_most; /* bytes that all stalled links of one worker may hold before new ones wait; 0: PTAH_SPILLED_MOST */
};

/** The same for the whole process; each worker has its part. */
#define PTAH_SPILLED_MOST ((size_t)256 * 1024 * 1024)

/**
 * Open listening sockets for 'n' workers on one address.  The first binds
 * without SO_REUSEPORT, so that no other program of this user can sit on the
 * port unnoticed; the others share it.
 * Gives: n descriptors, and the address that was really bound.
 * Fails: -errno of the call that failed; nothing is open then.
 */
int ptah_listen_open(const struct ptah_addr *addr, int *fds, unsigned n, struct ptah_addr *bound);
/** The same as 'bounds' want it: backlog, interface, and of [::] no IPv4 if they say IPv6. */
int ptah_listen_open_within(const struct ptah_bounds *bounds, const struct ptah_addr *addr, int *fds, unsigned n,
    struct ptah_addr *bound);
/** Listen as these bounds want it, on one that is bound or listens already.  -errno. */
int ptah_listen_again(int fd, const struct ptah_bounds *bounds);
/**
 * A process that is not trusted may have had it: what that can have set, and accepted sockets inherit, is as it was.
 * How peers are watched each listener says anew.
 */
void ptah_listen_tidy(int fd);
/** For any socket, before it is bound: interface and family.  'bounds' may be NULL.  -errno. */
int ptah_listen_narrow(int fd, const struct ptah_addr *addr, const struct ptah_bounds *bounds);

/** Takes: fd, a connection.  Give it back with ptah_quota_release() and ptah_gate_leave() when it ends. */
typedef void ptah_accept_fn(int fd, const struct ptah_addr *peer, void *arg);

/**
 * Begin to accept; on the worker, or before it runs.  'gate' NULL: there is none.
 * Takes: fd.
 * Gives: a listener for ptah_listener_free().
 * Fails: NULL and errno.
 */
struct ptah_listener *ptah_listener_new(struct ptah_worker *worker, int fd, struct ptah_quota *quota,
    struct ptah_gate *gate, ptah_accept_fn *fn, void *arg);

/** Where it is counted that it rests: not with its worker, but here.  Lends: stats.  NULL, as listener, is fine. */
void ptah_listener_count(struct ptah_listener *listener, struct ptah_stats *stats);

/**
 * Stop listening.  With 'drain' what stands in this socket's queue is accepted
 * first: closing would reset connections that the kernel has already opened.
 */
void ptah_listener_free(struct ptah_listener *listener, bool drain);

/** Count one more, past 'most' too: one that holds its descriptors already and so cannot be made to wait. */
void ptah_quota_add(struct ptah_quota *quota);
/** One has ended. */
void ptah_quota_release(struct ptah_quota *quota);

#endif
