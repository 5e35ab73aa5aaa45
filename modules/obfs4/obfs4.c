/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * obfs4: a stream that looks like nothing, to who knows its bridge only.
 * README.md draws the wire; the code is read from the link outwards:
 *
 *     link.c     bursts and frames            shake.c   a handshake under way
 *     pieces.c   bursts in pieces (iat-mode)  hello.c, reply.c   its messages
 *     seed.c     what a seed stands for       bench.c   what a worker has ready
 *     options.c, identity.c, home.c           who the bridge is
 */
#include <ptah/module.h>

#include "bench.h"
#include "home.h"
#include "link.h"
#include "options.h"
#include "shake.h"

static const char *const counters[] = {
	[OBFS4_COUNT_REPLAYED] = "replayed",
	[OBFS4_COUNT_SKEWED] = "skewed",
	[OBFS4_COUNT_BROKEN] = "broken",
	NULL,
};

/* An identity that the world knows, for trials only. */
#define EXAMPLE_CERT "g0ZBgHELVJocEooTYIouXpC4UD1S9fmULpebPIe2rcWxbVz8F8UdmJNiYDxIGsqktWs1AQ"

PTAH_MODULE(obfs4) = {
	.head = PTAH_HEAD(0),
	.name = "obfs4",
	.version = "1",
	.summary = "looks like nothing, answers nobody who does not know the bridge",
	.example = "{\"server\": {\"node-id\": \"83464180710b549a1c128a13608a2e5e90b8503d\", "
	    "\"private-key\": \"0f15a2f77a1e85f696443b1d403bb5cade9dc29cb3578fa32011cdf79b20219d\", "
	    "\"drbg-seed\": \"c51106c816dbc463bdda29abf457cc9478a0f427d228ca10\", \"iat-mode\": \"0\"}, "
	    "\"client\": {\"cert\": \"" EXAMPLE_CERT "\", \"iat-mode\": \"0\"}}",
	.counters = counters,
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_UNMAPS,
	.handshake_ms = OBFS4_CLIENT_MS,
	.options = obfs4_options,
	.conf_size = sizeof(struct obfs4_conf),
	.args_size = sizeof(struct obfs4_args),
	.home_size = sizeof(struct obfs4_home),
	.worker_size = sizeof(struct obfs4_bench),
	.link_size = sizeof(struct obfs4_link),
	.unit = OBFS4_UNIT,
	.conf_check = obfs4_conf_check,
	.args_check = obfs4_args_check,
	.home_open = obfs4_home_open,
	.home_event = obfs4_home_event,
	.home_close = obfs4_home_close,
	.worker_open = obfs4_bench_open,
	.worker_event = obfs4_bench_event,
	.worker_close = obfs4_bench_close,
	.open = obfs4_link_open,
	.wrap = obfs4_link_wrap,
	.unwrap = obfs4_link_unwrap,
	.event = obfs4_link_event,
	.close = obfs4_link_close,
	.generate = obfs4_generate,
};
