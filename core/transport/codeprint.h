/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/codeprint.h: what names stand for now, without loading any of it.
 *
 * For services whose modules run in another process: this one shall not let
 * them run here, not even for as long as it takes to read a descriptor. Aliases
 * stand in descriptors, so a name that no file has is printed as such.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_TRANSPORT_CODEPRINT_H
#define PTAH_TRANSPORT_CODEPRINT_H

#include <stdint.h>

#include "base/json.h"
#include "transport/code.h"

struct ptah_registry;

/**
 * Hash the files of a stack: of "NAME" or "a+b", of what its options and definitions put below it ("over").
 * -ENOMEM.
 */
int ptah_codeprint_make(struct ptah_registry *registry, const char *names, const struct ptah_json *options,
    uint8_t print[static PTAH_CODE_HASH]);

#endif
