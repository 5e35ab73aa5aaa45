/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Key pairs with representatives: the vectors, the arithmetic below them
 * against libcrypto's big numbers, and what a watcher could count.  A bound
 * below is missed by chance less often than once in a million runs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <sodium.h>

#include "base25519.h"
#include "elligator2.h"
#include "field25519.h"
#include "vectors.h"

#define LEN PTAH_ELL2_LEN

/* --- big numbers ------------------------------------------------------- */

static BN_CTX *ctx;
static BIGNUM *p;

static int
numbers_open(void **state)
{
	(void)state;
	ctx = BN_CTX_new();
	p = BN_new();
	if (sodium_init() < 0 || ctx == NULL || p == NULL)
		return -1;
	return BN_set_bit(p, 255) == 1 && BN_sub_word(p, 19) == 1 ? 0 : -1;
}

static int
numbers_close(void **state)
{
	(void)state;
	BN_free(p);
	BN_CTX_free(ctx);
	return 0;
}

static BIGNUM *
number(const uint8_t at[LEN])
{
	BIGNUM *n = BN_lebin2bn(at, LEN, NULL);

	assert_non_null(n);
	return n;
}

static void
number_put(uint8_t out[LEN], const BIGNUM *n)
{
	assert_int_equal(BN_bn2lebinpad(n, out, LEN), LEN);
}

/* Numbers around each limit, then random ones. */
static void
sample(uint8_t out[LEN], unsigned i)
{
	static const int powers[] = { 0, 51, 102, 153, 204, 254, 255 };
	BIGNUM *n = BN_new();

	randombytes_buf(out, LEN);
	if (i < 7 * 41) {
		BN_zero(n);
		BN_set_bit(n, powers[i / 41]);
		if (i % 41 < 20) {
			BN_add_word(n, i % 41);
		} else {
			BN_sub_word(n, i % 41 - 20);
			if (BN_is_negative(n))
				BN_zero(n);
		}
		number_put(out, n);
	}
	BN_free(n);
	out[LEN - 1] &= 0x7f;
}

static void
computes_as_big_numbers_do(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t a_bytes[LEN], b_bytes[LEN], got[LEN], want[LEN];
		BIGNUM *r = BN_new(), *exponent = BN_new();

		sample(a_bytes, i);
		sample(b_bytes, i % 7 == 0 ? i : 2000);
		BIGNUM *a = number(a_bytes), *b = number(b_bytes);
		struct ptah_fe x = ptah_fe_get(a_bytes), y = ptah_fe_get(b_bytes);
		/* Loose ones too: the largest limbs that a product may see. */
		struct ptah_fe sum = ptah_fe_add(x, y), loose = ptah_fe_sub(sum, sum);

		BN_nnmod(r, a, p, ctx);
		number_put(want, r);
		ptah_fe_put(got, x);
		assert_memory_equal(got, want, LEN);
		BN_mod_mul(r, a, b, p, ctx);
		number_put(want, r);
		ptah_fe_put(got, ptah_fe_mul(x, y));
		assert_memory_equal(got, want, LEN);
		ptah_fe_put(got, ptah_fe_mul(ptah_fe_add(loose, x), ptah_fe_sub(y, sum)));
		BN_mod_sqr(r, a, p, ctx);
		BN_mod_sub(r, p, r, p, ctx);
		number_put(want, r);
		assert_memory_equal(got, want, LEN);
		BN_mod_sqr(r, a, p, ctx);
		number_put(want, r);
		ptah_fe_put(got, ptah_fe_square(x));
		assert_memory_equal(got, want, LEN);
		ptah_fe_put(got, ptah_fe_square(ptah_fe_add(loose, x)));
		assert_memory_equal(got, want, LEN);
		BN_mod_add(r, a, b, p, ctx);
		number_put(want, r);
		ptah_fe_put(got, sum);
		assert_memory_equal(got, want, LEN);
		BN_mod_sub(r, a, b, p, ctx);
		number_put(want, r);
		ptah_fe_put(got, ptah_fe_sub(x, y));
		assert_memory_equal(got, want, LEN);
		assert_true(ptah_fe_equal(ptah_fe_sub(x, y), ptah_fe_zero) == (BN_is_zero(r) ? UINT64_MAX : 0));
		assert_true(ptah_fe_is_odd(ptah_fe_sub(x, y)) == (BN_is_odd(r) ? UINT64_MAX : 0));
		BN_mod_sub(r, b, b, p, ctx);
		BN_mod_sub(r, r, a, p, ctx);
		number_put(want, r);
		ptah_fe_put(got, ptah_fe_negate(x));
		assert_memory_equal(got, want, LEN);
		BN_copy(r, a);
		BN_mul_word(r, 486662);
		BN_nnmod(r, r, p, ctx);
		number_put(want, r);
		ptah_fe_put(got, ptah_fe_mul_small(x, 486662));
		assert_memory_equal(got, want, LEN);
		if (i % 20 == 0) {
			BN_set_bit(exponent, 252);
			BN_sub_word(exponent, 3);
			BN_mod_exp(r, a, exponent, p, ctx);
			number_put(want, r);
			ptah_fe_put(got, ptah_fe_power_p58(x));
			assert_memory_equal(got, want, LEN);
		}
		BN_free(a);
		BN_free(b);
		BN_free(r);
		BN_free(exponent);
	}
}

/* y = Y/Z, as libsodium encodes it but for the sign. */
static void
height(uint8_t out[LEN], const struct ptah_ge *point)
{
	uint8_t y[LEN], z[LEN];
	BIGNUM *r = BN_new();

	ptah_fe_put(y, point->y);
	ptah_fe_put(z, point->z);
	BIGNUM *a = number(y), *b = number(z);
	assert_non_null(BN_mod_inverse(b, b, p, ctx));
	BN_mod_mul(r, a, b, p, ctx);
	number_put(out, r);
	BN_free(a);
	BN_free(b);
	BN_free(r);
}

static void
multiplies_the_base_point_as_libsodium_does(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		uint8_t scalar[LEN], got[LEN], want[LEN];
		struct ptah_ge point;

		randombytes_buf(scalar, sizeof(scalar));
		if (i < 2)
			memset(scalar, i == 0 ? 0 : 0xff, sizeof(scalar));
		scalar[0] &= 0xf8;
		scalar[LEN - 1] &= 0x7f;
		if (i % 2 == 0)
			scalar[LEN - 1] &= (uint8_t)(0xff >> i % 8);
		ptah_ge_base(&point, scalar);
		height(got, &point);
		if (i == 0)
			want[0] = 1, memset(want + 1, 0, LEN - 1);
		else
			assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(want, scalar), 0);
		want[LEN - 1] &= 0x7f;
		assert_memory_equal(got, want, LEN);
		/* T = XY/Z, or the next addition goes wrong. */
		assert_true(ptah_fe_equal(ptah_fe_mul(point.t, point.z), ptah_fe_mul(point.x, point.y)) != 0);
	}
}

static void
adds_points_as_scalars_add(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		uint8_t a[LEN], b[LEN], sum[LEN], got[LEN], want[LEN];
		struct ptah_ge pa, pb;
		struct ptah_ge_addend addend;

		randombytes_buf(a, sizeof(a));
		randombytes_buf(b, sizeof(b));
		a[0] &= 0xfe;
		b[0] &= 0xfe;
		a[LEN - 1] &= 0x0f;
		b[LEN - 1] &= 0x0f;
		if (i == 0)
			memcpy(b, a, sizeof(b)); /* the sum is a doubling */
		ptah_ge_base(&pa, a);
		ptah_ge_base(&pb, b);
		ptah_ge_prepare(&addend, &pb);
		ptah_ge_add(&pb, &pa, &addend, i % 2 == 0 ? 0 : UINT64_MAX);
		height(got, &pb);
		if (i % 2 == 0)
			crypto_core_ed25519_scalar_add(sum, a, b);
		else
			crypto_core_ed25519_scalar_sub(sum, a, b);
		assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(want, sum), 0);
		want[LEN - 1] &= 0x7f;
		assert_memory_equal(got, want, LEN);
	}
}

/* --- vectors ----------------------------------------------------------- */

/* OBFS-023 */
static void
decodes_the_vectors(void **state)
{
	struct ptah_json *file = vectors_load("elligator2.json");
	const struct ptah_json *forward = vectors_list(file, "forward");

	(void)state;
	for (size_t i = 0; i < forward->n; i++) {
		uint8_t repr[LEN], want[LEN], got[LEN];

		vectors_exact(forward->items[i], "input", repr, LEN);
		vectors_exact(forward->items[i], "public_u", want, LEN);
		ptah_ell2_decode(got, repr);
		assert_memory_equal(got, want, LEN);
	}
	ptah_json_free(file);
}

/* OBFS-023 */
static void
makes_the_pairs_of_the_vectors(void **state)
{
	struct ptah_json *file = vectors_load("elligator2.json");
	const struct ptah_json *inverse = vectors_list(file, "inverse");
	size_t n_without = 0;

	(void)state;
	for (size_t i = 0; i < inverse->n; i++) {
		const struct ptah_json *vector = inverse->items[i];
		bool representable = vectors_get(vector, "representable")->truth;
		uint8_t secret[LEN], want[LEN], got[LEN];
		struct ptah_ell2 pair;

		vectors_exact(vector, "private", secret, LEN);
		assert_int_equal(
		    ptah_ell2_from_secret(&pair, secret, (uint8_t)vectors_number(vector, "tweak")),
		    representable ? 0 : -EAGAIN);
		assert_memory_equal(pair.secret, secret, LEN);
		vectors_exact(vector, "dirty_u", want, LEN);
		assert_memory_equal(pair.public, want, LEN);
		if (representable) {
			vectors_exact(vector, "representative", want, LEN);
			assert_memory_equal(pair.repr, want, LEN);
			vectors_exact(vector, "decoded_public", want, LEN);
			ptah_ell2_decode(got, pair.repr);
			assert_memory_equal(got, want, LEN);
			assert_memory_equal(got, pair.public, LEN);
		} else {
			n_without++;
			assert_true(sodium_is_zero(pair.repr, LEN));
		}
		ptah_ell2_clear(&pair);
		assert_true(sodium_is_zero((const uint8_t *)&pair, sizeof(pair)));
	}
	assert_true(n_without > 0 && n_without < inverse->n);
	ptah_json_free(file);
}

/* r of any kind, decoded by the textbook with big numbers. */
static void
decodes_as_big_numbers_do(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 700; i++) {
		uint8_t repr[LEN], want[LEN], got[LEN];
		BIGNUM *w = BN_new(), *e = BN_new(), *half = BN_new(), *a = BN_new();

		sample(repr, i);
		repr[LEN - 1] |= (uint8_t)(i & 1) << 7;
		ptah_ell2_decode(got, repr);
		repr[LEN - 1] &= 0x3f;
		BIGNUM *r = number(repr);
		BN_set_word(a, 486662);
		BN_mod_sqr(w, r, p, ctx);
		BN_mod_lshift1(w, w, p, ctx);
		BN_add_word(w, 1);
		assert_non_null(BN_mod_inverse(w, w, p, ctx));
		BN_mod_mul(w, w, a, p, ctx);
		BN_mod_sub(w, p, w, p, ctx); /* -A / (1 + 2r^2) */
		BN_mod_add(e, w, a, p, ctx);
		BN_mod_mul(e, e, w, p, ctx);
		BN_add_word(e, 1);
		BN_mod_mul(e, e, w, p, ctx); /* w^3 + Aw^2 + w */
		BN_rshift1(half, p);
		BN_mod_exp(e, e, half, p, ctx);
		if (!BN_is_one(e) && !BN_is_zero(e)) {
			BN_mod_add(w, w, a, p, ctx);
			BN_mod_sub(w, p, w, p, ctx);
		}
		number_put(want, w);
		assert_memory_equal(got, want, LEN);
		BN_free(r);
		BN_free(w);
		BN_free(e);
		BN_free(half);
		BN_free(a);
	}
}

/* --- what is made ------------------------------------------------------ */

#define N_PAIRS 8192
#define BATCH 16

static struct ptah_ell2 *
make_pairs(void)
{
	static struct ptah_ell2 *pairs;

	if (pairs == NULL) {
		pairs = calloc(N_PAIRS, sizeof(*pairs));
		assert_non_null(pairs);
		/* In batches and one by one. */
		for (size_t i = 0; i < N_PAIRS / 2; i += BATCH)
			ptah_ell2_make(pairs + i, BATCH);
		for (size_t i = N_PAIRS / 2; i < N_PAIRS; i++)
			ptah_ell2_make(pairs + i, 1);
	}
	return pairs;
}

/* However a batch came to a secret, its pair is the one that belongs to it. */
static void
makes_pairs_that_belong_to_their_secrets(void **state)
{
	struct ptah_ell2 *pairs = make_pairs();

	(void)state;
	for (size_t i = 0; i < N_PAIRS; i++) {
		uint8_t tweak = pairs[i].repr[LEN - 1] & 0xc0, got[LEN];
		struct ptah_ell2 again;

		ptah_ell2_decode(got, pairs[i].repr);
		assert_memory_equal(got, pairs[i].public, LEN);
		assert_int_equal(ptah_ell2_from_secret(&again, pairs[i].secret, tweak), 0);
		assert_memory_equal(again.public, pairs[i].public, LEN);
		if (memcmp(again.repr, pairs[i].repr, LEN) != 0) {
			assert_int_equal(ptah_ell2_from_secret(&again, pairs[i].secret, tweak | 1), 0);
			assert_memory_equal(again.repr, pairs[i].repr, LEN);
		}
	}
}

static void
makes_pairs_that_agree(void **state)
{
	struct ptah_ell2 *pairs = make_pairs();

	(void)state;
	for (size_t i = 0; i + 1 < 400; i += 2) {
		uint8_t one[LEN], other[LEN];

		assert_int_equal(crypto_scalarmult_curve25519(one, pairs[i].secret, pairs[i + 1].public), 0);
		assert_int_equal(crypto_scalarmult_curve25519(other, pairs[i + 1].secret, pairs[i].public), 0);
		assert_memory_equal(one, other, LEN);
	}
}

/* Within 'z' standard deviations of n * q. */
static void
assert_near(size_t count, size_t n, double q, double z)
{
	double apart = (double)count - (double)n * q;

	if (apart * apart > z * z * (double)n * q * (1 - q))
		fail_msg("%zu of %zu, expected a share of %f", count, n, q);
}

/*
 * Each of the 256 bits is 1 half the time, and so is its sum with the same bit of the
 * representative before and with the next bit.  768 questions: 6.3 deviations are missed
 * by chance with probability 768 * 3.0e-10.
 */
static void
shows_balanced_bits(void **state)
{
	struct ptah_ell2 *pairs = make_pairs();

	(void)state;
	for (size_t bit = 0; bit < 8 * LEN; bit++) {
		size_t next = (bit + 1) % (8 * LEN);
		size_t ones = 0, changes = 0, unlike = 0;

		for (size_t i = 0; i < N_PAIRS; i++) {
			int b = pairs[i].repr[bit / 8] >> bit % 8 & 1;

			ones += b;
			unlike += b ^ (pairs[i].repr[next / 8] >> next % 8 & 1);
			if (i > 0)
				changes += b ^ (pairs[i - 1].repr[bit / 8] >> bit % 8 & 1);
		}
		assert_near(ones, N_PAIRS, 0.5, 6.3);
		assert_near(unlike, N_PAIRS, 0.5, 6.3);
		assert_near(changes, N_PAIRS - 1, 0.5, 6.3);
	}
}

/*
 * Read as a number, a representative is no least root, and even above p, as
 * often as a random string is: its two top bits take all values alike.
 */
static void
shows_strings_that_are_no_canonical_numbers(void **state)
{
	struct ptah_ell2 *pairs = make_pairs();
	size_t counts[4] = { 0 }, above_p = 0;
	uint8_t half_p[LEN];
	BIGNUM *half = BN_new();

	(void)state;
	BN_rshift1(half, p);
	number_put(half_p, half);
	for (size_t i = 0; i < N_PAIRS; i++) {
		uint8_t low[LEN];

		counts[pairs[i].repr[LEN - 1] >> 6]++;
		BIGNUM *n = number(pairs[i].repr);
		above_p += BN_cmp(n, p) >= 0;
		BN_free(n);
		/* Without those two bits it is the least root. */
		memcpy(low, pairs[i].repr, LEN);
		low[LEN - 1] &= 0x3f;
		n = number(low);
		assert_true(BN_cmp(n, half) <= 0);
		BN_free(n);
	}
	for (size_t i = 0; i < 4; i++)
		assert_near(counts[i], N_PAIRS, 0.25, 6);
	assert_near(above_p, N_PAIRS, 0.5, 6);
	BN_free(half);
}

/* Which of its two preimages stands for a key is a coin's throw. */
static void
shows_both_classes_of_roots(void **state)
{
	struct ptah_ell2 *pairs = make_pairs();
	size_t with_bit = 0;

	(void)state;
	for (size_t i = 0; i < N_PAIRS; i++) {
		struct ptah_ell2 again;

		assert_int_equal(ptah_ell2_from_secret(&again, pairs[i].secret,
		    1 | (pairs[i].repr[LEN - 1] & 0xc0)), 0);
		with_bit += memcmp(again.repr, pairs[i].repr, LEN) == 0;
	}
	assert_near(with_bit, N_PAIRS, 0.5, 6);
}

/* Multiplied by the prime order, a decoded point is the identity one time in eight. */
static void
shows_points_in_and_out_of_the_subgroup(void **state)
{
	struct ptah_ell2 *pairs = make_pairs();
	size_t in_subgroup = 0, classes[8] = { 0 };

	(void)state;
	for (size_t i = 0; i < N_PAIRS; i += 2) {
		uint8_t u[LEN], y[LEN];

		/* y = (u - 1) / (u + 1); the sign of x changes no order. */
		ptah_ell2_decode(u, pairs[i].repr);
		BIGNUM *over = number(u), *under = number(u);
		BN_sub_word(over, 1);
		BN_add_word(under, 1);
		assert_non_null(BN_mod_inverse(under, under, p, ctx));
		BN_mod_mul(over, over, under, p, ctx);
		number_put(y, over);
		in_subgroup += crypto_core_ed25519_is_valid_point(y);
		classes[pairs[i].secret[0] & 7]++;
		BN_free(over);
		BN_free(under);
	}
	assert_near(in_subgroup, N_PAIRS / 2, 0.125, 6);
	for (size_t i = 0; i < 8; i++)
		assert_near(classes[i], N_PAIRS / 2, 0.125, 6);
	assert_int_equal(classes[0], in_subgroup);
}

static int
pairs_free(void **state)
{
	(void)state;
	free(make_pairs());
	return numbers_close(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computes_as_big_numbers_do),
		cmocka_unit_test(multiplies_the_base_point_as_libsodium_does),
		cmocka_unit_test(adds_points_as_scalars_add),
		cmocka_unit_test(decodes_the_vectors),
		cmocka_unit_test(decodes_as_big_numbers_do),
		cmocka_unit_test(makes_the_pairs_of_the_vectors),
		cmocka_unit_test(makes_pairs_that_belong_to_their_secrets),
		cmocka_unit_test(makes_pairs_that_agree),
		cmocka_unit_test(shows_balanced_bits),
		cmocka_unit_test(shows_strings_that_are_no_canonical_numbers),
		cmocka_unit_test(shows_both_classes_of_roots),
		cmocka_unit_test(shows_points_in_and_out_of_the_subgroup),
	};

	return cmocka_run_group_tests(tests, numbers_open, pairs_free);
}
