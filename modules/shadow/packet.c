/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <sodium.h>

#include "blake3.h"

/* How packets of a cipher are made: SHADOW_PACKING_. */
struct packing {
	int (*init)(struct shadow_packets *packets, const struct shadow_keys *keys);
	/* 2022.  A whole front is there, 'at' is behind it, 'len' is without the tag. */
	size_t random; /* bytes that a front begins with */
	int (*init_session)(struct shadow_session *session, const struct shadow_packets *packets, bool sealing);
	int (*read_block)(const struct shadow_packets *packets, const uint8_t *front, uint8_t block[SHADOW_BLOCK]);
	int (*seal)(const struct shadow_packets *packets, struct shadow_session *session, const uint8_t block[SHADOW_BLOCK],
	    uint8_t *front, uint8_t *at, size_t len);
	int (*open)(const struct shadow_packets *packets, struct shadow_session *session, const uint8_t block[SHADOW_BLOCK],
	    uint8_t *front, uint8_t *at, size_t len);
};

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

static int
init_salted(struct shadow_packets *packets, const struct shadow_keys *keys)
{
	(void)keys;
	packets->sealer = shadow_aead_new(packets->cipher, NULL, true);
	packets->opener = shadow_aead_new(packets->cipher, NULL, false);
	return packets->sealer != NULL && packets->opener != NULL ? 0 : -ENOMEM;
}

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

/* ---- 2022, AES ---------------------------------------------------------------- */

/* The first key hides the block of what goes to the server, the last one of what comes from it. */
static int
init_blocks(struct shadow_packets *packets, const struct shadow_keys *keys)
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
do_block(EVP_CIPHER_CTX *ctx, const uint8_t in[SHADOW_BLOCK], uint8_t out[SHADOW_BLOCK])
{
	int n = 0;

	return EVP_CipherUpdate(ctx, out, &n, in, SHADOW_BLOCK) == 1 && n == SHADOW_BLOCK ? 0 : -ENOMEM;
}

/* Other in each packet, for the block is in it. */
static int
make_identity(const struct shadow_packets *packets, unsigned hop, const uint8_t block[SHADOW_BLOCK],
    uint8_t out[SHADOW_IDENTITY])
{
	uint8_t mixed[SHADOW_IDENTITY];

	for (unsigned i = 0; i < SHADOW_IDENTITY; i++)
		mixed[i] = packets->next[hop][i] ^ block[i];
	return do_block(packets->hop[hop], mixed, out);
}

static int
init_block_session(struct shadow_session *session, const struct shadow_packets *packets, bool sealing)
{
	uint8_t key[SHADOW_KEY_MAX];

	shadow_modern_key(packets->cipher, packets->key, session->name, SHADOW_SESSION, key);
	session->ctx = shadow_aead_new(packets->cipher, key, sealing);
	explicit_bzero(key, sizeof(key));
	return session->ctx != NULL ? 0 : -ENOMEM;
}

static int
read_block(const struct shadow_packets *packets, const uint8_t *front, uint8_t block[SHADOW_BLOCK])
{
	return do_block(packets->block_in, front, block);
}

static int
seal_behind_block(const struct shadow_packets *packets, struct shadow_session *session, const uint8_t block[SHADOW_BLOCK],
    uint8_t *front, uint8_t *at, size_t len)
{
	int rc = do_block(packets->block_out, block, front);

	for (unsigned i = 0; rc == 0 && packets->role == PTAH_CLIENT && i < packets->n_hops; i++)
		rc = make_identity(packets, i, block, front + SHADOW_BLOCK + (size_t)i * SHADOW_IDENTITY);
	return rc < 0 ? rc : seal(session->ctx, NULL, block + SHADOW_BLOCK - SHADOW_NONCE, at, len);
}

static int
open_behind_block(const struct shadow_packets *packets, struct shadow_session *session, const uint8_t block[SHADOW_BLOCK],
    uint8_t *front, uint8_t *at, size_t len)
{
	long n = open_box(session->ctx, NULL, block + SHADOW_BLOCK - SHADOW_NONCE, at, len + SHADOW_TAG);

	(void)packets;
	(void)front;
	return n < 0 ? (int)n : 0;
}

int
shadow_identities_check(const struct shadow_packets *packets, const uint8_t *front, const uint8_t block[SHADOW_BLOCK])
{
	uint8_t want[SHADOW_IDENTITY];
	int differ = 0, rc = 0;

	for (unsigned i = 0; rc == 0 && i < packets->n_hops; i++) {
		rc = make_identity(packets, i, block, want);
		differ |= CRYPTO_memcmp(want, front + SHADOW_BLOCK + (size_t)i * SHADOW_IDENTITY, SHADOW_IDENTITY);
	}
	return rc == 0 && differ != 0 ? -EBADMSG : rc;
}

/* ---- 2022, ChaCha ------------------------------------------------------------- */

#define LONG_NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == SHADOW_KEY_MAX, "the key of XChaCha20");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == SHADOW_TAG, "the tag of XChaCha20-Poly1305");

/* libsodium looks for what this processor is good at; without, it would be slow. */
static int
init_nonces(struct shadow_packets *packets, const struct shadow_keys *keys)
{
	(void)packets;
	(void)keys;
	return sodium_init() < 0 ? -ENOMEM : 0;
}

static int
init_keyless_session(struct shadow_session *session, const struct shadow_packets *packets, bool sealing)
{
	(void)session;
	(void)packets;
	(void)sealing;
	return 0;
}

/* Session and number come first in what is sealed: the key stream alone shows them, as AES does there.  Block 0 of it is the tag's. */
static int
read_sealed_block(const struct shadow_packets *packets, const uint8_t *front, uint8_t block[SHADOW_BLOCK])
{
	return crypto_stream_xchacha20_xor_ic(block, front + LONG_NONCE, SHADOW_BLOCK, front, 1, packets->key) == 0 ? 0 : -ENOMEM;
}

static int
seal_with_block(const struct shadow_packets *packets, struct shadow_session *session, const uint8_t block[SHADOW_BLOCK],
    uint8_t *front, uint8_t *at, size_t len)
{
	uint8_t *sealed = front + LONG_NONCE;

	(void)session;
	memcpy(sealed, block, SHADOW_BLOCK);
	return crypto_aead_xchacha20poly1305_ietf_encrypt_detached(sealed, at + len, NULL, sealed, SHADOW_BLOCK + len, NULL, 0,
	    NULL, front, packets->key) == 0 ? 0 : -ENOMEM;
}

static int
open_with_block(const struct shadow_packets *packets, struct shadow_session *session, const uint8_t block[SHADOW_BLOCK],
    uint8_t *front, uint8_t *at, size_t len)
{
	uint8_t *sealed = front + LONG_NONCE;

	(void)session;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt_detached(sealed, NULL, sealed, SHADOW_BLOCK + len, at + len, NULL, 0,
	        front, packets->key) != 0)
		return -EBADMSG;
	/* It was believed before it was authentic. */
	return memcmp(sealed, block, SHADOW_BLOCK) == 0 ? 0 : -EBADMSG;
}

/* ---- one of them -------------------------------------------------------------- */

static const struct packing packings[] = {
	[SHADOW_PACKING_SALT] = { .init = init_salted },
	[SHADOW_PACKING_BLOCK] = { .init = init_blocks, .init_session = init_block_session, .read_block = read_block,
	    .seal = seal_behind_block, .open = open_behind_block },
	[SHADOW_PACKING_NONCE] = { .init = init_nonces, .random = LONG_NONCE, .init_session = init_keyless_session,
	    .read_block = read_sealed_block, .seal = seal_with_block, .open = open_with_block },
};

static const struct packing *
packing_of(const struct shadow_packets *packets)
{
	return &packings[packets->cipher->packing];
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
	rc = packing_of(packets)->init(packets, keys);
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

size_t
shadow_front_len(const struct shadow_packets *packets, uint32_t role)
{
	return packing_of(packets)->random + SHADOW_BLOCK + (role == PTAH_CLIENT ? packets->n_hops * (size_t)SHADOW_IDENTITY : 0);
}

/* Of what we hear. */
static size_t
front_heard(const struct shadow_packets *packets)
{
	return shadow_front_len(packets, packets->role == PTAH_CLIENT ? PTAH_SERVER : PTAH_CLIENT);
}

size_t
shadow_front_random(const struct shadow_packets *packets)
{
	return packing_of(packets)->random;
}

int
shadow_session_init(struct shadow_session *session, const struct shadow_packets *packets, const uint8_t name[SHADOW_SESSION],
    bool sealing)
{
	int rc;

	memcpy(session->name, name, SHADOW_SESSION);
	rc = packing_of(packets)->init_session(session, packets, sealing);
	session->live = rc == 0;
	return rc;
}

void
shadow_session_clear(struct shadow_session *session)
{
	EVP_CIPHER_CTX_free(session->ctx);
	memset(session, 0, sizeof(*session));
}

int
shadow_block_read(const struct shadow_packets *packets, struct ptah_span packet, uint8_t block[SHADOW_BLOCK])
{
	if (packet.len < front_heard(packets) + SHADOW_TAG)
		return -EBADMSG;
	return packing_of(packets)->read_block(packets, packet.at, block);
}

int
shadow_numbered_seal(const struct shadow_packets *packets, struct shadow_session *session,
    const uint8_t block[SHADOW_BLOCK], uint8_t *at, size_t len)
{
	return packing_of(packets)->seal(packets, session, block, at, at + shadow_front_len(packets, packets->role), len);
}

long
shadow_numbered_open(const struct shadow_packets *packets, struct shadow_session *session,
    const uint8_t block[SHADOW_BLOCK], uint8_t *at, size_t len)
{
	const size_t front = front_heard(packets);
	int rc;

	if (len < front + SHADOW_TAG)
		return -EBADMSG;
	len -= front + SHADOW_TAG;
	rc = packing_of(packets)->open(packets, session, block, at, at + front, len);
	return rc < 0 ? rc : (long)len;
}
