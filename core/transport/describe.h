/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/describe.h: what `ptah modules` and `ptah info NAME` print; NAME
 * may be a stack, a+b.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_TRANSPORT_DESCRIBE_H
#define PTAH_TRANSPORT_DESCRIBE_H

#include "base/buf.h"
#include "transport/registry.h"
#include "transport/stacks.h"

/** Append a table of all modules, also of those that are refused or hidden, with why.  -ENOMEM. */
int ptah_describe_modules(struct ptah_registry *registry, struct ptah_buf *out);

/**
 * Append one transport's facts and options, or those of each layer of a stack; and what it can stand on, and below.
 * Fails: -ENOENT and 'why' (there is none; which was meant), why it is refused, or why the stack cannot be.
 */
int ptah_describe_module(struct ptah_registry *registry, const char *name, struct ptah_buf *out,
    char *why, size_t why_room);

/** standing.c: append what 'stack' can stand on, and what can stand on it, of those that are there.  -ENOMEM. */
int ptah_describe_standing(struct ptah_registry *registry, const struct ptah_stack *stack, struct ptah_buf *out);

#endif
