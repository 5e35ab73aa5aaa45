/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/stack.h"

#include <errno.h>

#include "loop/worker.h"
#include "transport/chunk.h"
#include "transport/home.h"

unsigned
ptah_stack_height(const struct ptah_instance *top)
{
	unsigned n = 0;

	for (; top != NULL; top = top->below)
		n++;
	return n;
}

int
ptah_stack_life_begin(struct ptah_self *self, struct ptah_instance *instance, struct ptah_worker *worker,
    const struct ptah_self_ops *ops)
{
	size_t len = instance->module->link_size;

	if (len > 0) {
		self->state = ptah_life_new(len);
		if (self->state == NULL)
			return -ENOMEM;
	}
	self->life = PTAH_LIFE_LINK;
	self->instance = ptah_instance_ref(instance);
	self->worker = worker;
	self->ops = ops;
	return 0;
}

void
ptah_stack_life_end(struct ptah_self *self)
{
	ptah_self_end(self);
	ptah_life_free(self->state, self->instance->module->link_size);
	ptah_instance_unref(self->instance);
	self->instance = NULL;
}

struct ptah_open
ptah_stack_open_of(struct ptah_self *self, uint32_t role, unsigned i, const struct ptah_args *args)
{
	const struct ptah_instance *instance = self->instance;

	for (unsigned above = i; above > 0 && args != NULL; above--)
		args = args->below;
	return (struct ptah_open){
		.size = sizeof(struct ptah_open),
		.role = role,
		.layer = i,
		.conf = instance->conf,
		.worker = instance->worker_state != NULL ? instance->worker_state[self->worker->index] : NULL,
		.args = args != NULL ? args->values : instance->args,
		.settings = args != NULL ? args->settings : instance->settings,
		.peer = "",
		.self = self,
		.host = &ptah_host_services,
		.home = instance->home != NULL ? instance->home->self.state : NULL,
	};
}
