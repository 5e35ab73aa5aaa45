/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/describe.h: what `ptah modules` and `ptah info NAME` print.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_TRANSPORT_DESCRIBE_H
#define PTAH_TRANSPORT_DESCRIBE_H

#include "base/buf.h"
#include "transport/registry.h"

/** Append a table of all modules, also of those that are refused or hidden, with why.  -ENOMEM. */
int ptah_describe_modules(struct ptah_registry *registry, struct ptah_buf *out);

/**
 * Append one transport's facts and options.
 * Fails: -ENOENT and 'why' (there is none; which was meant), or why it is refused.
 */
int ptah_describe_module(struct ptah_registry *registry, const char *name, struct ptah_buf *out,
    char *why, size_t why_room);

#endif
