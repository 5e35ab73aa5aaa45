/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/options.h: what an operator or a bridge line may say.
 *
 * Names and forms are obfs4proxy's.  A server's options make its identity; a
 * client's come with each connection.
 */
#ifndef PTAH_OBFS4_OPTIONS_H
#define PTAH_OBFS4_OPTIONS_H

#include <ptah/module.h>

#include "identity.h"

struct obfs4_conf {
	struct ptah_span node_id, private_key, drbg_seed;
	const char *public_key; /* taken and not read: it follows from the private key */
	const char *iat_mode;
	uint8_t compat;
};

struct obfs4_args {
	const char *cert;
	struct ptah_span node_id, public_key;
	const char *iat_mode;
	uint8_t first_flight;
};

extern const struct ptah_option obfs4_options[];

int obfs4_conf_check(const void *conf, uint32_t role, char *why, size_t room);
int obfs4_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room);

/** Take the identity of checked options: 1, or 0 if they hold none. */
int obfs4_conf_identity(const struct obfs4_conf *conf, struct obfs4_identity *out);
/** Take the bridge and the mode of checked link options.  0 or -EINVAL. */
int obfs4_args_bridge(const struct obfs4_args *args, struct obfs4_bridge *out, uint8_t *iat_mode);

/** The hook: an identity as the options of both sides. */
int obfs4_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client);

#endif
