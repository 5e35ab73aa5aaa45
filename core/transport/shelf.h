/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/shelf.h: the code that is loaded, what serves now and what is old.
 *
 * Code is current until its file is seen to have changed.  Instances hold the
 * code that they were made of: what is not current is unloaded behind its last
 * instance, if the module says that it can be (PTAH_UNMAPS), else never.
 *
 * A shelf is either fixed, for those who look at files once, and loads them
 * where they lie; or it is hot, and loads private copies (transport/code.h).
 *
 * Threads: the main one, unless it says another.
 */
#ifndef PTAH_TRANSPORT_SHELF_H
#define PTAH_TRANSPORT_SHELF_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/loader.h"

struct ptah_hands;
struct ptah_shelf_call;

struct ptah_shelf {
	struct ptah_loaded *loaded; /* all that is mapped, the newest first */
	bool hot;                   /* set it before anything is loaded */
	uint64_t serial;
	const struct ptah_hands *hands; /* NULL: what nobody uses any more waits for the next look */
	struct ptah_shelf_call *call;   /* what the main thread is called with; NULL: there was no memory for it */
	pthread_mutex_t lock;       /* of what follows */
	struct ptah_loaded *unused; /* by 'next_unused' */
};

void ptah_shelf_init(struct ptah_shelf *shelf);
/** Unload all.  Every instance must be gone. */
void ptah_shelf_clear(struct ptah_shelf *shelf);

/**
 * The module 'name' of the file 'real', from memory or from disk.
 * Fails: -errno and 'why'; 'about' (room for PATH_MAX; or NULL) as struct ptah_found has it.
 */
int ptah_shelf_get(struct ptah_shelf *shelf, const char *real, const char *name, struct ptah_loaded **out,
    char *about, char *why, size_t why_room);

/** Look at all files again: what has changed is not current any more.  Only a hot shelf does. */
void ptah_shelf_look(struct ptah_shelf *shelf);

/** How much is mapped and not current. */
size_t ptah_shelf_count_old(const struct ptah_shelf *shelf);

/** Hold it, by whoever has a hold of it, or has just been given it. */
struct ptah_loaded *ptah_shelf_ref(struct ptah_loaded *loaded);
/** Any thread.  None of its hooks runs, and none of its texts is looked at, behind the last. */
void ptah_shelf_unref(struct ptah_loaded *loaded);

#endif
