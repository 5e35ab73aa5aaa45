/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/peers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "loop/worker.h"
#include "stats/stats.h"

struct ptah_limit {
	atomic_uint refs, used;
	unsigned most;
	struct {
		_Atomic uint64_t at_ns;   /* when its eldest would be idle for too long; 0: it has none */
		atomic_bool asked;        /* a letter to it is under way */
		struct ptah_worker *worker;
		struct ptah_peers *peers; /* for its own worker alone */
	} of[PTAH_WORKERS_MAX];
};

struct ptah_limit *
ptah_limit_new(unsigned most)
{
	struct ptah_limit *limit = calloc(1, sizeof(*limit));

	if (limit == NULL)
		return NULL;
	atomic_init(&limit->refs, 1);
	limit->most = most;
	return limit;
}

void
ptah_limit_unref(struct ptah_limit *limit)
{
	if (limit != NULL && atomic_fetch_sub(&limit->refs, 1) == 1)
		free(limit);
}

/* [0][port:2][address:16], or [1][key:16] */
struct ptah_peer_key
ptah_peer_key_of(const struct ptah_addr *addr)
{
	struct ptah_peer_key key = { { 0 } };
	uint16_t port = ptah_addr_port(addr);

	memcpy(key.bytes + 1, &port, 2);
	if (addr->sa.sa_family == AF_INET)
		memcpy(key.bytes + 3, &addr->v4.sin_addr, 4);
	else
		memcpy(key.bytes + 3, &addr->v6.sin6_addr, 16);
	return key;
}

struct ptah_peer_key
ptah_peer_key_from(const uint8_t bytes[static 16])
{
	struct ptah_peer_key key = { { 1 } };

	memcpy(key.bytes + 1, bytes, 16);
	return key;
}

static size_t
bucket_of(const struct ptah_peers *peers, const struct ptah_peer_key *key)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t out;

	crypto_shorthash(hash, key->bytes, sizeof(key->bytes), peers->secret);
	memcpy(&out, hash, sizeof(out));
	return out % PTAH_PEERS_BUCKETS;
}

int
ptah_peers_init(struct ptah_peers *peers, struct ptah_worker *worker, struct ptah_stats *stats, struct ptah_limit *limit,
    unsigned idle_ms, ptah_peer_over_fn *over)
{
	peers->worker = worker;
	peers->stats = stats;
	peers->idle_ms = idle_ms;
	peers->over = over;
	ptah_random_bytes(peers->secret, sizeof(peers->secret));
	if (ptah_deadline_reserve(worker, idle_ms) != 0)
		return -ENOMEM;
	atomic_fetch_add(&limit->refs, 1);
	peers->limit = limit;
	limit->of[worker->index].worker = worker;
	limit->of[worker->index].peers = peers;
	return 0;
}

void
ptah_peers_clear(struct ptah_peers *peers)
{
	if (peers->limit == NULL)
		return;
	peers->limit->of[peers->worker->index].peers = NULL;
	ptah_limit_unref(peers->limit);
	peers->limit = NULL;
}

struct ptah_peer *
ptah_peers_find(const struct ptah_peers *peers, const struct ptah_peer_key *key)
{
	struct ptah_peer *peer = peers->buckets[bucket_of(peers, key)];

	while (peer != NULL && memcmp(&peer->key, key, sizeof(*key)) != 0)
		peer = peer->hash_next;
	return peer;
}

/* ---- the order of last traffic --------------------------------------------- */

static void
unlist(struct ptah_peer *peer)
{
	struct ptah_peers *peers = peer->of;

	*(peer->newer != NULL ? &peer->newer->older : &peers->newest) = peer->older;
	*(peer->older != NULL ? &peer->older->newer : &peers->oldest) = peer->newer;
}

static void
list_as_newest(struct ptah_peer *peer)
{
	struct ptah_peers *peers = peer->of;

	peer->newer = NULL;
	peer->older = peers->newest;
	*(peers->newest != NULL ? &peers->newest->newer : &peers->oldest) = peer;
	peers->newest = peer;
}

/* Say to all workers how long our eldest has been idle. */
static void
publish(const struct ptah_peers *peers)
{
	uint64_t at_ns = peers->oldest != NULL ? peers->oldest->idle.at_ns : 0;

	atomic_store_explicit(&peers->limit->of[peers->worker->index].at_ns, at_ns, memory_order_release);
}

static void
on_idle(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_peer *peer = arg;

	(void)deadline;
	peer->of->over(peer);
}

void
ptah_peers_touch(struct ptah_peer *peer)
{
	struct ptah_peers *peers = peer->of;
	bool was_oldest = peers->oldest == peer;

	if (peers->newest != peer) {
		unlist(peer);
		list_as_newest(peer);
	}
	(void)ptah_deadline_set(peers->worker, &peer->idle, peers->idle_ms, on_idle, peer); /* it is reserved */
	if (was_oldest)
		publish(peers);
}

void
ptah_peers_remove(struct ptah_peer *peer)
{
	struct ptah_peers *peers = peer->of;
	struct ptah_peer **at;

	if (peers == NULL)
		return;
	for (at = &peers->buckets[peer->bucket]; *at != peer; at = &(*at)->hash_next)
		continue;
	*at = peer->hash_next;
	unlist(peer);
	peers->n--;
	atomic_fetch_sub(&peers->limit->used, 1);
	ptah_deadline_clear(&peer->idle);
	peer->of = NULL;
	publish(peers);
}

/* ---- the limit ------------------------------------------------------------------ */

static void
evict(struct ptah_peers *peers)
{
	if (peers->oldest == NULL)
		return;
	ptah_stats_add(peers->stats, PTAH_STAT_UDP_EVICTED, 1);
	peers->over(peers->oldest);
}

/* Other workers needed room, and perhaps have it by now. */
static void
on_evict_letter(struct ptah_worker *worker, void *arg)
{
	struct ptah_limit *limit = arg;
	struct ptah_peers *peers = limit->of[worker->index].peers;

	atomic_store(&limit->of[worker->index].asked, false);
	while (peers != NULL && peers->oldest != NULL && atomic_load(&limit->used) > limit->most)
		evict(peers);
	ptah_limit_unref(limit);
}

/* Of the workers that are not asked already, whose eldest is the eldest of all?  Ours if there is none. */
static unsigned
find_eldest(const struct ptah_peers *peers)
{
	const struct ptah_limit *limit = peers->limit;
	unsigned eldest = peers->worker->index;
	uint64_t eldest_ns = UINT64_MAX;

	for (unsigned i = 0; i < PTAH_WORKERS_MAX; i++) {
		uint64_t at_ns = atomic_load_explicit(&limit->of[i].at_ns, memory_order_acquire);

		if (at_ns != 0 && at_ns < eldest_ns && !atomic_load(&limit->of[i].asked)) {
			eldest_ns = at_ns;
			eldest = i;
		}
	}
	return eldest;
}

/* The one of all workers that has been idle longest goes. */
static void
make_room(struct ptah_peers *peers)
{
	struct ptah_limit *limit = peers->limit;
	unsigned eldest = find_eldest(peers);

	if (eldest != peers->worker->index && !atomic_exchange(&limit->of[eldest].asked, true)) {
		atomic_fetch_add(&limit->refs, 1);
		if (ptah_worker_post(limit->of[eldest].worker, on_evict_letter, limit) == 0)
			return;
		atomic_store(&limit->of[eldest].asked, false);
		ptah_limit_unref(limit);
	}
	evict(peers);
}

void
ptah_peers_add(struct ptah_peers *peers, struct ptah_peer *peer, const struct ptah_peer_key *key)
{
	if (atomic_fetch_add(&peers->limit->used, 1) >= peers->limit->most)
		make_room(peers);
	peer->of = peers;
	peer->key = *key;
	peer->bucket = bucket_of(peers, key);
	peer->hash_next = peers->buckets[peer->bucket];
	peers->buckets[peer->bucket] = peer;
	peers->n++;
	list_as_newest(peer);
	ptah_peers_touch(peer);
}
