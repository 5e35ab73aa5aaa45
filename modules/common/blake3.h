/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * blake3.h: BLAKE3 of short inputs.
 *
 * Input of one chunk at most (1024 bytes), output of one block: no tree, so
 * nothing but the compression function and two of its flags.
 *
 * Threads: no state; call from any.
 */
#ifndef PTAH_COMMON_BLAKE3_H
#define PTAH_COMMON_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#define PTAH_BLAKE3_IN_MAX 1024
#define PTAH_BLAKE3_OUT_MAX 64

/** The hash of 'len' bytes (at most PTAH_BLAKE3_IN_MAX), its first 'out_len'. */
void ptah_blake3(const uint8_t *in, size_t len, uint8_t *out, size_t out_len);

/** A key from 'material', for the purpose that 'context' names.  Limits as above. */
void ptah_blake3_derive_key(const char *context, const uint8_t *material, size_t len, uint8_t *out, size_t out_len);

#endif
