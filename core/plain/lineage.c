/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/lineage.h"

#include <errno.h>
#include <event2/event.h>

#include "loop/worker.h"

static struct ptah_lineage *
find_elder(const struct ptah_lineage *line)
{
	struct ptah_lineage *one = line->worker->rooms[PTAH_ROOM_PLAIN];

	while (one != NULL && !(one->heir == NULL && ptah_addr_equal(&one->at, &line->at)))
		one = one->next;
	return one;
}

int
ptah_lineage_begin(struct ptah_lineage *line, struct ptah_worker *worker, int fd, struct event *event,
    bool (*take)(const struct ptah_udp_got *got, void *arg), void *arg)
{
	struct ptah_addr at;
	int rc = ptah_addr_of_socket(&at, fd);

	if (rc == 0 && event_add(event, NULL) == -1)
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	*line = (struct ptah_lineage){ .worker = worker, .at = at, .event = event, .take = take, .arg = arg };
	line->elder = find_elder(line);
	if (line->elder != NULL) {
		line->elder->heir = line;
		event_del(line->elder->event);
	}
	line->next = worker->rooms[PTAH_ROOM_PLAIN];
	worker->rooms[PTAH_ROOM_PLAIN] = line;
	return 0;
}

void
ptah_lineage_end(struct ptah_lineage *line)
{
	struct ptah_lineage *first, *one;

	if (line->worker == NULL)
		return;
	first = one = line->worker->rooms[PTAH_ROOM_PLAIN];
	if (first == line) {
		line->worker->rooms[PTAH_ROOM_PLAIN] = line->next;
	} else {
		while (one->next != line)
			one = one->next;
		one->next = line->next;
	}
	event_del(line->event);
	if (line->heir != NULL)
		line->heir->elder = line->elder;
	if (line->elder != NULL)
		line->elder->heir = line->heir;
	/* Without memory for that its peers hear nothing until they are idle, and go. */
	if (line->elder != NULL && line->heir == NULL && !line->elder->rests)
		(void)event_add(line->elder->event, NULL);
	line->worker = NULL;
}

void
ptah_lineage_rest(struct ptah_lineage *line)
{
	if (line->worker == NULL)
		return;
	for (struct ptah_lineage *one = line; one != NULL; one = one->elder) {
		event_del(one->event);
		one->rests = true;
	}
}

bool
ptah_lineage_offer(const struct ptah_lineage *line, const struct ptah_udp_got *got, struct ptah_room piece)
{
	struct ptah_udp_got one = *got;

	one.at = piece.at;
	one.len = one.each = piece.len;
	for (const struct ptah_lineage *elder = line->elder; elder != NULL; elder = elder->elder)
		if (elder->take(&one, elder->arg))
			return true;
	return false;
}

size_t
ptah_lineage_offer_all(const struct ptah_lineage *line, const struct ptah_udp_got *got, struct ptah_room *pieces, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		if (!ptah_lineage_offer(line, got, pieces[i]))
			pieces[left++] = pieces[i];
	return left;
}
