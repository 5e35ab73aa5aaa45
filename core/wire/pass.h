/* SPDX-License-Identifier: BSD-3-Clause */
/** wire/pass.h: a message on a Unix socket, with descriptors. */
#ifndef PTAH_WIRE_PASS_H
#define PTAH_WIRE_PASS_H

#include <stddef.h>
#include <sys/types.h>

/** Descriptors that one message can carry. */
#define PTAH_PASS_MOST 64u

/** Send it whole.  Lends: fds; the other side has descriptors of its own then.  -errno; -EAGAIN: no room now. */
int ptah_pass_send(int fd, const void *bytes, size_t len, const int *fds, unsigned n);

/**
 * Receive one; what is longer than 'room' is cut.
 * Gives: its length (0: the other side is gone), and at most *n descriptors, close-on-exec; *n says how many.  More
 * than that are closed.  -errno; -EAGAIN: there is none now.
 */
ssize_t ptah_pass_receive(int fd, void *bytes, size_t room, int *fds, unsigned *n);

#endif
