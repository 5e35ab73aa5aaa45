/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * chance.h: random bytes and fair draws from them, wherever they come from.
 */
#ifndef PTAH_COMMON_CHANCE_H
#define PTAH_COMMON_CHANCE_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/host.h>

/** Fills 'out'; the host's own service has this shape. */
typedef void ptah_random_fn(struct ptah_self *self, void *out, size_t len);

struct ptah_chance {
	ptah_random_fn *random;
	struct ptah_self *self;
};

static inline void
ptah_chance_bytes(const struct ptah_chance *chance, void *out, size_t len)
{
	chance->random(chance->self, out, len);
}

/** Uniform in 0 .. n-1, n at least 1. */
static inline uint32_t
ptah_chance_below(const struct ptah_chance *chance, uint32_t n)
{
	uint32_t least = -n % n, got;

	do {
		ptah_chance_bytes(chance, &got, sizeof(got));
	} while (got < least);
	return got % n;
}

#endif
