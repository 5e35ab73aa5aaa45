/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base25519.h: points of edwards25519, multiples of its base point, points of
 * low order.
 *
 * Only what key pairs with representatives need.  Nothing branches or looks
 * up memory by a scalar or a point.
 */
#ifndef PTAH_COMMON_BASE25519_H
#define PTAH_COMMON_BASE25519_H

#include <stdint.h>

#include "field25519.h"

/** x = X/Z, y = Y/Z, xy = T/Z; all tight. */
struct ptah_ge {
	struct ptah_fe x, y, z, t;
};

/** A point that is added again and again: y + x, y - x, z, 2dt. */
struct ptah_ge_addend {
	struct ptah_fe plus, minus, z, t2d;
};

/** 'scalar' times the base point; it is below 2^255 and even. */
void ptah_ge_base(struct ptah_ge *out, const uint8_t scalar[32]);
/** Add the point of low order of that index, 0 .. 7. */
void ptah_ge_add_low_order(struct ptah_ge *out, const struct ptah_ge *a, uint8_t index);
void ptah_ge_prepare(struct ptah_ge_addend *out, const struct ptah_ge *a);
/** Add b, or take it away where 'negative' is all ones. */
void ptah_ge_add(struct ptah_ge *out, const struct ptah_ge *a, const struct ptah_ge_addend *b,
    uint64_t negative);

#endif
