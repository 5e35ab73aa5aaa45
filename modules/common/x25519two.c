/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <sodium.h>

#include "x25519two.h"

/* It says no to a zero, which ptah_x25519_two() sees for itself. */
static void
two_by_libsodium(uint8_t out[2][PTAH_X25519_LEN], const struct ptah_x25519_job jobs[2])
{
	for (size_t i = 0; i < 2; i++)
		if (crypto_scalarmult_curve25519(out[i], jobs[i].scalar, jobs[i].point) != 0)
			memset(out[i], 0, PTAH_X25519_LEN);
}

static const struct ptah_x25519 codes[] = {
	{ "libsodium", two_by_libsodium },
#if defined(__x86_64__)
	{ "ifma", ptah_x25519_ifma },
#endif
};

const struct ptah_x25519 *
ptah_x25519_find(const char *name)
{
	const struct ptah_x25519 *found = NULL;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if ((codes[i].two == two_by_libsodium || ptah_x25519_has_ifma()) &&
		    (name == NULL || strcmp(name, codes[i].name) == 0))
			found = &codes[i];
	return found;
}

int
ptah_x25519_two(uint8_t out[2][PTAH_X25519_LEN], const struct ptah_x25519_job jobs[2])
{
	ptah_x25519_find(NULL)->two(out, jobs);
	return (sodium_is_zero(out[0], PTAH_X25519_LEN) | sodium_is_zero(out[1], PTAH_X25519_LEN)) == 0 ? 0 : -EBADMSG;
}
