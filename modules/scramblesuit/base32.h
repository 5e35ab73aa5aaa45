/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * scramblesuit/base32.h: base32 (RFC 4648) as passwords and ticket files have it.
 */
#ifndef PTAH_SCRAMBLESUIT_BASE32_H
#define PTAH_SCRAMBLESUIT_BASE32_H

#include <stddef.h>

#include <ptah/span.h>

/** Characters for so many bytes, with padding, no NUL. */
#define SCRAMBLE_BASE32_LEN(n) (((n) + 4) / 5 * 8)

/** Write 'bytes' with padding and a NUL; 'out' has room for SCRAMBLE_BASE32_LEN() and that. */
void scramble_base32_write(struct ptah_span bytes, char *out);
/**
 * Read 'len' characters, which may end in padding, to exactly out.len bytes.
 * Small letters are fine, and 1 for I and 0 for O.  -EINVAL.
 */
int scramble_base32_read(const char *text, size_t len, struct ptah_room out);

#endif
