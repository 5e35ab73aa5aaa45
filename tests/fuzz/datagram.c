/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream of a UDP mode: the first byte picks the framing, the second how it
 * is cut.  However it is cut, the same datagrams come out, and each that
 * comes out can be framed again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "plain/unframer.h"
#include "target.h"

struct sum {
	int framing;
	size_t n, bytes;
	uint64_t hash;
};

static void
note(struct ptah_span datagram, void *arg)
{
	static uint8_t frame[PTAH_FRAME_MAX];
	struct sum *sum = arg;

	if (ptah_datagram_frame(sum->framing, datagram, frame) == 0)
		abort();
	sum->n++;
	sum->bytes += datagram.len;
	for (size_t i = 0; i < datagram.len; i++)
		sum->hash = sum->hash * 1099511628211u + datagram.at[i];
}

static void
on_datagrams(const struct ptah_span *datagrams, size_t n, void *arg)
{
	for (size_t i = 0; i < n; i++)
		note(datagrams[i], arg);
}

static int
feed(struct ptah_span in, size_t piece, struct sum *sum)
{
	struct ptah_unframer unframer = { 0 };
	int rc = 0;

	for (size_t at = 0; at < in.len && rc == 0; at += piece)
		rc = ptah_unframer_feed(&unframer, sum->framing,
		    (struct ptah_span){ in.at + at, in.len - at < piece ? in.len - at : piece }, on_datagrams, sum);
	ptah_unframer_clear(&unframer);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;

	struct ptah_span in = { data + 2, size - 2 };
	struct sum whole = { .framing = data[0] % 3 }, cut = { .framing = data[0] % 3 };
	int rc = feed(in, in.len, &whole);

	if (feed(in, 1 + data[1] % 97u, &cut) != rc || cut.n != whole.n || cut.hash != whole.hash)
		abort();
	return 0;
}
