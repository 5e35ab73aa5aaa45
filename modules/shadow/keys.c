/* SPDX-License-Identifier: BSD-3-Clause */
#include "keys.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "blake3.h"
#include "refuse.h"

/* Bytes of base64 with or without padding, or -EINVAL.  More than fit are counted, and not kept. */
static int
decode(const char *text, size_t len, uint8_t out[SHADOW_KEY_MAX])
{
	static const int variants[] = { sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
		sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING };
	uint8_t bytes[256];
	size_t n = 0;
	int rc = -EINVAL;

	for (size_t i = 0; rc < 0 && i < sizeof(variants) / sizeof(variants[0]); i++)
		if (sodium_base642bin(bytes, sizeof(bytes), text, len, NULL, &n, NULL, variants[i]) == 0)
			rc = (int)n;
	if (rc > 0)
		memcpy(out, bytes, n < SHADOW_KEY_MAX ? n : SHADOW_KEY_MAX);
	sodium_memzero(bytes, sizeof(bytes));
	return rc;
}

static int
read_hops(struct shadow_keys *keys, const struct shadow_cipher *cipher, const char *text, char *why, size_t room)
{
	if (!cipher->identities && strchr(text, ':') != NULL)
		return ptah_refuse(why, room, "option \"password\": %s takes one key, and these are several: it cannot stand "
		    "behind other servers, as the AES methods of 2022 can", cipher->name);
	for (unsigned n = 0; n <= SHADOW_HOPS_MAX; n++) {
		size_t len = strcspn(text, ":");
		int got = decode(text, len, keys->hop[n]);

		if (got < 0)
			return ptah_refuse(why, room, "option \"password\": %s takes a key of %d bytes as base64, and %s is no base64 "
			    "(no password works here; \"openssl rand -base64 %d\" makes a key)", cipher->name, cipher->key_len,
			    n == 0 && text[len] == '\0' ? "this" : "one of these", cipher->key_len);
		if (got != cipher->key_len)
			return ptah_refuse(why, room, "option \"password\": %s takes a key of %d bytes as base64, and %s has %d",
			    cipher->name, cipher->key_len, n == 0 && text[len] == '\0' ? "this" : "one of these", got);
		keys->n_hops = n;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
	return ptah_refuse(why, room, "option \"password\": these are more than %d keys", SHADOW_HOPS_MAX + 1);
}

int
shadow_keys_read(struct shadow_keys *keys, const struct shadow_cipher *cipher, const char *password, struct ptah_span key,
    char *why, size_t room)
{
	memset(keys, 0, sizeof(*keys));
	if (key.len > 0 && password != NULL)
		return ptah_refuse(why, room, "options \"password\" and \"key\": give one of the two");
	if (key.len > 0 && key.len != cipher->key_len)
		return ptah_refuse(why, room, "option \"key\": %s takes %d bytes, and these are %zu", cipher->name, cipher->key_len,
		    key.len);
	if (key.len > 0) {
		memcpy(keys->hop[0], key.at, key.len);
		return 0;
	}
	if (password == NULL)
		return ptah_refuse(why, room, "option \"password\" is missing");
	if (cipher->modern)
		return read_hops(keys, cipher, password, why, room);
	return shadow_key_of_password(cipher, password, keys->hop[0]);
}

static int
encrypt_block(const struct shadow_cipher *cipher, const uint8_t *key, const uint8_t in[SHADOW_IDENTITY],
    uint8_t out[SHADOW_IDENTITY])
{
	EVP_CIPHER_CTX *ctx = shadow_block_new(cipher, key, true);
	int n = 0;
	bool ok = ctx != NULL && EVP_EncryptUpdate(ctx, out, &n, in, SHADOW_IDENTITY) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int
shadow_keys_identities(const struct shadow_keys *keys, const struct shadow_cipher *cipher, const uint8_t *salt, uint8_t *out)
{
	uint8_t material[SHADOW_KEY_MAX + SHADOW_SALT_MAX], subkey[SHADOW_KEY_MAX], next[SHADOW_IDENTITY];
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < keys->n_hops; i++) {
		memcpy(material, keys->hop[i], cipher->key_len);
		memcpy(material + cipher->key_len, salt, cipher->key_len);
		ptah_blake3_derive_key("shadowsocks 2022 identity subkey", material, (size_t)2 * cipher->key_len, subkey,
		    cipher->key_len);
		ptah_blake3(keys->hop[i + 1], cipher->key_len, next, sizeof(next));
		rc = encrypt_block(cipher, subkey, next, out + (size_t)i * SHADOW_IDENTITY);
	}
	explicit_bzero(material, sizeof(material));
	explicit_bzero(subkey, sizeof(subkey));
	return rc;
}
