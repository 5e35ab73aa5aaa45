/* SPDX-License-Identifier: BSD-3-Clause */
#include "flight.h"

#include <string.h>

/* The rules, as they were measured from late 2021 to early 2023. */
#define BITS_FEW 34u  /* of each ten bytes */
#define BITS_MANY 46u
#define TEXT_FIRST 6u
#define TEXT_RUN 20u
/* A run of ours is longer, by how much is chance; it lies where any segment has it. */
#define RUN_MORE_MAX 30u
#define RUN_WITHIN 400u
/* Of 256 bytes so many get more bits, or one more for each of the rest. */
#define DENSE_LEAST 176u

static bool
is_text(uint8_t byte)
{
	return byte >= 0x20 && byte <= 0x7e;
}

bool
obfs4_flight_passes(struct ptah_span segment)
{
	size_t bits = 0, text = 0, run = 0, longest = 0, first = 0;

	for (size_t i = 0; i < segment.len; i++) {
		bits += (size_t)__builtin_popcount(segment.at[i]);
		run = is_text(segment.at[i]) ? run + 1 : 0;
		text += run > 0;
		longest = run > longest ? run : longest;
		first += run == i + 1 && i < TEXT_FIRST;
	}
	return 10 * bits <= BITS_FEW * segment.len || 10 * bits >= BITS_MANY * segment.len ||
	    (first == TEXT_FIRST && segment.len >= TEXT_FIRST) || 2 * text > segment.len || longest > TEXT_RUN;
}

/* Somewhere near the beginning, text. */
static void
pad_with_run(const struct ptah_chance *chance, struct ptah_room pad)
{
	size_t within = pad.len < RUN_WITHIN ? pad.len : RUN_WITHIN;
	size_t len = TEXT_RUN + 1 + ptah_chance_below(chance, RUN_MORE_MAX);
	size_t at = ptah_chance_below(chance, (uint32_t)(within - len + 1));

	ptah_chance_bytes(chance, pad.at, pad.len);
	for (size_t i = 0; i < len; i++)
		pad.at[at + i] = (uint8_t)(0x20 + ptah_chance_below(chance, 0x7f - 0x20));
}

/* Bits that are mostly set, or mostly not. */
static void
pad_with_density(const struct ptah_chance *chance, struct ptah_room pad)
{
	uint8_t how[2], more[2 * 256];
	bool set;

	ptah_chance_bytes(chance, how, sizeof(how));
	set = (how[0] & 1) != 0;
	how[1] = (uint8_t)(DENSE_LEAST + how[1] % (256 - DENSE_LEAST));
	ptah_chance_bytes(chance, pad.at, pad.len);
	for (size_t i = 0; i < pad.len; i++) {
		size_t slot = 2 * (i % 256);

		if (slot == 0)
			ptah_chance_bytes(chance, more, sizeof(more));
		if (more[slot] < how[1])
			pad.at[i] = set ? pad.at[i] | more[slot + 1] : pad.at[i] & more[slot + 1];
	}
}

/* What stands around the padding is noise, of four bits a byte; is it enough? */
static bool
is_enough(struct ptah_room pad, size_t before, size_t after)
{
	size_t len = before + pad.len + after, bits = 0;
	size_t ours = pad.len < OBFS4_SEGMENT_MAX - before ? pad.len : OBFS4_SEGMENT_MAX - before;

	if (len > OBFS4_SEGMENT_MAX)
		len = OBFS4_SEGMENT_MAX;
	for (size_t i = 0; i < ours; i++)
		bits += (size_t)__builtin_popcount(pad.at[i]);
	/* 64 bytes of noise are hardly ever 60 bits off. */
	size_t low = bits + (len - ours) * 4 - 60, high = bits + (len - ours) * 4 + 60;
	return 10 * low >= BITS_MANY * len || 10 * high <= BITS_FEW * len;
}

void
obfs4_flight_pad(const struct ptah_chance *chance, struct ptah_room pad, size_t before, size_t after)
{
	if (ptah_chance_below(chance, 2) == 0) {
		pad_with_density(chance, pad);
		if (is_enough(pad, before, after))
			return;
	}
	pad_with_run(chance, pad);
}
