/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/marks.h: a set of marks (39 bits each) that forgets by age: the
 * table below the replay filter.
 *
 * A mark's first bits name its bucket, the rest stands there in one word with
 * the number of the epoch in which it came.  An epoch ends after a sixteenth of
 * the time to remember, or when it has a thirty-second of the marks; whole
 * epochs are forgotten.  Buckets are chains of blocks of one cache line each.
 *
 * It knows no hash, no lock and no file.
 */
#ifndef PTAH_TRANSPORT_MARKS_H
#define PTAH_TRANSPORT_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PTAH_MARK_BITS 39
/* Words have 6 bits for an epoch; 0 is an empty word. */
#define PTAH_EPOCHS 63u
/** Epochs that are remembered at a time, besides one that was just begun. */
#define PTAH_EPOCHS_LIVE (PTAH_EPOCHS - 1)

struct ptah_block;

struct ptah_epoch {
	uint64_t begun_s, until_s; /* of its last mark: when that may be forgotten; UINT64_MAX: never */
	uint32_t n;
};

/** Zeroed but for the first two, it is an empty one. */
struct ptah_marks {
	uint32_t ttl_s; /* 0: as long as there is room */
	size_t most;    /* that are surely remembered */
	size_t n;
	uint64_t first, last; /* running numbers of the epochs that count */
	struct ptah_epoch epochs[PTAH_EPOCHS];
	uint32_t *buckets;           /* number of its first block, 0: none */
	struct ptah_block **pages;   /* where the blocks are */
	uint32_t n_pages, n_blocks, unused; /* blocks given out so far; the first that is unused again */
};

/** Add 'mark' at the time 'now_s': 1, or 0 if it is there already, -ENOMEM. */
int ptah_marks_add(struct ptah_marks *marks, uint64_t mark, uint64_t now_s);

/** Begin an epoch of its own that is forgotten at 'until_s', later than all before it: for what was saved. */
void ptah_marks_begin(struct ptah_marks *marks, uint64_t now_s, uint64_t until_s);
/** Add to the running epoch and leave its time as it is. */
int ptah_marks_restore(struct ptah_marks *marks, uint64_t mark);

/** Forget what is older than it must be remembered. */
void ptah_marks_expire(struct ptah_marks *marks, uint64_t now_s);

static inline const struct ptah_epoch *
ptah_marks_epoch(const struct ptah_marks *marks, uint64_t number)
{
	return &marks->epochs[number % PTAH_EPOCHS];
}

/** Call 'fn' for each mark that counts, with the number of its epoch. */
void ptah_marks_each(const struct ptah_marks *marks, void (*fn)(uint64_t epoch, uint64_t mark, void *arg), void *arg);

/** Bytes of memory. */
size_t ptah_marks_size(const struct ptah_marks *marks);
/** Free all of it; it is an empty one then. */
void ptah_marks_clear(struct ptah_marks *marks);

#endif
