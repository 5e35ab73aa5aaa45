/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/udpclient.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/deadline.h"
#include "loop/worker.h"
#include "plain/lineage.h"
#include "plain/peers.h"
#include "plain/permit.h"
#include "plain/unframer.h"
#include "relay/link.h"
#include "stats/stats.h"
#include "wire/udp.h"

/* Frames of one source that came in one batch go to its link together. */
#define GATHER_LEN ((size_t)PTAH_FRAME_MAX * 2)

struct held {
	struct held *next;
	size_t len;
	uint8_t frame[];
};

/* A source address and its link. */
struct source {
	struct ptah_peer peer; /* first */
	struct ptah_udpclient *client;
	struct ptah_permit permit;
	struct ptah_addr addr;
	struct ptah_udp_local local; /* where it asked */
	struct ptah_link *link; /* NULL while it is being made or buried */
	bool connected;
	struct ptah_deadline ready; /* connected: what is held goes out at the next turn */
	struct held *held, **held_end; /* while it is dialled */
	unsigned n_held;
	struct ptah_unframer unframer;
	/* While a batch is sorted: */
	struct source *next_turn;
	unsigned first, last; /* of its datagrams */
	bool has_turn;
};

struct ptah_udpclient {
	struct ptah_worker *worker;
	struct ptah_stats *stats;
	struct ptah_issuer issuer;
	struct ptah_udpclient_how how;
	int fd;
	struct event *event;
	struct ptah_lineage line;
	bool shut;
	struct ptah_udp_batch *batch;
	struct ptah_udp_out out;
	uint8_t *gather;
	struct ptah_peers peers;
	struct ptah_often full, refused, no_memory;
};

static void
count(const struct ptah_udpclient *client, enum ptah_stat stat, size_t n)
{
	ptah_stats_add(client->stats, stat, n);
}

/* ---- a source's end ---------------------------------------------------------------- */

static void
source_free(struct source *source)
{
	struct ptah_udpclient *client = source->client;

	ptah_peers_remove(&source->peer);
	ptah_deadline_clear(&source->ready);
	while (source->held != NULL) {
		struct held *next = source->held->next;

		count(client, PTAH_STAT_UDP_DROP_REFUSED, 1);
		free(source->held);
		source->held = next;
	}
	ptah_unframer_clear(&source->unframer);
	ptah_permit_return(&source->permit);
	free(source);
}

static void
on_link_failed(int plain_fd, int rc, const char *reason, void *arg)
{
	(void)plain_fd;
	(void)rc;
	(void)reason;
	source_free(arg);
}

static void
on_link_closed(int rc, void *arg)
{
	(void)rc;
	source_free(arg);
}

static void
drop_source(struct source *source)
{
	if (source->link != NULL)
		ptah_link_end(source->link, -ECANCELED); /* frees the source */
	else
		source_free(source);
}

static void
on_over(struct ptah_peer *peer)
{
	drop_source((struct source *)(void *)peer);
}

/* ---- from the link to the source ------------------------------------------------------ */

static void
on_unframed(const struct ptah_span *datagrams, size_t n, void *arg)
{
	const struct source *source = arg;
	struct ptah_udpclient *client = source->client;
	const struct ptah_udp_to to = { &source->addr, &source->local };
	size_t taken = ptah_udp_send(client->fd, &client->out, &to, datagrams, n); /* 7.2: errors are ignored */

	count(client, PTAH_STAT_UDP_OUT, taken);
	count(client, PTAH_STAT_UDP_DROP_SEND, n - taken);
}

static int
on_bytes(struct ptah_link *link, struct ptah_span in, void *arg)
{
	struct source *source = arg;

	(void)link;
	ptah_peers_touch(&source->peer);
	return ptah_unframer_feed(&source->unframer, source->client->how.framing, in, on_unframed, source);
}

/* ---- from the source to the link ----------------------------------------------------------- */

/* The link may end in it, and then the source is gone: false. */
static bool
push(struct source *source, struct ptah_span frames, size_t n)
{
	struct ptah_udpclient *client = source->client;
	unsigned before = client->peers.n;

	if (ptah_link_push(source->link, frames) == 0)
		return client->peers.n == before;
	/* What fits goes, and the tail is dropped. */
	size_t fit;
	frames.len = ptah_datagram_fit(client->how.framing, frames, ptah_link_push_room(source->link), &fit);
	ptah_warn_often(&client->full, AREA_LINK, "a link's send queue is full: datagrams are dropped");
	count(client, PTAH_STAT_UDP_DROP_FULL, n - fit);
	if (fit > 0)
		(void)ptah_link_push(source->link, frames);
	return client->peers.n == before;
}

/* What waited while the link was dialled, in order. */
static bool
release_held(struct source *source)
{
	while (source->held != NULL) {
		struct held *first = source->held;

		source->held = first->next;
		source->n_held--;
		bool lives = push(source, (struct ptah_span){ first->frame, first->len }, 1);
		free(first);
		if (!lives)
			return false;
	}
	return true;
}

static void
on_ready(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	(void)release_held(arg);
}

static struct ptah_span
on_link_open(struct ptah_link *link, void *arg)
{
	struct source *source = arg;

	(void)link;
	source->connected = true;
	/* The link takes no bytes before this call is over. */
	if (source->held != NULL)
		(void)ptah_deadline_set(source->client->worker, &source->ready, 0, on_ready, source);
	return (struct ptah_span){ NULL, 0 };
}

static const struct ptah_link_ops link_ops = {
	.on_open = on_link_open,
	.on_failed = on_link_failed,
	.on_closed = on_link_closed,
	.on_bytes = on_bytes,
};

static void
hold(struct source *source, struct ptah_span frame)
{
	struct held *held;

	held = source->n_held < source->client->how.queue_most ? malloc(sizeof(*held) + frame.len) : NULL;
	if (held == NULL) {
		count(source->client, PTAH_STAT_UDP_DROP_WAITING, 1);
		return;
	}
	held->next = NULL;
	held->len = frame.len;
	memcpy(held->frame, frame.at, frame.len);
	if (source->held == NULL)
		source->held_end = &source->held;
	*source->held_end = held;
	source->held_end = &held->next;
	source->n_held++;
}

static struct ptah_link *
link_new(struct source *source)
{
	struct ptah_udpclient *client = source->client;
	struct ptah_dest server;
	struct ptah_args args;
	char why[256];
	int rc = ptah_args_make(&args, client->how.instance, NULL, why, sizeof(why));

	if (rc != 0) {
		ptah_warn_often(&client->refused, AREA_LINK, "%s: settings refused: %s", client->how.instance->name,
		    rc == -EINVAL ? why : strerror(-rc));
		return NULL;
	}
	struct ptah_link_client how = {
		.instance = client->how.instance,
		.how = client->how.dial,
		.plain_fd = -1,
		.args = &args,
		.server = args.server[0] != '\0' && ptah_dest_parse(&server, args.server, false) == 0 ? &server : NULL,
		.dial_ms = client->how.dial_ms,
	};
	struct ptah_link *link = ptah_link_client_new(client->worker, &how, &link_ops, source);
	if (link == NULL)
		ptah_args_free(&args);
	return link;
}

/* A new source: Waiting, with its link being dialled.  NULL: no room, or no memory. */
static struct source *
source_new(struct ptah_udpclient *client, const struct ptah_addr *addr)
{
	const struct ptah_peer_key key = ptah_peer_key_of(addr);
	struct ptah_permit permit;
	struct source *source;

	if (ptah_permit_take(&permit, &client->issuer, addr) != 0)
		return NULL;
	source = calloc(1, sizeof(*source));
	if (source == NULL) {
		ptah_permit_return(&permit);
		return NULL;
	}
	source->client = client;
	source->permit = permit;
	source->addr = *addr;
	ptah_peers_add(&client->peers, &source->peer, &key);
	source->link = link_new(source);
	if (source->link == NULL) {
		source_free(source);
		return NULL;
	}
	return source;
}

/* Frames that one source sent in one wake-up. */
struct gathered {
	struct source *source; /* NULL: it has no link */
	const struct ptah_addr *from;
	bool known; /* it had one when the batch was sorted: let it open no other */
	size_t len, n;
};

static struct source *
source_find(const struct ptah_udpclient *client, const struct ptah_addr *addr)
{
	const struct ptah_peer_key key = ptah_peer_key_of(addr);

	return (struct source *)(void *)ptah_peers_find(&client->peers, &key);
}

/* The link may end in it. */
static void
flush(struct gathered *gathered)
{
	struct source *source = gathered->source;
	struct ptah_udpclient *client;

	if (source == NULL || gathered->n == 0)
		return;
	client = source->client;
	ptah_peers_touch(&source->peer);
	if (!release_held(source) ||
	    !push(source, (struct ptah_span){ client->gather, gathered->len }, gathered->n))
		gathered->source = NULL;
	gathered->len = gathered->n = 0;
}

static void
take(struct ptah_udpclient *client, struct gathered *to, struct ptah_span datagram, const struct ptah_udp_local *local)
{
	if (GATHER_LEN - to->len < PTAH_FRAME_MAX)
		flush(to);
	struct ptah_span frame = { client->gather + to->len, 0 };
	frame.len = ptah_datagram_frame(client->how.framing, datagram, client->gather + to->len);
	if (frame.len == 0) {
		count(client, PTAH_STAT_UDP_DROP_ALIEN, 1); /* it opens nothing, and keeps nothing alive */
		return;
	}
	count(client, PTAH_STAT_UDP_IN, 1);
	if (to->source == NULL) {
		to->source = client->shut || to->known ? NULL : source_new(client, to->from);
		if (to->source == NULL) {
			count(client, PTAH_STAT_UDP_DROP_REFUSED, 1);
			return;
		}
		to->source->local = *local;
		/* 7.2: the first datagram starts the dial and is dropped, unless there is a queue. */
		hold(to->source, frame);
		unsigned before = client->peers.n;
		ptah_link_go(to->source->link);
		if (client->peers.n < before)
			to->source = NULL; /* it has failed already */
	} else if (to->source->connected) {
		to->len += frame.len;
		to->n++;
		to->source->local = *local;
	} else {
		ptah_peers_touch(&to->source->peer);
		hold(to->source, frame);
	}
}

/* One read, which the kernel may have joined. */
static void
take_got(struct ptah_udpclient *client, struct gathered *to, const struct ptah_udp_got *got)
{
	size_t at = 0;

	do {
		size_t len = got->len - at < got->each ? got->len - at : got->each;

		take(client, to, (struct ptah_span){ got->at + at, len }, &got->local);
		at += len;
	} while (at < got->len);
}

/* ---- a batch --------------------------------------------------------------------------------- */

#define NONE PTAH_UDP_BATCH

/* What was read, so sorted that each source has its datagrams together, in the order in which they came. */
struct batch {
	struct ptah_udp_got got[PTAH_UDP_BATCH];
	unsigned next[PTAH_UDP_BATCH];  /* of the same source, or NONE */
	struct source *turns;           /* those that have some, in order */
	unsigned n_new, new[PTAH_UDP_BATCH]; /* of sources that nobody knows */
};

static void
sort(struct ptah_udpclient *client, struct batch *batch, unsigned n)
{
	struct source *source = NULL, **end = &batch->turns;

	for (unsigned i = 0; i < n; i++) {
		if (i == 0 || !ptah_addr_equal(&batch->got[i - 1].from, &batch->got[i].from))
			source = source_find(client, &batch->got[i].from);
		if (source == NULL) {
			batch->new[batch->n_new++] = i;
			continue;
		}
		batch->next[i] = NONE;
		if (source->has_turn) {
			batch->next[source->last] = i;
		} else {
			source->has_turn = true;
			source->first = i;
			*end = source;
			end = &source->next_turn;
		}
		source->last = i;
	}
	*end = NULL;
}

/* Does one before us know the source?  Then it takes all of it. */
static bool
is_elders(const struct ptah_udpclient *client, struct ptah_udp_got *got)
{
	if (source_find(client, &got->from) != NULL)
		return false;
	while (got->len > 0) {
		size_t len = got->len < got->each ? got->len : got->each;

		if (!ptah_lineage_offer(&client->line, got, (struct ptah_room){ (uint8_t *)(uintptr_t)got->at, len }))
			return false;
		got->at += len;
		got->len -= len;
	}
	return true;
}

/* How many are left. */
static int
keep_own(const struct ptah_udpclient *client, struct ptah_udp_got *got, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (!is_elders(client, &got[i]))
			got[kept++] = got[i];
	return kept;
}

/* From an heir. */
static bool
on_offer(const struct ptah_udp_got *got, void *arg)
{
	struct ptah_udpclient *client = arg;
	struct gathered gathered = { .source = source_find(client, &got->from), .known = true };

	if (gathered.source == NULL)
		return false;
	take_got(client, &gathered, got);
	flush(&gathered);
	return true;
}

static void
on_datagrams(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_udpclient *client = arg;
	struct batch batch;
	int n = ptah_udp_read(fd, client->batch, batch.got);

	if (client->line.elder != NULL)
		n = keep_own(client, batch.got, n);

	(void)what;
	batch.n_new = 0;
	sort(client, &batch, n > 0 ? (unsigned)n : 0);
	while (batch.turns != NULL) {
		struct source *source = batch.turns;
		struct gathered gathered = { .source = source, .known = true };

		batch.turns = source->next_turn;
		source->has_turn = false;
		for (unsigned i = source->first, next; i != NONE; i = next) {
			next = batch.next[i];
			take_got(client, &gathered, &batch.got[i]);
		}
		flush(&gathered);
	}
	/* After all turns: a new source may let another one go. */
	for (unsigned i = 0; i < batch.n_new; i++) {
		const struct ptah_udp_got *got = &batch.got[batch.new[i]];
		struct gathered gathered = { .source = source_find(client, &got->from), .from = &got->from };

		take_got(client, &gathered, got);
		flush(&gathered);
	}
}

/* ---- the listener ------------------------------------------------------------------------------ */

struct ptah_udpclient *
ptah_udpclient_new(struct ptah_worker *worker, const struct ptah_udpclient_how *how, int fd)
{
	struct ptah_udpclient *client = calloc(1, sizeof(*client));

	if (client != NULL) {
		client->worker = worker;
		client->stats = ptah_instance_stats(how->instance, worker);
		client->how = *how;
		client->issuer = (struct ptah_issuer){ how->quota, how->gate, client->stats };
		client->fd = fd;
		client->batch = ptah_udp_batch_new();
		client->gather = malloc(GATHER_LEN);
		client->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_datagrams, client);
		if (client->batch != NULL && client->gather != NULL && client->event != NULL &&
		    ptah_peers_init(&client->peers, worker, client->stats, how->limit, how->idle_ms, on_over) == 0 &&
		    ptah_deadline_reserve(worker, 0) == 0 &&
		    ptah_lineage_begin(&client->line, worker, fd, client->event, on_offer, client) == 0)
			return client;
		ptah_udpclient_free(client);
	} else {
		close(fd);
	}
	errno = ENOMEM;
	return NULL;
}

void
ptah_udpclient_shut(struct ptah_udpclient *client, bool elsewhere)
{
	client->shut = true;
	if (elsewhere)
		ptah_lineage_rest(&client->line);
}

void
ptah_udpclient_free(struct ptah_udpclient *client)
{
	if (client == NULL)
		return;
	while (client->peers.oldest != NULL)
		drop_source((struct source *)(void *)client->peers.oldest);
	ptah_peers_clear(&client->peers);
	ptah_lineage_end(&client->line);
	if (client->event != NULL)
		event_free(client->event);
	ptah_udp_batch_free(client->batch);
	free(client->gather);
	close(client->fd);
	free(client);
}
