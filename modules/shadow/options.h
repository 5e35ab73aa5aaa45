/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * options.h: what an operator says of shadow.  A server reads it once, a
 * client for each link.
 */
#ifndef PTAH_SHADOW_OPTIONS_H
#define PTAH_SHADOW_OPTIONS_H

#include <ptah/module.h>

#include "cipher.h"

#define SHADOW_RAW 0u /* the stream and nothing else */
#define SHADOW_SS 1u  /* an address stands before it */

#define SHADOW_PREFIX_MAX 16
#define SHADOW_SALT_RANDOM 8 /* bytes of a salt that a prefix must leave */

#define SHADOW_HALF_CLOSE_SEND 1u

/** conf of a server, args of a client. */
struct shadow_options {
	const char *password, *cipher, *target, *prefix;
	struct ptah_span key;
	uint32_t profile, half_close;
	struct ptah_list allow;
};

extern const struct ptah_option shadow_options[];

int shadow_conf_check(const void *conf, uint32_t role, char *why, size_t room);
int shadow_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room);

/** Undo percent-encoding; its length, or -EINVAL. */
int shadow_prefix_read(const char *text, uint8_t out[SHADOW_PREFIX_MAX]);

int shadow_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client);

#endif
