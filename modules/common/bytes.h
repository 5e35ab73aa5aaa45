/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * bytes.h: numbers out of bytes and back, whatever the alignment.
 */
#ifndef PTAH_COMMON_BYTES_H
#define PTAH_COMMON_BYTES_H

#include <stdint.h>

static inline uint32_t
ptah_bytes_get32le(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	    (uint32_t)at[3] << 24;
}

static inline uint64_t
ptah_bytes_get64le(const uint8_t *at)
{
	return (uint64_t)ptah_bytes_get32le(at + 4) << 32 | ptah_bytes_get32le(at);
}

static inline void
ptah_bytes_put32le(uint8_t *at, uint32_t x)
{
	at[0] = (uint8_t)x;
	at[1] = (uint8_t)(x >> 8);
	at[2] = (uint8_t)(x >> 16);
	at[3] = (uint8_t)(x >> 24);
}

static inline void
ptah_bytes_put64le(uint8_t *at, uint64_t x)
{
	ptah_bytes_put32le(at, (uint32_t)x);
	ptah_bytes_put32le(at + 4, (uint32_t)(x >> 32));
}

static inline void
ptah_bytes_put64be(uint8_t *at, uint64_t x)
{
	ptah_bytes_put64le(at, __builtin_bswap64(x));
}

static inline uint64_t
ptah_bytes_get64be(const uint8_t *at)
{
	return __builtin_bswap64(ptah_bytes_get64le(at));
}

static inline uint16_t
ptah_bytes_get16be(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void
ptah_bytes_put16be(uint8_t *at, uint16_t x)
{
	at[0] = (uint8_t)(x >> 8);
	at[1] = (uint8_t)x;
}

#endif
