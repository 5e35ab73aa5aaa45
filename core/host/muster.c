/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/muster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/crew.h"
#include "relay/census.h"
#include "relay/flock.h"

/* What one worker has. */
struct sheet {
	struct ptah_muster *muster;
	size_t owner; /* that is looked at */
	struct ptah_mustered *links;
	size_t n, room;
	uint64_t more;
	int rc;
	struct ptah_letter there, back;
};

struct ptah_muster {
	struct ptah_worker *loop;
	unsigned most; /* of each worker, so that none must know of another */
	bool addresses;
	ptah_muster_fn *fn; /* NULL: forgotten */
	void *arg;
	const struct ptah_flock **flocks; /* by owner */
	size_t n_flocks;
	struct sheet *sheets; /* by worker */
	unsigned n_sheets, n_open;
};

/* --- on a worker ---------------------------------------------------------------------- */

static int
make_room(struct sheet *sheet)
{
	size_t room = 2 * sheet->room + 16;
	struct ptah_mustered *links;

	if (sheet->n < sheet->room)
		return 0;
	links = reallocarray(sheet->links, room, sizeof(*links));
	if (!links)
		return -ENOMEM;
	sheet->links = links;
	sheet->room = room;
	return 0;
}

static int
on_link(const struct ptah_seen *seen, void *arg)
{
	struct sheet *sheet = arg;
	struct ptah_mustered *link;

	if (sheet->n == sheet->muster->most) {
		sheet->more++;
		return 0;
	}
	if (make_room(sheet) != 0)
		return -ENOMEM;
	link = &sheet->links[sheet->n++];
	memset(link, 0, sizeof(*link)); /* its gaps, too, for it may leave this process */
	link->owner = (uint32_t)sheet->owner;
	link->role = seen->role;
	link->state = seen->state;
	link->messages = seen->messages;
	link->age_ns = seen->age_ns;
	memcpy(link->got, seen->got, sizeof(link->got));
	memcpy(link->transport, seen->transport, strnlen(seen->transport, sizeof(link->transport) - 1));
	link->peer = seen->peer;
	return 0;
}

static void on_sheet(struct ptah_worker *loop, void *arg);

static void
look(struct ptah_worker *worker, void *arg)
{
	struct sheet *sheet = arg;
	struct ptah_muster *muster = sheet->muster;

	for (sheet->owner = 0; sheet->owner < muster->n_flocks && sheet->rc == 0; sheet->owner++)
		sheet->rc = ptah_census(&muster->flocks[sheet->owner][worker->index], muster->addresses, on_link, sheet);
	(void)ptah_worker_send(muster->loop, &sheet->back, on_sheet, muster);
}

/* --- the list --------------------------------------------------------------------------- */

static void
muster_free(struct ptah_muster *muster)
{
	for (unsigned i = 0; i < muster->n_sheets; i++)
		free(muster->sheets[i].links);
	free(muster->sheets);
	free(muster->flocks);
	free(muster);
}

/* All sheets on one, as many links as it may have. */
static void
tell(const struct ptah_muster *muster)
{
	struct ptah_mustered *links;
	size_t n = 0, all = 0;
	uint64_t more = 0;
	int rc = 0;

	for (unsigned i = 0; i < muster->n_sheets; i++) {
		all += muster->sheets[i].n;
		more += muster->sheets[i].more;
		rc = rc == 0 ? muster->sheets[i].rc : rc;
	}
	links = calloc(all + 1, sizeof(*links));
	for (unsigned i = 0; i < muster->n_sheets && links; i++) {
		const struct sheet *sheet = &muster->sheets[i];
		size_t some = sheet->n < muster->most - n ? sheet->n : muster->most - n;

		if (some > 0)
			memcpy(&links[n], sheet->links, some * sizeof(*links));
		n += some;
	}
	muster->fn(links, n, more + (all - n), links ? rc : -ENOMEM, muster->arg);
	free(links);
}

static void
on_sheet(struct ptah_worker *loop, void *arg)
{
	struct ptah_muster *muster = arg;

	(void)loop;
	if (--muster->n_open > 0)
		return;
	if (muster->fn)
		tell(muster);
	muster_free(muster);
}

/* --- the call ---------------------------------------------------------------------------- */

struct ptah_muster *
ptah_muster_call(const struct ptah_crew *crew, const struct ptah_flock *const *flocks, size_t n_flocks, unsigned most,
    bool addresses, ptah_muster_fn *fn, void *arg)
{
	struct ptah_muster *muster = calloc(1, sizeof(*muster));

	if (muster) {
		*muster = (struct ptah_muster){
			.loop = crew->loop, .most = most, .addresses = addresses, .fn = fn, .arg = arg, .n_flocks = n_flocks,
			.n_open = crew->n_workers, .flocks = calloc(n_flocks + 1, sizeof(*flocks)),
			.sheets = calloc(crew->n_workers, sizeof(*muster->sheets)),
		};
	}
	if (!muster || !muster->flocks || !muster->sheets) {
		if (muster)
			muster_free(muster);
		errno = ENOMEM;
		return NULL;
	}
	for (size_t i = 0; i < n_flocks; i++)
		muster->flocks[i] = flocks[i];
	muster->n_sheets = crew->n_workers;
	for (unsigned i = 0; i < crew->n_workers; i++) {
		muster->sheets[i].muster = muster;
		(void)ptah_worker_send(crew->workers[i], &muster->sheets[i].there, look, &muster->sheets[i]);
	}
	return muster;
}

void
ptah_muster_forget(struct ptah_muster *muster)
{
	if (muster)
		muster->fn = NULL;
}
