/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The map is that of Elligator 2 with the non-square 2, on Montgomery's form
 * v^2 = u^3 + A*u^2 + u.  Both ways take one power: where one is wanted of x and
 * the inverse of y, the power of x*y^2 gives both.
 */
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base25519.h"
#include "elligator2.h"

#define A 486662
#define LOW_ORDER_BITS 7
#define TOP_BITS 0xc0

/* How often a batch goes on from a secret that had no representative. */
#define STEPS 7


/* A way from one candidate to the next: a secret number and its point. */
struct step {
	uint8_t scalar[PTAH_ELL2_LEN]; /* a multiple of 8 below 2^250 */
	struct ptah_ge_addend point;
};

/* x^((p-5)/8), and what it says of x. */
struct root {
	struct ptah_fe power;
	struct ptah_fe quarter;  /* x * power^2: a fourth root of 1, or 0 */
	uint64_t plus, minus; /* all ones where that is 1, or -1 */
};

static void
take_root(struct root *root, struct ptah_fe x)
{
	root->power = ptah_fe_power_p58(x);
	root->quarter = ptah_fe_mul(x, ptah_fe_square(root->power));
	root->plus = ptah_fe_equal(root->quarter, ptah_fe_one);
	root->minus = ptah_fe_equal(root->quarter, ptah_fe_negate(ptah_fe_one));
}

/* 1/x, of any x but 0: power^2 = quarter / x, and quarter^4 = 1. */
static struct ptah_fe
root_inverse(const struct root *root)
{
	struct ptah_fe cube = ptah_fe_mul(root->quarter, ptah_fe_square(root->quarter));

	return ptah_fe_mul(ptah_fe_square(root->power), cube);
}

/* 1 / sqrt(x), where x is a square. */
static struct ptah_fe
root_inverse_root(const struct root *root)
{
	return ptah_fe_choose(root->minus,
	    ptah_fe_mul(root->power, ptah_fe_root_of_minus_one), root->power);
}

/*
 * Write the pair's public key and, if there is one, its representative.  With
 * u = N/D of the point:
 *
 *	-2u(u + A) = m / D^2 where m = -2N(N + AD)
 *
 * must be a square s^-2.  Then r = s*u or s*(u + A), and 1/sqrt(m * D^2) =: w
 * gives s*u = w*D*N.  The inverse of m * D^2 times m * D is 1/D.
 */
static int
encode(struct ptah_ell2 *pair, const struct ptah_ge *point, uint8_t tweak)
{
	struct ptah_fe n = ptah_fe_add(point->z, point->y);
	struct ptah_fe d = ptah_fe_carry(ptah_fe_sub(point->z, point->y));
	struct ptah_fe n_ad = ptah_fe_add(n, ptah_fe_mul_small(d, A));
	struct ptah_fe product = ptah_fe_mul(n, n_ad);
	struct ptah_fe m = ptah_fe_negate(ptah_fe_add(product, product));
	struct ptah_fe md = ptah_fe_mul(m, d);
	struct root root;
	struct ptah_fe r;

	take_root(&root, ptah_fe_mul(md, d));
	ptah_fe_put(pair->public, ptah_fe_mul(n, ptah_fe_mul(root_inverse(&root), md)));

	r = ptah_fe_choose(ptah_fe_mask_of(tweak), n_ad, n);
	r = ptah_fe_mul(ptah_fe_mul(root_inverse_root(&root), d), r);
	/* The least root: 2r, reduced, is even. */
	r = ptah_fe_choose(ptah_fe_is_odd(ptah_fe_add(r, r)), ptah_fe_negate(r), r);
	ptah_fe_put(pair->repr, r);
	pair->repr[PTAH_ELL2_LEN - 1] |= tweak & TOP_BITS;

	int rc = ((root.plus | root.minus) & 1) != 0 ? 0 : -EAGAIN;
	if (rc != 0)
		memset(pair->repr, 0, sizeof(pair->repr));
	explicit_bzero(&root, sizeof(root));
	return rc;
}

static void
clamp(uint8_t out[PTAH_ELL2_LEN], const uint8_t secret[PTAH_ELL2_LEN])
{
	memcpy(out, secret, PTAH_ELL2_LEN);
	out[0] &= 0xff ^ LOW_ORDER_BITS;
	out[PTAH_ELL2_LEN - 1] &= 0x7f;
	out[PTAH_ELL2_LEN - 1] |= 0x40;
}

static int
encode_dirty(struct ptah_ell2 *pair, const struct ptah_ge *clean, uint8_t tweak)
{
	struct ptah_ge dirty;
	int rc;

	ptah_ge_add_low_order(&dirty, clean, pair->secret[0] & LOW_ORDER_BITS);
	rc = encode(pair, &dirty, tweak);
	explicit_bzero(&dirty, sizeof(dirty));
	return rc;
}

static void
multiply_base(struct ptah_ge *out, const uint8_t secret[PTAH_ELL2_LEN])
{
	uint8_t scalar[PTAH_ELL2_LEN];

	clamp(scalar, secret);
	ptah_ge_base(out, scalar);
	explicit_bzero(scalar, sizeof(scalar));
}

int
ptah_ell2_from_secret(struct ptah_ell2 *pair, const uint8_t secret[PTAH_ELL2_LEN],
    uint8_t tweak)
{
	struct ptah_ge clean;
	int rc;

	memmove(pair->secret, secret, PTAH_ELL2_LEN);
	multiply_base(&clean, pair->secret);
	rc = encode_dirty(pair, &clean, tweak);
	explicit_bzero(&clean, sizeof(clean));
	return rc;
}

/* a + b, or a - b where 'negative' is all ones, without the last carry. */
static void
add_scalars(uint8_t a[PTAH_ELL2_LEN], const uint8_t b[PTAH_ELL2_LEN], uint64_t negative)
{
	uint64_t carry = negative & 1;

	for (int i = 0; i < PTAH_ELL2_LEN; i += 8) {
		uint64_t add = ptah_bytes_get64le(b + i) ^ negative;
		uint64_t part = ptah_bytes_get64le(a + i) + carry;

		carry = part < carry;
		part += add;
		carry += part < add;
		ptah_bytes_put64le(a + i, part);
	}
}

static void
draw_step(struct step *step)
{
	struct ptah_ge point;

	randombytes_buf(step->scalar, sizeof(step->scalar));
	step->scalar[0] &= 0xff ^ LOW_ORDER_BITS;
	step->scalar[PTAH_ELL2_LEN - 1] &= 0x03;
	ptah_ge_base(&point, step->scalar);
	ptah_ge_prepare(&step->point, &point);
	explicit_bzero(&point, sizeof(point));
}

/*
 * Make one pair, going on from a secret without representative by 'step',
 * which is an addition of points instead of a product.
 *
 * The step must be secret, and no two batches may share one: of a key that
 * came by a step from one that has no representative, whoever knows the step
 * can tell just that, and a random string would show it less often.
 *
 * Bit 253 of the first secret says whether to add or to subtract: then all
 * secrets of the walk stay within 2^254 .. 2^255, where clamping changes nothing.
 */
static int
walk(struct ptah_ell2 *pair, const struct step *step)
{
	/* In one piece: each asking is a system call. */
	struct {
		uint8_t secret[PTAH_ELL2_LEN], tweak[1 + STEPS], low_order[STEPS];
	} drawn;
	struct ptah_ge clean;
	uint64_t negative;
	int rc;

	randombytes_buf(&drawn, sizeof(drawn));
	memcpy(pair->secret, drawn.secret, sizeof(pair->secret));
	multiply_base(&clean, pair->secret);
	rc = encode_dirty(pair, &clean, drawn.tweak[0]);
	if (step != NULL && rc != 0) {
		clamp(pair->secret, pair->secret);
		negative = ptah_fe_mask_of(pair->secret[PTAH_ELL2_LEN - 1] >> 5);
		for (size_t i = 0; i < STEPS && rc != 0; i++) {
			pair->secret[0] &= 0xff ^ LOW_ORDER_BITS;
			add_scalars(pair->secret, step->scalar, negative);
			ptah_ge_add(&clean, &clean, &step->point, negative);
			pair->secret[0] |= drawn.low_order[i] & LOW_ORDER_BITS;
			rc = encode_dirty(pair, &clean, drawn.tweak[1 + i]);
		}
	}
	explicit_bzero(&clean, sizeof(clean));
	explicit_bzero(&drawn, sizeof(drawn));
	return rc;
}

void
ptah_ell2_make(struct ptah_ell2 *pairs, size_t n)
{
	struct step step;

	/* For one pair a step costs as much as it saves. */
	if (n > 1)
		draw_step(&step);
	for (size_t i = 0; i < n; i++)
		while (walk(&pairs[i], n > 1 ? &step : NULL) != 0)
			;
	explicit_bzero(&step, sizeof(step));
}

void
ptah_ell2_clear(struct ptah_ell2 *pair)
{
	explicit_bzero(pair, sizeof(*pair));
}

/*
 * w = -A/D where D = 1 + 2r^2, and e = w^3 + A*w^2 + w.  Then e * D^4 =
 * -A * D * (A^2 - A^2 * D + D^2) =: f has the inverse that gives 1/D too.
 */
void
ptah_ell2_decode(uint8_t public[PTAH_ELL2_LEN], const uint8_t repr[PTAH_ELL2_LEN])
{
	static const struct ptah_fe a = { { A } };
	static const struct ptah_fe a_square = { { (uint64_t)A * A } };
	uint8_t masked[PTAH_ELL2_LEN];
	struct root root;

	memcpy(masked, repr, sizeof(masked));
	masked[PTAH_ELL2_LEN - 1] &= 0xff ^ TOP_BITS;
	struct ptah_fe rr = ptah_fe_square(ptah_fe_get(masked));
	struct ptah_fe d = ptah_fe_carry(ptah_fe_add(ptah_fe_one, ptah_fe_add(rr, rr)));
	struct ptah_fe g = ptah_fe_add(ptah_fe_square(d), a_square);
	g = ptah_fe_carry(ptah_fe_sub(g, ptah_fe_mul(d, a_square)));
	struct ptah_fe minus_ag = ptah_fe_negate(ptah_fe_mul_small(g, A));

	take_root(&root, ptah_fe_mul(minus_ag, d));
	struct ptah_fe inverse_d = ptah_fe_mul(root_inverse(&root), minus_ag);
	struct ptah_fe w = ptah_fe_negate(ptah_fe_mul_small(inverse_d, A));
	struct ptah_fe other = ptah_fe_negate(ptah_fe_add(w, a));

	ptah_fe_put(public, ptah_fe_choose(root.plus | root.minus, w, other));
}
