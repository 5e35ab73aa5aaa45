/* SPDX-License-Identifier: BSD-3-Clause */
/* All watches of the test wait at once: each change is told of after a second of silence only. */
#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "loop/worker.h"
#include "transport/watch.h"

#define LIMIT_NS (20 * PTAH_NS_PER_S)

static bool deaf;

int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);

int
__wrap_inotify_init1(int flags)
{
	if (!deaf)
		return __real_inotify_init1(flags);
	errno = EMFILE;
	return -1;
}

struct place {
	char folder[128];
	const char *folders[2];
	struct ptah_watch *watch;
	unsigned told, refuse, what;
};

enum { PLAIN, LATE, DEAF, LINKED, BUSY, NOTED, NAMED, NAMED_LATE, NAMED_DEAF, NAMED_LINK, NAMED_CHAIN, N_PLACES };

static bool
is_named(unsigned i)
{
	return i >= NAMED;
}

static int
on_change(unsigned what, void *arg)
{
	struct place *place = arg;

	assert_int_equal(what, place->what);
	place->told++;
	return place->told <= place->refuse ? -EBUSY : 0;
}

static void
put(const char *folder, const char *file, const char *text)
{
	char path[256], new[256];
	FILE *out;

	snprintf(new, sizeof(new), "%s/.new", folder);
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	out = fopen(new, "we");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(rename(new, path), 0);
}

static void
overwrite(const char *path)
{
	FILE *out = fopen(path, "r+e");

	assert_non_null(out);
	assert_true(fputs("2", out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* A file with a name that no module has; it was changed long ago, by now. */
static void
name_file(struct place *place, unsigned i)
{
	struct ptah_json *paths = ptah_json_new(PTAH_JSON_ARRAY);
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", place->folder, i == NAMED_LINK ? "now/named.pem" : "named.pem");
	assert_int_equal(ptah_json_add(paths, ptah_json_new_text(PTAH_JSON_STRING, path)), 0);
	assert_int_equal(ptah_watch_files(place->watch, paths), 0);
	assert_int_equal(ptah_watch_files(place->watch, paths), 0);
	ptah_json_free(paths);
	place->what = PTAH_WATCH_FILES;
}

/* As those do who replace a folder at once: "now" leads to another one. */
static void
lead_to(const char *folder, const char *target)
{
	char path[256], new[256];

	snprintf(new, sizeof(new), "%s/.now", folder);
	snprintf(path, sizeof(path), "%s/now", folder);
	assert_int_equal(symlink(target, new), 0);
	assert_int_equal(rename(new, path), 0);
}

static void
run_until(struct ptah_worker *loop, const struct place *places, const unsigned *want)
{
	uint64_t until_ns = ptah_clock_now_ns() + LIMIT_NS;
	struct timeval tick = { 0, 20000 };
	bool all = false;

	while (!all && ptah_clock_now_ns() < until_ns) {
		assert_int_equal(event_base_loopexit(loop->base, &tick), 0);
		assert_true(event_base_loop(loop->base, EVLOOP_ONCE) >= 0);
		all = true;
		for (unsigned i = 0; i < N_PLACES; i++)
			all = all && places[i].told >= want[i];
	}
	for (unsigned i = 0; i < N_PLACES; i++)
		if (places[i].told != want[i])
			fail_msg("watch %u was told %u times, and not %u", i, places[i].told, want[i]);
}

static void
tells_of_each_change_once(void **state)
{
	static const unsigned first[N_PLACES] = { 1, 1, 1, 1, 3, 0, 1, 1, 1, 1, 1 },
	    second[N_PLACES] = { 2, 2, 1, 2, 3, 0, 2, 2, 1, 2, 2 };
	struct ptah_worker *loop = ptah_worker_new(0);
	struct place places[N_PLACES] = { [BUSY] = { .refuse = 2 } };
	char top[] = "/tmp/ptah-watch-XXXXXX", elsewhere[64], via[64], path[256], target[256], line[64];

	(void)state;
	assert_non_null(loop);
	assert_non_null(mkdtemp(top));
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", top);
	assert_int_equal(mkdir(elsewhere, 0700), 0);
	put(elsewhere, "real", "1");
	snprintf(via, sizeof(via), "%s/via", top);
	assert_int_equal(mkdir(via, 0700), 0);
	lead_to(via, elsewhere);
	for (unsigned i = 0; i < N_PLACES; i++) {
		struct place *place = &places[i];

		snprintf(place->folder, sizeof(place->folder), i == LATE || i == NAMED_LATE ? "%s/%u/deeper" : "%s/%u", top, i);
		place->folders[0] = is_named(i) ? NULL : place->folder;
		place->what = PTAH_WATCH_MODULES;
		if (i != LATE && i != NAMED_LATE) {
			assert_int_equal(mkdir(place->folder, 0700), 0);
			put(place->folder, "old.so", "1");
		}
		if (i == NAMED_LINK)
			lead_to(place->folder, elsewhere);
		if (i == NAMED_CHAIN) {
			snprintf(path, sizeof(path), "%s/named.pem", place->folder);
			assert_int_equal(symlink("../via/now/named.pem", path), 0);
		}
		if (i == LINKED) {
			snprintf(path, sizeof(path), "%s/linked.so", place->folder);
			snprintf(target, sizeof(target), "%s/real", elsewhere);
			assert_int_equal(symlink(target, path), 0);
		}
		deaf = i == DEAF || i == NAMED_DEAF;
		place->watch = ptah_watch_start(loop, place->folders, on_change, place);
		assert_non_null(place->watch);
		if (is_named(i))
			name_file(place, i);
	}

	snprintf(path, sizeof(path), "%s/%u", top, LATE);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(mkdir(places[LATE].folder, 0700), 0);
	put(places[LATE].folder, "new.so", "1");
	put(places[PLAIN].folder, "new.json", "1");
	put(places[DEAF].folder, "new.so", "1");
	put(elsewhere, "real", "22");
	put(places[BUSY].folder, "old.so", "22");
	put(places[NOTED].folder, "old.so", "22");
	put(places[NOTED].folder, "README", "is none of them");
	ptah_watch_note(places[NOTED].watch);
	snprintf(path, sizeof(path), "%s/%u", top, NAMED_LATE);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(mkdir(places[NAMED_LATE].folder, 0700), 0);
	put(places[NAMED].folder, "named.pem", "1");
	put(places[NAMED_LATE].folder, "named.pem", "1");
	put(places[NAMED_DEAF].folder, "named.pem", "1");
	put(elsewhere, "named.pem", "1");
	run_until(loop, places, first);

	snprintf(path, sizeof(path), "%s/old.so", places[PLAIN].folder);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/new.so", places[LATE].folder);
	assert_int_equal(chmod(path, 0666), 0);
	put(elsewhere, "real", "333");
	put(places[BUSY].folder, "README", "nor is this");
	snprintf(path, sizeof(path), "%s/named.pem", places[NAMED].folder);
	overwrite(path);
	snprintf(path, sizeof(path), "%s/named.pem", places[NAMED_LATE].folder);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/new", top);
	assert_int_equal(mkdir(path, 0700), 0);
	put(path, "named.pem", "22");
	lead_to(places[NAMED_LINK].folder, path);
	lead_to(via, path);
	run_until(loop, places, second);

	for (unsigned i = 0; i < N_PLACES; i++)
		ptah_watch_stop(places[i].watch);
	ptah_worker_free(loop);
	snprintf(line, sizeof(line), "rm -rf '%s'", top);
	assert_int_equal(system(line), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_of_each_change_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
