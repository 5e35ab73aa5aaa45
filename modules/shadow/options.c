/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "address.h"
#include "keys.h"
#include "refuse.h"

#define HERE(field) .offset = offsetof(struct shadow_options, field)
#define CLIENT (PTAH_LINK | PTAH_CLIENT_ONLY)
#define SERVER PTAH_SERVER_ONLY

#define CIPHER_DEFAULT "CHACHA20-IETF-POLY1305"
#define PASSWORD_HELP "what both ends know; best 22 random characters or more; a 2022 cipher takes a key as base64, one with AES also several with colons"
#define KEY_HELP "instead of a password: the key itself, as long as the cipher's, as base64"
#define CIPHER_HELP "CHACHA20-IETF-POLY1305, AES-256-GCM, AES-192-GCM, AES-128-GCM, 2022-BLAKE3-AES-256-GCM, 2022-BLAKE3-AES-128-GCM or 2022-BLAKE3-CHACHA20-POLY1305, in any case"
#define PROFILE_HELP "raw: the stream alone; ss: with the address of its destination, as other Shadowsocks programs have it"
#define GENERATED 24 /* random bytes of a password */
#define PASSWORD_ROOM sodium_base64_ENCODED_LEN(SHADOW_KEY_MAX, sodium_base64_VARIANT_ORIGINAL)

static const char *const cipher_aliases[] = { "method", NULL };
/* The host's own words: it does the holding, and the module must not say EOF before. */
static const char *const half_closes[] = { "auto", [SHADOW_HALF_CLOSE_SEND] = "send", "hold", NULL };
static const char *const profiles[] = { [SHADOW_RAW] = "raw", [SHADOW_SS] = "ss", NULL };

const struct ptah_option shadow_options[] = {
	{ .name = "password", .type = PTAH_STRING, .flags = SERVER | PTAH_EITHER | PTAH_SECRET, HERE(password),
	    .min = 1, .max = 1024, .help = PASSWORD_HELP },
	{ .name = "password", .type = PTAH_STRING, .flags = CLIENT | PTAH_EITHER | PTAH_SECRET, HERE(password),
	    .min = 1, .max = 1024, .help = PASSWORD_HELP },
	{ .name = "key", .type = PTAH_BASE64, .flags = SERVER | PTAH_EITHER | PTAH_SECRET, HERE(key),
	    .min = 16, .max = SHADOW_KEY_MAX, .help = KEY_HELP },
	{ .name = "key", .type = PTAH_BASE64, .flags = CLIENT | PTAH_EITHER | PTAH_SECRET, HERE(key),
	    .min = 16, .max = SHADOW_KEY_MAX, .help = KEY_HELP },
	{ .name = "cipherName", .aliases = cipher_aliases, .type = PTAH_STRING, .flags = SERVER, HERE(cipher),
	    .def = CIPHER_DEFAULT, .help = CIPHER_HELP },
	{ .name = "cipherName", .aliases = cipher_aliases, .type = PTAH_STRING, .flags = CLIENT, HERE(cipher),
	    .def = CIPHER_DEFAULT, .help = CIPHER_HELP },
	{ .name = "profile", .type = PTAH_WORD, .words = profiles, .flags = SERVER, HERE(profile),
	    .def = "raw", .help = PROFILE_HELP },
	{ .name = "profile", .type = PTAH_WORD, .words = profiles, .flags = CLIENT, HERE(profile),
	    .def = "raw", .help = PROFILE_HELP },
	{ .name = "allow", .type = PTAH_STRING, .flags = SERVER | PTAH_LIST, HERE(allow),
	    .help = "profile ss: addresses that a client may go to (HOST:PORT, HOST:*, *:PORT; * is an open proxy); "
		    "without it all go to the server's target" },
	{ .name = "target", .type = PTAH_ADDRESS, .flags = CLIENT, HERE(target),
	    .help = "profile ss: where the stream goes; without it, where the application asked to go" },
	{ .name = "prefix", .type = PTAH_STRING, .flags = CLIENT, HERE(prefix),
	    .help = "first bytes of the salt, percent-encoded, at most 16: what the stream shall begin with" },
	{ .name = "half-close", .type = PTAH_WORD, .words = half_closes, .flags = CLIENT, HERE(half_close),
	    .def = "auto", .help = "profile ss: auto and hold keep the application's EOF back until the server has closed; send does not" },
	{ .name = NULL },
};

/* Cipher, key and profile go together. */
static int
check_secrets(const struct shadow_options *options, char *why, size_t room)
{
	const struct shadow_cipher *cipher = shadow_cipher_find(options->cipher);
	struct shadow_keys keys;
	int rc;

	if (cipher == NULL && shadow_cipher_is_stream(options->cipher))
		return ptah_refuse(why, room, "option \"cipherName\": \"%.40s\" authenticates nothing, and others can make a "
		    "server decrypt it for them; use one of %s", options->cipher, shadow_cipher_names());
	if (cipher == NULL)
		return ptah_refuse(why, room, "option \"cipherName\": \"%.40s\" is not one of %s", options->cipher,
		    shadow_cipher_names());
	if (cipher->modern && options->profile != SHADOW_SS)
		return ptah_refuse(why, room, "option \"cipherName\": %s needs profile ss: it has no stream without an address",
		    cipher->name);
	rc = shadow_keys_read(&keys, cipher, options->password, options->key, why, room);
	sodium_memzero(&keys, sizeof(keys));
	return rc;
}

/* Two streams with one salt have one key. */
static int
check_prefix(const struct shadow_options *options, char *why, size_t room)
{
	const struct shadow_cipher *cipher = shadow_cipher_find(options->cipher);
	uint8_t prefix[SHADOW_PREFIX_MAX];
	int n = options->prefix != NULL ? shadow_prefix_read(options->prefix, prefix) : 0;

	if (n < 0)
		return ptah_refuse(why, room, "option \"prefix\": is not at most %d bytes, percent-encoded", SHADOW_PREFIX_MAX);
	if (n > cipher->key_len - SHADOW_SALT_RANDOM)
		return ptah_refuse(why, room, "option \"prefix\": %d bytes are too many for the salt of %s: %d must stay random, of %d",
		    n, cipher->name, SHADOW_SALT_RANDOM, cipher->key_len);
	return 0;
}

int
shadow_conf_check(const void *conf, uint32_t role, char *why, size_t room)
{
	const struct shadow_options *mine = conf;
	const char *const *items = mine->allow.items;

	if (role != PTAH_SERVER)
		return 0;
	for (size_t i = 0; i < mine->allow.n; i++) {
		if (shadow_address_may_be_allowed(items[i]))
			continue;
		return ptah_refuse(why, room, "option \"allow\": \"%.64s\" is not HOST:PORT, HOST:*, *:PORT or *", items[i]);
	}
	if (mine->allow.n > 0 && mine->profile != SHADOW_SS)
		return ptah_refuse(why, room, "option \"allow\" needs profile ss: in profile raw a client names no address");
	return check_secrets(mine, why, room);
}

int
shadow_args_check(const void *conf, const void *args, uint32_t role, char *why, size_t room)
{
	const struct shadow_options *mine = args;
	uint8_t header[SHADOW_ADDRESS_MAX];
	int rc;

	(void)conf;
	if (role != PTAH_CLIENT)
		return 0;
	if (mine->target != NULL && mine->profile != SHADOW_SS)
		return ptah_refuse(why, room, "option \"target\" needs profile ss: in profile raw the server alone knows where to go");
	if (mine->target != NULL && shadow_address_write(mine->target, header) < 0)
		return ptah_refuse(why, room, "option \"target\": \"%.64s\" is not a host and a port from 1 to 65535", mine->target);
	rc = check_secrets(mine, why, room);
	return rc < 0 ? rc : check_prefix(mine, why, room);
}

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
shadow_prefix_read(const char *text, uint8_t out[SHADOW_PREFIX_MAX])
{
	int n = 0;

	while (*text != '\0') {
		int byte = (uint8_t)*text++;

		if (n == SHADOW_PREFIX_MAX)
			return -EINVAL;
		if (byte == '%') {
			int high = hex_of(text[0]), low = high < 0 ? -1 : hex_of(text[1]);

			if (low < 0)
				return -EINVAL;
			byte = high << 4 | low;
			text += 2;
		}
		out[n++] = (uint8_t)byte;
	}
	return n;
}

/* A key as other programs of 2022 want it, or a password. */
static void
make_password(const struct shadow_cipher *cipher, char password[PASSWORD_ROOM])
{
	const bool is_key = cipher != NULL && cipher->modern;
	uint8_t random[SHADOW_KEY_MAX];
	size_t len = is_key ? cipher->key_len : GENERATED;

	randombytes_buf(random, len);
	sodium_bin2base64(password, PASSWORD_ROOM, random, len,
	    is_key ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(random, sizeof(random));
}

int
shadow_generate(const void *conf, const char *advertise, struct ptah_room server, struct ptah_room client)
{
	const struct shadow_options *mine = conf;
	const struct shadow_cipher *cipher = mine->cipher != NULL ? shadow_cipher_find(mine->cipher) : NULL;
	const char *profile = mine->profile == SHADOW_SS ? ", \"profile\": \"ss\"" : "";
	char named[64] = "";
	char password[PASSWORD_ROOM];
	int n, m;

	make_password(cipher, password);
	/* One that is none is left out: the option that asked for it is refused as such. */
	if (cipher != NULL)
		snprintf(named, sizeof(named), ", \"cipherName\": \"%s\"", mine->cipher);
	n = snprintf((char *)server.at, server.len, "{\"password\": \"%s\"%s%s}", password, named, profile);
	m = snprintf((char *)client.at, client.len, "{\"password\": \"%s\"%s%s, \"serverAddress\": \"%s\"}",
	    password, named, profile, advertise != NULL ? advertise : "");
	sodium_memzero(password, sizeof(password));
	return n > 0 && (size_t)n < server.len && m > 0 && (size_t)m < client.len ? 0 : -ENOSPC;
}
