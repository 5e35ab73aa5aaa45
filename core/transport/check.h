/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/check.h: is a descriptor one that the host can work with?
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_CHECK_H
#define PTAH_TRANSPORT_CHECK_H

#include <stddef.h>

#include <ptah/module.h>

/** Most options, aliases or counters of a module, and bytes of one of its lives. */
#define PTAH_OPTIONS_LIMIT 512
#define PTAH_LIFE_LIMIT (64u * 1024 * 1024)
#define PTAH_MSG_ROOM_LIMIT (64u * 1024)
#define PTAH_HANDSHAKE_MS 30000u /* where a module says 0 */
#define PTAH_HANDSHAKE_LIMIT_MS (60u * 60 * 1000)

/** May the rest of the descriptor be read at all?  -ELIBBAD and 'why'. */
int ptah_check_head(const struct ptah_head *head, char *why, size_t why_room);

/** Check the copy of our own size: name (must be 'name'), hooks, sizes, options.  -ELIBBAD and 'why'. */
int ptah_check_module(const struct ptah_module *module, const char *name, char *why, size_t why_room);

/** Bytes that a value of this option takes in its struct; 0 for a type that we do not know. */
size_t ptah_check_value_size(const struct ptah_option *option);

#endif
