/* SPDX-License-Identifier: BSD-3-Clause */
/* Eight lanes.  Only ptah_salsa_cpu_has() may be called on any CPU. */
#include <string.h>

#include "salsa20cpu.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define LANES 8

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

static inline TARGET lanes
all(uint32_t x)
{
	return (lanes)_mm256_set1_epi32((int)x);
}

/* From eight words of eight lanes to half a block for each job. */
static inline TARGET void
xor_half(const struct ptah_salsa_job *jobs, const lanes x[8], size_t at)
{
	__m256i a[8], b[8], c[8];

	for (int i = 0; i < 4; i++) {
		a[2 * i] = _mm256_unpacklo_epi32((__m256i)x[2 * i], (__m256i)x[2 * i + 1]);
		a[2 * i + 1] = _mm256_unpackhi_epi32((__m256i)x[2 * i], (__m256i)x[2 * i + 1]);
	}
	for (int i = 0; i < 2; i++) {
		b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
		b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
		b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
		b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		c[i] = _mm256_permute2x128_si256(b[i], b[4 + i], 0x20);
		c[4 + i] = _mm256_permute2x128_si256(b[i], b[4 + i], 0x31);
	}
	for (int i = 0; i < LANES; i++) {
		__m256i in = _mm256_loadu_si256((const __m256i *)(const void *)(jobs[i].in + at));

		_mm256_storeu_si256((__m256i *)(void *)(jobs[i].out + at), _mm256_xor_si256(in, c[i]));
	}
}

static inline TARGET void
xor_out(const struct ptah_salsa_job *jobs, const lanes x[16])
{
	xor_half(jobs, x, 0);
	xor_half(jobs, x + 8, 32);
}

#include "salsa20lanes.h"

TARGET void
ptah_salsa_avx2(const uint32_t key[8], const struct ptah_salsa_job *jobs, size_t n)
{
	run(key, jobs, n);
}

bool
ptah_salsa_cpu_has(const char *name)
{
	if (strcmp(name, "avx512") == 0)
		return __builtin_cpu_supports("avx512f");
	return strcmp(name, "avx2") != 0 || __builtin_cpu_supports("avx2");
}

#endif
