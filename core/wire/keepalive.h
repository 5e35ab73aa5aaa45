/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * wire/keepalive.h: notice that the other side of a silent connection is gone.
 *
 * Where bytes are on their way the kernel notices by itself, in about a
 * quarter of an hour.
 */
#ifndef PTAH_WIRE_KEEPALIVE_H
#define PTAH_WIRE_KEEPALIVE_H

/**
 * A TCP socket breaks (ETIMEDOUT) when its peer has answered nothing for
 * 'gone_s' seconds, the second half of which it was asked in; 0: it is never asked.
 * What a listening socket accepts is the same.
 */
void ptah_keepalive_set(int fd, unsigned gone_s);

#endif
