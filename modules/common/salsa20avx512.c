/* SPDX-License-Identifier: BSD-3-Clause */
/* Sixteen lanes. */
#include <string.h>

#include "salsa20cpu.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define LANES 16

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

static inline TARGET lanes
all(uint32_t x)
{
	return (lanes)_mm512_set1_epi32((int)x);
}

/* From sixteen words of sixteen lanes to a block for each job. */
static inline TARGET void
xor_out(const struct ptah_salsa_job *jobs, const lanes x[16])
{
	__m512i a[16], b[16], c[16], d[16];

	for (int i = 0; i < 8; i++) {
		a[2 * i] = _mm512_unpacklo_epi32((__m512i)x[2 * i], (__m512i)x[2 * i + 1]);
		a[2 * i + 1] = _mm512_unpackhi_epi32((__m512i)x[2 * i], (__m512i)x[2 * i + 1]);
	}
	/* b[4i + k]: words 4i .. 4i+3 of lanes k, k+4, k+8, k+12 */
	for (int i = 0; i < 4; i++) {
		b[4 * i] = _mm512_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
		b[4 * i + 1] = _mm512_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
		b[4 * i + 2] = _mm512_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
		b[4 * i + 3] = _mm512_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
	}
	/* c: the even lanes' (k, k+8) and the odd ones' (k+4, k+12) eight words */
	for (int k = 0; k < 4; k++) {
		c[k] = _mm512_shuffle_i32x4(b[k], b[4 + k], 0x88);
		c[4 + k] = _mm512_shuffle_i32x4(b[k], b[4 + k], 0xdd);
		c[8 + k] = _mm512_shuffle_i32x4(b[8 + k], b[12 + k], 0x88);
		c[12 + k] = _mm512_shuffle_i32x4(b[8 + k], b[12 + k], 0xdd);
	}
	for (int k = 0; k < 8; k++) {
		d[k] = _mm512_shuffle_i32x4(c[k], c[8 + k], 0x88);
		d[8 + k] = _mm512_shuffle_i32x4(c[k], c[8 + k], 0xdd);
	}
	for (int i = 0; i < LANES; i++)
		_mm512_storeu_si512(jobs[i].out,
		    _mm512_xor_si512(_mm512_loadu_si512(jobs[i].in), d[i]));
}

#include "salsa20lanes.h"

TARGET void
ptah_salsa_avx512(const uint32_t key[8], const struct ptah_salsa_job *jobs, size_t n)
{
	run(key, jobs, n);
}

#endif
