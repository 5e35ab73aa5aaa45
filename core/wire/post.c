/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/post.h"

#include <stdlib.h>

#include "stats/stats.h"

#define NONE PTAH_POST_MOST

struct item {
	struct ptah_span datagram;
	unsigned next; /* of the same lane, or NONE */
};

struct ptah_post {
	struct ptah_stats *stats;
	struct ptah_lane *lanes, **lanes_end;
	unsigned n;
	struct item items[PTAH_POST_MOST];
};

struct ptah_post *
ptah_post_new(struct ptah_stats *stats)
{
	struct ptah_post *post = malloc(sizeof(*post));

	if (post == NULL)
		return NULL;
	post->stats = stats;
	post->lanes = NULL;
	post->lanes_end = &post->lanes;
	post->n = 0;
	return post;
}

void
ptah_post_free(struct ptah_post *post)
{
	free(post);
}

void
ptah_post_add(struct ptah_post *post, struct ptah_lane *lane, struct ptah_span datagram)
{
	if (datagram.len > lane->most) {
		ptah_stats_add(post->stats, PTAH_STAT_UDP_DROP_LONG, 1);
		return;
	}
	if (post->n == PTAH_POST_MOST)
		ptah_post_flush(post);
	unsigned at = post->n++;
	post->items[at] = (struct item){ datagram, NONE };
	if (lane->waits) {
		post->items[lane->last].next = at;
	} else {
		lane->waits = true;
		lane->first = at;
		lane->next = NULL;
		*post->lanes_end = lane;
		post->lanes_end = &lane->next;
	}
	lane->last = at;
}

static void
send_lane(const struct ptah_post *post, struct ptah_lane *lane)
{
	const struct ptah_udp_to to = { lane->addr.sa.sa_family != AF_UNSPEC ? &lane->addr : NULL, &lane->local };
	struct ptah_span burst[PTAH_UDP_SEND_MOST];
	size_t sent = 0, lost = 0;

	for (unsigned at = lane->first; at != NONE;) {
		size_t n = 0;

		for (; at != NONE && n < PTAH_UDP_SEND_MOST; at = post->items[at].next)
			burst[n++] = post->items[at].datagram;
		size_t taken = ptah_udp_send(lane->fd, &lane->out, &to, burst, n);
		sent += taken;
		lost += n - taken;
	}
	if (lane->plain)
		ptah_stats_add(post->stats, PTAH_STAT_UDP_OUT, sent);
	if (lost > 0)
		ptah_stats_add(post->stats, PTAH_STAT_UDP_DROP_SEND, lost);
}

void
ptah_post_flush(struct ptah_post *post)
{
	for (struct ptah_lane *lane = post->lanes; lane != NULL; lane = lane->next) {
		lane->waits = false;
		send_lane(post, lane);
	}
	post->lanes = NULL;
	post->lanes_end = &post->lanes;
	post->n = 0;
}

void
ptah_post_leave(struct ptah_post *post, const struct ptah_lane *lane)
{
	if (lane->waits)
		ptah_post_flush(post);
}
