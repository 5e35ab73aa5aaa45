/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * cipher.h: the ciphers of Shadowsocks AEAD, and their keys.
 *
 *     master key    MD5 chain over the password (EVP_BytesToKey, no salt)
 *     session key   HKDF-SHA1 of it, with the salt that each direction sends first
 *
 * and those of Shadowsocks 2022, whose master key (keys.h) is no password:
 *
 *     session key   BLAKE3 of it and the salt
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_SHADOW_CIPHER_H
#define PTAH_SHADOW_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define SHADOW_KEY_MAX 32
#define SHADOW_SALT_MAX SHADOW_KEY_MAX
#define SHADOW_TAG 16
#define SHADOW_NONCE 12

/* How its packets over UDP are made (packet.h). */
#define SHADOW_PACKING_SALT 0u
#define SHADOW_PACKING_BLOCK 1u
#define SHADOW_PACKING_NONCE 2u

struct shadow_cipher {
	const char *name, *alias;
	const char *evp;    /* OpenSSL's name of it */
	uint8_t key_len;    /* and of the salt */
	uint16_t chunk_max; /* what a length may say */
	bool modern;        /* of Shadowsocks 2022 */
	bool identities;    /* a server that has it may stand behind others (keys.h) */
	uint8_t packing;    /* SHADOW_PACKING_ */
};

/** The one of this name, in any case, or NULL. */
const struct shadow_cipher *shadow_cipher_find(const char *name);
/** Is it one that Shadowsocks had before it authenticated anything? */
bool shadow_cipher_is_stream(const char *name);
/** All names, with commas. */
const char *shadow_cipher_names(void);

/** -ENOMEM, as below. */
int shadow_key_of_password(const struct shadow_cipher *cipher, const char *password, uint8_t *key);
int shadow_session_key(const struct shadow_cipher *cipher, const uint8_t *key, const uint8_t *salt, uint8_t *session);
/** Of 2022, with a salt of any length up to a key's. */
void shadow_modern_key(const struct shadow_cipher *cipher, const uint8_t *key, const uint8_t *salt, size_t salt_len,
    uint8_t *session);

/**
 * Gives: the cipher under a key (NULL: one that comes with each nonce); EVP_CIPHER_CTX_free() it.
 * Fails: NULL (ENOMEM), as the next.
 */
EVP_CIPHER_CTX *shadow_aead_new(const struct shadow_cipher *cipher, const uint8_t *key, bool sealing);
/** AES of single blocks, under a key of the cipher's length. */
EVP_CIPHER_CTX *shadow_block_new(const struct shadow_cipher *cipher, const uint8_t *key, bool sealing);

#endif
