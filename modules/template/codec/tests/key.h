/* SPDX-License-Identifier: BSD-3-Clause */
/* key.h: the one option of the transport; change it as yours do. */
#ifndef SKETCH_TESTS_KEY_H
#define SKETCH_TESTS_KEY_H

#include "host.h"

static inline void
open_with_key(struct fake *fake, uint32_t role, uint8_t key, uint64_t seed)
{
	static uint8_t keys[256][16];

	fake_new(fake, seed);
	memset(keys[key], key, sizeof(keys[key]));
	*(struct ptah_span *)must_option(fake->conf, fake->args, "key", PTAH_HEX) =
	    (struct ptah_span){ keys[key], sizeof(keys[key]) };
	fake_open(fake, role);
}

#endif
