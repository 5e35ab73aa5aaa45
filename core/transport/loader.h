/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/loader.h: from a file NAME.so to a descriptor that can be trusted
 * to have the shape that our own headers say.
 *
 * Threads: the main thread (libltdl keeps global tables).
 */
#ifndef PTAH_TRANSPORT_LOADER_H
#define PTAH_TRANSPORT_LOADER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <ptah/module.h>

#include "transport/code.h"

struct ptah_shelf;

/** Texts of our own about one module fit in this. */
#define PTAH_WHY_TEXT 1024

struct ptah_loaded {
	struct ptah_module module; /* of our size: what an older module lacks is zero */
	char *path;                /* real path; NULL for one that is linked in */
	void *handle;              /* libltdl's; NULL for one that is linked in */
	struct ptah_option *options; /* copied if the module's stride is not ours; else NULL */
	int copy;                  /* descriptor of the private copy that runs, or -1 */
	struct ptah_loaded *next;  /* of whoever keeps a list */
	/* The shelf's (transport/shelf.h). */
	struct ptah_shelf *shelf;
	struct ptah_loaded *next_unused;
	struct ptah_stamp stamp;   /* of the file when it was found to be this */
	uint8_t hash[PTAH_CODE_HASH];
	uint64_t serial;           /* no other code has it, now or later */
	bool current, pinned;
	atomic_uint refs;
};

/**
 * Load the module 'name' from 'path', which must be absolute.
 *
 * Checks, in this order: that nobody but root and we can change it, that it
 * loads with all its symbols, magic, ABI, name, and that its numbers are sane.
 *
 * Gives: *out for ptah_loaded_free().
 * Fails: -errno and 'why': what is wrong, and what to do.
 */
int ptah_loaded_open(const char *path, const char *name, struct ptah_loaded **out, char *why, size_t why_room);

/**
 * The same from what was read of a file that is to be trusted.  'copy': let a private copy run, if this system can;
 * else a file that replaces one which still runs is refused.
 * Fails: as that; -ELIBACC: a library that it needs is not there, and 'library' (room for PATH_MAX; or NULL) is its name.
 */
int ptah_loaded_open_code(const struct ptah_code *code, const char *path, const char *name, bool copy,
    struct ptah_loaded **out, char *library, char *why, size_t why_room);

/** The same for a descriptor that is part of this program. */
int ptah_loaded_link(const struct ptah_module *module, struct ptah_loaded **out, char *why, size_t why_room);

/** Also unloads the code: nothing of the module may be in use.  NULL is fine. */
void ptah_loaded_free(struct ptah_loaded *loaded);

#endif
