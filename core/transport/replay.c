/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/replay.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_generichash.h>
#include <sodium/crypto_shorthash.h>
#include <sodium/crypto_shorthash_siphash24.h>

#include "base/random.h"
#include "transport/marks.h"

/* Different times that tokens are remembered for; one more shares the longest. */
#define AGES_MOST 8

struct ptah_replay {
	pthread_mutex_t lock;
	uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
	size_t most;
	uint64_t count;
	struct ptah_marks ages[AGES_MOST];
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

static void
forget_all(struct ptah_replay *replay)
{
	for (unsigned i = 0; i < replay->n_ages; i++)
		ptah_marks_clear(&replay->ages[i]);
	replay->n_ages = 0;
}

void
ptah_replay_free(struct ptah_replay *replay)
{
	if (replay == NULL)
		return;
	pthread_mutex_destroy(&replay->lock);
	forget_all(replay);
	explicit_bzero(replay->key, sizeof(replay->key));
	free(replay);
}

/* ---- look up ------------------------------------------------------------------ */

/* The length of the scope stands first: ("ab", "c") is not ("a", "bc"). */
static int
mark_of(const struct ptah_replay *replay, struct ptah_span scope, struct ptah_span token, uint64_t *mark)
{
	uint8_t hash[crypto_shorthash_siphashx24_BYTES];
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
	memcpy(mark, hash, sizeof(*mark));
	*mark >>= 64 - PTAH_MARK_BITS;
	explicit_bzero(text, whole);
	if (text != few)
		free(text);
	return 0;
}

static struct ptah_marks *
age_of(struct ptah_replay *replay, uint32_t ttl_s)
{
	struct ptah_marks *longest = NULL;

	for (unsigned i = 0; i < replay->n_ages; i++) {
		struct ptah_marks *age = &replay->ages[i];

		if (age->ttl_s == ttl_s)
			return age;
		/* 0 is the longest of all. */
		if (longest == NULL || age->ttl_s - 1 > longest->ttl_s - 1)
			longest = age;
	}
	if (replay->n_ages == AGES_MOST)
		return longest;
	replay->ages[replay->n_ages] = (struct ptah_marks){ .ttl_s = ttl_s, .most = replay->most };
	return &replay->ages[replay->n_ages++];
}

int
ptah_replay_check(struct ptah_replay *replay, struct ptah_span scope, struct ptah_span token,
    uint32_t ttl_s, uint64_t now_s)
{
	uint64_t mark;
	int rc;

	pthread_mutex_lock(&replay->lock); /* the key, too, is what ptah_replay_load() changes */
	rc = mark_of(replay, scope, token, &mark);
	if (rc == 0)
		rc = ptah_marks_add(age_of(replay, ttl_s), mark, now_s);
	replay->count += rc == 1;
	pthread_mutex_unlock(&replay->lock);
	return rc;
}

uint64_t
ptah_replay_count(struct ptah_replay *replay)
{
	pthread_mutex_lock(&replay->lock);
	uint64_t count = replay->count;
	pthread_mutex_unlock(&replay->lock);
	return count;
}

size_t
ptah_replay_size(struct ptah_replay *replay)
{
	size_t size = sizeof(*replay);

	pthread_mutex_lock(&replay->lock);
	for (unsigned i = 0; i < replay->n_ages; i++)
		size += ptah_marks_size(&replay->ages[i]);
	pthread_mutex_unlock(&replay->lock);
	return size;
}

/* ---- on paper -------------------------------------------------------------------
 *
 *     8   "ptahrpl1"
 *     8   when it was written, seconds of the calendar
 *    16   key of the hash
 *     4   number of ages; of each:
 *           4   how long it remembers, 0: as long as there is room
 *           4   number of epochs; of each, the eldest first:
 *                 4   seconds until it may be forgotten, 0: never
 *                 4   number of marks
 *                 5   of each mark
 *    16   BLAKE2b of all before it
 *
 * Numbers are big-endian. */

#define MAGIC "ptahrpl1"
#define MAGIC_LEN 8u
#define MARK_LEN 5u
#define SUM_LEN 16u
#define HEAD_LEN (MAGIC_LEN + 8 + crypto_shorthash_siphashx24_KEYBYTES + 4)
#define AGE_LEN 8u
#define EPOCH_LEN 8u

static uint8_t *
put(uint8_t *at, uint64_t number, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
	return at + bytes;
}

/* Where the next mark of each epoch goes. */
struct places {
	uint8_t *at[PTAH_EPOCHS];
};

static void
place(uint64_t epoch, uint64_t mark, void *arg)
{
	uint8_t **at = &((struct places *)arg)->at[epoch % PTAH_EPOCHS];

	*at = put(*at, mark, MARK_LEN);
}

/* The running one may be empty, and is left out. */
static size_t
n_epochs(const struct ptah_marks *age)
{
	return (size_t)(age->last - age->first + (ptah_marks_epoch(age, age->last)->n > 0));
}

static uint8_t *
write_age(const struct ptah_marks *age, uint64_t now_s, uint8_t *at)
{
	size_t n = n_epochs(age);
	struct places places;

	at = put(at, age->ttl_s, 4);
	at = put(at, n, 4);
	for (uint64_t number = age->first; number < age->first + n; number++) {
		const struct ptah_epoch *epoch = ptah_marks_epoch(age, number);

		at = put(at, age->ttl_s == 0 ? 0 : epoch->until_s - now_s, 4);
		at = put(at, epoch->n, 4);
		places.at[number % PTAH_EPOCHS] = at;
		at += (size_t)epoch->n * MARK_LEN;
	}
	ptah_marks_each(age, place, &places);
	return at;
}

int
ptah_replay_save(struct ptah_replay *replay, uint64_t now_s, int64_t wall_s, uint8_t **out, size_t *len)
{
	size_t whole = HEAD_LEN + SUM_LEN;
	uint8_t *at;

	pthread_mutex_lock(&replay->lock);
	for (unsigned i = 0; i < replay->n_ages; i++) {
		struct ptah_marks *age = &replay->ages[i];

		ptah_marks_expire(age, now_s);
		whole += AGE_LEN + n_epochs(age) * EPOCH_LEN + age->n * MARK_LEN;
	}
	at = *out = malloc(whole);
	if (at != NULL) {
		memcpy(at, MAGIC, MAGIC_LEN);
		at = put(at + MAGIC_LEN, (uint64_t)wall_s, 8);
		memcpy(at, replay->key, sizeof(replay->key));
		at = put(at + sizeof(replay->key), replay->n_ages, 4);
		for (unsigned i = 0; i < replay->n_ages; i++)
			at = write_age(&replay->ages[i], now_s, at);
	}
	pthread_mutex_unlock(&replay->lock);
	if (at == NULL)
		return -ENOMEM;
	*len = whole;
	return crypto_generichash(at, SUM_LEN, *out, whole - SUM_LEN, NULL, 0) == 0 ? 0 : -EINVAL;
}

/* ---- and back ---------------------------------------------------------------------- */

/* Take a number off the front of what is left; false if that is too short. */
static bool
take(struct ptah_span *left, unsigned bytes, uint64_t *number)
{
	if (left->len < bytes)
		return false;
	*number = 0;
	for (unsigned i = 0; i < bytes; i++)
		*number = *number << 8 | left->at[i];
	*left = ptah_span_from(*left, bytes);
	return true;
}

/* What was forgotten while nobody ran is read over. */
static int
read_epoch(struct ptah_marks *age, struct ptah_span *left, uint64_t now_s, uint64_t away_s, uint64_t *eldest_s)
{
	uint64_t left_s, n, mark;
	bool counts;

	if (!take(left, 4, &left_s) || !take(left, 4, &n) || n == 0 || n > left->len / MARK_LEN || age->n + n > age->most + age->most / 16 + 1)
		return -EBADMSG;
	if (left_s > age->ttl_s || (age->ttl_s > 0 && left_s == 0) || left_s < *eldest_s)
		return -EBADMSG;
	counts = age->ttl_s == 0 || left_s > away_s;
	*eldest_s = left_s;
	if (counts)
		ptah_marks_begin(age, now_s, age->ttl_s == 0 ? UINT64_MAX : now_s + left_s - away_s);
	for (uint64_t i = 0; i < n; i++) {
		int rc = take(left, MARK_LEN, &mark) && mark >> PTAH_MARK_BITS == 0 ? 0 : -EBADMSG;

		if (rc == 0 && counts)
			rc = ptah_marks_restore(age, mark);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
read_age(struct ptah_replay *replay, struct ptah_span *left, uint64_t now_s, uint64_t away_s)
{
	uint64_t ttl_s, n, eldest_s = 0;
	unsigned before = replay->n_ages;
	struct ptah_marks *age;
	int rc = 0;

	if (!take(left, 4, &ttl_s) || !take(left, 4, &n) || n > PTAH_EPOCHS_LIVE)
		return -EBADMSG;
	age = age_of(replay, (uint32_t)ttl_s);
	if (replay->n_ages == before)
		return -EBADMSG; /* the same twice, or too many */
	for (uint64_t i = 0; i < n && rc == 0; i++)
		rc = read_epoch(age, left, now_s, away_s, &eldest_s);
	if (rc == 0)
		ptah_marks_begin(age, now_s, 0); /* what comes now must not keep the last of these for longer */
	return rc;
}

static int
read_all(struct ptah_replay *replay, struct ptah_span left, uint64_t now_s, int64_t wall_s)
{
	uint64_t written_s, n, away_s;
	int rc = 0;

	if (!take(&left, 8, &written_s) || left.len < sizeof(replay->key))
		return -EBADMSG;
	away_s = wall_s > 0 && (uint64_t)wall_s > written_s ? (uint64_t)wall_s - written_s : 0;
	memcpy(replay->key, left.at, sizeof(replay->key));
	left = ptah_span_from(left, sizeof(replay->key));
	if (!take(&left, 4, &n) || n > AGES_MOST)
		return -EBADMSG;
	for (uint64_t i = 0; i < n && rc == 0; i++)
		rc = read_age(replay, &left, now_s, away_s);
	return rc == 0 && left.len > 0 ? -EBADMSG : rc;
}

/* Is it whole?  Without its sum then. */
static int
check_sum(struct ptah_span *text, const char **why)
{
	uint8_t sum[SUM_LEN];

	*why = "it is no file of that kind";
	if (text->len < HEAD_LEN + SUM_LEN || memcmp(text->at, MAGIC, MAGIC_LEN) != 0)
		return -EBADMSG;
	text->len -= SUM_LEN;
	*why = "it is not as it was written";
	if (crypto_generichash(sum, sizeof(sum), text->at, text->len, NULL, 0) != 0 ||
	    memcmp(sum, text->at + text->len, sizeof(sum)) != 0)
		return -EBADMSG;
	*why = "what it says cannot be";
	return 0;
}

int
ptah_replay_load(struct ptah_replay *replay, struct ptah_span text, uint64_t now_s, int64_t wall_s, const char **why)
{
	int rc = check_sum(&text, why);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&replay->lock);
	rc = read_all(replay, ptah_span_from(text, MAGIC_LEN), now_s, wall_s);
	if (rc < 0) {
		forget_all(replay);
		ptah_random_bytes(replay->key, sizeof(replay->key));
	}
	pthread_mutex_unlock(&replay->lock);
	return rc;
}

/* ---- from a process that goes on meanwhile --------------------------------------------- */

/* What is new there is remembered from now on, so no shorter than it must be. */
static int
merge_epoch(struct ptah_replay *replay, uint32_t ttl_s, struct ptah_span *left, uint64_t now_s)
{
	uint64_t left_s, n, mark;
	int rc = 0;

	if (!take(left, 4, &left_s) || !take(left, 4, &n) || n > left->len / MARK_LEN)
		return -EBADMSG;
	while (n-- > 0 && rc >= 0) {
		rc = take(left, MARK_LEN, &mark) && mark >> PTAH_MARK_BITS == 0 ? 0 : -EBADMSG;
		if (rc == 0)
			rc = ptah_marks_add(age_of(replay, ttl_s), mark, now_s);
		replay->count += rc == 1;
	}
	return rc < 0 ? rc : 0;
}

static int
merge_all(struct ptah_replay *replay, struct ptah_span left, uint64_t now_s)
{
	uint64_t n_ages, ttl_s, n;
	int rc = 0;

	left = ptah_span_from(left, 8 + sizeof(replay->key));
	if (!take(&left, 4, &n_ages) || n_ages > AGES_MOST)
		return -EBADMSG;
	while (n_ages-- > 0 && rc == 0) {
		if (!take(&left, 4, &ttl_s) || !take(&left, 4, &n) || n > PTAH_EPOCHS_LIVE)
			return -EBADMSG;
		while (n-- > 0 && rc == 0)
			rc = merge_epoch(replay, (uint32_t)ttl_s, &left, now_s);
	}
	return rc;
}

int
ptah_replay_merge(struct ptah_replay *replay, struct ptah_span text, uint64_t now_s, int64_t wall_s)
{
	const char *why;
	bool is_empty;
	int rc = check_sum(&text, &why);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&replay->lock);
	is_empty = replay->n_ages == 0;
	if (!is_empty)
		rc = memcmp(text.at + MAGIC_LEN + 8, replay->key, sizeof(replay->key)) == 0 ?
		    merge_all(replay, ptah_span_from(text, MAGIC_LEN), now_s) : -EEXIST;
	pthread_mutex_unlock(&replay->lock);
	return is_empty ? ptah_replay_load(replay, (struct ptah_span){ text.at, text.len + SUM_LEN }, now_s, wall_s, &why) : rc;
}
