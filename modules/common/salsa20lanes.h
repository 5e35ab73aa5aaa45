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
	lanes now[16], x[16];

	for (int i = 0; i < LANES; i++) {
		counters[0][i] = (uint32_t)jobs[i].nonce;
		counters[1][i] = (uint32_t)(jobs[i].nonce >> 32);
		counters[2][i] = (uint32_t)jobs[i].block;
		counters[3][i] = (uint32_t)(jobs[i].block >> 32);
	}
	memcpy(now, start, sizeof(now));
	memcpy(&now[6], counters, sizeof(counters));
	memcpy(x, now, sizeof(x));
	for (int i = 0; i < 10; i++) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[5], x[9], x[13], x[1]);
		QUARTER(x[10], x[14], x[2], x[6]);
		QUARTER(x[15], x[3], x[7], x[11]);
		QUARTER(x[0], x[1], x[2], x[3]);
		QUARTER(x[5], x[6], x[7], x[4]);
		QUARTER(x[10], x[11], x[8], x[9]);
		QUARTER(x[15], x[12], x[13], x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += now[i];
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
}
