/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/linger.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop/deadline.h"
#include "loop/end.h"
#include "loop/worker.h"

#define LINGER_MS 1000
#define LINGER_MOST ((size_t)64 * 1024)

struct ptah_linger {
	struct ptah_linger *prev, *next;
	struct ptah_worker *worker;
	struct ptah_end end;
	struct ptah_deadline deadline;
	size_t thrown_away;
	ptah_lingered_fn *fn;
	void *arg;
};

static void
over(struct ptah_linger *linger)
{
	ptah_lingered_fn *fn = linger->fn;
	void *arg = linger->arg;

	ptah_deadline_clear(&linger->deadline);
	ptah_end_close(&linger->end);
	if (linger->prev != NULL)
		linger->prev->next = linger->next;
	else
		linger->worker->rooms[PTAH_ROOM_LINGER] = linger->next;
	if (linger->next != NULL)
		linger->next->prev = linger->prev;
	free(linger);
	fn(arg);
}

static void
on_deadline(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	over(arg);
}

static void
on_readable(struct ptah_end *end)
{
	struct ptah_linger *linger = end->arg;
	uint8_t nowhere[4096];
	ssize_t n = ptah_end_read(end, nowhere, sizeof(nowhere));

	if (n > 0)
		linger->thrown_away += (size_t)n;
	if ((n <= 0 && n != -EAGAIN) || linger->thrown_away > LINGER_MOST)
		over(linger);
}

static void
on_drained(struct ptah_end *end)
{
	(void)end; /* the EOF follows by itself */
}

static void
on_failed(struct ptah_end *end, int rc)
{
	(void)rc;
	over(end->arg);
}

static const struct ptah_end_ops end_ops = { on_readable, on_drained, on_failed };

void
ptah_linger_begin(struct ptah_worker *worker, int fd, struct ptah_span words, ptah_lingered_fn *fn, void *arg)
{
	struct ptah_linger *linger = calloc(1, sizeof(*linger));

	if (linger == NULL || ptah_end_open(&linger->end, worker, fd, &end_ops, linger) != 0) {
		free(linger);
		close(fd);
		fn(arg);
		return;
	}
	linger->worker = worker;
	linger->fn = fn;
	linger->arg = arg;
	linger->next = worker->rooms[PTAH_ROOM_LINGER];
	if (linger->next != NULL)
		linger->next->prev = linger;
	worker->rooms[PTAH_ROOM_LINGER] = linger;
	if (ptah_end_write(&linger->end, words.at, words.len) < 0 || ptah_end_finish(&linger->end) < 0 ||
	    ptah_end_read_start(&linger->end) != 0 ||
	    ptah_deadline_set(worker, &linger->deadline, LINGER_MS, on_deadline, linger) != 0)
		over(linger);
}

void
ptah_linger_end_of(struct ptah_worker *worker, const void *arg)
{
	struct ptah_linger *next;

	for (struct ptah_linger *linger = worker->rooms[PTAH_ROOM_LINGER]; linger != NULL; linger = next) {
		next = linger->next;
		if (linger->arg == arg)
			over(linger);
	}
}
