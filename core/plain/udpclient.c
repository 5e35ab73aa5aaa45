/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/udpclient.h"

#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "loop/deadline.h"
#include "loop/worker.h"
#include "plain/unframer.h"
#include "relay/link.h"
#include "stats/stats.h"
#include "wire/udp.h"

#define BUCKETS 1024
/* Frames of one source that came in one batch go to its link together. */
#define GATHER_LEN ((size_t)PTAH_FRAME_MAX * 2)

struct held {
	struct held *next;
	size_t len;
	uint8_t frame[];
};

/* A source address and its link. */
struct source {
	struct source *hash_next;
	struct source *newer, *older; /* by last traffic */
	struct ptah_udpclient *client;
	struct ptah_addr addr;
	size_t bucket;
	struct ptah_link *link; /* NULL while it is being made or buried */
	bool connected, gone;
	struct ptah_deadline idle;
	struct ptah_deadline ready; /* connected: what is held goes out at the next turn */
	struct held *held, **held_end; /* while it is dialled */
	unsigned n_held;
	struct ptah_unframer unframer;
};

struct ptah_udpclient {
	struct ptah_worker *worker;
	struct ptah_udpclient_how how;
	int fd;
	struct event *event;
	bool shut;
	struct ptah_udp_batch *batch;
	uint8_t *gather;
	uint8_t key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose sources of one bucket */
	struct source *buckets[BUCKETS];
	struct source *newest, *oldest;
	unsigned n_sources;
	struct ptah_often full, refused, no_memory;
};

static size_t
bucket_of(const struct ptah_udpclient *client, const struct ptah_addr *addr)
{
	uint8_t text[18] = { 0 }, hash[crypto_shorthash_BYTES];
	uint16_t port = ptah_addr_port(addr);
	uint32_t out;

	memcpy(text, &port, 2);
	if (addr->sa.sa_family == AF_INET)
		memcpy(text + 2, &addr->v4.sin_addr, 4);
	else
		memcpy(text + 2, &addr->v6.sin6_addr, 16);
	crypto_shorthash(hash, text, sizeof(text), client->key);
	memcpy(&out, hash, sizeof(out));
	return out % BUCKETS;
}

/* ---- the order of last traffic ------------------------------------------------- */

static void
unlist(struct source *source)
{
	struct ptah_udpclient *client = source->client;

	*(source->newer != NULL ? &source->newer->older : &client->newest) = source->older;
	*(source->older != NULL ? &source->older->newer : &client->oldest) = source->newer;
}

static void
list_as_newest(struct source *source)
{
	struct ptah_udpclient *client = source->client;

	source->newer = NULL;
	source->older = client->newest;
	*(client->newest != NULL ? &client->newest->newer : &client->oldest) = source;
	client->newest = source;
}

static void on_idle(struct ptah_deadline *deadline, void *arg);

static void
touch(struct source *source)
{
	if (source->client->newest != source) {
		unlist(source);
		list_as_newest(source);
	}
	if (ptah_deadline_set(source->client->worker, &source->idle, source->client->how.idle_ms, on_idle, source) != 0)
		ptah_warn_often(&source->client->no_memory, AREA_LINK, "out of memory: an idle source is not watched");
}

/* ---- a source's end ---------------------------------------------------------------- */

static void
source_free(struct source *source)
{
	struct ptah_udpclient *client = source->client;
	struct source **at = &client->buckets[source->bucket];

	while (*at != source)
		at = &(*at)->hash_next;
	*at = source->hash_next;
	unlist(source);
	client->n_sources--;
	ptah_deadline_clear(&source->idle);
	ptah_deadline_clear(&source->ready);
	while (source->held != NULL) {
		struct held *next = source->held->next;

		free(source->held);
		source->held = next;
	}
	ptah_unframer_clear(&source->unframer);
	ptah_quota_release(client->how.quota);
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
on_idle(struct ptah_deadline *deadline, void *arg)
{
	(void)deadline;
	drop_source(arg);
}

/* ---- from the link to the source ------------------------------------------------------ */

static void
on_datagram(struct ptah_span datagram, void *arg)
{
	const struct source *source = arg;

	(void)ptah_udp_send(source->client->fd, &source->addr, datagram.at, datagram.len); /* 7.2: errors are ignored */
}

static int
on_bytes(struct ptah_link *link, struct ptah_span in, void *arg)
{
	struct source *source = arg;

	(void)link;
	touch(source);
	return ptah_unframer_feed(&source->unframer, source->client->how.framing, in, on_datagram, source);
}

/* ---- from the source to the link ----------------------------------------------------------- */

/* The link may end in it, and then the source is gone: false. */
static bool
push(struct source *source, struct ptah_span frames)
{
	struct ptah_udpclient *client = source->client;
	unsigned before = client->n_sources;

	if (ptah_link_push(source->link, frames) != 0)
		ptah_warn_often(&client->full, AREA_LINK, "a link's send queue is full: datagrams are dropped");
	return client->n_sources == before;
}

/* What waited while the link was dialled, in order. */
static bool
release_held(struct source *source)
{
	while (source->held != NULL) {
		struct held *first = source->held;

		source->held = first->next;
		source->n_held--;
		bool lives = push(source, (struct ptah_span){ first->frame, first->len });
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

	if (source->n_held >= source->client->how.queue_most)
		return;
	held = malloc(sizeof(*held) + frame.len);
	if (held == NULL)
		return;
	held->next = NULL;
	held->len = frame.len;
	memcpy(held->frame, frame.at, frame.len);
	if (source->held == NULL)
		source->held_end = &source->held;
	*source->held_end = held;
	source->held_end = &held->next;
	source->n_held++;
}

static struct source *
source_find(struct ptah_udpclient *client, const struct ptah_addr *addr, size_t bucket)
{
	struct source *source = client->buckets[bucket];

	while (source != NULL && !ptah_addr_equal(&source->addr, addr))
		source = source->hash_next;
	return source;
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
source_new(struct ptah_udpclient *client, const struct ptah_addr *addr, size_t bucket)
{
	struct source *source;

	while (client->n_sources >= client->how.peers_most)
		drop_source(client->oldest);
	source = calloc(1, sizeof(*source));
	if (source == NULL)
		return NULL;
	source->client = client;
	source->addr = *addr;
	source->bucket = bucket;
	source->hash_next = client->buckets[bucket];
	client->buckets[bucket] = source;
	list_as_newest(source);
	client->n_sources++;
	ptah_quota_add(client->how.quota);
	source->link = link_new(source);
	if (source->link == NULL) {
		source_free(source);
		return NULL;
	}
	touch(source);
	return source;
}

/* Frames gathered so far for 'source'. */
static void
flush(struct source *source, size_t *gathered)
{
	struct ptah_udpclient *client;

	if (source == NULL || *gathered == 0)
		return;
	client = source->client;
	if (release_held(source))
		(void)push(source, (struct ptah_span){ client->gather, *gathered });
	*gathered = 0;
}

static void
take(struct ptah_udpclient *client, const struct ptah_udp_got *got, struct source **current, size_t *gathered)
{
	size_t bucket, n;
	struct source *source = *current;

	if (source == NULL || !ptah_addr_equal(&source->addr, &got->from)) {
		flush(source, gathered);
		bucket = bucket_of(client, &got->from);
		source = *current = source_find(client, &got->from, bucket);
	} else if (GATHER_LEN - *gathered < PTAH_FRAME_MAX) {
		flush(source, gathered);
		/* The link may have ended in it. */
		bucket = bucket_of(client, &got->from);
		source = *current = source_find(client, &got->from, bucket);
	}
	n = ptah_datagram_frame(client->how.framing, (struct ptah_span){ got->at, got->len }, client->gather + *gathered);
	if (n == 0)
		return; /* not of this mode: it opens nothing, and keeps nothing alive */
	if (source == NULL) {
		if (client->shut)
			return;
		bucket = bucket_of(client, &got->from);
		source = *current = source_new(client, &got->from, bucket);
		if (source == NULL)
			return;
		/* 7.2: the first datagram starts the dial and is dropped, unless there is a queue. */
		hold(source, (struct ptah_span){ client->gather + *gathered, n });
		ptah_link_go(source->link);
		*current = source_find(client, &got->from, bucket); /* it may have failed already */
		return;
	}
	touch(source);
	if (source->connected)
		*gathered += n;
	else
		hold(source, (struct ptah_span){ client->gather + *gathered, n });
}

static void
on_datagrams(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_udpclient *client = arg;
	struct ptah_udp_got got[PTAH_UDP_BATCH];
	struct source *current = NULL;
	size_t gathered = 0;

	(void)what;
	int n = ptah_udp_read(fd, client->batch, got);
	for (int i = 0; i < n; i++)
		take(client, &got[i], &current, &gathered);
	flush(current, &gathered);
}

/* ---- the listener ------------------------------------------------------------------------------ */

struct ptah_udpclient *
ptah_udpclient_new(struct ptah_worker *worker, const struct ptah_udpclient_how *how, int fd)
{
	struct ptah_udpclient *client = calloc(1, sizeof(*client));

	if (client != NULL) {
		client->worker = worker;
		client->how = *how;
		client->fd = fd;
		ptah_random_bytes(client->key, sizeof(client->key));
		client->batch = ptah_udp_batch_new();
		client->gather = malloc(GATHER_LEN);
		client->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_datagrams, client);
		if (client->batch != NULL && client->gather != NULL && client->event != NULL && event_add(client->event, NULL) == 0)
			return client;
		ptah_udpclient_free(client);
	} else {
		close(fd);
	}
	errno = ENOMEM;
	return NULL;
}

void
ptah_udpclient_shut(struct ptah_udpclient *client)
{
	client->shut = true;
}

void
ptah_udpclient_free(struct ptah_udpclient *client)
{
	if (client == NULL)
		return;
	while (client->oldest != NULL)
		drop_source(client->oldest);
	if (client->event != NULL)
		event_free(client->event);
	ptah_udp_batch_free(client->batch);
	free(client->gather);
	close(client->fd);
	free(client);
}
