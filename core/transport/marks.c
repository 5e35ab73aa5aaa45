/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_BITS 13
#define BUCKETS (1u << BUCKET_BITS)
#define REST_BITS (PTAH_MARK_BITS - BUCKET_BITS)
#define REST_MASK ((1u << REST_BITS) - 1)

#define WORDS 15
#define PAGE_BLOCKS 64u

/* How finely it forgets. */
#define SLICES 16u
#define PARTS 32u

struct ptah_block {
	uint32_t next; /* number of the next one, 0: none */
	uint32_t words[WORDS];
};

/* ---- blocks ------------------------------------------------------------------ */

/* Their numbers begin with 1. */
static struct ptah_block *
block_at(const struct ptah_marks *marks, uint32_t number)
{
	return &marks->pages[(number - 1) / PAGE_BLOCKS][(number - 1) % PAGE_BLOCKS];
}

static int
add_page(struct ptah_marks *marks)
{
	struct ptah_block **pages = reallocarray(marks->pages, marks->n_pages + 1u, sizeof(*pages));

	if (pages == NULL)
		return -ENOMEM;
	marks->pages = pages;
	pages[marks->n_pages] = aligned_alloc(sizeof(struct ptah_block), PAGE_BLOCKS * sizeof(struct ptah_block));
	if (pages[marks->n_pages] == NULL)
		return -ENOMEM;
	marks->n_pages++;
	return 0;
}

/* A zeroed one: its number, or 0 when memory is out. */
static uint32_t
take_block(struct ptah_marks *marks)
{
	uint32_t number = marks->unused;

	if (number != 0) {
		marks->unused = block_at(marks, number)->next;
	} else {
		if (marks->n_blocks == marks->n_pages * PAGE_BLOCKS && add_page(marks) < 0)
			return 0;
		number = ++marks->n_blocks;
	}
	memset(block_at(marks, number), 0, sizeof(struct ptah_block));
	return number;
}

/* ---- epochs -------------------------------------------------------------------- */

static uint32_t
tag_of(uint64_t epoch)
{
	return (uint32_t)(epoch % PTAH_EPOCHS) + 1;
}

/* The epoch of a word that is not empty; above 'last' if it counts no more. */
static uint64_t
epoch_of(const struct ptah_marks *marks, uint32_t word)
{
	uint32_t back = (tag_of(marks->last) + PTAH_EPOCHS - (word >> REST_BITS)) % PTAH_EPOCHS;

	return back <= marks->last - marks->first ? marks->last - back : UINT64_MAX;
}

static bool
is_live(const struct ptah_marks *marks, uint32_t word)
{
	return word != 0 && epoch_of(marks, word) <= marks->last;
}

/* Empty the words that count no more, before their number is given out again. */
static void
sweep(struct ptah_marks *marks)
{
	for (uint32_t i = 0; marks->buckets != NULL && i < BUCKETS; i++) {
		uint32_t *link = &marks->buckets[i];

		while (*link != 0) {
			uint32_t number = *link, n = 0;
			struct ptah_block *block = block_at(marks, number);

			for (int j = 0; j < WORDS; j++) {
				if (!is_live(marks, block->words[j]))
					block->words[j] = 0;
				n += block->words[j] != 0;
			}
			if (n > 0) {
				link = &block->next;
			} else {
				*link = block->next;
				block->next = marks->unused;
				marks->unused = number;
			}
		}
	}
}

static void
begin(struct ptah_marks *marks, uint64_t now_s)
{
	marks->last++;
	marks->epochs[marks->last % PTAH_EPOCHS] = (struct ptah_epoch){ .begun_s = now_s };
}

/* Forget epochs up to and with 'epoch'. */
static void
forget(struct ptah_marks *marks, uint64_t epoch, uint64_t now_s)
{
	for (; marks->first <= epoch; marks->first++)
		marks->n -= marks->epochs[marks->first % PTAH_EPOCHS].n;
	if (marks->first > marks->last)
		begin(marks, now_s);
	sweep(marks);
}

void
ptah_marks_expire(struct ptah_marks *marks, uint64_t now_s)
{
	uint64_t upto = marks->first;

	while (upto <= marks->last && ptah_marks_epoch(marks, upto)->n > 0 && ptah_marks_epoch(marks, upto)->until_s <= now_s)
		upto++;
	if (upto > marks->first)
		forget(marks, upto - 1, now_s);
}

static size_t
part_of(const struct ptah_marks *marks)
{
	return marks->most / PARTS > 0 ? marks->most / PARTS : 1;
}

/* Before a mark is added: is it time for another epoch, and for one less? */
static void
advance(struct ptah_marks *marks, uint64_t now_s)
{
	const struct ptah_epoch *running;
	uint32_t slice_s = marks->ttl_s / SLICES > 0 ? marks->ttl_s / SLICES : 1;

	ptah_marks_expire(marks, now_s);
	if (marks->last - marks->first + 1 > PTAH_EPOCHS_LIVE) /* all that a file may have, and the running one */
		forget(marks, marks->first, now_s);
	running = ptah_marks_epoch(marks, marks->last);
	if (running->n >= part_of(marks) || (running->n > 0 && marks->ttl_s > 0 && now_s - running->begun_s >= slice_s)) {
		if (marks->last - marks->first + 1 >= PTAH_EPOCHS_LIVE)
			forget(marks, marks->first, now_s);
		begin(marks, now_s);
	}
	if (marks->first < marks->last && marks->n - ptah_marks_epoch(marks, marks->first)->n >= marks->most)
		forget(marks, marks->first, now_s);
}

/* ---- marks ----------------------------------------------------------------------- */

/* Is it there?  *free_word: where it could stand, or NULL. */
static bool
look(const struct ptah_marks *marks, uint32_t bucket, uint32_t rest, uint32_t **free_word)
{
	*free_word = NULL;
	for (uint32_t number = marks->buckets[bucket]; number != 0;) {
		struct ptah_block *block = block_at(marks, number);

		for (int i = 0; i < WORDS; i++) {
			if (block->words[i] == 0)
				*free_word = &block->words[i];
			else if ((block->words[i] & REST_MASK) == rest && is_live(marks, block->words[i]))
				return true;
		}
		number = block->next;
	}
	return false;
}

static int
insert(struct ptah_marks *marks, uint64_t mark)
{
	uint32_t bucket = (uint32_t)(mark >> REST_BITS), rest = (uint32_t)mark & REST_MASK, *word;

	if (marks->buckets == NULL)
		marks->buckets = calloc(BUCKETS, sizeof(*marks->buckets));
	if (marks->buckets == NULL)
		return -ENOMEM;
	if (look(marks, bucket, rest, &word))
		return 0;
	if (word == NULL) {
		uint32_t number = take_block(marks);

		if (number == 0)
			return -ENOMEM;
		block_at(marks, number)->next = marks->buckets[bucket];
		marks->buckets[bucket] = number;
		word = &block_at(marks, number)->words[0];
	}
	*word = tag_of(marks->last) << REST_BITS | rest;
	marks->epochs[marks->last % PTAH_EPOCHS].n++;
	marks->n++;
	return 1;
}

int
ptah_marks_add(struct ptah_marks *marks, uint64_t mark, uint64_t now_s)
{
	struct ptah_epoch *running;
	int rc;

	advance(marks, now_s);
	rc = insert(marks, mark);
	running = &marks->epochs[marks->last % PTAH_EPOCHS];
	if (rc == 1) {
		if (running->n == 1)
			running->begun_s = now_s;
		running->until_s = marks->ttl_s != 0 ? now_s + marks->ttl_s : UINT64_MAX;
	}
	return rc;
}

void
ptah_marks_begin(struct ptah_marks *marks, uint64_t now_s, uint64_t until_s)
{
	if (ptah_marks_epoch(marks, marks->last)->n > 0)
		begin(marks, now_s);
	marks->epochs[marks->last % PTAH_EPOCHS].until_s = until_s;
}

int
ptah_marks_restore(struct ptah_marks *marks, uint64_t mark)
{
	return insert(marks, mark);
}

void
ptah_marks_each(const struct ptah_marks *marks, void (*fn)(uint64_t epoch, uint64_t mark, void *arg), void *arg)
{
	for (uint32_t i = 0; marks->buckets != NULL && i < BUCKETS; i++) {
		for (uint32_t number = marks->buckets[i]; number != 0; number = block_at(marks, number)->next) {
			const struct ptah_block *block = block_at(marks, number);

			for (int j = 0; j < WORDS; j++)
				if (is_live(marks, block->words[j]))
					fn(epoch_of(marks, block->words[j]),
					    (uint64_t)i << REST_BITS | (block->words[j] & REST_MASK), arg);
		}
	}
}

size_t
ptah_marks_size(const struct ptah_marks *marks)
{
	return (marks->buckets != NULL ? BUCKETS * sizeof(*marks->buckets) : 0) +
	    marks->n_pages * (PAGE_BLOCKS * sizeof(struct ptah_block) + sizeof(*marks->pages));
}

void
ptah_marks_clear(struct ptah_marks *marks)
{
	for (uint32_t i = 0; i < marks->n_pages; i++)
		free(marks->pages[i]);
	free(marks->pages);
	free(marks->buckets);
	*marks = (struct ptah_marks){ .ttl_s = marks->ttl_s, .most = marks->most };
}
