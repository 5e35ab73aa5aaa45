/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * oldobfs.h: what obfs2 and obfs3 are alike in.
 *
 * Both speak first, to whoever connects, and are ciphers on a stream from
 * then on: without a secret that a server would have to announce, without a
 * word for an EOF.
 */
#ifndef PTAH_COMMON_OLDOBFS_H
#define PTAH_COMMON_OLDOBFS_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include <ptah/host.h>

#define PTAH_OLDOBFS_ABILITIES \
	(PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_NAMED_ONLY | \
	    PTAH_ANSWERS_ALL | PTAH_HOLDS_EOF | PTAH_UNMAPS)

/* For the peer's first message, in both roles.  The host's own limit comes later, so that ours decides. */
#define PTAH_OLDOBFS_HANDSHAKE_NS UINT64_C(30000000000)
#define PTAH_OLDOBFS_HOST_MS 40000u

/** What a step answers that cannot go on: a server hangs up on nobody. */
static inline int
ptah_oldobfs_fail(uint32_t role, struct ptah_io *io, int rc, const char *reason)
{
	io->reason = reason;
	if (role != PTAH_SERVER)
		return rc;
	io->manner = PTAH_SILENT;
	return PTAH_REJECT;
}

/** The hook 'generate': there is nothing that both must know. */
static inline int
ptah_oldobfs_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client)
{
	int n = snprintf((char *)server.at, server.len, "{}");
	int m = snprintf((char *)client.at, client.len, "{\"serverAddress\": \"%s\"}", advertise);

	(void)conf;
	return n > 0 && (size_t)n < server.len && m > 0 && (size_t)m < client.len ? 0 : -ENOSPC;
}

#endif
