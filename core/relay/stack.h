/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * relay/stack.h: what a link of bytes and a link of messages do alike with the
 * transports that they are made of: each layer has a life of its module, and
 * is told the same things when that begins.
 *
 * Private to this room.  It does not know how anything goes through a layer.
 *
 * Threads: the worker of the link.
 */
#ifndef PTAH_RELAY_STACK_H
#define PTAH_RELAY_STACK_H

#include <ptah/module.h>

#include "transport/instance.h"
#include "transport/self.h"

/** How many transports stand on one another. */
unsigned ptah_stack_height(const struct ptah_instance *top);

/** Give a layer its life of a module.  -ENOMEM. */
int ptah_stack_life_begin(struct ptah_self *self, struct ptah_instance *instance, struct ptah_worker *worker,
    const struct ptah_self_ops *ops);
/** Wipe and free it, after the module's 'close'. */
void ptah_stack_life_end(struct ptah_self *self);

/** What 'open' and 'endpoint' of layer i are given of every link; 'args' are the top layer's, NULL: the global ones. */
struct ptah_open ptah_stack_open_of(struct ptah_self *self, uint32_t role, unsigned i, const struct ptah_args *args);

#endif
