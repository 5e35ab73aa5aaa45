/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/unframer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
keep(struct ptah_unframer *unframer, struct ptah_span rest)
{
	uint8_t *tail = NULL;

	if (rest.len > 0 && unframer->tail != NULL) {
		/* It lies in the tail's own memory. */
		memmove(unframer->tail, rest.at, rest.len);
		unframer->tail_len = rest.len;
		return 0;
	}
	if (rest.len > 0) {
		tail = malloc(rest.len);
		if (tail == NULL)
			return -ENOMEM;
		memcpy(tail, rest.at, rest.len);
	}
	free(unframer->tail);
	unframer->tail = tail;
	unframer->tail_len = rest.len;
	return 0;
}

int
ptah_unframer_feed(struct ptah_unframer *unframer, int framing, struct ptah_span in, ptah_unframed_fn *fn, void *arg)
{
	struct ptah_span datagrams[PTAH_UNFRAMED_MOST];
	size_t len, n = 0;
	int rc;

	if (unframer->tail_len > 0) {
		uint8_t *more = realloc(unframer->tail, unframer->tail_len + in.len);

		if (more == NULL)
			return -ENOMEM;
		memcpy(more + unframer->tail_len, in.at, in.len);
		unframer->tail = more;
		in = (struct ptah_span){ more, unframer->tail_len + in.len };
	}
	while ((rc = ptah_datagram_unframe(framing, in, &datagrams[n], &len)) == 1) {
		in.at += len;
		in.len -= len;
		if (++n == PTAH_UNFRAMED_MOST) {
			fn(datagrams, n, arg);
			n = 0;
		}
	}
	if (n > 0)
		fn(datagrams, n, arg);
	return rc < 0 ? rc : keep(unframer, in);
}

void
ptah_unframer_clear(struct ptah_unframer *unframer)
{
	free(unframer->tail);
	*unframer = (struct ptah_unframer){ 0 };
}
