/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/announce.h: the bridge arguments that a server says of itself.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_ANNOUNCE_H
#define PTAH_TRANSPORT_ANNOUNCE_H

#include <stddef.h>

#include <ptah/module.h>

#include "base/json.h"

/** Longest text of bridge arguments, as JSON. */
#define PTAH_ANNOUNCE_MAX ((size_t)16 * 1024)

/**
 * Read a module's JSON: an object of strings.
 * Gives: *out for ptah_json_free(); NULL for an empty one.
 * Fails: -EINVAL and 'why'; -ENOMEM.
 */
int ptah_announce_read(const char *text, size_t len, struct ptah_json **out, char *why, size_t why_room);

/** The same of what module->bridge_args() writes, for a module without a home. */
int ptah_announce_ask(const struct ptah_module *module, const void *conf, const char *bound,
    struct ptah_json **out, char *why, size_t why_room);

#endif
