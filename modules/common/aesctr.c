/* SPDX-License-Identifier: BSD-3-Clause */
#include "aesctr.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/evp.h>

/* The library counts in int. */
#define AT_ONCE ((size_t)1 << 30)

struct ptah_aes {
	EVP_CIPHER *ctr128, *ctr256;
};

struct ptah_aes *
ptah_aes_new(void)
{
	struct ptah_aes *aes = calloc(1, sizeof(*aes));

	if (aes == NULL)
		return NULL;
	aes->ctr128 = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
	aes->ctr256 = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
	if (aes->ctr128 == NULL || aes->ctr256 == NULL) {
		ptah_aes_free(aes);
		errno = ENOMEM;
		return NULL;
	}
	return aes;
}

void
ptah_aes_free(struct ptah_aes *aes)
{
	if (aes == NULL)
		return;
	EVP_CIPHER_free(aes->ctr128);
	EVP_CIPHER_free(aes->ctr256);
	free(aes);
}

int
ptah_aesctr_open(struct ptah_aesctr *ctr, const struct ptah_aes *aes, const uint8_t *key, size_t key_len,
    const uint8_t counter[static PTAH_AESCTR_COUNTER_LEN])
{
	ptah_aesctr_close(ctr);
	ctr->cipher = EVP_CIPHER_CTX_new();
	if (ctr->cipher != NULL && EVP_EncryptInit_ex2(ctr->cipher,
	    key_len == PTAH_AESCTR_KEY256_LEN ? aes->ctr256 : aes->ctr128, key, counter, NULL) == 1)
		return 0;
	ptah_aesctr_close(ctr);
	return -ENOMEM;
}

int
ptah_aesctr_apply(struct ptah_aesctr *ctr, struct ptah_span in, uint8_t *out)
{
	while (in.len > 0) {
		int n = (int)(in.len < AT_ONCE ? in.len : AT_ONCE), made = 0;

		if (EVP_EncryptUpdate(ctr->cipher, out, &made, in.at, n) != 1 || made != n)
			return -EIO;
		in.at += n;
		in.len -= (size_t)n;
		out += n;
	}
	return 0;
}

void
ptah_aesctr_close(struct ptah_aesctr *ctr)
{
	EVP_CIPHER_CTX_free(ctr->cipher); /* it wipes what it frees */
	ctr->cipher = NULL;
}
