/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "bytes.h"
#include "drbg.h"

static inline uint64_t
rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void
rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static inline void
absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

void
ptah_drbg_init(struct ptah_drbg *drbg, const uint8_t seed[PTAH_DRBG_SEED_LEN])
{
	uint64_t k0 = ptah_bytes_get64le(seed);
	uint64_t k1 = ptah_bytes_get64le(seed + 8);

	drbg->v[0] = k0 ^ UINT64_C(0x736f6d6570736575);
	drbg->v[1] = k1 ^ UINT64_C(0x646f72616e646f6d);
	drbg->v[2] = k0 ^ UINT64_C(0x6c7967656e657261);
	drbg->v[3] = k1 ^ UINT64_C(0x7465646279746573);
	drbg->last = ptah_bytes_get64le(seed + 16);
	drbg->eaten = 0;
}

void
ptah_drbg_clear(struct ptah_drbg *drbg)
{
	explicit_bzero(drbg, sizeof(*drbg));
}

/* The hash is never begun anew: each block goes on from all before it. */
uint64_t
ptah_drbg_block(struct ptah_drbg *drbg)
{
	uint64_t v[4];

	absorb(drbg->v, drbg->last);
	drbg->eaten += 8;
	memcpy(v, drbg->v, sizeof(v));
	absorb(v, drbg->eaten << 56);
	v[2] ^= 0xff;
	rounds(v, 4);
	drbg->last = v[0] ^ v[1] ^ v[2] ^ v[3];
	return __builtin_bswap64(drbg->last);
}

uint16_t
ptah_drbg_mask(struct ptah_drbg *drbg)
{
	return (uint16_t)(ptah_drbg_block(drbg) >> 48);
}

uint64_t
ptah_drbg_int63(struct ptah_drbg *drbg)
{
	return ptah_drbg_block(drbg) & INT64_MAX;
}

static uint32_t
int31(struct ptah_drbg *drbg)
{
	return (uint32_t)(ptah_drbg_int63(drbg) >> 32);
}

uint32_t
ptah_drbg_below(struct ptah_drbg *drbg, uint32_t n)
{
	uint32_t x = int31(drbg);

	if ((n & (n - 1)) == 0)
		return x & (n - 1);
	while (x > INT32_MAX - (UINT32_C(1) << 31) % n)
		x = int31(drbg);
	return x % n;
}

double
ptah_drbg_float(struct ptah_drbg *drbg)
{
	double x;

	do
		x = (double)ptah_drbg_int63(drbg) / 0x1p63;
	while (x == 1.0);
	return x;
}
