/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/merge.h: lay options over options, layer by layer of a stack.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_MERGE_H
#define PTAH_TRANSPORT_MERGE_H

#include "base/json.h"

/**
 * 'base' with 'over' laid over it, key by key; of "over" too, when both are there.  Both may be NULL.
 * Gives: an object for ptah_json_free(), or NULL (ENOMEM).
 */
struct ptah_json *ptah_merge(const struct ptah_json *base, const struct ptah_json *over);

/**
 * Split what "over" holds into the name of the layer below (lent by 'json') and its options.
 * Gives: *options for ptah_json_free().
 * Fails: -EINVAL, -ENOMEM.
 */
int ptah_merge_split(const struct ptah_json *json, const char **name, struct ptah_json **options);

/** Put the layers 'names' ("b+c") below, as "over" of 'options'; their options stay.  -ENOMEM. */
int ptah_merge_stack(struct ptah_json *options, const char *names);

#endif
