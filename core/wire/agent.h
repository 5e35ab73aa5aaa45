/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/agent.h: dial for a process that may not: the other end of wire/broker.h.
 *
 * Whoever asks is not trusted: he gets stream sockets that are connected to
 * where he may go, through the upstream proxy if there is one, and a bounded
 * number at a time.  What he says that makes no sense is not answered.
 *
 * Threads: the one of the loop that it was given.
 */
#ifndef PTAH_WIRE_AGENT_H
#define PTAH_WIRE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "wire/brokerwords.h"
#include "wire/dial.h"

struct ptah_agent;
struct ptah_worker;

/** Lent for the life of the agent. */
struct ptah_agent_how {
	struct ptah_worker *loop;
	const struct ptah_dial_how *dial;
	unsigned most; /* dials at a time, those included whose answer waits to be taken: each may hold a descriptor */
	/** May it go there? */
	bool (*may)(const struct ptah_dest *dest, void *arg);
	/** The secret of a place that it was let go to: 0, -ENOENT or why it cannot be had.  NULL: there are none. */
	int (*secret)(const struct ptah_dest *dest, uint8_t out[static PTAH_BROKER_SECRET], void *arg);
	/** It asked for what it may not have. */
	void (*refused)(const struct ptah_dest *dest, void *arg);
	void *arg;
};

/**
 * Serve a channel until its other end is gone.
 * Takes: fd, also on failure.
 * Gives: an agent for ptah_agent_free().  NULL: ENOMEM.
 */
struct ptah_agent *ptah_agent_new(const struct ptah_agent_how *how, int fd);
/** Give up what is under way.  NULL is fine. */
void ptah_agent_free(struct ptah_agent *agent);

#endif
