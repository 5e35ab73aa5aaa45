/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/gate.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/prefix.h"
#include "base/random.h"
#include "stats/stats.h"

#define SHARDS 64u
#define BUCKETS 256u

/* An address of which no more is left than its prefix. */
struct key {
	uint8_t family;
	uint8_t bytes[16];
};

/* A prefix that has links; without any it is forgotten, so there are never more of these than links. */
struct ptah_gate_entry {
	struct ptah_gate_entry *next;
	struct key key;
	unsigned shard, bucket, n;
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct ptah_gate_entry *buckets[BUCKETS];
};

struct ptah_gate {
	struct ptah_bounds bounds;
	const char *label;
	atomic_uint links;
	_Atomic uint64_t full_ns; /* when the bucket of new links is full again; in the past: it is */
	struct shard *shards;     /* NULL: prefixes are not bounded */
	uint8_t secret[crypto_shorthash_KEYBYTES]; /* so that nobody can choose prefixes of one bucket */
	pthread_mutex_t saying;
	struct ptah_often said[PTAH_GATE_PREFIX + 1];
};

/* ---- birth and death ----------------------------------------------------------- */

static int
make_shards(struct ptah_gate *gate)
{
	size_t len = SHARDS * sizeof(*gate->shards);

	gate->shards = aligned_alloc(_Alignof(struct shard), len);
	if (gate->shards == NULL)
		return -ENOMEM;
	memset((void *)gate->shards, 0, len);
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_mutex_init(&gate->shards[i].lock, NULL);
	ptah_random_bytes(gate->secret, sizeof(gate->secret));
	return 0;
}

int
ptah_gate_new(const struct ptah_bounds *bounds, const char *label, struct ptah_gate **out)
{
	struct ptah_gate *gate;

	*out = NULL;
	if (bounds->links == 0 && bounds->links_per_second == 0 && bounds->links_per_prefix == 0 && bounds->keep_alive_s == 0)
		return 0;
	gate = calloc(1, sizeof(*gate));
	if (gate == NULL)
		return -ENOMEM;
	gate->bounds = *bounds;
	gate->label = label;
	pthread_mutex_init(&gate->saying, NULL);
	if (bounds->links_per_prefix > 0 && make_shards(gate) != 0) {
		ptah_gate_free(gate);
		return -ENOMEM;
	}
	*out = gate;
	return 0;
}

void
ptah_gate_free(struct ptah_gate *gate)
{
	if (gate == NULL)
		return;
	for (unsigned i = 0; gate->shards != NULL && i < SHARDS; i++)
		pthread_mutex_destroy(&gate->shards[i].lock);
	free(gate->shards);
	pthread_mutex_destroy(&gate->saying);
	free(gate);
}

unsigned
ptah_gate_gone_s(const struct ptah_gate *gate, unsigned otherwise)
{
	return gate != NULL && gate->bounds.keep_alive_s > 0 ? gate->bounds.keep_alive_s : otherwise;
}

/* ---- what is said of it ------------------------------------------------------------ */

/* Count and say that a bound was met, which 'does' that to new ones. */
static void
meet(struct ptah_gate *gate, struct ptah_stats *stats, int bound, const char *does)
{
	static const enum ptah_stat counters[] = {
		[PTAH_GATE_LINKS] = PTAH_STAT_REFUSED_LINKS,
		[PTAH_GATE_RATE] = PTAH_STAT_REFUSED_RATE,
		[PTAH_GATE_PREFIX] = PTAH_STAT_REFUSED_PREFIX,
	};
	const char *label = gate->label != NULL ? gate->label : "a service";
	struct ptah_often *said = &gate->said[bound];

	ptah_stats_add(stats, counters[bound], 1);
	pthread_mutex_lock(&gate->saying);
	if (bound == PTAH_GATE_LINKS)
		ptah_warn_often(said, AREA_WIRE, "%s: limits.links allows %u, and so many are open: new ones %s", label,
		    gate->bounds.links, does);
	else if (bound == PTAH_GATE_RATE)
		ptah_warn_often(said, AREA_WIRE, "%s: limits.linksPerSecond allows %u, and more come: new ones %s", label,
		    gate->bounds.links_per_second, does);
	else
		ptah_warn_often(said, AREA_WIRE, "%s: limits.linksPerPrefix allows %u, and so many are open from one prefix: "
		    "new ones from there %s", label, gate->bounds.links_per_prefix, does);
	pthread_mutex_unlock(&gate->saying);
}

void
ptah_gate_waits(struct ptah_gate *gate, struct ptah_stats *stats, int bound)
{
	meet(gate, stats, bound, "wait");
}

/* ---- links, and new ones ------------------------------------------------------------- */

/*
 * A bucket that holds as many as may come in a second, and fills within one: kept as the time at which it would be
 * full, which each that is taken puts off.
 */
static bool
take_from_bucket(struct ptah_gate *gate)
{
	uint64_t each = PTAH_NS_PER_S / gate->bounds.links_per_second, now = ptah_clock_now_ns();
	uint64_t full = atomic_load_explicit(&gate->full_ns, memory_order_relaxed), next;

	do {
		next = (full > now ? full : now) + each;
		if (next - now > PTAH_NS_PER_S)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&gate->full_ns, &full, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

int
ptah_gate_enter(struct ptah_gate *gate)
{
	if (gate == NULL)
		return 0;
	if (atomic_fetch_add_explicit(&gate->links, 1, memory_order_relaxed) >= gate->bounds.links && gate->bounds.links > 0) {
		ptah_gate_leave(gate);
		return PTAH_GATE_LINKS;
	}
	if (gate->bounds.links_per_second > 0 && !take_from_bucket(gate)) {
		ptah_gate_leave(gate);
		return PTAH_GATE_RATE;
	}
	return 0;
}

void
ptah_gate_undo(struct ptah_gate *gate)
{
	if (gate == NULL)
		return;
	ptah_gate_leave(gate);
	if (gate->bounds.links_per_second > 0)
		atomic_fetch_sub_explicit(&gate->full_ns, PTAH_NS_PER_S / gate->bounds.links_per_second, memory_order_relaxed);
}

void
ptah_gate_add(struct ptah_gate *gate)
{
	if (gate != NULL)
		atomic_fetch_add_explicit(&gate->links, 1, memory_order_relaxed);
}

void
ptah_gate_leave(struct ptah_gate *gate)
{
	if (gate != NULL)
		atomic_fetch_sub_explicit(&gate->links, 1, memory_order_relaxed);
}

/* ---- prefixes ---------------------------------------------------------------------------- */

/* false: it has no address. */
static bool
key_of(const struct ptah_gate *gate, const struct ptah_addr *from, struct key *key)
{
	struct ptah_prefix prefix;

	memset(key, 0, sizeof(*key));
	ptah_prefix_of(&prefix, from, gate->bounds.prefix_v4, gate->bounds.prefix_v6);
	key->family = (uint8_t)prefix.addr.sa.sa_family;
	if (key->family == AF_INET)
		memcpy(key->bytes, &prefix.addr.v4.sin_addr, 4);
	else if (key->family == AF_INET6)
		memcpy(key->bytes, &prefix.addr.v6.sin6_addr, 16);
	return key->family != AF_UNSPEC;
}

/* Under the shard's lock.  NULL: memory is short. */
static struct ptah_gate_entry *
entry_of(struct shard *shard, unsigned shard_index, unsigned bucket, const struct key *key)
{
	struct ptah_gate_entry *entry = shard->buckets[bucket];

	while (entry != NULL && memcmp(&entry->key, key, sizeof(*key)) != 0)
		entry = entry->next;
	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	*entry = (struct ptah_gate_entry){ .next = shard->buckets[bucket], .key = *key, .shard = shard_index, .bucket = bucket };
	shard->buckets[bucket] = entry;
	return entry;
}

/* One more in its prefix.  -EUSERS, -ENOMEM. */
static int
count_in(struct ptah_gate *gate, const struct key *key, struct ptah_gate_entry **out)
{
	uint8_t hash[crypto_shorthash_BYTES];
	int rc = 0;

	crypto_shorthash(hash, (const uint8_t *)key, sizeof(*key), gate->secret);

	unsigned shard_index = hash[0] % SHARDS, bucket = hash[1] % BUCKETS;
	struct shard *shard = &gate->shards[shard_index];

	pthread_mutex_lock(&shard->lock);
	struct ptah_gate_entry *entry = entry_of(shard, shard_index, bucket, key);
	if (entry == NULL)
		rc = -ENOMEM;
	else if (entry->n == gate->bounds.links_per_prefix)
		rc = -EUSERS;
	else
		entry->n++;
	pthread_mutex_unlock(&shard->lock);
	*out = entry;
	return rc;
}

static void
count_out(struct ptah_gate *gate, struct ptah_gate_entry *entry)
{
	struct shard *shard = &gate->shards[entry->shard];
	struct ptah_gate_entry **at = &shard->buckets[entry->bucket];
	bool last;

	pthread_mutex_lock(&shard->lock);
	last = --entry->n == 0;
	while (last && *at != entry)
		at = &(*at)->next;
	if (last)
		*at = entry->next;
	pthread_mutex_unlock(&shard->lock);
	if (last)
		free(entry);
}

int
ptah_gate_sit(struct ptah_gate *gate, struct ptah_stats *stats, const struct ptah_addr *from,
    struct ptah_seat **seat)
{
	struct ptah_gate_entry *entry;
	struct key key;
	int rc;

	*seat = NULL;
	if (gate == NULL || gate->shards == NULL || !key_of(gate, from, &key))
		return 0;
	rc = count_in(gate, &key, &entry);
	if (rc == -EUSERS)
		meet(gate, stats, PTAH_GATE_PREFIX, "are closed");
	if (rc != 0)
		return rc;
	*seat = malloc(sizeof(**seat));
	if (*seat == NULL) {
		count_out(gate, entry);
		return -ENOMEM;
	}
	**seat = (struct ptah_seat){ .gate = gate, .entry = entry };
	return 0;
}

void
ptah_seat_leave(struct ptah_seat *seat)
{
	if (seat == NULL)
		return;
	count_out(seat->gate, seat->entry);
	free(seat);
}

int
ptah_gate_admit(struct ptah_gate *gate, struct ptah_stats *stats, const struct ptah_addr *from,
    struct ptah_seat **seat)
{
	int bound = ptah_gate_enter(gate), rc;

	*seat = NULL;
	if (bound != 0) {
		meet(gate, stats, bound, "are turned away");
		return -EUSERS;
	}
	rc = ptah_gate_sit(gate, stats, from, seat);
	if (rc != 0)
		ptah_gate_undo(gate);
	return rc;
}

void
ptah_gate_reset(int fd)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}
