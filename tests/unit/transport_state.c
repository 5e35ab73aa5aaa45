/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "transport/state.h"

static char top[64], folder[128];

static int
set_place(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "%s", "/tmp/ptah-state-XXXXXX");
	assert_non_null(mkdtemp(top));
	snprintf(folder, sizeof(folder), "%s/new/deep", top);
	return 0;
}

static int
clear_place(void **state)
{
	char line[128];

	(void)state;
	snprintf(line, sizeof(line), "rm -rf '%s'", top);
	return system(line);
}

static void
on_written(int rc, void *arg)
{
	*(int *)arg = rc;
}

/* Write and wait. */
static int
put(struct ptah_state *state, const char *name, const char *text)
{
	struct ptah_writer *writer = ptah_writer_new();
	int rc = ptah_state_prepare(state, name), written = 1;

	if (rc == 0)
		rc = ptah_writer_put(writer, state, name, (struct ptah_span){ (const uint8_t *)text, strlen(text) },
		    on_written, &written);
	ptah_writer_free(writer);
	return rc < 0 ? rc : written;
}

static long
get(struct ptah_state *state, const char *name, char *out, size_t room)
{
	long n = ptah_state_get(state, name, (struct ptah_room){ (uint8_t *)out, room - 1 });

	out[n > 0 ? n : 0] = '\0';
	return n;
}

static void
makes_nothing_before_the_first_use(void **unused)
{
	struct ptah_state *state = ptah_state_new(folder, "dummy");
	char text[16];
	struct stat st;

	(void)unused;
	assert_int_equal(get(state, "state", text, sizeof(text)), -ENOENT);
	assert_int_equal(stat(folder, &st), -1);
	assert_int_equal(put(state, "state", "one"), 0);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(get(state, "state", text, sizeof(text)), 3);
	assert_string_equal(text, "one");
	assert_int_equal(put(state, "state", "other"), 0);
	assert_int_equal(get(state, "state", text, sizeof(text)), 5);
	assert_int_equal(get(state, "state", text, 4), -ENOSPC);
	ptah_state_free(state);
}

static void
leaves_its_files_and_no_lock(void **unused)
{
	struct ptah_state *state = ptah_state_new(folder, "dummy");
	DIR *dir;
	int n = 0;

	(void)unused;
	assert_int_equal(put(state, "b", "x"), 0);
	ptah_state_free(state);
	dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		if (entry->d_name[0] != '.') {
			assert_true(strcmp(entry->d_name, "dummy_b") == 0 || strcmp(entry->d_name, "dummy_state") == 0);
			n++;
		}
	closedir(dir);
	assert_true(n >= 1);
}

static void
refuses_a_second_opening(void **unused)
{
	struct ptah_state *one = ptah_state_new(folder, "dummy"), *two = ptah_state_new(folder, "dummy");
	struct ptah_state *other = ptah_state_new(folder, "another");
	char text[16];

	(void)unused;
	assert_int_equal(put(one, "held", "x"), 0);
	assert_int_equal(get(two, "held", text, sizeof(text)), -EBUSY);
	assert_int_equal(put(two, "held", "y"), -EBUSY);
	assert_int_equal(put(other, "held", "z"), 0);
	ptah_state_free(one);
	assert_int_equal(get(two, "held", text, sizeof(text)), 1);
	assert_string_equal(text, "x");
	ptah_state_free(two);
	ptah_state_free(other);
}

static void
takes_no_name_that_leads_elsewhere(void **unused)
{
	static const char *const names[] = { "", ".", "..", "../x", "a/b", ".hidden", "lock", "a b", "\xc3\xa9" };
	struct ptah_state *state = ptah_state_new(folder, "dummy");
	char text[16];

	(void)unused;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(get(state, names[i], text, sizeof(text)), -EINVAL);
		assert_int_equal(ptah_state_prepare(state, names[i]), -EINVAL);
	}
	ptah_state_free(state);
}

static void
says_why_it_cannot_write(void **unused)
{
	char file[160];
	struct ptah_state *state;
	FILE *out;

	(void)unused;
	snprintf(file, sizeof(file), "%s/plain", top);
	out = fopen(file, "w");
	assert_non_null(out);
	fclose(out);
	state = ptah_state_new(file, "dummy");
	assert_true(ptah_state_prepare(state, "state") < 0);
	ptah_state_free(state);
}

/* Its parent has seen to it: two processes of one service may be there for a while. */
static void
a_guarded_one_shares(void **unused)
{
	struct ptah_state *one = ptah_state_new(folder, "guarded"), *two = ptah_state_new(folder, "guarded");
	char text[16];

	(void)unused;
	ptah_state_guard(one);
	ptah_state_guard(two);
	assert_int_equal(put(one, "held", "x"), 0);
	assert_int_equal(get(two, "held", text, sizeof(text)), 1);
	assert_int_equal(put(two, "held", "yz"), 0);
	assert_int_equal(get(one, "held", text, sizeof(text)), 2);
	ptah_state_free(one);
	ptah_state_free(two);
}

/* What it was told to write, once it is written. */
static void
put_by(struct ptah_writer *writer, struct ptah_state *state, const char *text)
{
	int written = 1;

	assert_int_equal(ptah_state_prepare(state, "file"), 0);
	assert_int_equal(ptah_writer_put(writer, state, "file", (struct ptah_span){ (const uint8_t *)text, strlen(text) },
	    on_written, &written), 0);
	ptah_writer_settle(writer);
	assert_int_equal(written, 0);
}

static void
the_newest_alone_writes(void **unused)
{
	struct ptah_states *states = ptah_states_new();
	struct ptah_state *old = ptah_state_new(folder, "heir"), *young = ptah_state_new(folder, "heir");
	struct ptah_state *same = ptah_state_new(folder, "heir"), *stranger = ptah_state_new(folder, "heir");
	struct ptah_writer *writer = ptah_writer_new();
	char text[16];

	(void)unused;
	assert_false(ptah_state_join(old, states, 1));
	put_by(writer, old, "old");
	assert_true(ptah_state_join(young, states, 2));
	assert_int_equal(get(young, "file", text, sizeof(text)), 3);
	put_by(writer, young, "young");
	put_by(writer, old, "late");
	assert_int_equal(get(young, "file", text, sizeof(text)), 5);
	assert_string_equal(text, "young");
	/* Neither another of its turn nor another process gets it. */
	assert_true(ptah_state_join(same, states, 2));
	assert_int_equal(ptah_state_prepare(same, "file"), -EBUSY);
	ptah_state_free(same);
	assert_int_equal(ptah_state_prepare(stranger, "file"), -EBUSY);
	/* The newer did not start: the older goes on. */
	ptah_state_free(young);
	assert_int_equal(ptah_state_prepare(stranger, "file"), -EBUSY);
	put_by(writer, old, "again");
	assert_int_equal(get(old, "file", text, sizeof(text)), 5);
	assert_string_equal(text, "again");
	ptah_state_free(old);
	assert_int_equal(ptah_state_prepare(stranger, "file"), 0);
	ptah_state_free(stranger);
	ptah_writer_free(writer);
	ptah_states_free(states);
}

static void
a_muted_writer_says_yes_and_writes_nothing(void **unused)
{
	struct ptah_state *state = ptah_state_new(folder, "muted");
	struct ptah_writer *writer = ptah_writer_new();
	int written = 1;
	char text[16];

	(void)unused;
	assert_int_equal(put(state, "file", "old"), 0);
	assert_int_equal(ptah_writer_start(writer), 0);
	ptah_writer_mute(writer);
	assert_int_equal(ptah_writer_put(writer, state, "file", (struct ptah_span){ (const uint8_t *)"new", 3 },
	    on_written, &written), 0);
	ptah_writer_free(writer);
	assert_int_equal(written, 0);
	assert_int_equal(get(state, "file", text, sizeof(text)), 3);
	assert_string_equal(text, "old");
	ptah_state_free(state);
}

/* A disk that others write to may take seconds for one file. */
static uint64_t
in_time(void)
{
	return ptah_clock_now_ns() + 60 * PTAH_NS_PER_S;
}

/* Another process is to have all of it, and then it is not. */
static void
what_is_yielded_is_another_s_until_it_is_regained(void **unused)
{
	struct ptah_states *states = ptah_states_new();
	struct ptah_state *ours = ptah_state_new(folder, "yield"), *later = ptah_state_new(folder, "yield2");
	struct ptah_state *stranger = ptah_state_new(folder, "yield");
	struct ptah_writer *writer = ptah_writer_new();
	int written = 1;
	char text[16];

	(void)unused;
	assert_false(ptah_state_join(ours, states, 1));
	put_by(writer, ours, "old");
	assert_int_equal(ptah_state_prepare(stranger, "file"), -EBUSY);
	assert_int_equal(ptah_writer_hold(writer, in_time()), 0);
	ptah_states_yield(states);
	assert_int_equal(ptah_state_prepare(stranger, "file"), 0);
	/* Who begins now needs none, and what is put waits. */
	assert_false(ptah_state_join(later, states, 2));
	assert_int_equal(ptah_state_prepare(later, "file"), 0);
	assert_int_equal(ptah_writer_put(writer, ours, "file", (struct ptah_span){ (const uint8_t *)"late", 4 }, on_written,
	    &written), 0);
	assert_int_equal(get(stranger, "file", text, sizeof(text)), 3);
	assert_int_equal(ptah_states_regain(states), -EBUSY);
	ptah_states_yield(states);
	ptah_state_free(stranger);
	assert_int_equal(ptah_states_regain(states), 0);
	ptah_writer_release(writer);
	ptah_writer_settle(writer);
	assert_int_equal(written, 0);
	assert_int_equal(get(ours, "file", text, sizeof(text)), 4);
	stranger = ptah_state_new(folder, "yield");
	assert_int_equal(ptah_state_prepare(stranger, "file"), -EBUSY);
	ptah_state_free(stranger);
	ptah_state_free(ours);
	ptah_state_free(later);
	ptah_writer_free(writer);
	ptah_states_free(states);
}

static void
a_held_writer_writes_at_its_end(void **unused)
{
	struct ptah_state *state = ptah_state_new(folder, "held");
	struct ptah_writer *writer = ptah_writer_new();
	int written = 1;
	char text[16];

	(void)unused;
	assert_int_equal(put(state, "file", "old"), 0);
	assert_int_equal(ptah_writer_hold(writer, ptah_clock_now_ns()), 0);
	assert_int_equal(ptah_writer_put(writer, state, "file", (struct ptah_span){ (const uint8_t *)"newer", 5 }, on_written,
	    &written), 0);
	assert_int_equal(ptah_writer_hold(writer, ptah_clock_now_ns()), -ETIMEDOUT);
	assert_int_equal(ptah_writer_hold(writer, in_time()), 0);
	ptah_writer_free(writer);
	assert_int_equal(written, 0);
	assert_int_equal(get(state, "file", text, sizeof(text)), 5);
	ptah_state_free(state);
}

#define MANY 1000000u

/* What waits costs more than its bytes, and there may be a great many of them. */
static void
a_held_writer_takes_no_end_of_small_files(void **unused)
{
	struct ptah_state *state = ptah_state_new(folder, "many");
	struct ptah_writer *writer = ptah_writer_new();
	int written = 1, rc = 0;
	unsigned n = 0;

	(void)unused;
	assert_int_equal(ptah_state_prepare(state, "file"), 0);
	assert_int_equal(ptah_writer_hold(writer, ptah_clock_now_ns()), 0);
	while (rc == 0 && ++n < MANY)
		rc = ptah_writer_put(writer, state, "file", (struct ptah_span){ (const uint8_t *)"", 0 }, on_written, &written);
	assert_int_equal(rc, -EAGAIN);
	ptah_writer_mute(writer);
	ptah_writer_free(writer);
	assert_int_equal(written, 0);
	ptah_state_free(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_nothing_before_the_first_use),
		cmocka_unit_test(leaves_its_files_and_no_lock),
		cmocka_unit_test(refuses_a_second_opening),
		cmocka_unit_test(takes_no_name_that_leads_elsewhere),
		cmocka_unit_test(says_why_it_cannot_write),
		cmocka_unit_test(a_guarded_one_shares),
		cmocka_unit_test(the_newest_alone_writes),
		cmocka_unit_test(a_muted_writer_says_yes_and_writes_nothing),
		cmocka_unit_test(what_is_yielded_is_another_s_until_it_is_regained),
		cmocka_unit_test(a_held_writer_writes_at_its_end),
		cmocka_unit_test(a_held_writer_takes_no_end_of_small_files),
	};

	return cmocka_run_group_tests(tests, set_place, clear_place);
}
