/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/broker.h: dials for a process that may make no socket, done by its
 * parent, which looks first whether the service may go there.
 *
 * Each worker has a channel of its own; what is asked on it is answered on it.
 *
 * Threads: _new and _free the main one; the rest the worker that is named.
 */
#ifndef PTAH_WIRE_BROKER_H
#define PTAH_WIRE_BROKER_H

#include <stddef.h>

#include "base/addr.h"
#include "wire/dial.h"

struct ptah_broker;
struct ptah_broker_call;
struct ptah_worker;

/**
 * Channel i is worker i's.
 * Takes: the descriptors, also on failure.
 * Gives: a broker for ptah_broker_free().  NULL: ENOMEM.
 */
struct ptah_broker *ptah_broker_new(const int *fds, unsigned n);
/** The workers have stopped, and are there still; calls that are left hear nothing.  NULL is fine. */
void ptah_broker_free(struct ptah_broker *broker);

/** As ptah_dial_start() without the case of no wait: 0 and a call that ends in 'fn' or in a cancel, or -errno. */
int ptah_broker_dial(struct ptah_broker *broker, struct ptah_worker *worker, const struct ptah_dest *dest,
    ptah_dialed_fn *fn, void *arg, struct ptah_broker_call **out);
void ptah_broker_cancel(struct ptah_broker_call *call);

/**
 * Inside 'fn': the secret that came along with the descriptor.
 * Fails: -EMSGSIZE: it has another length; or why there is none.
 */
int ptah_broker_secret(const struct ptah_broker *broker, const struct ptah_worker *worker, void *out, size_t len);

#endif
