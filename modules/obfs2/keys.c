/* SPDX-License-Identifier: BSD-3-Clause */
#include "keys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "bytes.h"

#define MAGIC_HIGH 0x2bf5u
#define MAGIC_LOW 0xca7eu
#define HASH_LEN 32u

struct obfs2_hasher {
	EVP_MD *sha256;
	EVP_MD_CTX *context;
};

struct obfs2_hasher *
obfs2_hasher_new(void)
{
	struct obfs2_hasher *hasher = calloc(1, sizeof(*hasher));

	if (hasher == NULL)
		return NULL;
	hasher->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	hasher->context = EVP_MD_CTX_new();
	if (hasher->sha256 == NULL || hasher->context == NULL) {
		obfs2_hasher_free(hasher);
		errno = ENOMEM;
		return NULL;
	}
	return hasher;
}

void
obfs2_hasher_free(struct obfs2_hasher *hasher)
{
	if (hasher == NULL)
		return;
	EVP_MD_CTX_free(hasher->context);
	EVP_MD_free(hasher->sha256);
	free(hasher);
}

static bool
start(struct obfs2_hasher *hasher)
{
	return EVP_DigestInit_ex2(hasher->context, hasher->sha256, NULL) == 1;
}

static bool
add(struct obfs2_hasher *hasher, struct ptah_span bytes)
{
	return EVP_DigestUpdate(hasher->context, bytes.at, bytes.len) == 1;
}

static bool
end(struct obfs2_hasher *hasher, uint8_t out[static HASH_LEN])
{
	return EVP_DigestFinal_ex(hasher->context, out, NULL) == 1;
}

int
obfs2_secret_hash(struct obfs2_hasher *hasher, struct ptah_span secret, uint8_t out[static HASH_LEN])
{
	return start(hasher) && add(hasher, secret) && end(hasher, out) ? 0 : -ENOMEM;
}

int
obfs2_key_begin(struct obfs2_key *key, struct obfs2_hasher *hasher, const char *words, struct ptah_span seeds,
    const uint8_t secret[HASH_LEN])
{
	const struct ptah_span name = { (const uint8_t *)words, strlen(words) };
	const struct ptah_span shared = { secret, secret != NULL ? HASH_LEN : 0 };

	key->left = secret != NULL ? OBFS2_CHAIN - 1 : 0;
	return start(hasher) && add(hasher, name) && add(hasher, seeds) && (secret == NULL || add(hasher, shared)) &&
	    add(hasher, name) && end(hasher, key->bytes) ? 0 : -ENOMEM;
}

int
obfs2_key_go_on(struct obfs2_key *key, struct obfs2_hasher *hasher, uint32_t most)
{
	const struct ptah_span last = { key->bytes, HASH_LEN };

	for (; most > 0 && key->left > 0; most--, key->left--)
		if (!start(hasher) || !add(hasher, last) || !end(hasher, key->bytes))
			return -ENOMEM;
	return 0;
}

int
obfs2_key_open(const struct obfs2_key *key, const struct ptah_aes *aes, struct ptah_aesctr *ctr)
{
	return ptah_aesctr_open(ctr, aes, key->bytes, PTAH_AESCTR_KEY128_LEN, key->bytes + PTAH_AESCTR_KEY128_LEN);
}

void
obfs2_head_write(uint8_t head[static OBFS2_HEAD_LEN], uint32_t pad_len)
{
	ptah_bytes_put16be(head, MAGIC_HIGH);
	ptah_bytes_put16be(head + 2, MAGIC_LOW);
	ptah_bytes_put16be(head + 4, (uint16_t)(pad_len >> 16));
	ptah_bytes_put16be(head + 6, (uint16_t)pad_len);
}

int
obfs2_head_read(const uint8_t head[static OBFS2_HEAD_LEN], uint32_t *pad_len)
{
	*pad_len = (uint32_t)ptah_bytes_get16be(head + 4) << 16 | ptah_bytes_get16be(head + 6);
	return ptah_bytes_get16be(head) == MAGIC_HIGH && ptah_bytes_get16be(head + 2) == MAGIC_LOW &&
	    *pad_len <= OBFS2_PAD_MAX ? 0 : -EPROTO;
}
