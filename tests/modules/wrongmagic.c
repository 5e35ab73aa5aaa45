/* SPDX-License-Identifier: BSD-3-Clause */
/* wrongmagic: has the symbol, but no descriptor of ours behind it. */
#include <ptah/module.h>

static int
wrongmagic_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_PASS;
}

PTAH_MODULE(wrongmagic) = {
	.head = { 0x12345678, PTAH_ABI_MAJOR, 0, 0, 0, sizeof(struct ptah_module), sizeof(struct ptah_option) },
	.name = "wrongmagic",
	.version = "1",
	.summary = "for tests: has the symbol, but no descriptor of ours behind it",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.open = wrongmagic_open,
};
