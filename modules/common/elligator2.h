/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * elligator2.h: public keys of Curve25519 that look like random strings.
 *
 * A representative is 32 bytes that nobody can tell from noise and that stand
 * for a public key.  Only half of all public keys have one, and only those
 * outside the prime-order subgroup are spread as noise is: so the keys made
 * here are "dirty", a clean key plus a point of low order, and good for X25519
 * and nothing else.
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_COMMON_ELLIGATOR2_H
#define PTAH_COMMON_ELLIGATOR2_H

#include <stddef.h>
#include <stdint.h>

#define PTAH_ELL2_LEN 32

/** A key pair for one handshake; wipe it with ptah_ell2_clear(). */
struct ptah_ell2 {
	uint8_t secret[PTAH_ELL2_LEN]; /* not clamped; X25519 does that */
	uint8_t public[PTAH_ELL2_LEN]; /* what ptah_ell2_decode() makes of 'repr' */
	uint8_t repr[PTAH_ELL2_LEN];   /* what goes over the wire */
};

/**
 * Make 'n' fresh pairs.  Several at once are cheaper than one by one.  How
 * long it takes depends on how many candidates had no representative: make
 * them ahead of need, where no peer can time it.
 */
void ptah_ell2_make(struct ptah_ell2 *pairs, size_t n);

/**
 * Make the one pair that belongs to a secret: the low three bits of its first
 * byte choose the point of low order, bit 0 of 'tweak' the root, bits 6 and 7
 * the two top bits of the representative.
 * Fails: -EAGAIN if it has no representative; 'public' is filled all the same.
 */
int ptah_ell2_from_secret(struct ptah_ell2 *pair, const uint8_t secret[PTAH_ELL2_LEN],
    uint8_t tweak);

/** Wipe a pair. */
void ptah_ell2_clear(struct ptah_ell2 *pair);

/** Turn a representative, any 32 bytes, into its public key.  It cannot fail. */
void ptah_ell2_decode(uint8_t public[PTAH_ELL2_LEN], const uint8_t repr[PTAH_ELL2_LEN]);

#endif
