/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * x25519two.h: X25519, two products at once.
 *
 * A key exchange of ntor needs two, and a vector unit that multiplies 52 bits
 * by 52 makes both in a quarter of the time that one after the other takes.
 * Where there is none the library makes them, and is the reference.
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_COMMON_X25519TWO_H
#define PTAH_COMMON_X25519TWO_H

#include <stdint.h>

#define PTAH_X25519_LEN 32

/** What goes into a product; a scalar need not be clamped, and the point's top bit is passed over. */
struct ptah_x25519_job {
	uint8_t scalar[PTAH_X25519_LEN];
	uint8_t point[PTAH_X25519_LEN];
};

/** Write both products.  If one of them is zero, so may the other be. */
typedef void ptah_x25519_fn(uint8_t out[2][PTAH_X25519_LEN], const struct ptah_x25519_job jobs[2]);

struct ptah_x25519 {
	const char *name;
	ptah_x25519_fn *two;
};

/** The code of that name, or with NULL the best that this CPU has; NULL if it has it not. */
const struct ptah_x25519 *ptah_x25519_find(const char *name);

/** Write both products.  -EBADMSG if one of them is zero. */
int ptah_x25519_two(uint8_t out[2][PTAH_X25519_LEN], const struct ptah_x25519_job jobs[2]);

/* Only where the compiler can make it, and ptah_x25519_has_ifma() says that the CPU has it. */
extern ptah_x25519_fn ptah_x25519_ifma;
int ptah_x25519_has_ifma(void);

#endif
