/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/code.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[256];

	(void)ptah_code_check(data, size, why, sizeof(why));
	return 0;
}
