/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/registry.h: which modules there are, and why some are not.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_TRANSPORT_REGISTRY_H
#define PTAH_TRANSPORT_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ptah/module.h>

struct ptah_registry;
struct ptah_loaded;

/** Folders in the order in which they are searched: 'path' (colon list, or NULL), 'dir' (or NULL), the installed one. */
struct ptah_registry *ptah_registry_new(const char *path, const char *dir);
void ptah_registry_free(struct ptah_registry *registry);

/** One row of `ptah modules`. */
struct ptah_registry_row {
	char *name, *path;
	const struct ptah_module *module; /* NULL: refused */
	char *problem;                    /* why it is refused or hidden (by which file); NULL: fine */
	bool definition;                  /* a NAME.json */
};

/** Look at every file; rows sorted by name.  Gives: rows for ptah_registry_rows_free(). */
int ptah_registry_list(struct ptah_registry *registry, struct ptah_registry_row **rows, size_t *n);
void ptah_registry_rows_free(struct ptah_registry_row *rows, size_t n);

/** Names for "*": all that have the role and are not named only.  Gives: NULL-ended array; free() the one block. */
char **ptah_registry_names(struct ptah_registry *registry, uint32_t role);

#endif
