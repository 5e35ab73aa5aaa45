/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop/deadline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/bell.h"
#include "loop/worker.h"

/* Each service may have limits of its own, and a changed one others. */
#define CLASSES_MAX 1024

/* All waits of one length: a list in the order in which they end. */
struct ptah_deadline_class {
	struct ptah_deadline_class *next;
	unsigned ms;
	struct ptah_deadline list; /* sentinel */
};

struct ptah_deadlines {
	struct ptah_deadline_class *classes;
	struct ptah_bell bell; /* one for all of them */
};

static void
on_ring(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_deadlines *all = arg;
	uint64_t now_ns = ptah_clock_now_ns(), first_ns = 0;

	(void)fd;
	(void)what;
	for (struct ptah_deadline_class *class = all->classes; class != NULL; class = class->next)
		while (class->list.next != &class->list && class->list.next->at_ns <= now_ns) {
			struct ptah_deadline *due = class->list.next;

			ptah_deadline_clear(due);
			due->fn(due, due->arg);
		}
	for (struct ptah_deadline_class *class = all->classes; class != NULL; class = class->next)
		if (class->list.next != &class->list && (first_ns == 0 || class->list.next->at_ns < first_ns))
			first_ns = class->list.next->at_ns;
	ptah_bell_set(&all->bell, first_ns);
}

int
ptah_deadlines_new(struct ptah_worker *worker)
{
	struct ptah_deadlines *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	worker->deadlines = all;
	return ptah_bell_init(&all->bell, worker, on_ring, all);
}

static struct ptah_deadline_class *
class_of(struct ptah_deadlines *all, unsigned ms)
{
	unsigned n = 0;

	for (struct ptah_deadline_class *class = all->classes; class != NULL; class = class->next, n++)
		if (class->ms == ms)
			return class;
	if (n == CLASSES_MAX)
		return NULL;

	struct ptah_deadline_class *class = calloc(1, sizeof(*class));
	if (class == NULL)
		return NULL;
	class->ms = ms;
	class->list.prev = class->list.next = &class->list;
	class->next = all->classes;
	all->classes = class;
	return class;
}

int
ptah_deadline_reserve(struct ptah_worker *worker, unsigned ms)
{
	return class_of(worker->deadlines, ms) == NULL ? -ENOMEM : 0;
}

int
ptah_deadline_set(struct ptah_worker *worker, struct ptah_deadline *deadline, unsigned ms,
    ptah_deadline_fn *fn, void *arg)
{
	struct ptah_deadlines *all = worker->deadlines;
	struct ptah_deadline_class *class = class_of(all, ms);

	ptah_deadline_clear(deadline);
	if (class == NULL)
		return -ENOMEM;

	deadline->at_ns = ptah_clock_now_ns() + ms * PTAH_NS_PER_MS;
	deadline->fn = fn;
	deadline->arg = arg;
	deadline->of = class;
	deadline->next = &class->list;
	deadline->prev = class->list.prev;
	deadline->prev->next = deadline;
	class->list.prev = deadline;
	ptah_bell_advance(&all->bell, deadline->at_ns);
	return 0;
}

void
ptah_deadline_clear(struct ptah_deadline *deadline)
{
	if (deadline->of == NULL)
		return;
	deadline->prev->next = deadline->next;
	deadline->next->prev = deadline->prev;
	deadline->of = NULL;
}

void
ptah_deadlines_free(struct ptah_worker *worker)
{
	struct ptah_deadlines *all = worker->deadlines;

	if (all == NULL)
		return;
	while (all->classes != NULL) {
		struct ptah_deadline_class *class = all->classes;

		all->classes = class->next;
		while (class->list.next != &class->list)
			ptah_deadline_clear(class->list.next);
		free(class);
	}
	ptah_bell_clear(&all->bell);
	free(all);
	worker->deadlines = NULL;
}
