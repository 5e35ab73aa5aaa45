/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/code.h: the file of a module as bytes, and a private copy of it.
 *
 * Code that runs from a file that others replace is in danger: one who writes
 * into it changes, or cuts short, what runs; and the loader takes a new file
 * under an old path for the old one.  A copy in memory of its own has neither
 * trouble.  See decisions/2026-11-21-hot-modules.md.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_CODE_H
#define PTAH_TRANSPORT_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/stamp.h"

/** Longest file of a module. */
#define PTAH_CODE_MAX ((size_t)256 * 1024 * 1024)
/** Room for the path of a copy. */
#define PTAH_CODE_PATH 64
#define PTAH_CODE_HASH 32

struct ptah_code {
	uint8_t *bytes;
	size_t len;
	struct ptah_stamp stamp;
	uint8_t hash[PTAH_CODE_HASH];
};

/**
 * Read it while nobody writes it, and see that it is whole.
 * Gives: *code for ptah_code_clear().
 * Fails: -errno and 'why'.
 */
int ptah_code_read(struct ptah_code *code, const char *path, char *why, size_t why_room);
void ptah_code_clear(struct ptah_code *code);

/**
 * Put it into memory that has a path for dlopen() while the descriptor is open; 'name' is what debuggers show.
 * Gives: a descriptor, which must stay open for as long as the copy is mapped.
 * Fails: -errno: this system has no memory that can be run, or there is none left.
 */
int ptah_code_copy(const struct ptah_code *code, const char *name, char path[static PTAH_CODE_PATH]);

/** The path of a copy.  -errno. */
int ptah_code_path(int fd, char path[static PTAH_CODE_PATH]);

/**
 * Is a shared object of the machine's own kind as long as its headers say?  Something else is none of its business: 0.
 * Fails: -EBADMSG and 'why'.
 */
int ptah_code_check(const uint8_t *bytes, size_t len, char *why, size_t why_room);

#endif
