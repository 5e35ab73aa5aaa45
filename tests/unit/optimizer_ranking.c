/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom an optimizer tries, what it learns, and what it keeps of that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "members.h"
#include "ranking.h"

/* Answers 0, 1, 2 ... below n. */
static uint32_t
in_turn(void *arg, uint32_t n)
{
	uint32_t *turn = arg;

	return (*turn)++ % n;
}

static struct optimizer_ranking
ranking_of(enum optimizer_strategy strategy, uint32_t n)
{
	struct optimizer_ranking ranking = { .strategy = strategy, .n = n };

	for (uint32_t i = 0; i < n; i++)
		memset(ranking.scores[i].key, (int)i + 1, OPTIMIZER_KEY_LEN);
	return ranking;
}

/* The whole round, when each fails; as digits. */
static const char *
round_of(struct optimizer_ranking *ranking)
{
	static char text[OPTIMIZER_MAX + 1];
	uint32_t turn = 0;
	uint64_t tried = 0;
	size_t n = 0;
	int which;

	while ((which = optimizer_next(ranking, tried, in_turn, &turn)) >= 0) {
		assert_int_equal(tried >> which & 1, 0);
		tried |= UINT64_C(1) << which;
		text[n++] = (char)('0' + which);
	}
	text[n] = '\0';
	return text;
}

static void
test_web_120_rounds(void **state)
{
	struct optimizer_ranking ranking = ranking_of(OPTIMIZER_FIRST, 3);

	(void)state;
	assert_string_equal(round_of(&ranking), "0");
	assert_string_equal(round_of(&ranking), "0");
	ranking.strategy = OPTIMIZER_RANDOM;
	assert_string_equal(round_of(&ranking), "021");
	ranking.strategy = OPTIMIZER_ROTATE;
	assert_string_equal(round_of(&ranking), "012");
	assert_int_equal(optimizer_next(&ranking, 0, in_turn, NULL), 0);
	assert_string_equal(round_of(&ranking), "120");
	ranking = ranking_of(OPTIMIZER_ROTATE, 1);
	assert_string_equal(round_of(&ranking), "0");
	assert_string_equal(round_of(&ranking), "0");
}

static void
test_web_120_track(void **state)
{
	struct optimizer_ranking ranking = ranking_of(OPTIMIZER_TRACK, 4);

	(void)state;
	assert_string_equal(round_of(&ranking), "0123");
	optimizer_learn(&ranking, 2, 0, 10);
	assert_string_equal(round_of(&ranking), "2013");
	optimizer_learn(&ranking, 3, 0, 10);
	assert_string_equal(round_of(&ranking), "3201");
	optimizer_learn(&ranking, 0, 1, 0);
	optimizer_learn(&ranking, 3, 1, 0);
	assert_string_equal(round_of(&ranking), "2103");
	optimizer_unlearn(&ranking, 2);
	assert_string_equal(round_of(&ranking), "1203");
	optimizer_learn(&ranking, 0, 0, 10);
	assert_string_equal(round_of(&ranking), "0123");
}

static void
test_web_120_quickest(void **state)
{
	struct optimizer_ranking ranking = ranking_of(OPTIMIZER_QUICKEST, 3);

	(void)state;
	optimizer_learn(&ranking, 0, 0, 100);
	optimizer_learn(&ranking, 1, 0, 50);
	assert_string_equal(round_of(&ranking), "210");
	optimizer_learn(&ranking, 2, 0, 70);
	assert_string_equal(round_of(&ranking), "120");
	optimizer_learn(&ranking, 1, 0, 150); /* 50 * 0.7 + 150 * 0.3 */
	assert_int_equal(ranking.scores[1].ms, 80);
	assert_string_equal(round_of(&ranking), "210");
	optimizer_learn(&ranking, 2, 1, 0);
	assert_int_equal(ranking.scores[2].ms, (70 * 70 + OPTIMIZER_FAILED_MS * 30) / 100);
	assert_string_equal(round_of(&ranking), "102");
	assert_false(optimizer_has_rounds(OPTIMIZER_QUICKEST));
	assert_true(optimizer_has_rounds(OPTIMIZER_ROTATE));
}

static void
test_web_124_text(void **state)
{
	struct optimizer_ranking ranking = ranking_of(OPTIMIZER_TRACK, OPTIMIZER_MAX), again = ranking;
	char *text = malloc(OPTIMIZER_TEXT_ROOM);
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < OPTIMIZER_MAX; i++) {
		ranking.scores[i].tried = UINT32_MAX;
		ranking.scores[i].when = UINT32_MAX;
		ranking.scores[i].failed = 1;
		ranking.scores[i].ms = OPTIMIZER_FAILED_MS;
	}
	ranking.dials = UINT32_MAX;
	len = optimizer_write(&ranking, text);
	assert_true(len < OPTIMIZER_TEXT_ROOM);
	assert_int_equal(optimizer_read(&again, text, len), 0);
	assert_memory_equal(&again, &ranking, sizeof(again));
	/* Cut anywhere it is damaged, and nothing is taken from it. */
	for (size_t cut = 0; cut < len - 2; cut += 37) {
		again = ranking_of(OPTIMIZER_TRACK, OPTIMIZER_MAX);
		struct optimizer_ranking before = again;

		assert_int_equal(optimizer_read(&again, text, cut), -EINVAL);
		assert_memory_equal(&again, &before, sizeof(again));
	}
	/* Of transports that are not ours we keep nothing. */
	again = ranking_of(OPTIMIZER_TRACK, 2);
	memset(again.scores[1].key, 0xee, OPTIMIZER_KEY_LEN);
	assert_int_equal(optimizer_read(&again, text, len), 0);
	assert_int_equal(again.scores[0].tried, UINT32_MAX);
	assert_int_equal(again.scores[1].tried, 0);
	free(text);
}

static void
test_web_123_members(void **state)
{
	static const char *const items[] = {
		"{\"name\":\"OBFS4\",\"config\":{\"a\":[1,true,null,\"\\n\"]}}", "{\"name\":\"dummy\"}",
	};
	static const char text[] = "{\"transports\":[{\"name\":\"dummy\"}],\"strategy\":\"RANDOM\"}";
	struct optimizer_conf conf = { .transports = { items, 2 }, .strategy = OPTIMIZER_TRACK };
	struct optimizer_members members;
	char why[256];

	(void)state;
	assert_int_equal(optimizer_members_read(&members, &conf, why, sizeof(why)), 0);
	assert_int_equal(members.n, 2);
	assert_int_equal(members.strategy, OPTIMIZER_TRACK);
	assert_string_equal(members.all[0].name, "obfs4");
	assert_string_equal(members.all[0].config, "{\"a\":[1,true,null,\"\\n\"]}");
	assert_string_equal(members.all[1].config, "{}");
	assert_memory_not_equal(members.all[0].key, members.all[1].key, OPTIMIZER_KEY_LEN);
	optimizer_members_free(&members);

	conf.json = (struct ptah_span){ (const uint8_t *)text, sizeof(text) - 1 };
	assert_int_equal(optimizer_members_read(&members, &conf, why, sizeof(why)), -EINVAL);
	optimizer_members_free(&members);
	conf.transports.n = 0;
	assert_int_equal(optimizer_members_read(&members, &conf, why, sizeof(why)), 0);
	assert_int_equal(members.strategy, OPTIMIZER_RANDOM);
	assert_string_equal(members.all[0].name, "dummy");
	optimizer_members_free(&members);
	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		conf.json.len = cut;
		assert_int_equal(optimizer_members_read(&members, &conf, why, sizeof(why)), -EINVAL);
		optimizer_members_free(&members);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_web_120_rounds),
		cmocka_unit_test(test_web_120_track),
		cmocka_unit_test(test_web_120_quickest),
		cmocka_unit_test(test_web_124_text),
		cmocka_unit_test(test_web_123_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
