/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/tail.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A tail is eaten from its front where it lies, until its memory is so many times as long as it. */
#define SPARE_MOST 4

void
ptah_tail_clear(struct ptah_tail *tail)
{
	free(tail->base);
	*tail = (struct ptah_tail){ NULL, 0, NULL };
}

/* Is 'rest' the end of what is kept, and most of it?  Memory that is mostly eaten is given back. */
static bool
is_most_of(struct ptah_span rest, const struct ptah_tail *tail)
{
	return tail->at != NULL && rest.len <= tail->len && rest.at == tail->at + (tail->len - rest.len) &&
	    rest.len >= (size_t)(tail->at + tail->len - tail->base) / SPARE_MOST;
}

int
ptah_tail_set(struct ptah_tail *tail, struct ptah_span rest)
{
	uint8_t *at;

	if (rest.len > PTAH_TAIL_MOST)
		return -EMSGSIZE;
	if (rest.len == 0) {
		ptah_tail_clear(tail);
		return 0;
	}
	if (is_most_of(rest, tail)) {
		tail->at += tail->len - rest.len;
		tail->len = rest.len;
		return 0;
	}
	at = malloc(rest.len);
	if (at == NULL)
		return -ENOMEM;
	memcpy(at, rest.at, rest.len);
	free(tail->base);
	*tail = (struct ptah_tail){ at, rest.len, at };
	return 0;
}

int
ptah_tail_add(struct ptah_tail *tail, struct ptah_span more)
{
	uint8_t *base;

	if (more.len == 0)
		return 0;
	if (more.len > 2 * PTAH_TAIL_MOST - tail->len)
		return -EMSGSIZE;
	if (tail->at != tail->base)
		memmove(tail->base, tail->at, tail->len);
	tail->at = tail->base;
	base = realloc(tail->base, tail->len + more.len);
	if (base == NULL)
		return -ENOMEM;
	memcpy(base + tail->len, more.at, more.len);
	*tail = (struct ptah_tail){ base, tail->len + more.len, base };
	return 0;
}
