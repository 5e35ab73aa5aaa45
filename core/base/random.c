/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/log.h"

void
ptah_random_bytes(void *out, size_t len)
{
	uint8_t *at = out;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n == -1 && errno == EINTR)
			continue;
		ptah_assert(n > 0);
		at += n;
		len -= (size_t)n;
	}
}

uint64_t
ptah_random_below(uint64_t below)
{
	uint64_t odd, got;

	ptah_assert(below > 0);
	/* 2^64 mod 'below': the numbers that would make some answers likelier. */
	odd = -below % below;
	do
		ptah_random_bytes(&got, sizeof(got));
	while (got < odd);
	return got % below;
}
