/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rounds, for vectors of any width: a file that includes this defines
 *
 *	lanes                   a vector of LANES words
 *	LANES
 *	TARGET                  the attribute of functions that use them
 *	all(x)                  the word x in all lanes
 *	xor_out(jobs, state)    what a lane makes goes to its job
 *
 * and gets one function, run().
 */
#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))

#define QUARTER(a, b, c, d) \
	do { \
		lanes sum_; \
		sum_ = (a) + (d); \
		(b) ^= ROTATE(sum_, 7); \
		sum_ = (b) + (a); \
		(c) ^= ROTATE(sum_, 9); \
		sum_ = (c) + (b); \
		(d) ^= ROTATE(sum_, 13); \
		sum_ = (d) + (c); \
		(a) ^= ROTATE(sum_, 18); \
	} while (0)

static inline TARGET void
run_lanes(const lanes start[16], const struct ptah_salsa_job *jobs)
{
	uint32_t counters[4][LANES] __attribute__((aligned(64)));
	lanes nonce_low, nonce_high, block_low, block_high;

	for (int i = 0; i < LANES; i++) {
		counters[0][i] = (uint32_t)jobs[i].nonce;
		counters[1][i] = (uint32_t)(jobs[i].nonce >> 32);
		counters[2][i] = (uint32_t)jobs[i].block;
		counters[3][i] = (uint32_t)(jobs[i].block >> 32);
	}
	memcpy(&nonce_low, counters[0], sizeof(lanes));
	memcpy(&nonce_high, counters[1], sizeof(lanes));
	memcpy(&block_low, counters[2], sizeof(lanes));
	memcpy(&block_high, counters[3], sizeof(lanes));

	/* Written out, so that they live in registers. */
	lanes x0 = start[0], x1 = start[1], x2 = start[2], x3 = start[3];
	lanes x4 = start[4], x5 = start[5], x6 = nonce_low, x7 = nonce_high;
	lanes x8 = block_low, x9 = block_high, x10 = start[10], x11 = start[11];
	lanes x12 = start[12], x13 = start[13], x14 = start[14], x15 = start[15];

	for (int i = 0; i < 10; i++) {
		QUARTER(x0, x4, x8, x12);
		QUARTER(x5, x9, x13, x1);
		QUARTER(x10, x14, x2, x6);
		QUARTER(x15, x3, x7, x11);
		QUARTER(x0, x1, x2, x3);
		QUARTER(x5, x6, x7, x4);
		QUARTER(x10, x11, x8, x9);
		QUARTER(x15, x12, x13, x14);
	}
	x0 += start[0];
	x1 += start[1];
	x2 += start[2];
	x3 += start[3];
	x4 += start[4];
	x5 += start[5];
	x6 += nonce_low;
	x7 += nonce_high;
	x8 += block_low;
	x9 += block_high;
	x10 += start[10];
	x11 += start[11];
	x12 += start[12];
	x13 += start[13];
	x14 += start[14];
	x15 += start[15];

	const lanes x[16] = { x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15 };

	xor_out(jobs, x);
}

static TARGET void
run(const uint32_t key[8], const struct ptah_salsa_job *jobs, size_t n)
{
	lanes start[16];

	start[0] = all(UINT32_C(0x61707865));
	start[5] = all(UINT32_C(0x3320646e));
	start[10] = all(UINT32_C(0x79622d32));
	start[15] = all(UINT32_C(0x6b206574));
	for (int i = 0; i < 4; i++) {
		start[1 + i] = all(key[i]);
		start[11 + i] = all(key[4 + i]);
		start[6 + i] = all(0);
	}
	for (; n >= LANES; n -= LANES, jobs += LANES)
		run_lanes(start, jobs);
	if (n > 0) {
		struct ptah_salsa_job rest[LANES];
		uint8_t nowhere[PTAH_SALSA_BLOCK] = { 0 };

		for (size_t i = 0; i < LANES; i++) {
			rest[i] = jobs[i < n ? i : 0];
			if (i >= n) {
				rest[i].in = nowhere;
				rest[i].out = nowhere;
			}
		}
		run_lanes(start, rest);
		explicit_bzero(nowhere, sizeof(nowhere));
	}
	explicit_bzero(start, sizeof(start));
}
