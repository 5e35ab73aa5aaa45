/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/options.h: what an operator or a bridge line may say.
 */
#ifndef PTAH_SCRAMBLESUIT_OPTIONS_H
#define PTAH_SCRAMBLESUIT_OPTIONS_H

#include <ptah/module.h>

#include "base32.h"
#include "hello.h"

/** Characters of a password. */
#define SCRAMBLE_PASSWORD_LEN SCRAMBLE_BASE32_LEN(SCRAMBLE_SECRET_LEN)

struct scramble_conf {
	const char *password; /* NULL: as stored */
	uint8_t timing;
};

struct scramble_args {
	const char *password;
	uint8_t timing;
};

extern const struct ptah_option scramble_options[];

/** Read a password.  -EINVAL, and *why gets what is wrong with it. */
int scramble_password_read(const char *text, uint8_t secret[SCRAMBLE_SECRET_LEN], const char **why);

int scramble_conf_check(const void *conf, uint32_t role, char *why, size_t room);
int scramble_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room);

/** The hook: a password as the options of both sides. */
int scramble_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client);

#endif
