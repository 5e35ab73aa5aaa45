/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/flock.h"

#include "relay/courier.h"
#include "relay/layer.h"

struct ptah_flock *
ptah_flock_of(struct ptah_worker *worker, const struct ptah_instance *instance)
{
	struct ptah_relay *relay;

	if (instance->flocks != NULL)
		return &instance->flocks[worker->index];
	relay = ptah_relay_of(worker);
	return relay != NULL ? &relay->own : NULL;
}

void
ptah_flock_leave(struct ptah_flock *flock)
{
	if (--flock->n == 0 && flock->on_empty != NULL)
		flock->on_empty(flock, flock->arg);
}

void
ptah_flock_end(struct ptah_flock *flock, int rc)
{
	while (flock->links != NULL)
		ptah_link_end(flock->links, rc);
	while (flock->couriers != NULL)
		ptah_courier_end(flock->couriers, rc);
}
