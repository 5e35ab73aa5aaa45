/* SPDX-License-Identifier: BSD-3-Clause */
/* stuck: opens, and then takes nothing and makes nothing, whatever there is. */
#include <ptah/module.h>

static int
stuck_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_OPEN;
}

static int
stuck_step(void *link, struct ptah_io *io)
{
	(void)link;
	(void)io;
	return PTAH_GO;
}

PTAH_MODULE(stuck) = {
	.head = PTAH_HEAD(0),
	.name = "stuck",
	.version = "1",
	.summary = "for tests: its steps never get anywhere",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.open = stuck_open,
	.wrap = stuck_step,
	.unwrap = stuck_step,
};
