/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ScrambleSuit: a stream that looks like nothing, to who knows its bridge's
 * password only.  README.md draws the wire; the code is read from the link
 * outwards:
 *
 *     link.c     bursts                       shake.c   a handshake under way
 *     message.c  messages and keys            hello.c   its messages
 *     ticket.c   tickets as a server has them store.c   ... as a client keeps them
 *     bench.c    what a worker has ready      home.c, state.c, options.c   who the bridge is
 */
#include <ptah/module.h>

#include "bench.h"
#include "home.h"
#include "link.h"
#include "options.h"
#include "shake.h"

static const char *const counters[] = {
	[SCRAMBLE_COUNT_REPLAYED] = "replayed",
	[SCRAMBLE_COUNT_REDEEMED] = "redeemed",
	[SCRAMBLE_COUNT_BROKEN] = "broken",
	[SCRAMBLE_COUNT_SKEWED] = "skewed",
	NULL,
};

/* A password that the world knows, for trials only. */
#define EXAMPLE_PASSWORD "WCWGC5UQTYHT4MDUDO66TYRFACA3TUQZ"

PTAH_MODULE(scramblesuit) = {
	.head = PTAH_HEAD(0),
	.name = "scramblesuit",
	.version = "1",
	.summary = "looks like nothing, answers nobody who does not know the password; older than obfs4",
	.example = "{\"server\": {\"password\": \"" EXAMPLE_PASSWORD "\"}, \"client\": {\"password\": \"" EXAMPLE_PASSWORD "\"}}",
	.counters = counters,
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_HOLDS_EOF |
	    PTAH_UNMAPS,
	.handshake_ms = SCRAMBLE_CLIENT_MS,
	.options = scramble_options,
	.conf_size = sizeof(struct scramble_conf),
	.args_size = sizeof(struct scramble_args),
	.home_size = sizeof(struct scramble_home),
	.worker_size = sizeof(struct scramble_bench),
	.link_size = sizeof(struct scramble_link),
	.unit = SCRAMBLE_UNIT,
	.conf_check = scramble_conf_check,
	.args_check = scramble_args_check,
	.home_open = scramble_home_open,
	.home_event = scramble_home_event,
	.home_close = scramble_home_close,
	.worker_open = scramble_bench_open,
	.worker_event = scramble_bench_event,
	.worker_close = scramble_bench_close,
	.open = scramble_link_open,
	.wrap = scramble_link_wrap,
	.unwrap = scramble_link_unwrap,
	.event = scramble_link_event,
	.close = scramble_link_close,
	.generate = scramble_generate,
};
