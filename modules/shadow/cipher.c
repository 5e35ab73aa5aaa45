/* SPDX-License-Identifier: BSD-3-Clause */
#include "cipher.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <openssl/hmac.h>

#include "blake3.h"

#define MD5_LEN 16
#define SHA1_LEN 20

static const struct shadow_cipher ciphers[] = {
	{ "chacha20-ietf-poly1305", "AEAD_CHACHA20_POLY1305", "ChaCha20-Poly1305", 32, 0x3fff, false, false, SHADOW_PACKING_SALT },
	{ "aes-256-gcm", "AEAD_AES_256_GCM", "AES-256-GCM", 32, 0x3fff, false, false, SHADOW_PACKING_SALT },
	{ "aes-192-gcm", "AEAD_AES_192_GCM", "AES-192-GCM", 24, 0x3fff, false, false, SHADOW_PACKING_SALT },
	{ "aes-128-gcm", "AEAD_AES_128_GCM", "AES-128-GCM", 16, 0x3fff, false, false, SHADOW_PACKING_SALT },
	{ "2022-blake3-aes-128-gcm", NULL, "AES-128-GCM", 16, 0xffff, true, true, SHADOW_PACKING_BLOCK },
	{ "2022-blake3-aes-256-gcm", NULL, "AES-256-GCM", 32, 0xffff, true, true, SHADOW_PACKING_BLOCK },
	{ "2022-blake3-chacha20-poly1305", NULL, "ChaCha20-Poly1305", 32, 0xffff, true, false, SHADOW_PACKING_NONCE },
};

const struct shadow_cipher *
shadow_cipher_find(const char *name)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (strcasecmp(name, ciphers[i].name) == 0 ||
		    (ciphers[i].alias != NULL && strcasecmp(name, ciphers[i].alias) == 0))
			return &ciphers[i];
	return NULL;
}

bool
shadow_cipher_is_stream(const char *name)
{
	static const char *const starts[] = { "rc4", "table", "bf-", "camellia-", "cast5-", "des-", "idea-", "rc2-", "seed-" };
	static const char *const ends[] = { "-ctr", "-cfb", "-cfb1", "-cfb8", "-cfb128" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncasecmp(name, starts[i], strlen(starts[i])) == 0)
			return true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (len > strlen(ends[i]) && strcasecmp(name + len - strlen(ends[i]), ends[i]) == 0)
			return true;
	return strcasecmp(name, "salsa20") == 0 || strcasecmp(name, "chacha20") == 0 ||
	    strcasecmp(name, "chacha20-ietf") == 0;
}

const char *
shadow_cipher_names(void)
{
	return "CHACHA20-IETF-POLY1305, AES-256-GCM, AES-192-GCM, AES-128-GCM, 2022-BLAKE3-AES-256-GCM, "
	    "2022-BLAKE3-AES-128-GCM, 2022-BLAKE3-CHACHA20-POLY1305";
}

/* D1 = MD5(password), Dn = MD5(Dn-1, password); the key is D1 D2 ... */
int
shadow_key_of_password(const struct shadow_cipher *cipher, const char *password, uint8_t *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t last[MD5_LEN];
	int ok = ctx != NULL;

	for (size_t n = 0; ok && n < cipher->key_len; n += MD5_LEN) {
		size_t part = cipher->key_len - n < MD5_LEN ? cipher->key_len - n : MD5_LEN;

		ok = EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 && (n == 0 || EVP_DigestUpdate(ctx, last, MD5_LEN) == 1) &&
		    EVP_DigestUpdate(ctx, password, strlen(password)) == 1 && EVP_DigestFinal_ex(ctx, last, NULL) == 1;
		memcpy(key + n, last, ok ? part : 0);
	}
	explicit_bzero(last, sizeof(last));
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

void
shadow_modern_key(const struct shadow_cipher *cipher, const uint8_t *key, const uint8_t *salt, size_t salt_len,
    uint8_t *session)
{
	uint8_t material[SHADOW_KEY_MAX + SHADOW_SALT_MAX];

	memcpy(material, key, cipher->key_len);
	memcpy(material + cipher->key_len, salt, salt_len);
	ptah_blake3_derive_key("shadowsocks 2022 session subkey", material, cipher->key_len + salt_len, session,
	    cipher->key_len);
	explicit_bzero(material, sizeof(material));
}

static int
classic_session_key(const struct shadow_cipher *cipher, const uint8_t *key, const uint8_t *salt, uint8_t *session)
{
	static const uint8_t info[] = "ss-subkey";
	uint8_t prk[SHA1_LEN], block[SHA1_LEN], text[SHA1_LEN + sizeof(info)];
	size_t before = 0;
	int ok = HMAC(EVP_sha1(), salt, cipher->key_len, key, cipher->key_len, prk, NULL) != NULL;

	/* RFC 5869: block n = HMAC(prk, block n-1, info, n); the NUL of 'info' makes room for n. */
	for (size_t n = 0; ok && n < cipher->key_len; n += SHA1_LEN) {
		size_t part = cipher->key_len - n < SHA1_LEN ? cipher->key_len - n : SHA1_LEN;

		memcpy(text, block, before);
		memcpy(text + before, info, sizeof(info));
		text[before + sizeof(info) - 1] = (uint8_t)(n / SHA1_LEN + 1);
		ok = HMAC(EVP_sha1(), prk, SHA1_LEN, text, before + sizeof(info), block, NULL) != NULL;
		memcpy(session + n, block, ok ? part : 0);
		before = SHA1_LEN;
	}
	explicit_bzero(prk, sizeof(prk));
	explicit_bzero(block, sizeof(block));
	explicit_bzero(text, sizeof(text));
	return ok ? 0 : -ENOMEM;
}

int
shadow_session_key(const struct shadow_cipher *cipher, const uint8_t *key, const uint8_t *salt, uint8_t *session)
{
	if (!cipher->modern)
		return classic_session_key(cipher, key, salt, session);
	shadow_modern_key(cipher, key, salt, cipher->key_len, session);
	return 0;
}

EVP_CIPHER_CTX *
shadow_aead_new(const struct shadow_cipher *cipher, const uint8_t *key, bool sealing)
{
	EVP_CIPHER *evp = EVP_CIPHER_fetch(NULL, cipher->evp, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ok = evp != NULL && ctx != NULL && EVP_CipherInit_ex2(ctx, evp, key, NULL, sealing, NULL) == 1;

	EVP_CIPHER_free(evp);
	if (ok)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

EVP_CIPHER_CTX *
shadow_block_new(const struct shadow_cipher *cipher, const uint8_t *key, bool sealing)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx != NULL &&
	    EVP_CipherInit_ex2(ctx, cipher->key_len == 16 ? EVP_aes_128_ecb() : EVP_aes_256_ecb(), key, NULL, sealing, NULL) == 1 &&
	    EVP_CIPHER_CTX_set_padding(ctx, 0) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}
