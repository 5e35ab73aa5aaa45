/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/roster.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "loop/worker.h"

#define BUCKETS 1024u

struct ptah_roster {
	atomic_uint refs;
	atomic_size_t under_way;
	pthread_mutex_t lock; /* of the buckets; taken only for keys that a worker does not know */
	uint8_t secret[crypto_shorthash_KEYBYTES];
	struct ptah_roster_entry *buckets[BUCKETS];
	struct {
		struct ptah_worker *worker;
		ptah_roster_fn *fn; /* for its own worker alone, as is 'arg' */
		void *arg;
	} of[PTAH_WORKERS_MAX];
};

struct letter {
	struct ptah_roster *roster; /* a reference */
	struct ptah_udp_got got;
	uint8_t body[];
};

struct ptah_roster *
ptah_roster_new(void)
{
	struct ptah_roster *roster = calloc(1, sizeof(*roster));

	if (roster == NULL)
		return NULL;
	atomic_init(&roster->refs, 1);
	pthread_mutex_init(&roster->lock, NULL);
	ptah_random_bytes(roster->secret, sizeof(roster->secret));
	return roster;
}

void
ptah_roster_unref(struct ptah_roster *roster)
{
	if (roster == NULL || atomic_fetch_sub(&roster->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&roster->lock);
	free(roster);
}

void
ptah_roster_join(struct ptah_roster *roster, struct ptah_worker *worker, ptah_roster_fn *fn, void *arg)
{
	atomic_fetch_add(&roster->refs, 1);
	roster->of[worker->index].worker = worker;
	roster->of[worker->index].fn = fn;
	roster->of[worker->index].arg = arg;
}

void
ptah_roster_leave(struct ptah_roster *roster, const struct ptah_worker *worker)
{
	roster->of[worker->index].fn = NULL;
	ptah_roster_unref(roster);
}

static struct ptah_roster_entry **
bucket_of(struct ptah_roster *roster, const struct ptah_peer_key *key)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t number;

	crypto_shorthash(hash, key->bytes, sizeof(key->bytes), roster->secret);
	memcpy(&number, hash, sizeof(number));
	return &roster->buckets[number % BUCKETS];
}

static struct ptah_roster_entry *
find(struct ptah_roster *roster, const struct ptah_peer_key *key)
{
	struct ptah_roster_entry *entry = *bucket_of(roster, key);

	while (entry != NULL && memcmp(&entry->key, key, sizeof(*key)) != 0)
		entry = entry->next;
	return entry;
}

int
ptah_roster_add(struct ptah_roster *roster, struct ptah_roster_entry *entry, const struct ptah_peer_key *key,
    const struct ptah_worker *worker)
{
	struct ptah_roster_entry **bucket = bucket_of(roster, key);
	int rc = 0;

	pthread_mutex_lock(&roster->lock);
	if (find(roster, key) != NULL) {
		rc = -EEXIST;
	} else {
		*entry = (struct ptah_roster_entry){ *bucket, *key, worker->index, true };
		*bucket = entry;
	}
	pthread_mutex_unlock(&roster->lock);
	return rc;
}

void
ptah_roster_remove(struct ptah_roster *roster, struct ptah_roster_entry *entry)
{
	struct ptah_roster_entry **at;

	if (!entry->listed)
		return;
	pthread_mutex_lock(&roster->lock);
	for (at = bucket_of(roster, &entry->key); *at != entry; at = &(*at)->next)
		continue;
	*at = entry->next;
	pthread_mutex_unlock(&roster->lock);
	entry->listed = false;
}

int
ptah_roster_find(struct ptah_roster *roster, const struct ptah_peer_key *key)
{
	const struct ptah_roster_entry *entry;
	int worker;

	pthread_mutex_lock(&roster->lock);
	entry = find(roster, key);
	worker = entry != NULL ? (int)entry->worker : -1;
	pthread_mutex_unlock(&roster->lock);
	return worker;
}

static void
letter_free(struct letter *letter)
{
	atomic_fetch_sub(&letter->roster->under_way, sizeof(*letter) + letter->got.len);
	ptah_roster_unref(letter->roster);
	free(letter);
}

static void
on_letter(struct ptah_worker *worker, void *arg)
{
	struct letter *letter = arg;
	struct ptah_roster *roster = letter->roster;

	if (roster->of[worker->index].fn != NULL)
		roster->of[worker->index].fn(&letter->got, roster->of[worker->index].arg);
	letter_free(letter);
}

int
ptah_roster_carry(struct ptah_roster *roster, unsigned worker, const struct ptah_udp_got *got, struct ptah_span datagram)
{
	struct letter *letter = malloc(sizeof(*letter) + datagram.len);
	int rc;

	if (letter == NULL)
		return -ENOMEM;
	atomic_fetch_add(&roster->refs, 1);
	letter->roster = roster;
	letter->got = *got;
	letter->got.at = letter->body;
	letter->got.len = letter->got.each = datagram.len;
	if (datagram.len > 0)
		memcpy(letter->body, datagram.at, datagram.len);
	if (atomic_fetch_add(&roster->under_way, sizeof(*letter) + datagram.len) > PTAH_ROSTER_UNDER_WAY)
		rc = -ENOBUFS;
	else
		rc = ptah_worker_post(roster->of[worker].worker, on_letter, letter);
	if (rc != 0)
		letter_free(letter);
	return rc;
}
