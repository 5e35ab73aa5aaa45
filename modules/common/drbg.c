/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "bytes.h"
#include "drbg.h"

static inline uint64_t
rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

/* The four words by value: then they live in registers. */
struct state {
	uint64_t v0, v1, v2, v3;
};

static inline struct state
sip_round(struct state s)
{
	s.v0 += s.v1;
	s.v2 += s.v3;
	s.v1 = rotate(s.v1, 13) ^ s.v0;
	s.v3 = rotate(s.v3, 16) ^ s.v2;
	s.v0 = rotate(s.v0, 32);
	s.v2 += s.v1;
	s.v0 += s.v3;
	s.v1 = rotate(s.v1, 17) ^ s.v2;
	s.v3 = rotate(s.v3, 21) ^ s.v0;
	s.v2 = rotate(s.v2, 32);
	return s;
}

static inline struct state
absorb(struct state s, uint64_t word)
{
	s.v3 ^= word;
	s = sip_round(sip_round(s));
	s.v0 ^= word;
	return s;
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
	struct state s = absorb((struct state){ drbg->v[0], drbg->v[1], drbg->v[2], drbg->v[3] },
	    drbg->last);

	drbg->v[0] = s.v0;
	drbg->v[1] = s.v1;
	drbg->v[2] = s.v2;
	drbg->v[3] = s.v3;
	drbg->eaten += 8;
	s = absorb(s, drbg->eaten << 56);
	s.v2 ^= 0xff;
	s = sip_round(sip_round(sip_round(sip_round(s))));
	drbg->last = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
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
