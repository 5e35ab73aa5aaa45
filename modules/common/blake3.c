/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names are those of the BLAKE3 paper, section 2.
 */
#include "blake3.h"

#include <string.h>

#include "bytes.h"

#define BLOCK_LEN 64
#define KEY_WORDS 8

#define CHUNK_START 1u
#define CHUNK_END 2u
#define ROOT 8u
#define DERIVE_KEY_CONTEXT 32u
#define DERIVE_KEY_MATERIAL 64u

static const uint32_t iv[KEY_WORDS] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t
turn(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void
mix(uint32_t v[16], const uint8_t at[4], uint32_t x, uint32_t y)
{
	uint32_t a = v[at[0]], b = v[at[1]], c = v[at[2]], d = v[at[3]];

	a += b + x;
	d = turn(d ^ a, 16);
	c += d;
	b = turn(b ^ c, 12);
	a += b + y;
	d = turn(d ^ a, 8);
	c += d;
	b = turn(b ^ c, 7);
	v[at[0]] = a;
	v[at[1]] = b;
	v[at[2]] = c;
	v[at[3]] = d;
}

/* Section 2.2; 'out' gets all 16 words.  The counter of a block is always 0 here. */
static void
compress(const uint32_t chain[KEY_WORDS], const uint8_t block[BLOCK_LEN], uint32_t len, uint32_t flags, uint32_t out[16])
{
	static const uint8_t sides[8][4] = {
		{ 0, 4, 8, 12 }, { 1, 5, 9, 13 }, { 2, 6, 10, 14 }, { 3, 7, 11, 15 },
		{ 0, 5, 10, 15 }, { 1, 6, 11, 12 }, { 2, 7, 8, 13 }, { 3, 4, 9, 14 },
	};
	static const uint8_t order[16] = { 2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8 };
	uint32_t v[16], m[16], next[16];

	memcpy(v, chain, sizeof(iv));
	memcpy(v + 8, iv, 4 * sizeof(iv[0]));
	v[12] = v[13] = 0;
	v[14] = len;
	v[15] = flags;
	for (size_t i = 0; i < 16; i++)
		m[i] = ptah_bytes_get32le(block + 4 * i);
	for (unsigned round = 0; round < 7; round++) {
		for (size_t i = 0; i < 8; i++)
			mix(v, sides[i], m[2 * i], m[2 * i + 1]);
		for (size_t i = 0; i < 16; i++)
			next[i] = m[order[i]];
		memcpy(m, next, sizeof(m));
	}
	for (size_t i = 0; i < 8; i++) {
		out[i] = v[i] ^ v[i + 8];
		out[i + 8] = v[i + 8] ^ chain[i];
	}
	explicit_bzero(v, sizeof(v));
	explicit_bzero(m, sizeof(m));
	explicit_bzero(next, sizeof(next));
}

/* One chunk that is the root. */
static void
hash(const uint32_t key[KEY_WORDS], uint32_t flags, const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	uint32_t chain[KEY_WORDS], words[16];
	uint8_t block[BLOCK_LEN];

	memcpy(chain, key, sizeof(chain));
	flags |= CHUNK_START;
	for (; len > BLOCK_LEN; in += BLOCK_LEN, len -= BLOCK_LEN) {
		compress(chain, in, BLOCK_LEN, flags, words);
		memcpy(chain, words, sizeof(chain));
		flags &= ~CHUNK_START;
	}
	memset(block, 0, sizeof(block));
	if (len > 0)
		memcpy(block, in, len);
	compress(chain, block, (uint32_t)len, flags | CHUNK_END | ROOT, words);
	for (size_t i = 0; i < 16; i++)
		ptah_bytes_put32le(block + 4 * i, words[i]);
	memcpy(out, block, out_len);
	explicit_bzero(chain, sizeof(chain));
	explicit_bzero(words, sizeof(words));
	explicit_bzero(block, sizeof(block));
}

void
ptah_blake3(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	hash(iv, 0, in, len, out, out_len);
}

void
ptah_blake3_derive_key(const char *context, const uint8_t *material, size_t len, uint8_t *out, size_t out_len)
{
	uint8_t bytes[4 * KEY_WORDS];
	uint32_t key[KEY_WORDS];

	hash(iv, DERIVE_KEY_CONTEXT, (const uint8_t *)context, strlen(context), bytes, sizeof(bytes));
	for (size_t i = 0; i < KEY_WORDS; i++)
		key[i] = ptah_bytes_get32le(bytes + 4 * i);
	hash(key, DERIVE_KEY_MATERIAL, material, len, out, out_len);
	explicit_bzero(key, sizeof(key));
}
