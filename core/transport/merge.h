/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/merge.h: lay options over options, layer by layer of a stack.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_MERGE_H
#define PTAH_TRANSPORT_MERGE_H

#include <stdbool.h>

#include <ptah/module.h>

#include "base/json.h"

/**
 * 'base' with 'over' laid over it, key by key; of "over" too, when both are there.  Both may be NULL.
 * Gives: an object for ptah_json_free(), or NULL (ENOMEM).
 */
struct ptah_json *ptah_merge(const struct ptah_json *base, const struct ptah_json *over);

/**
 * The same for what a NAME.json says and what is asked of NAME: a layer that is named for it to stand on comes below
 * the layers that it has, so that none of them is lost.
 */
struct ptah_json *ptah_merge_definition(const struct ptah_json *defined, const struct ptah_json *asked);

/**
 * Split what "over" holds into the name of the layer below (lent by 'json') and its options.
 * Gives: *options for ptah_json_free().
 * Fails: -EINVAL, -ENOMEM.
 */
int ptah_merge_split(const struct ptah_json *json, const char **name, struct ptah_json **options);

/** Does a key that is offered to a layer end there?  It is its own, in whichever role, or the host's. */
bool ptah_merge_takes(const struct ptah_module *module, const char *key);

/**
 * What of a layer's options is for the layer below it: what it does not take itself; over that
 * "over.KEY" as KEY; over that its object "over", or 'own' instead where that is not NULL.
 * Gives: an object for ptah_json_free(), or NULL (ENOMEM).
 */
struct ptah_json *ptah_merge_below(const struct ptah_module *module, const struct ptah_json *options,
    const struct ptah_json *own);

/** Put the layers 'names' ("b+c") below, as "over" of 'options'; their options stay.  -ENOMEM. */
int ptah_merge_stack(struct ptah_json *options, const char *names);

#endif
