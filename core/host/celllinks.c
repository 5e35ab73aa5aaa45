/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/cellself.h"

void
ptah_cell_list_forget(struct ptah_cell *cell)
{
	free(cell->list.links);
	cell->list = (struct ptah_cell_list){ .number = cell->list.number };
}

void
ptah_cell_list_end(struct ptah_cell *cell, int rc)
{
	struct ptah_cell_list list = cell->list;

	if (!list.fn)
		return;
	cell->list = (struct ptah_cell_list){ .number = list.number };
	list.fn(list.links, list.n, list.more, rc, list.arg);
	free(list.links);
}

void
ptah_cell_list(struct ptah_cell *cell, unsigned most, bool addresses, ptah_muster_fn *fn, void *arg)
{
	struct ptah_cell_list *list = &cell->list;
	uint32_t number = list->number + 1;

	ptah_cell_list_end(cell, -ECANCELED);
	*list = (struct ptah_cell_list){ .fn = fn, .arg = arg, .number = number, .most = most, .waits = true };
	/* A process that does not serve yet has no links, and one that is not there has none. */
	if (!cell->life.proc || !cell->life.listens)
		ptah_cell_list_end(cell, 0);
	else if (ptah_cell_tell(cell, PTAH_CELL_LIST, PTAH_CELL_LIST_VALUE(number, addresses, most)) != 0)
		ptah_cell_list_end(cell, -EAGAIN);
}

/* It is not trusted: each field gets what it may have. */
static void
tame(const struct ptah_cell *cell, struct ptah_mustered *link)
{
	link->transport[sizeof(link->transport) - 1] = '\0';
	for (char *at = link->transport; *at != '\0'; at++)
		if (*at < '!' || *at > '~')
			*at = '?';
	link->role = (uint32_t)cell->plan->role;
	if (link->peer.sa.sa_family != AF_INET && link->peer.sa.sa_family != AF_INET6)
		link->peer = (struct ptah_addr){ .sa.sa_family = AF_UNSPEC };
}

static int
append(struct ptah_cell *cell, const char *bytes, size_t n)
{
	struct ptah_cell_list *list = &cell->list;
	struct ptah_mustered *links;

	if (n == 0)
		return 0;
	links = reallocarray(list->links, list->n + n, sizeof(*links));
	if (!links)
		return -ENOMEM;
	list->links = links;
	memcpy(&links[list->n], bytes, n * sizeof(*links));
	for (size_t i = 0; i < n; i++)
		tame(cell, &links[list->n + i]);
	list->n += n;
	return 0;
}

/* A piece is answered by asking for the next one, so it never says more than was asked for, nor faster. */
void
ptah_cell_hear_links(struct ptah_cell *cell, uint64_t value, const char *bytes, size_t len)
{
	struct ptah_cell_list *list = &cell->list;
	size_t n = len / sizeof(struct ptah_mustered), room = list->most - list->n;
	int rc;

	if (!list->waits || PTAH_CELL_NUMBER(value) != list->number)
		return;
	list->waits = false;
	list->more = PTAH_CELL_MORE_LINKS(value);
	rc = append(cell, bytes, n < room ? n : room);
	if (rc == 0 && n > 0 && n <= room) {
		rc = ptah_cell_tell(cell, PTAH_CELL_GO_ON, PTAH_CELL_LIST_VALUE(list->number, false, 0));
		list->waits = rc == 0;
	}
	if (!list->waits)
		ptah_cell_list_end(cell, rc);
}
