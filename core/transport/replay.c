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

#define FIRST_ROOM 256u
/* Different times that tokens are remembered for; one more shares the longest. */
#define AGES_MOST 8
/* Bytes of a hash that are kept.  Zeros mean an empty slot. */
#define MARK_LEN 5

/* Slots by open addressing.  A mark's own first bits say where it belongs, so that a table can grow. */
struct table {
	uint8_t *slots; /* 'room' marks */
	size_t room, n;
};

/* Tokens that are remembered for one time: those of the running period, and of the one before. */
struct age {
	uint32_t ttl_s;
	uint64_t begun_s;
	struct table now, before;
};

struct ptah_replay {
	pthread_mutex_t lock;
	uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
	size_t most;
	struct age ages[AGES_MOST];
	unsigned n_ages;
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
	for (unsigned i = 0; i < replay->n_ages; i++) {
		free(replay->ages[i].now.slots);
		free(replay->ages[i].before.slots);
	}
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

/* ---- a table ---------------------------------------------------------------- */

static size_t
place_of(const struct table *table, const uint8_t *mark)
{
	uint32_t first = (uint32_t)mark[0] << 24 | (uint32_t)mark[1] << 16 | (uint32_t)mark[2] << 8 | mark[3];

	return (size_t)((uint64_t)first * table->room >> 32);
}

/* Its slot, or the empty one where it would stand. */
static uint8_t *
slot_of(const struct table *table, const uint8_t *mark)
{
	static const uint8_t empty[MARK_LEN];

	for (size_t at = place_of(table, mark);; at = at + 1 < table->room ? at + 1 : 0) {
		uint8_t *slot = table->slots + at * MARK_LEN;

		if (memcmp(slot, mark, MARK_LEN) == 0 || memcmp(slot, empty, MARK_LEN) == 0)
			return slot;
	}
}

static bool
has(const struct table *table, const uint8_t *mark)
{
	return table->room > 0 && memcmp(slot_of(table, mark), mark, MARK_LEN) == 0;
}

/* A sixth stays empty, so that a search is short. */
static size_t
room_for(size_t n)
{
	return n + n / 5 + 2;
}

static int
grow(struct table *table, size_t most)
{
	static const uint8_t empty[MARK_LEN];
	size_t room = table->room == 0 ? FIRST_ROOM : table->room * 2;
	struct table larger = { .n = table->n };

	larger.room = room < room_for(most) ? room : room_for(most);
	larger.slots = calloc(larger.room, MARK_LEN);
	if (larger.slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < table->room; i++) {
		const uint8_t *mark = table->slots + i * MARK_LEN;

		if (memcmp(mark, empty, MARK_LEN) != 0)
			memcpy(slot_of(&larger, mark), mark, MARK_LEN);
	}
	free(table->slots);
	*table = larger;
	return 0;
}

/* ---- time ----------------------------------------------------------------------- */

static void
turn(struct age *age, uint64_t now_s)
{
	free(age->before.slots);
	age->before = age->now;
	age->now = (struct table){ NULL, 0, 0 };
	age->begun_s = now_s;
}

static struct age *
age_of(struct ptah_replay *replay, uint32_t ttl_s, uint64_t now_s)
{
	struct age *longest = NULL;

	for (unsigned i = 0; i < replay->n_ages; i++) {
		struct age *age = &replay->ages[i];

		if (age->ttl_s == ttl_s)
			return age;
		/* 0 is the longest of all. */
		if (longest == NULL || age->ttl_s - 1 > longest->ttl_s - 1)
			longest = age;
	}
	if (replay->n_ages == AGES_MOST)
		return longest;
	replay->ages[replay->n_ages] = (struct age){ .ttl_s = ttl_s, .begun_s = now_s };
	return &replay->ages[replay->n_ages++];
}

static int
look(struct ptah_replay *replay, const uint8_t *mark, uint32_t ttl_s, uint64_t now_s)
{
	struct age *age = age_of(replay, ttl_s, now_s);

	if (age->ttl_s != 0 && now_s - age->begun_s >= age->ttl_s) {
		bool long_ago = now_s - age->begun_s >= 2 * (uint64_t)age->ttl_s;

		turn(age, now_s);
		if (long_ago)
			turn(age, now_s); /* of what was running nothing counts any more, either */
	}
	if (has(&age->now, mark) || has(&age->before, mark))
		return 0;
	if (age->now.n >= replay->most)
		turn(age, now_s);
	if (room_for(age->now.n + 1) > age->now.room) {
		int rc = grow(&age->now, replay->most);

		if (rc != 0)
			return rc;
	}
	memcpy(slot_of(&age->now, mark), mark, MARK_LEN);
	age->now.n++;
	return 1;
}

int
ptah_replay_check(struct ptah_replay *replay, struct ptah_span scope, struct ptah_span token,
    uint32_t ttl_s, uint64_t now_s)
{
	uint8_t hash[crypto_shorthash_siphashx24_BYTES];
	int rc = hash_of(replay, scope, token, hash);

	if (rc < 0)
		return rc;
	hash[MARK_LEN - 1] |= 1; /* never empty; place_of() does not look at this byte */
	pthread_mutex_lock(&replay->lock);
	rc = look(replay, hash, ttl_s, now_s);
	pthread_mutex_unlock(&replay->lock);
	return rc;
}
