/* SPDX-License-Identifier: BSD-3-Clause */
#include "state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "jsontree.h"
#include "options.h"

#define HEX_ROOM 65u

static const char *
text_of(yajl_val object, const char *key)
{
	const char *path[] = { key, NULL };

	return YAJL_GET_STRING(yajl_tree_get(object, path, yajl_t_string));
}

static int
hex_of(yajl_val object, const char *key, uint8_t *out, size_t len)
{
	const char *text = text_of(object, key);
	size_t n = 0;

	if (text == NULL || strlen(text) != 2 * len)
		return -1;
	return sodium_hex2bin(out, len, text, 2 * len, NULL, &n, NULL) == 0 && n == len ? 0 : -1;
}

/* What is wrong with the keys of tickets, or NULL. */
static const char *
read_ring(yajl_val object, struct scramble_ring *ring)
{
	static const char *const created_path[] = { "ticket-key-created", NULL };
	yajl_val created = yajl_tree_get(object, (const char **)created_path, yajl_t_number);

	if (hex_of(object, "ticket-aes-key", ring->now.aes, sizeof(ring->now.aes)) != 0)
		return "its ticket-aes-key is not 32 hex digits";
	if (hex_of(object, "ticket-hmac-key", ring->now.mac, sizeof(ring->now.mac)) != 0)
		return "its ticket-hmac-key is not 64 hex digits";
	if (created == NULL || !YAJL_IS_INTEGER(created) || YAJL_GET_INTEGER(created) < 0)
		return "its ticket-key-created is no number of seconds";
	ring->created = YAJL_GET_INTEGER(created);
	if (text_of(object, "old-ticket-aes-key") == NULL && text_of(object, "old-ticket-hmac-key") == NULL)
		return NULL;
	ring->has_old = true;
	if (hex_of(object, "old-ticket-aes-key", ring->old.aes, sizeof(ring->old.aes)) != 0)
		return "its old-ticket-aes-key is not 32 hex digits";
	if (hex_of(object, "old-ticket-hmac-key", ring->old.mac, sizeof(ring->old.mac)) != 0)
		return "its old-ticket-hmac-key is not 64 hex digits";
	return NULL;
}

static const char *
read_object(yajl_val object, struct scramble_identity *identity, struct scramble_ring *ring)
{
	const char *password, *ignored;

	if (!YAJL_IS_OBJECT(object))
		return "it is no JSON object";
	password = text_of(object, "password");
	if (password == NULL || scramble_password_read(password, identity->secret, &ignored) < 0)
		return "its password is not 32 characters of base32";
	if (hex_of(object, "prng-seed", identity->seed, sizeof(identity->seed)) != 0)
		return "its prng-seed is not 64 hex digits";
	return read_ring(object, ring);
}

int
scramble_state_read(const char *text, size_t len, struct scramble_identity *identity, struct scramble_ring *ring,
    const char **why)
{
	char copy[SCRAMBLE_STATE_MAX + 1], problem[128];
	yajl_val object = NULL;

	memset(identity, 0, sizeof(*identity));
	memset(ring, 0, sizeof(*ring));
	*why = "it is longer than such a file can be";
	if (len > SCRAMBLE_STATE_MAX)
		return -EBADMSG;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strlen(copy) == len)
		object = yajl_tree_parse(copy, problem, sizeof(problem));
	*why = object != NULL ? read_object(object, identity, ring) : "it is empty or no JSON";
	ptah_jsontree_free(object);
	sodium_memzero(copy, sizeof(copy));
	if (*why == NULL)
		return 0;
	sodium_memzero(identity, sizeof(*identity));
	sodium_memzero(ring, sizeof(*ring));
	return -EBADMSG;
}

/* The two members for a pair of keys. */
static int
write_keys(const struct scramble_ticket_keys *keys, const char *prefix, char *out, size_t room)
{
	char aes[HEX_ROOM], mac[HEX_ROOM];
	int n;

	sodium_bin2hex(aes, sizeof(aes), keys->aes, sizeof(keys->aes));
	sodium_bin2hex(mac, sizeof(mac), keys->mac, sizeof(keys->mac));
	n = snprintf(out, room, ",\"%sticket-aes-key\":\"%s\",\"%sticket-hmac-key\":\"%s\"", prefix, aes, prefix, mac);
	sodium_memzero(aes, sizeof(aes));
	sodium_memzero(mac, sizeof(mac));
	return n;
}

size_t
scramble_state_write(const struct scramble_identity *identity, const struct scramble_ring *ring,
    char out[static SCRAMBLE_STATE_ROOM])
{
	char password[SCRAMBLE_PASSWORD_LEN + 1], seed[HEX_ROOM];
	int n;

	scramble_base32_write((struct ptah_span){ identity->secret, sizeof(identity->secret) }, password);
	sodium_bin2hex(seed, sizeof(seed), identity->seed, sizeof(identity->seed));
	n = snprintf(out, SCRAMBLE_STATE_ROOM, "{\"password\":\"%s\",\"prng-seed\":\"%s\"", password, seed);
	n += write_keys(&ring->now, "", out + n, SCRAMBLE_STATE_ROOM - (size_t)n);
	n += snprintf(out + n, SCRAMBLE_STATE_ROOM - (size_t)n, ",\"ticket-key-created\":%" PRId64, ring->created);
	if (ring->has_old)
		n += write_keys(&ring->old, "old-", out + n, SCRAMBLE_STATE_ROOM - (size_t)n);
	n += snprintf(out + n, SCRAMBLE_STATE_ROOM - (size_t)n, "}");
	sodium_memzero(password, sizeof(password));
	sodium_memzero(seed, sizeof(seed));
	return (size_t)n;
}
