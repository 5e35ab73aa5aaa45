/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/needs.h: what was loaded for a service: its layers, the transports that its homes opened later, and the
 * files that their options name.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_TRANSPORT_NEEDS_H
#define PTAH_TRANSPORT_NEEDS_H

#include <stdbool.h>

struct ptah_file;
struct ptah_found;
struct ptah_need;
struct ptah_registry;

/** {0} to begin. */
struct ptah_needs {
	struct ptah_need *first;
};

/** This name stood for that.  -ENOMEM. */
int ptah_needs_add(struct ptah_needs *needs, const char *name, const struct ptah_found *found);

/** An option named this file, which held that.  -ENOMEM. */
int ptah_needs_add_file(struct ptah_needs *needs, const struct ptah_file *file);

/** Does one of the names stand for something else now, or for nothing? */
bool ptah_needs_changed(const struct ptah_needs *needs, struct ptah_registry *registry);

void ptah_needs_clear(struct ptah_needs *needs);

#endif
