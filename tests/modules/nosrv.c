/* SPDX-License-Identifier: BSD-3-Clause */
/* nosrv: a transport that has no server half. */
#include <ptah/module.h>

static int
nosrv_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_PASS;
}

PTAH_MODULE(nosrv) = {
	.head = PTAH_HEAD(0),
	.name = "nosrv",
	.version = "1",
	.summary = "for tests: identity, client only",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_NAMED_ONLY,
	.open = nosrv_open,
};
