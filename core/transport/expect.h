/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/expect.h: in words, what an option takes.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_EXPECT_H
#define PTAH_TRANSPORT_EXPECT_H

#include <stddef.h>

#include <ptah/option.h>

/** "a number from 0 to 2", "one of auto, send, hold", "hex of 20 bytes": goes after "is not".  Cut to 'room'. */
void ptah_expect_text(const struct ptah_option *option, char *out, size_t room);

#endif
