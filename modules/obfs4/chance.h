/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * obfs4/chance.h: where random bytes come from, so that a test can say which.
 */
#ifndef PTAH_OBFS4_CHANCE_H
#define PTAH_OBFS4_CHANCE_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/host.h>

/** Fills 'out'; the host's own service has this shape. */
typedef void obfs4_random_fn(struct ptah_self *self, void *out, size_t len);

struct obfs4_chance {
	obfs4_random_fn *random;
	struct ptah_self *self;
};

static inline void
obfs4_chance_bytes(const struct obfs4_chance *chance, void *out, size_t len)
{
	chance->random(chance->self, out, len);
}

/** Uniform in 0 .. n-1, n at least 1. */
static inline uint32_t
obfs4_chance_below(const struct obfs4_chance *chance, uint32_t n)
{
	uint32_t least = -n % n, got;

	do {
		obfs4_chance_bytes(chance, &got, sizeof(got));
	} while (got < least);
	return got % n;
}

#endif
