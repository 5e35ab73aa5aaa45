/* SPDX-License-Identifier: BSD-3-Clause */
/* wrongname: its descriptor has another name than its file. */
#include <ptah/module.h>

static int
wrongname_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_PASS;
}

PTAH_MODULE(wrongname) = {
	.head = PTAH_HEAD(0),
	.name = "othername",
	.version = "1",
	.summary = "for tests: its descriptor has another name than its file",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.open = wrongname_open,
};
