/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/replay.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_shorthash.h>
#include <sodium/crypto_shorthash_siphash24.h>

#include "base/random.h"

#define NONE UINT32_MAX
#define FIRST_ROOM 256u

/* A token.  Entries stand in a ring in the order in which they came, so the
 * eldest is known; chains of indices lead to them. */
struct entry {
	uint8_t hash[crypto_shorthash_siphashx24_BYTES];
	uint64_t until_s; /* UINT64_MAX: no end */
	uint32_t next;
};

struct ptah_replay {
	pthread_mutex_t lock;
	uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
	size_t most;
	size_t room;  /* of ring and chains; a power of two until it is 'most' */
	size_t first, n;
	struct entry *ring;
	uint32_t *chains;
	size_t n_chains; /* a power of two */
};

struct ptah_replay *
ptah_replay_new(size_t most)
{
	struct ptah_replay *replay = calloc(1, sizeof(*replay));

	if (replay == NULL)
		return NULL;
	pthread_mutex_init(&replay->lock, NULL);
	ptah_random_bytes(replay->key, sizeof(replay->key));
	replay->most = most;
	return replay;
}

void
ptah_replay_free(struct ptah_replay *replay)
{
	if (replay == NULL)
		return;
	pthread_mutex_destroy(&replay->lock);
	free(replay->ring);
	free(replay->chains);
	explicit_bzero(replay->key, sizeof(replay->key));
	free(replay);
}

/* The length of the scope stands first: ("ab", "c") is not ("a", "bc"). */
static int
hash_of(const struct ptah_replay *replay, struct ptah_span scope, struct ptah_span token, uint8_t *hash)
{
	uint64_t len = scope.len;
	size_t whole = sizeof(len) + scope.len + token.len;
	uint8_t few[256], *text = whole <= sizeof(few) ? few : malloc(whole);

	if (text == NULL)
		return -ENOMEM;
	memcpy(text, &len, sizeof(len));
	if (scope.len > 0)
		memcpy(text + sizeof(len), scope.at, scope.len);
	if (token.len > 0)
		memcpy(text + sizeof(len) + scope.len, token.at, token.len);
	crypto_shorthash_siphashx24(hash, text, whole, replay->key);
	explicit_bzero(text, whole);
	if (text != few)
		free(text);
	return 0;
}

static uint32_t *
chain_of(const struct ptah_replay *replay, const uint8_t *hash)
{
	uint64_t word;

	memcpy(&word, hash, sizeof(word));
	return &replay->chains[word & (replay->n_chains - 1)];
}

static void
drop_eldest(struct ptah_replay *replay)
{
	uint32_t at = (uint32_t)replay->first;
	uint32_t *link = chain_of(replay, replay->ring[at].hash);

	while (*link != at)
		link = &replay->ring[*link].next;
	*link = replay->ring[at].next;
	replay->first = (replay->first + 1) % replay->room;
	replay->n--;
}

static void
put_in_chain(struct ptah_replay *replay, uint32_t at)
{
	uint32_t *link = chain_of(replay, replay->ring[at].hash);

	replay->ring[at].next = *link;
	*link = at;
}

static int
grow(struct ptah_replay *replay)
{
	size_t room = replay->room == 0 ? FIRST_ROOM : replay->room * 2, n_chains = 1;
	struct entry *ring;
	uint32_t *chains;

	if (room > replay->most)
		room = replay->most;
	while (n_chains < room)
		n_chains *= 2;
	ring = malloc(room * sizeof(*ring));
	chains = malloc(n_chains * sizeof(*chains));
	if (ring == NULL || chains == NULL) {
		free(ring);
		free(chains);
		return -ENOMEM;
	}
	for (size_t i = 0; i < replay->n; i++)
		ring[i] = replay->ring[(replay->first + i) % replay->room];
	for (size_t i = 0; i < n_chains; i++)
		chains[i] = NONE;
	free(replay->ring);
	free(replay->chains);
	replay->ring = ring;
	replay->chains = chains;
	replay->room = room;
	replay->n_chains = n_chains;
	replay->first = 0;
	for (size_t i = 0; i < replay->n; i++)
		put_in_chain(replay, (uint32_t)i);
	return 0;
}

/* The entry with this hash, if it is still remembered; one that is not is given its new time by the caller. */
static struct entry *
find(const struct ptah_replay *replay, const uint8_t *hash)
{
	if (replay->n_chains == 0)
		return NULL;
	for (uint32_t at = *chain_of(replay, hash); at != NONE; at = replay->ring[at].next)
		if (memcmp(replay->ring[at].hash, hash, sizeof(replay->ring[at].hash)) == 0)
			return &replay->ring[at];
	return NULL;
}

static int
add(struct ptah_replay *replay, const uint8_t *hash, uint64_t until_s, uint64_t now_s)
{
	uint32_t at;

	while (replay->n > 0 && replay->ring[replay->first].until_s <= now_s)
		drop_eldest(replay);
	if (replay->n == replay->room && replay->room < replay->most) {
		int rc = grow(replay);

		if (rc < 0 && replay->room == 0)
			return rc;
	}
	if (replay->n == replay->room)
		drop_eldest(replay);
	at = (uint32_t)((replay->first + replay->n) % replay->room);
	memcpy(replay->ring[at].hash, hash, sizeof(replay->ring[at].hash));
	replay->ring[at].until_s = until_s;
	put_in_chain(replay, at);
	replay->n++;
	return 1;
}

int
ptah_replay_check(struct ptah_replay *replay, struct ptah_span scope, struct ptah_span token,
    uint32_t ttl_s, uint64_t now_s)
{
	uint8_t hash[crypto_shorthash_siphashx24_BYTES];
	uint64_t until_s = ttl_s == 0 ? UINT64_MAX : now_s + ttl_s;
	int rc = hash_of(replay, scope, token, hash);
	struct entry *entry;

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&replay->lock);
	entry = find(replay, hash);
	if (entry == NULL) {
		rc = add(replay, hash, until_s, now_s);
	} else if (entry->until_s > now_s) {
		rc = 0;
	} else {
		entry->until_s = until_s;
		rc = 1;
	}
	pthread_mutex_unlock(&replay->lock);
	return rc;
}
