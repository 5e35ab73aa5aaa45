/* SPDX-License-Identifier: BSD-3-Clause */
/* wrongabi: built for an ABI that is not this one. */
#include <ptah/module.h>

static int
wrongabi_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_PASS;
}

PTAH_MODULE(wrongabi) = {
	.head = { PTAH_ABI_MAGIC, PTAH_ABI_MAJOR + 1, 0, 0, 0, sizeof(struct ptah_module), sizeof(struct ptah_option) },
	.name = "wrongabi",
	.version = "1",
	.summary = "for tests: built for an ABI that is not this one",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.open = wrongabi_open,
};
