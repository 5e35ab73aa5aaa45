/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * fuzz/handshake.h: what a link of MODULE hears, from its first byte.
 *
 * The first byte of the input picks the role, the second how the rest is cut.
 * However it is cut, the link ends alike and delivers the same bytes.  Chance
 * is seeded, so that a corpus can hold the peer's side of a whole handshake.
 *
 * A target defines MODULE and includes this.
 */
#ifndef PTAH_FUZZ_HANDSHAKE_H
#define PTAH_FUZZ_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#include "codec.h"
#include "target.h"

extern const struct ptah_module MODULE;

static struct codec self;

static void
hear(struct codec *codec, void *worker, const uint8_t *data, size_t size, size_t piece)
{
	static const uint64_t args[8]; /* no options */

	self.seed = 1; /* key pairs come from it */
	*codec = (struct codec){ .seed = 1 + data[0] % 2 };
	codec_open(codec, &MODULE, data[0] % 2 ? PTAH_CLIENT : PTAH_SERVER, worker, args);
	codec_hear(codec, data + 2, size - 2, piece);
	if (codec->rc == 0)
		codec_hear_eof(codec);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void *worker;
	struct codec whole, cut;

	if (size < 2)
		return 0;
	if (worker == NULL)
		worker = codec_worker_open(&self, &MODULE);
	hear(&whole, worker, data, size, 0);
	hear(&cut, worker, data, size, 1 + data[1]);
	codec_must(whole.open == cut.open && whole.rc == cut.rc && whole.plain_out.len == cut.plain_out.len);
	codec_must(whole.plain_out.len == 0 || memcmp(whole.plain_out.at, cut.plain_out.at, cut.plain_out.len) == 0);
	codec_close(&whole);
	codec_close(&cut);
	return 0;
}

#endif
