/* SPDX-License-Identifier: BSD-3-Clause */
/* failopen: every link fails as it opens. */
#include <errno.h>

#include <ptah/module.h>

static int
failopen_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	io->reason = "failopen always fails";
	return -EBADMSG;
}

PTAH_MODULE(failopen) = {
	.head = PTAH_HEAD(0),
	.name = "failopen",
	.version = "1",
	.summary = "for tests: its links fail as they open",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_NAMED_ONLY,
	.open = failopen_open,
};
