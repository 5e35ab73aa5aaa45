/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/copier.h"

#include <string.h>

/* Never as many bytes as the other side's unit. */
#define PIECE 977u

static int
copier_open(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_OPEN;
}

static int
copy(struct ptah_side *from, struct ptah_side *to)
{
	size_t n = from->in.len < PIECE ? from->in.len : PIECE;

	if (n > to->out.len)
		n = to->out.len;
	if (n > 0)
		memcpy(to->out.at, from->in.at, n);
	from->eaten = to->made = n;
	return PTAH_GO;
}

static int
copier_wrap(void *link, struct ptah_io *io)
{
	(void)link;
	io->flush = io->plain.in.len % 2 == 1;
	return copy(&io->plain, &io->wire);
}

static int
copier_unwrap(void *link, struct ptah_io *io)
{
	(void)link;
	return copy(&io->wire, &io->plain);
}

const struct ptah_module ptah_copier = {
	.head = PTAH_HEAD(0),
	.name = "copier",
	.version = "1",
	.summary = "copies",
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE | PTAH_NAMED_ONLY,
	.open = copier_open,
	.wrap = copier_wrap,
	.unwrap = copier_unwrap,
};
