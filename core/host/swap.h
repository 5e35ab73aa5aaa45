/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/swap.h: a new set of files in place of an old one, which is kept.
 *
 * The new files are made in a folder of their own inside the state folder, and
 * take their places one by one: at each moment a name holds the old file or
 * the new one.  What was there stays, under its name with the time behind it.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_SWAP_H
#define PTAH_HOST_SWAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct ptah_swap {
	const char *folder; /* lent: where the files shall be */
	char *work;         /* where they are made; NULL: nowhere yet */
};

/** Make both folders.  Fails: -errno and 'why' (not there, not ours). */
int ptah_swap_begin(struct ptah_swap *swap, const char *folder, char *why, size_t room);

/**
 * Put what was made into its place.  Where a name holds something else already, that is refused, or, with 'anew', kept.
 * Paths of what is in place are added to 'files', of what was kept to 'kept'; both are arrays.
 * Fails: -EEXIST, -errno, and 'why'.
 */
int ptah_swap_commit(struct ptah_swap *swap, bool anew, struct ptah_json *files, struct ptah_json *kept,
    char *why, size_t room);

/** Remove the folder where they were made, and what is left there. */
void ptah_swap_end(struct ptah_swap *swap);

#endif
