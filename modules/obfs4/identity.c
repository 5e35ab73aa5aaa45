/* SPDX-License-Identifier: BSD-3-Clause */
#include "identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "jsontree.h"
#include "ntor.h"
#include "seed.h"

void
obfs4_mac_key(const struct obfs4_bridge *bridge, uint8_t out[static OBFS4_MAC_KEY_LEN])
{
	memcpy(out, bridge->public_key, OBFS4_KEY_LEN);
	memcpy(out + OBFS4_KEY_LEN, bridge->node_id, OBFS4_NODE_ID_LEN);
}

/* ---- cert --------------------------------------------------------------- */

void
obfs4_cert_write(const struct obfs4_bridge *bridge, char out[static OBFS4_CERT_LEN + 1])
{
	uint8_t whole[OBFS4_NODE_ID_LEN + OBFS4_KEY_LEN];

	memcpy(whole, bridge->node_id, OBFS4_NODE_ID_LEN);
	memcpy(whole + OBFS4_NODE_ID_LEN, bridge->public_key, OBFS4_KEY_LEN);
	sodium_bin2base64(out, OBFS4_CERT_LEN + 1, whole, sizeof(whole), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

/* The value of a letter, or -1. */
static int
sextet(char c)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(letters, c) : NULL;

	return at != NULL ? (int)(at - letters) : -1;
}

int
obfs4_cert_read(const char *text, struct obfs4_bridge *out, const char **why)
{
	uint8_t whole[OBFS4_NODE_ID_LEN + OBFS4_KEY_LEN];
	size_t len = strlen(text), n = 0;
	uint32_t held = 0;
	unsigned bits = 0;

	if (len > 0 && text[len - 1] == '=') {
		*why = "it ends in '=', and is written without padding";
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++)
		if (sextet(text[i]) < 0) {
			*why = "it holds a character that is not of base64";
			return -EINVAL;
		}
	if (len != OBFS4_CERT_LEN) {
		*why = len < OBFS4_CERT_LEN ? "it is too short" : "it is too long";
		return -EINVAL;
	}
	/* The last letter has four bits too many; the peer ignores them, so do we. */
	for (size_t i = 0; i < len; i++) {
		held = held << 6 | (uint32_t)sextet(text[i]);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			whole[n++] = (uint8_t)(held >> bits);
		}
	}
	memcpy(out->node_id, whole, OBFS4_NODE_ID_LEN);
	memcpy(out->public_key, whole + OBFS4_NODE_ID_LEN, OBFS4_KEY_LEN);
	return 0;
}

int
obfs4_iat_read(const char *text, uint8_t *out)
{
	if (*text == '+')
		text++;
	while (text[0] == '0' && text[1] != '\0')
		text++;
	if (text[0] < '0' || text[0] >= (char)('0' + OBFS4_IAT_MODES) || text[1] != '\0')
		return -EINVAL;
	*out = (uint8_t)(text[0] - '0');
	return 0;
}

/* ---- a new one ------------------------------------------------------------ */

void
obfs4_identity_finish(struct obfs4_identity *identity)
{
	ptah_ntor_identity(identity->bridge.public_key, identity->private_key);
}

void
obfs4_identity_new(struct obfs4_identity *out, const struct ptah_chance *chance)
{
	ptah_chance_bytes(chance, out->bridge.node_id, sizeof(out->bridge.node_id));
	ptah_chance_bytes(chance, out->private_key, sizeof(out->private_key));
	do {
		ptah_chance_bytes(chance, out->seed, sizeof(out->seed));
	} while (!obfs4_seed_is_fit(out->seed));
	obfs4_identity_finish(out);
}

/* ---- files ------------------------------------------------------------------ */

static int
hex_of(yajl_val object, const char *key, uint8_t *out, size_t len)
{
	const char *path[] = { key, NULL };
	const char *text = YAJL_GET_STRING(yajl_tree_get(object, path, yajl_t_string));
	size_t n = 0;
	const char *end = NULL;

	/* obfs4proxy takes a longer seed, and the first bytes of it. */
	if (text == NULL || strlen(text) < 2 * len)
		return -1;
	if (strcmp(key, "drbg-seed") != 0 && strlen(text) != 2 * len)
		return -1;
	if (sodium_hex2bin(out, len, text, 2 * len, NULL, &n, &end) != 0 || n != len)
		return -1;
	return 0;
}

static int
iat_of(yajl_val object, uint8_t *out)
{
	const char *path[] = { "iat-mode", NULL };
	yajl_val value = yajl_tree_get(object, path, yajl_t_any);

	*out = 0;
	if (value == NULL || YAJL_IS_NULL(value))
		return 0;
	return YAJL_IS_NUMBER(value) ? obfs4_iat_read(YAJL_GET_NUMBER(value), out) : -EINVAL;
}

/* What is wrong with it, or NULL. */
static const char *
read_object(yajl_val object, struct obfs4_identity *out)
{
	if (!YAJL_IS_OBJECT(object))
		return "it is no JSON object";
	if (hex_of(object, "node-id", out->bridge.node_id, OBFS4_NODE_ID_LEN) != 0)
		return "its node-id is not 40 hex digits";
	if (hex_of(object, "private-key", out->private_key, OBFS4_KEY_LEN) != 0)
		return "its private-key is not 64 hex digits";
	if (hex_of(object, "drbg-seed", out->seed, OBFS4_SEED_LEN) != 0)
		return "its drbg-seed is not 48 hex digits";
	if (iat_of(object, &out->iat_mode) != 0)
		return "its iat-mode is not 0, 1 or 2";
	obfs4_identity_finish(out);
	return NULL;
}

int
obfs4_state_read(const char *text, size_t len, struct obfs4_identity *out, const char **why)
{
	char copy[4096], problem[128];
	yajl_val object;

	memset(out, 0, sizeof(*out));
	*why = "it is longer than such a file can be";
	if (len >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, text, len);
	copy[len] = '\0';
	object = strlen(copy) == len ? yajl_tree_parse(copy, problem, sizeof(problem)) : NULL;
	*why = object != NULL ? read_object(object, out) : "it is empty or no JSON";
	ptah_jsontree_free(object);
	sodium_memzero(copy, sizeof(copy));
	if (*why == NULL)
		return 0;
	sodium_memzero(out, sizeof(*out));
	return -EBADMSG;
}

/* Room for the hex text of a key, the longest. */
#define HEX_ROOM (2 * OBFS4_KEY_LEN + 1)

size_t
obfs4_state_write(const struct obfs4_identity *identity, char out[static OBFS4_STATE_ROOM])
{
	char node_id[HEX_ROOM], private_key[HEX_ROOM], public_key[HEX_ROOM], seed[HEX_ROOM];
	int n;

	sodium_bin2hex(node_id, sizeof(node_id), identity->bridge.node_id, OBFS4_NODE_ID_LEN);
	sodium_bin2hex(private_key, sizeof(private_key), identity->private_key, OBFS4_KEY_LEN);
	sodium_bin2hex(public_key, sizeof(public_key), identity->bridge.public_key, OBFS4_KEY_LEN);
	sodium_bin2hex(seed, sizeof(seed), identity->seed, OBFS4_SEED_LEN);
	n = snprintf(out, OBFS4_STATE_ROOM,
	    "{\"node-id\":\"%s\",\"private-key\":\"%s\",\"public-key\":\"%s\",\"drbg-seed\":\"%s\",\"iat-mode\":%u}",
	    node_id, private_key, public_key, seed, identity->iat_mode);
	sodium_memzero(private_key, sizeof(private_key));
	sodium_memzero(seed, sizeof(seed));
	return (size_t)n;
}

size_t
obfs4_bridgeline_write(const struct obfs4_identity *identity, char out[static OBFS4_BRIDGELINE_ROOM])
{
	char cert[OBFS4_CERT_LEN + 1];
	int n;

	obfs4_cert_write(&identity->bridge, cert);
	n = snprintf(out, OBFS4_BRIDGELINE_ROOM,
	    "# The line that a client of this bridge puts into its torrc.\n"
	    "#\n"
	    "# Fill in the three words in angle brackets: the address and the port at\n"
	    "# which the bridge is reached from outside, and the fingerprint of the relay\n"
	    "# (\"tor --list-fingerprint\" shows it).  This file is written at each start.\n"
	    "\n"
	    "Bridge obfs4 <IP ADDRESS>:<PORT> <FINGERPRINT> cert=%s iat-mode=%u\n",
	    cert, identity->iat_mode);
	return (size_t)n;
}
