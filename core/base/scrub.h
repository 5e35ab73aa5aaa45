/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/scrub.h: take the addresses out of a line of text.
 *
 * The log sink's pen; it knows how IPv4 and IPv6 look and nothing of logs.
 */
#ifndef PTAH_BASE_SCRUB_H
#define PTAH_BASE_SCRUB_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Copy 'text' into 'out' as valid UTF-8: each IP address becomes [scrubbed]
 * unless 'unsafe', and so does what stands between the marks \x01 and \x02
 * (the marks themselves go in either case); bytes that are not UTF-8 become
 * U+FFFD.  Other control bytes stay.  What does not fit is left out, never a
 * part of a character or of [scrubbed]; a NUL is put behind.
 * Returns the length.
 */
size_t ptah_scrub(const char *text, size_t len, bool unsafe, char *out, size_t room);

/**
 * The length of 'text' without the piece of an address, at most a few dozen
 * bytes, that a cut may have left at its end.
 */
size_t ptah_scrub_cut(const char *text, size_t len);

#endif
