/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * fuzz/target.h: what each fuzz target needs.
 */
#ifndef PTAH_FUZZ_TARGET_H
#define PTAH_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/** What libFuzzer calls, and replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/** Else it has found something. */
static inline void
expect(int truth)
{
	if (!truth)
		abort();
}

#endif
