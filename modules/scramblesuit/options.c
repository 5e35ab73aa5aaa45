/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "refuse.h"

#define FORM "32 characters of base32 (A to Z, 2 to 7) without padding"
#define TIMING_HELP "pause for 0 to 10 ms behind each segment: slow, and no other program does it"

const struct ptah_option scramble_options[] = {
	{ .name = "password", .type = PTAH_STRING, .flags = PTAH_SERVER_ONLY | PTAH_SECRET | PTAH_ONCE,
	    .offset = offsetof(struct scramble_conf, password),
	    .help = "the bridge's secret, " FORM " (default: as stored, else a new one)" },
	{ .name = "timing", .type = PTAH_BOOL, .flags = PTAH_SERVER_ONLY, .offset = offsetof(struct scramble_conf, timing),
	    .help = TIMING_HELP },
	{ .name = "password", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_CLIENT_ONLY | PTAH_REQUIRED | PTAH_SECRET,
	    .offset = offsetof(struct scramble_args, password),
	    .help = "the bridge's secret as the bridge line has it, " FORM },
	{ .name = "timing", .type = PTAH_BOOL, .flags = PTAH_LINK | PTAH_CLIENT_ONLY,
	    .offset = offsetof(struct scramble_args, timing), .help = TIMING_HELP },
	{ .name = NULL },
};

int
scramble_password_read(const char *text, uint8_t secret[static SCRAMBLE_SECRET_LEN], const char **why)
{
	size_t len = strlen(text);

	if (len > 0 && text[len - 1] == '=')
		*why = "it ends in '=', and is written without padding";
	else if (len < SCRAMBLE_PASSWORD_LEN)
		*why = "it is too short";
	else if (len > SCRAMBLE_PASSWORD_LEN)
		*why = "it is too long";
	else if (scramble_base32_read(text, len, (struct ptah_room){ secret, SCRAMBLE_SECRET_LEN }) < 0)
		*why = "it holds a character that is not of base32";
	else
		return 0;
	return -EINVAL;
}

static int
check_password(const char *text, char *why, size_t room)
{
	uint8_t secret[SCRAMBLE_SECRET_LEN];
	const char *problem;

	if (text == NULL)
		return 0;
	if (scramble_password_read(text, secret, &problem) < 0)
		return ptah_refuse(why, room, "option \"password\": %s; it is " FORM ", as the bridge line has it", problem);
	sodium_memzero(secret, sizeof(secret));
	return 0;
}

int
scramble_conf_check(const void *conf, uint32_t role, char *why, size_t room)
{
	const struct scramble_conf *mine = conf;

	return role == PTAH_SERVER ? check_password(mine->password, why, room) : 0;
}

int
scramble_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room)
{
	const struct scramble_args *mine = args;

	(void)conf;
	return role == PTAH_CLIENT ? check_password(mine->password, why, room) : 0;
}

int
scramble_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client)
{
	const struct scramble_conf *mine = conf;
	uint8_t secret[SCRAMBLE_SECRET_LEN];
	char password[SCRAMBLE_PASSWORD_LEN + 1];
	const char *why;
	int n, m;

	if (sodium_init() < 0)
		return -ENOSYS;
	if (mine->password == NULL || scramble_password_read(mine->password, secret, &why) < 0)
		randombytes_buf(secret, sizeof(secret));
	scramble_base32_write((struct ptah_span){ secret, sizeof(secret) }, password);
	n = snprintf((char *)server.at, server.len, "{\"password\": \"%s\"}", password);
	m = snprintf((char *)client.at, client.len, "{\"password\": \"%s\", \"serverAddress\": \"%s\"}", password,
	    advertise != NULL ? advertise : "");
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(password, sizeof(password));
	return n > 0 && (size_t)n < server.len && m > 0 && (size_t)m < client.len ? 0 : -ENOSPC;
}
