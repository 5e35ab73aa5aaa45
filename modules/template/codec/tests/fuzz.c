/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz: what a link hears, from its first byte.  The first byte of the input
 * says which role it plays, the second how the rest is cut.  However it is
 * cut, the link ends alike and delivers the same.
 */
#include "key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hear(struct fake *fake, const uint8_t *data, size_t size, size_t piece)
{
	open_with_key(fake, data[0] % 2 ? PTAH_CLIENT : PTAH_SERVER, 7, 2);
	fake_hear(fake, &fake->wire, data + 2, size - 2, piece);
	if (fake->rc == 0)
		fake_end(fake, &fake->wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake whole, cut;

	if (size < 2)
		return 0;
	hear(&whole, data, size, 0);
	hear(&cut, data, size, 1 + (size_t)data[1]);
	MUST(whole.open == cut.open && whole.rc == cut.rc && whole.plain.out.len == cut.plain.out.len);
	MUST(whole.plain.out.len == 0 || memcmp(whole.plain.out.at, cut.plain.out.at, cut.plain.out.len) == 0);
	fake_close(&whole);
	fake_close(&cut);
	return 0;
}
