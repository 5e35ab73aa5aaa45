/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * epoch.h: the hour that handshake MACs cover, in decimal, as obfs4 and
 * ScrambleSuit write it.
 */
#ifndef PTAH_COMMON_EPOCH_H
#define PTAH_COMMON_EPOCH_H

#include <stddef.h>
#include <stdint.h>

#define PTAH_EPOCH_MAX 20 /* digits, no NUL */

/** The hours since 1970 at this many seconds; before 1970 it is 0. */
uint64_t ptah_epoch_hour(int64_t unix_seconds);
/** Write the digits of an hour, no NUL; tell how many. */
size_t ptah_epoch_text(char text[PTAH_EPOCH_MAX], uint64_t hour);

#endif
