/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * unit/oldobfs.h: what the tests of obfs2's links and of obfs3's share: a
 * worker life, and a text that both sides say.
 *
 * A test defines MODULE and includes this, after cmocka.h.
 */
#ifndef PTAH_UNIT_OLDOBFS_H
#define PTAH_UNIT_OLDOBFS_H

#include "codec.h"

extern const struct ptah_module MODULE;
static const struct ptah_module *const module = &MODULE;
static struct codec bench_self = { .seed = 1 };
static void *bench;
static uint8_t text[20000];

static int
set_up(void **state)
{
	(void)state;
	bench = codec_worker_open(&bench_self, module);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * i >> 3);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	codec_worker_close(module, bench);
	return 0;
}

/* The peer has said the text, and all of it arrived here. */
static void
assert_has_text(const struct codec *codec)
{
	assert_int_equal(codec->plain_out.len, sizeof(text));
	assert_memory_equal(codec->plain_out.at, text, sizeof(text));
}

#endif
