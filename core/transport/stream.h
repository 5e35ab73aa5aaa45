/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/stream.h: byte streams that a module's home or link made: what it
 * dialled, one side of a pipe, a process's output.
 *
 * A stream is a descriptor on its owner's worker.  What has come and was not
 * eaten is kept, up to a limit, at which reading rests; what was written and
 * the kernel refused is kept up to a limit too.  Events come from the loop,
 * never from inside a service.
 *
 * Threads: the owner's worker.
 */
#ifndef PTAH_TRANSPORT_STREAM_H
#define PTAH_TRANSPORT_STREAM_H

#include <stdbool.h>

#include "transport/self.h"

/** Most bytes that are kept on each side of a stream. */
#define PTAH_STREAM_KEPT ((size_t)256 * 1024)
/** How long a dial may take. */
#define PTAH_STREAM_DIAL_MS 30000u

/** The services of host.h. */
struct ptah_stream *ptah_stream_dial(struct ptah_self *self, int32_t via, const char *server, const char *args);
struct ptah_stream *ptah_stream_pipe(struct ptah_self *self, struct ptah_stream **other);
void ptah_stream_eat(struct ptah_stream *stream, size_t n);
size_t ptah_stream_write(struct ptah_stream *stream, struct ptah_span bytes);
void ptah_stream_ask(struct ptah_stream *stream, size_t want, uint32_t hold, uint32_t finish);
void ptah_stream_drop(struct ptah_stream *stream);
int ptah_stream_give(struct ptah_self *self, struct ptah_stream *stream);
int ptah_stream_arrive(struct ptah_self *self, struct ptah_stream *stream, const char *peer, const char *dest,
    uint64_t cookie);

/** A stream of 'self' on a descriptor.  Takes: fd, also on failure.  NULL: ENOMEM. */
struct ptah_stream *ptah_stream_new(struct ptah_self *self, int fd);
/** Tell the owner of it by EV_ACCEPT, before anything else; the texts are copied, and may be NULL.  -ENOMEM. */
int ptah_stream_introduce(struct ptah_stream *stream, int32_t via, uint64_t cookie, const char *peer, const char *dest,
    void (*gone)(void *arg), void *arg);

/** Has any of them still something to say, or to hear? */
bool ptah_streams_busy(const struct ptah_self *self);
/** Drop all that a life owns. */
void ptah_streams_end(struct ptah_self *self);

#endif
