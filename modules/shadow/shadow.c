/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shadow: Shadowsocks AEAD and 2022.  README.md draws the wire; the code is
 * read from the link outwards:
 *
 *     link.c      salt, address, stream        chunks.c   boxes and chunks
 *     modern.c    how a stream of 2022 begins  opening.c  its headers
 *     address.c   the header of profile ss     cipher.c   ciphers and session keys
 *     options.c   what the operator says       keys.c     what both ends know
 *     message.c   a link of messages           packet.c   one of them, sealed
 *     preamble.c  what a packet begins with    window.c   which have come
 */
#include <ptah/module.h>

#include "link.h"
#include "message.h"
#include "options.h"

static const char *const counters[] = {
	[SHADOW_COUNT_REPLAYED] = "replayed",
	[SHADOW_COUNT_BROKEN] = "broken",
	[SHADOW_COUNT_FORBIDDEN] = "forbidden",
	[SHADOW_COUNT_LATE] = "late",
	NULL,
};

static const char *const aliases[] = { "shadowsocks", NULL };

/* Its idle limit and its closing moments are the host's. */
PTAH_MODULE(shadow) = {
	.head = PTAH_HEAD(0),
	.name = "shadow",
	.aliases = aliases,
	.version = "1",
	.summary = "Shadowsocks AEAD and 2022, with or without the address of a destination",
	.example = "{\"server\": {\"password\": \"only for trials, please\"}, "
	    "\"client\": {\"password\": \"only for trials, please\"}}",
	.counters = counters,
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_CAN_MESSAGE |
	    PTAH_MESSAGES_ASKED | PTAH_UNMAPS,
	.options = shadow_options,
	.conf_size = sizeof(struct shadow_options),
	.args_size = sizeof(struct shadow_options),
	.worker_size = sizeof(struct shadow_worker),
	.link_size = sizeof(struct shadow_link),
	.unit = SHADOW_UNIT,
	.msg_head = SHADOW_MSG_HEAD,
	.msg_tail = SHADOW_MSG_TAIL,
	.conf_check = shadow_conf_check,
	.args_check = shadow_args_check,
	.open = shadow_link_open,
	.wrap = shadow_link_wrap,
	.unwrap = shadow_link_unwrap,
	.event = shadow_link_event,
	.close = shadow_link_close,
	.worker_close = shadow_worker_close,
	.key = shadow_message_key,
	.wrap_message = shadow_message_wrap,
	.unwrap_message = shadow_message_unwrap,
	.generate = shadow_generate,
};
