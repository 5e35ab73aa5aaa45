/* SPDX-License-Identifier: BSD-3-Clause */
/* nodialer: a transport that says it opens sockets of its own, so no upstream proxy will do. */
#include <ptah/module.h>

static int
nodialer_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_PASS;
}

PTAH_MODULE(nodialer) = {
	.head = PTAH_HEAD(0),
	.name = "nodialer",
	.version = "1",
	.summary = "for tests: identity that cannot go through an upstream proxy",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_OWN_SOCKETS |
	    PTAH_NAMED_ONLY,
	.open = nodialer_open,
};
