/* SPDX-License-Identifier: BSD-3-Clause */
#include "epoch.h"

#define SECONDS_PER_HOUR 3600

uint64_t
ptah_epoch_hour(int64_t unix_seconds)
{
	return unix_seconds < 0 ? 0 : (uint64_t)unix_seconds / SECONDS_PER_HOUR;
}

size_t
ptah_epoch_text(char text[PTAH_EPOCH_MAX], uint64_t hour)
{
	char digits[PTAH_EPOCH_MAX];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + hour % 10);
		hour /= 10;
	} while (hour != 0);
	for (size_t i = 0; i < n; i++)
		text[i] = digits[n - 1 - i];
	return n;
}
