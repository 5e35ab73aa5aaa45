/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "hmac.h"

#define BLOCK_LEN 64
#define INNER_PAD 0x36
#define OUTER_PAD 0x5c

/* libcrypto's SHA-256 is three times as fast as libsodium's here. */
struct ptah_hmac {
	EVP_MD *sha256;
	EVP_MD_CTX *inner;
	EVP_MD_CTX *other; /* the outer hash, or a copy of the inner one */
	uint8_t key[BLOCK_LEN];
};

struct ptah_hmac *
ptah_hmac_new(void)
{
	struct ptah_hmac *hmac = calloc(1, sizeof(*hmac));

	if (hmac == NULL)
		return NULL;
	hmac->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	hmac->inner = EVP_MD_CTX_new();
	hmac->other = EVP_MD_CTX_new();
	if (hmac->sha256 == NULL || hmac->inner == NULL || hmac->other == NULL) {
		ptah_hmac_free(hmac);
		errno = ENOMEM;
		return NULL;
	}
	return hmac;
}

void
ptah_hmac_free(struct ptah_hmac *hmac)
{
	if (hmac == NULL)
		return;
	EVP_MD_CTX_free(hmac->inner);
	EVP_MD_CTX_free(hmac->other);
	EVP_MD_free(hmac->sha256);
	explicit_bzero(hmac, sizeof(*hmac));
	free(hmac);
}

/* libcrypto fails here for want of memory only. */
static int
begin(struct ptah_hmac *hmac, EVP_MD_CTX *hash, uint8_t pad)
{
	uint8_t block[BLOCK_LEN];
	int ok;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = hmac->key[i] ^ pad;
	ok = EVP_DigestInit_ex2(hash, hmac->sha256, NULL) == 1 &&
	    EVP_DigestUpdate(hash, block, sizeof(block)) == 1;
	explicit_bzero(block, sizeof(block));
	return ok ? 0 : -ENOMEM;
}

int
ptah_hmac_start(struct ptah_hmac *hmac, struct ptah_span key)
{
	memset(hmac->key, 0, sizeof(hmac->key));
	if (key.len > sizeof(hmac->key)) {
		if (EVP_DigestInit_ex2(hmac->inner, hmac->sha256, NULL) != 1 ||
		    EVP_DigestUpdate(hmac->inner, key.at, key.len) != 1 ||
		    EVP_DigestFinal_ex(hmac->inner, hmac->key, NULL) != 1)
			return -ENOMEM;
	} else if (key.len > 0) {
		memcpy(hmac->key, key.at, key.len);
	}
	return begin(hmac, hmac->inner, INNER_PAD);
}

int
ptah_hmac_add(struct ptah_hmac *hmac, struct ptah_span bytes)
{
	return EVP_DigestUpdate(hmac->inner, bytes.at, bytes.len) == 1 ? 0 : -ENOMEM;
}

/* From the inner hash to the MAC; 'mac' holds the former meanwhile. */
static int
finish(struct ptah_hmac *hmac, EVP_MD_CTX *inner, uint8_t mac[PTAH_HMAC_LEN])
{
	if (EVP_DigestFinal_ex(inner, mac, NULL) != 1 ||
	    begin(hmac, hmac->other, OUTER_PAD) != 0 ||
	    EVP_DigestUpdate(hmac->other, mac, PTAH_HMAC_LEN) != 1 ||
	    EVP_DigestFinal_ex(hmac->other, mac, NULL) != 1)
		return -ENOMEM;
	return 0;
}

int
ptah_hmac_peek(struct ptah_hmac *hmac, struct ptah_span tail, uint8_t mac[PTAH_HMAC_LEN])
{
	if (EVP_MD_CTX_copy_ex(hmac->other, hmac->inner) != 1 ||
	    EVP_DigestUpdate(hmac->other, tail.at, tail.len) != 1)
		return -ENOMEM;
	return finish(hmac, hmac->other, mac);
}

int
ptah_hmac_end(struct ptah_hmac *hmac, uint8_t mac[PTAH_HMAC_LEN])
{
	int rc = finish(hmac, hmac->inner, mac);

	explicit_bzero(hmac->key, sizeof(hmac->key));
	return rc;
}

int
ptah_hmac_once(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes,
    uint8_t mac[PTAH_HMAC_LEN])
{
	int rc = ptah_hmac_start(hmac, key);

	if (rc == 0)
		rc = ptah_hmac_add(hmac, bytes);
	if (rc == 0)
		rc = ptah_hmac_end(hmac, mac);
	return rc;
}

/* RFC 5869, 2.3: block n is the MAC of block n-1, the info and n. */
static int
expand(struct ptah_hmac *hmac, const uint8_t key[PTAH_HMAC_LEN], struct ptah_span info,
    struct ptah_room out)
{
	uint8_t block[PTAH_HMAC_LEN];
	struct ptah_span before = { .at = block, .len = 0 };
	int rc = 0;

	for (uint8_t n = 1; out.len > 0; n++) {
		size_t len = out.len < sizeof(block) ? out.len : sizeof(block);

		rc = ptah_hmac_start(hmac, (struct ptah_span){ key, PTAH_HMAC_LEN });
		if (rc == 0)
			rc = ptah_hmac_add(hmac, before);
		if (rc == 0)
			rc = ptah_hmac_add(hmac, info);
		if (rc == 0)
			rc = ptah_hmac_add(hmac, (struct ptah_span){ &n, 1 });
		if (rc == 0)
			rc = ptah_hmac_end(hmac, block);
		if (rc != 0)
			break;
		before.len = sizeof(block);
		memcpy(out.at, block, len);
		out.at += len;
		out.len -= len;
	}
	explicit_bzero(block, sizeof(block));
	return rc;
}

int
ptah_hkdf(struct ptah_hmac *hmac, struct ptah_span salt, struct ptah_span ikm,
    struct ptah_span info, struct ptah_room out)
{
	uint8_t key[PTAH_HMAC_LEN];
	int rc;

	if (out.len > 255 * PTAH_HMAC_LEN)
		return -EINVAL;
	rc = ptah_hmac_once(hmac, salt, ikm, key);
	if (rc == 0)
		rc = expand(hmac, key, info, out);
	explicit_bzero(key, sizeof(key));
	return rc;
}

int
ptah_hkdf_expand(struct ptah_hmac *hmac, const uint8_t key[PTAH_HMAC_LEN],
    struct ptah_span info, struct ptah_room out)
{
	return out.len > 255 * PTAH_HMAC_LEN ? -EINVAL : expand(hmac, key, info, out);
}
