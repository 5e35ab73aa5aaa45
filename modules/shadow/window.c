/* SPDX-License-Identifier: BSD-3-Clause */
#include "window.h"

#include <string.h>

#define WORDS (SHADOW_WINDOW / 64 + 1)

static uint64_t *
word_of(struct shadow_window *window, uint64_t number)
{
	return &window->bits[number / 64 % WORDS];
}

static uint64_t
bit_of(uint64_t number)
{
	return UINT64_C(1) << number % 64;
}

bool
shadow_window_is_fresh(const struct shadow_window *window, uint64_t number)
{
	/* The last number of all would leave no next one. */
	if (number >= window->next)
		return number != UINT64_MAX;
	return window->next - 1 - number < SHADOW_WINDOW && (window->bits[number / 64 % WORDS] & bit_of(number)) == 0;
}

void
shadow_window_mark(struct shadow_window *window, uint64_t number)
{
	if (number >= window->next) {
		uint64_t from = window->next == 0 ? 0 : (window->next - 1) / 64, to = number / 64;

		if (to - from > WORDS)
			from = to - WORDS;
		while (from < to)
			window->bits[++from % WORDS] = 0;
		window->next = number + 1;
	}
	*word_of(window, number) |= bit_of(number);
}

void
shadow_window_fill(struct shadow_window *window, uint64_t next)
{
	memset(window->bits, 0xff, sizeof(window->bits));
	window->next = next;
	*word_of(window, next) = bit_of(next) - 1;
}
