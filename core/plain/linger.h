/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * plain/linger.h: close a connection so that its last words arrive.
 *
 * Unread input would turn a close into a reset, which can destroy a reply that
 * is still on its way.  So: send the words and EOF, read and throw away what
 * comes for a little, then close.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_PLAIN_LINGER_H
#define PTAH_PLAIN_LINGER_H

#include <ptah/span.h>

struct ptah_worker;
struct ptah_linger;

/** It is closed now. */
typedef void ptah_lingered_fn(void *arg);

/**
 * Takes: fd.  'fn' runs when it is closed, perhaps before this returns.
 */
void ptah_linger_begin(struct ptah_worker *worker, int fd, struct ptah_span words, ptah_lingered_fn *fn, void *arg);
/** Close now all those that would tell 'arg'. */
void ptah_linger_end_of(struct ptah_worker *worker, const void *arg);

#endif
