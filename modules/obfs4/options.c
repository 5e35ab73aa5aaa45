/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "refuse.h"

/* What a cert looks like, for errors and help. */
#define CERT_FORM "70 characters of base64 without padding, as the bridge line has it"
#define TOGETHER "node-id (40 hex digits), private-key (64) and drbg-seed (48) come together, or not at all"

#define CONF(field) .offset = offsetof(struct obfs4_conf, field)
#define ARGS(field) .offset = offsetof(struct obfs4_args, field)

const struct ptah_option obfs4_options[] = {
	{ .name = "node-id", .type = PTAH_HEX, .flags = PTAH_SERVER_ONLY, CONF(node_id),
	    .min = OBFS4_NODE_ID_LEN, .max = OBFS4_NODE_ID_LEN, .help = "who the bridge is, 40 hex digits" },
	{ .name = "private-key", .type = PTAH_HEX, .flags = PTAH_SERVER_ONLY | PTAH_SECRET | PTAH_ONCE, CONF(private_key),
	    .min = OBFS4_KEY_LEN, .max = OBFS4_KEY_LEN, .help = "the bridge's key, 64 hex digits" },
	{ .name = "public-key", .type = PTAH_STRING, .flags = PTAH_SERVER_ONLY, CONF(public_key),
	    .help = "not read: it follows from private-key" },
	{ .name = "drbg-seed", .type = PTAH_HEX, .flags = PTAH_SERVER_ONLY | PTAH_SECRET | PTAH_ONCE, CONF(drbg_seed),
	    .min = OBFS4_SEED_LEN, .max = INT64_MAX, .help = "what the lengths of bursts are drawn from, 48 hex digits" },
	{ .name = "iat-mode", .type = PTAH_STRING, .flags = PTAH_SERVER_ONLY, CONF(iat_mode),
	    .help = "0: bursts as they come, 1: spread over time, 2: and cut at random lengths (default: as stored, else 0)" },
	{ .name = "close-as-obfs4proxy", .type = PTAH_BOOL, .flags = PTAH_SERVER_ONLY, CONF(compat),
	    .help = "close failed links at obfs4proxy's moment, which is this bridge's own and so tells what it is" },
	{ .name = "cert", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_CLIENT_ONLY, ARGS(cert),
	    .help = "the bridge's node id and public key: " CERT_FORM },
	{ .name = "node-id", .type = PTAH_HEX, .flags = PTAH_LINK | PTAH_CLIENT_ONLY, ARGS(node_id),
	    .min = OBFS4_NODE_ID_LEN, .max = OBFS4_NODE_ID_LEN, .help = "with public-key, in place of cert: 40 hex digits" },
	{ .name = "public-key", .type = PTAH_HEX, .flags = PTAH_LINK | PTAH_CLIENT_ONLY, ARGS(public_key),
	    .min = OBFS4_KEY_LEN, .max = OBFS4_KEY_LEN, .help = "with node-id, in place of cert: 64 hex digits" },
	{ .name = "iat-mode", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_CLIENT_ONLY | PTAH_REQUIRED, ARGS(iat_mode),
	    .help = "0, 1 or 2, as the bridge line has it" },
	{ .name = "first-flight", .type = PTAH_BOOL, .flags = PTAH_LINK | PTAH_CLIENT_ONLY, ARGS(first_flight),
	    .help = "pad the first message so that rules for fully encrypted traffic pass it: a pattern of its own" },
	{ .name = NULL },
};

static int
check_iat(const char *text, char *why, size_t room)
{
	uint8_t mode;

	if (text == NULL || obfs4_iat_read(text, &mode) == 0)
		return 0;
	return ptah_refuse(why, room, "option \"iat-mode\": \"%.16s\" is not 0, 1 or 2", text);
}

int
obfs4_conf_check(const void *conf, uint32_t role, char *why, size_t room)
{
	const struct obfs4_conf *mine = conf;
	const struct {
		const char *name;
		struct ptah_span value;
	} parts[] = {
		{ "private-key", mine->private_key },
		{ "node-id", mine->node_id },
		{ "drbg-seed", mine->drbg_seed },
	};
	size_t there = 0, n = sizeof(parts) / sizeof(parts[0]);

	if (role != PTAH_SERVER)
		return 0;
	for (size_t i = 0; i < n; i++)
		there += parts[i].value.len > 0;
	for (size_t i = 0; there > 0 && i < n; i++)
		if (parts[i].value.len == 0)
			return ptah_refuse(why, room, "missing argument '%s': " TOGETHER, parts[i].name);
	return check_iat(mine->iat_mode, why, room);
}

int
obfs4_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room)
{
	const struct obfs4_args *mine = args;
	struct obfs4_bridge bridge;
	const char *problem;

	(void)conf;
	if (role != PTAH_CLIENT)
		return 0;
	if (check_iat(mine->iat_mode, why, room) != 0)
		return -EINVAL;
	if (mine->cert != NULL) {
		if (obfs4_cert_read(mine->cert, &bridge, &problem) == 0)
			return 0;
		return ptah_refuse(why, room, "option \"cert\": %s; it is " CERT_FORM, problem);
	}
	if (mine->node_id.len == 0 && mine->public_key.len == 0)
		return ptah_refuse(why, room, "option \"cert\" is missing: " CERT_FORM);
	if (mine->public_key.len == 0)
		return ptah_refuse(why, room, "option \"public-key\" is missing: 64 hex digits, together with node-id (or give a cert)");
	if (mine->node_id.len == 0)
		return ptah_refuse(why, room, "option \"node-id\" is missing: 40 hex digits, together with public-key (or give a cert)");
	return 0;
}

int
obfs4_conf_identity(const struct obfs4_conf *conf, struct obfs4_identity *out)
{
	if (conf->private_key.len == 0)
		return 0;
	memset(out, 0, sizeof(*out));
	memcpy(out->bridge.node_id, conf->node_id.at, OBFS4_NODE_ID_LEN);
	memcpy(out->private_key, conf->private_key.at, OBFS4_KEY_LEN);
	memcpy(out->seed, conf->drbg_seed.at, OBFS4_SEED_LEN);
	obfs4_identity_finish(out);
	return 1;
}

int
obfs4_args_bridge(const struct obfs4_args *args, struct obfs4_bridge *out, uint8_t *iat_mode)
{
	const char *problem;

	if (args->iat_mode == NULL || obfs4_iat_read(args->iat_mode, iat_mode) != 0)
		return -EINVAL;
	if (args->cert != NULL)
		return obfs4_cert_read(args->cert, out, &problem);
	if (args->node_id.len != OBFS4_NODE_ID_LEN || args->public_key.len != OBFS4_KEY_LEN)
		return -EINVAL;
	memcpy(out->node_id, args->node_id.at, OBFS4_NODE_ID_LEN);
	memcpy(out->public_key, args->public_key.at, OBFS4_KEY_LEN);
	return 0;
}

/* ---- generate --------------------------------------------------------------- */

static void
from_sodium(struct ptah_self *self, void *out, size_t len)
{
	(void)self;
	randombytes_buf(out, len);
}

static int
fits(int n, size_t room)
{
	return n > 0 && (size_t)n < room;
}

int
obfs4_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client)
{
	static const struct ptah_chance chance = { from_sodium, NULL };
	const struct obfs4_conf *mine = conf;
	struct obfs4_identity identity = { 0 };
	char cert[OBFS4_CERT_LEN + 1], node_id[2 * OBFS4_NODE_ID_LEN + 1];
	char private_key[2 * OBFS4_KEY_LEN + 1], seed[2 * OBFS4_SEED_LEN + 1];

	if (sodium_init() < 0)
		return -ENOSYS;
	if (!obfs4_conf_identity(mine, &identity))
		obfs4_identity_new(&identity, &chance);
	if (mine->iat_mode != NULL)
		(void)obfs4_iat_read(mine->iat_mode, &identity.iat_mode);
	obfs4_cert_write(&identity.bridge, cert);
	sodium_bin2hex(node_id, sizeof(node_id), identity.bridge.node_id, OBFS4_NODE_ID_LEN);
	sodium_bin2hex(private_key, sizeof(private_key), identity.private_key, OBFS4_KEY_LEN);
	sodium_bin2hex(seed, sizeof(seed), identity.seed, OBFS4_SEED_LEN);

	int n = snprintf((char *)server.at, server.len,
	    "{\"node-id\": \"%s\", \"private-key\": \"%s\", \"drbg-seed\": \"%s\", \"iat-mode\": \"%u\"}",
	    node_id, private_key, seed, identity.iat_mode);
	int m = snprintf((char *)client.at, client.len, "{\"cert\": \"%s\", \"iat-mode\": \"%u\", \"serverAddress\": \"%s\"}",
	    cert, identity.iat_mode, advertise != NULL ? advertise : "");

	sodium_memzero(&identity, sizeof(identity));
	sodium_memzero(private_key, sizeof(private_key));
	sodium_memzero(seed, sizeof(seed));
	return fits(n, server.len) && fits(m, client.len) ? 0 : -ENOSPC;
}
