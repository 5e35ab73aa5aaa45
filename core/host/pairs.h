/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/pairs.h: options of a server and of its clients that belong together,
 * and their files FOLDER/NAME_server.json and FOLDER/NAME_client.json.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_PAIRS_H
#define PTAH_HOST_PAIRS_H

#include <stddef.h>

#include <ptah/module.h>

#include "base/json.h"

/** {0} is none. */
struct ptah_pair {
	struct ptah_json *server, *client; /* objects */
};

/**
 * Let a module make one, that fits 'options' of a server.
 * Fails: -ENOTSUP, -errno, and 'why'.
 */
int ptah_pair_generate(struct ptah_pair *pair, const struct ptah_module *module, const struct ptah_json *options,
    const char *advertise, char *why, size_t room);

/**
 * Read both files; their paths are added to 'files', an array.
 * Returns 1, or 0 if neither is there; -errno and 'why'.
 */
int ptah_pair_read(struct ptah_pair *pair, const char *folder, const char *name, struct ptah_json *files,
    char *why, size_t room);

/** Write both into a folder that is there.  -errno and 'why'. */
int ptah_pair_write(const struct ptah_pair *pair, const char *folder, const char *name, char *why, size_t room);

/** Wipes and frees. */
void ptah_pair_clear(struct ptah_pair *pair);

#endif
