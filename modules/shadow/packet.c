/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

#include "blake3.h"

/* ---- keys ----------------------------------------------------------------- */

/* The first key hides the block of what goes to the server, the last one of what comes from it. */
static int
init_modern(struct shadow_packets *packets, const struct shadow_keys *keys)
{
	const struct shadow_cipher *cipher = packets->cipher;
	const uint8_t *first = keys->hop[0], *last = shadow_keys_own(keys);
	bool client = packets->role == PTAH_CLIENT;

	packets->block_out = shadow_block_new(cipher, client ? first : last, true);
	packets->block_in = shadow_block_new(cipher, client ? last : first, false);
	if (packets->block_out == NULL || packets->block_in == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < keys->n_hops; i++) {
		packets->hop[i] = shadow_block_new(cipher, keys->hop[i], true);
		if (packets->hop[i] == NULL)
			return -ENOMEM;
		ptah_blake3(keys->hop[i + 1], cipher->key_len, packets->next[i], SHADOW_IDENTITY);
		packets->n_hops = i + 1;
	}
	return 0;
}

static int
init_classic(struct shadow_packets *packets)
{
	packets->sealer = shadow_aead_new(packets->cipher, NULL, true);
	packets->opener = shadow_aead_new(packets->cipher, NULL, false);
	return packets->sealer != NULL && packets->opener != NULL ? 0 : -ENOMEM;
}

int
shadow_packets_init(struct shadow_packets *packets, const struct shadow_cipher *cipher, const struct shadow_keys *keys,
    uint32_t role)
{
	int rc;

	memset(packets, 0, sizeof(*packets));
	packets->cipher = cipher;
	packets->role = role;
	memcpy(packets->key, shadow_keys_own(keys), cipher->key_len);
	rc = cipher->modern ? init_modern(packets, keys) : init_classic(packets);
	if (rc < 0)
		shadow_packets_clear(packets);
	return rc;
}

void
shadow_packets_clear(struct shadow_packets *packets)
{
	EVP_CIPHER_CTX_free(packets->sealer);
	EVP_CIPHER_CTX_free(packets->opener);
	EVP_CIPHER_CTX_free(packets->block_out);
	EVP_CIPHER_CTX_free(packets->block_in);
	for (unsigned i = 0; i < SHADOW_HOPS_MAX; i++)
		EVP_CIPHER_CTX_free(packets->hop[i]);
	explicit_bzero(packets, sizeof(*packets));
}

/* ---- one box in its place --------------------------------------------------- */

static int
seal(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t nonce[SHADOW_NONCE], uint8_t *at, size_t len)
{
	int n = 0, rest = 0;

	if (EVP_CipherInit_ex2(ctx, NULL, key, nonce, -1, NULL) != 1 ||
	    (len > 0 && EVP_EncryptUpdate(ctx, at, &n, at, (int)len) != 1) ||
	    EVP_EncryptFinal_ex(ctx, at + n, &rest) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SHADOW_TAG, at + len) != 1)
		return -ENOMEM;
	return 0;
}

static long
open_box(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t nonce[SHADOW_NONCE], uint8_t *at, size_t len)
{
	int n = 0, rest = 0;

	if (len < SHADOW_TAG)
		return -EBADMSG;
	len -= SHADOW_TAG;
	if (EVP_CipherInit_ex2(ctx, NULL, key, nonce, -1, NULL) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SHADOW_TAG, at + len) != 1 ||
	    (len > 0 && EVP_DecryptUpdate(ctx, at, &n, at, (int)len) != 1))
		return -ENOMEM;
	return EVP_DecryptFinal_ex(ctx, at + n, &rest) == 1 ? (long)len : -EBADMSG;
}

/* ---- AEAD ------------------------------------------------------------------- */

/* Each salt has a key of its own, and this is the only packet under it. */
static const uint8_t zeros[SHADOW_NONCE];

int
shadow_salted_seal(struct shadow_packets *packets, uint8_t *at, size_t len)
{
	uint8_t key[SHADOW_KEY_MAX];
	int rc = shadow_session_key(packets->cipher, packets->key, at, key);

	if (rc == 0)
		rc = seal(packets->sealer, key, zeros, at + packets->cipher->key_len, len);
	explicit_bzero(key, sizeof(key));
	return rc;
}

long
shadow_salted_open(struct shadow_packets *packets, uint8_t *at, size_t len)
{
	size_t salt_len = packets->cipher->key_len;
	uint8_t key[SHADOW_KEY_MAX];
	long rc;

	if (len < salt_len + SHADOW_TAG)
		return -EBADMSG;
	rc = shadow_session_key(packets->cipher, packets->key, at, key);
	if (rc == 0)
		rc = open_box(packets->opener, key, zeros, at + salt_len, len - salt_len);
	explicit_bzero(key, sizeof(key));
	return rc;
}

/* ---- 2022 ------------------------------------------------------------------- */

static int
do_block(EVP_CIPHER_CTX *ctx, const uint8_t in[SHADOW_BLOCK], uint8_t out[SHADOW_BLOCK])
{
	int n = 0;

	return EVP_CipherUpdate(ctx, out, &n, in, SHADOW_BLOCK) == 1 && n == SHADOW_BLOCK ? 0 : -ENOMEM;
}

/* Other in each packet, for the block is in it. */
static int
make_identity(const struct shadow_packets *packets, unsigned hop, const uint8_t plain[SHADOW_BLOCK],
    uint8_t out[SHADOW_IDENTITY])
{
	uint8_t mixed[SHADOW_IDENTITY];

	for (unsigned i = 0; i < SHADOW_IDENTITY; i++)
		mixed[i] = packets->next[hop][i] ^ plain[i];
	return do_block(packets->hop[hop], mixed, out);
}

int
shadow_blocks_seal(const struct shadow_packets *packets, const uint8_t plain[SHADOW_BLOCK], uint8_t *out)
{
	int rc = do_block(packets->block_out, plain, out);

	for (unsigned i = 0; rc == 0 && packets->role == PTAH_CLIENT && i < packets->n_hops; i++)
		rc = make_identity(packets, i, plain, out + SHADOW_BLOCK + (size_t)i * SHADOW_IDENTITY);
	return rc;
}

int
shadow_block_open(const struct shadow_packets *packets, const uint8_t *in, uint8_t plain[SHADOW_BLOCK])
{
	return do_block(packets->block_in, in, plain);
}

int
shadow_identities_check(const struct shadow_packets *packets, const uint8_t *in, const uint8_t plain[SHADOW_BLOCK])
{
	uint8_t want[SHADOW_IDENTITY];
	int differ = 0, rc = 0;

	for (unsigned i = 0; rc == 0 && i < packets->n_hops; i++) {
		rc = make_identity(packets, i, plain, want);
		differ |= CRYPTO_memcmp(want, in + (size_t)i * SHADOW_IDENTITY, SHADOW_IDENTITY);
	}
	return rc == 0 && differ != 0 ? -EBADMSG : rc;
}

int
shadow_session_init(struct shadow_session *session, const struct shadow_packets *packets, const uint8_t name[SHADOW_SESSION],
    bool sealing)
{
	uint8_t key[SHADOW_KEY_MAX];

	memcpy(session->name, name, SHADOW_SESSION);
	shadow_modern_key(packets->cipher, packets->key, name, SHADOW_SESSION, key);
	session->ctx = shadow_aead_new(packets->cipher, key, sealing);
	explicit_bzero(key, sizeof(key));
	return session->ctx != NULL ? 0 : -ENOMEM;
}

void
shadow_session_clear(struct shadow_session *session)
{
	EVP_CIPHER_CTX_free(session->ctx);
	memset(session, 0, sizeof(*session));
}

int
shadow_session_seal(struct shadow_session *session, const uint8_t plain[SHADOW_BLOCK], uint8_t *at, size_t len)
{
	return seal(session->ctx, NULL, plain + SHADOW_BLOCK - SHADOW_NONCE, at, len);
}

long
shadow_session_open(struct shadow_session *session, const uint8_t plain[SHADOW_BLOCK], uint8_t *at, size_t len)
{
	return open_box(session->ctx, NULL, plain + SHADOW_BLOCK - SHADOW_NONCE, at, len);
}
