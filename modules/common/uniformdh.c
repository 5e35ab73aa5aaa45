/* SPDX-License-Identifier: BSD-3-Clause */
#include "uniformdh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>

/*
 * OpenSSL's DH object refuses peers out of range and strips zeros, so these
 * are bare numbers.
 */
struct ptah_udh {
	BN_CTX *scratch;
	BN_MONT_CTX *mont;
	BIGNUM *p, *g;
	BIGNUM *x, *base, *result; /* of one call; wiped after it */
};

struct ptah_udh *
ptah_udh_new(void)
{
	struct ptah_udh *udh = calloc(1, sizeof(*udh));

	if (udh == NULL)
		return NULL;
	udh->scratch = BN_CTX_new();
	udh->mont = BN_MONT_CTX_new();
	udh->p = BN_get_rfc3526_prime_1536(NULL);
	udh->g = BN_new();
	udh->x = BN_new();
	udh->base = BN_new();
	udh->result = BN_new();
	if (udh->scratch == NULL || udh->mont == NULL || udh->p == NULL || udh->g == NULL || udh->x == NULL ||
	    udh->base == NULL || udh->result == NULL || BN_set_word(udh->g, 2) != 1 ||
	    BN_MONT_CTX_set(udh->mont, udh->p, udh->scratch) != 1) {
		ptah_udh_free(udh);
		errno = ENOMEM;
		return NULL;
	}
	BN_set_flags(udh->x, BN_FLG_CONSTTIME);
	return udh;
}

void
ptah_udh_free(struct ptah_udh *udh)
{
	if (udh == NULL)
		return;
	BN_clear_free(udh->x);
	BN_clear_free(udh->base);
	BN_clear_free(udh->result);
	BN_free(udh->g);
	BN_free(udh->p);
	BN_MONT_CTX_free(udh->mont);
	BN_CTX_free(udh->scratch);
	free(udh);
}

/* result = base ^ x, where x is the private number of 'pair'. */
static int
raise(struct ptah_udh *udh, const BIGNUM *base, const struct ptah_udh_pair *pair)
{
	const uint8_t *x = pair->private + PTAH_UDH_LEN - pair->private_len;

	if (BN_bin2bn(x, (int)pair->private_len, udh->x) == NULL)
		return -ENOMEM;
	return BN_mod_exp_mont_consttime(udh->result, base, udh->x, udh->p, udh->scratch, udh->mont) == 1 ? 0 : -ENOMEM;
}

static void
forget(struct ptah_udh *udh)
{
	BN_clear(udh->x);
	BN_clear(udh->base);
	BN_clear(udh->result);
}

int
ptah_udh_pair(struct ptah_udh *udh, struct ptah_span random, struct ptah_udh_pair *pair)
{
	uint8_t plus[PTAH_UDH_LEN], minus[PTAH_UDH_LEN];
	int rc;

	if (random.len == 0 || random.len > PTAH_UDH_LEN)
		return -EINVAL;
	memset(pair, 0, sizeof(*pair));
	memcpy(pair->private + PTAH_UDH_LEN - random.len, random.at, random.len);
	pair->private_len = random.len;

	/* Both are computed, and none is chosen by a branch. */
	uint8_t odd = (uint8_t)-(pair->private[PTAH_UDH_LEN - 1] & 1);

	pair->private[PTAH_UDH_LEN - 1] &= 0xfe;
	rc = raise(udh, udh->g, pair);
	if (rc == 0 && (BN_bn2binpad(udh->result, plus, sizeof(plus)) < 0 ||
	    BN_usub(udh->base, udh->p, udh->result) != 1 || BN_bn2binpad(udh->base, minus, sizeof(minus)) < 0))
		rc = -ENOMEM;
	if (rc == 0)
		for (size_t i = 0; i < PTAH_UDH_LEN; i++)
			pair->public[i] = (uint8_t)((plus[i] & ~odd) | (minus[i] & odd));
	forget(udh);
	OPENSSL_cleanse(plus, sizeof(plus));
	OPENSSL_cleanse(minus, sizeof(minus));
	return rc;
}

int
ptah_udh_secret(struct ptah_udh *udh, const struct ptah_udh_pair *pair, const uint8_t peer[static PTAH_UDH_LEN],
    uint8_t secret[static PTAH_UDH_LEN])
{
	int rc = -ENOMEM;

	/* An even power of a number whose order is large is neither 0 nor 1. */
	if (BN_bin2bn(peer, PTAH_UDH_LEN, udh->base) != NULL &&
	    BN_nnmod(udh->base, udh->base, udh->p, udh->scratch) == 1 && raise(udh, udh->base, pair) == 0 &&
	    BN_bn2binpad(udh->result, secret, PTAH_UDH_LEN) == PTAH_UDH_LEN)
		rc = BN_is_zero(udh->result) || BN_is_one(udh->result) ? -EBADMSG : 0;
	forget(udh);
	return rc;
}

void
ptah_udh_pair_clear(struct ptah_udh_pair *pair)
{
	OPENSSL_cleanse(pair, sizeof(*pair));
}
