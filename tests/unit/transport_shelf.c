/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "transport/child.h"
#include "transport/loader.h"
#include "transport/registry.h"
#include "transport/shelf.h"

static const char *build;

/* A folder with a module in it, and a registry that may see it replaced. */
struct scene {
	char folder[64];
	struct ptah_registry *registry;
	uint8_t *file; /* of the module, edition 1 */
	size_t len;
};

static void
scene_set(struct scene *scene, const char *module)
{
	char path[512];

	memset(scene, 0, sizeof(*scene));
	snprintf(scene->folder, sizeof(scene->folder), "%s", "/tmp/ptah-shelf-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	snprintf(path, sizeof(path), "%s/tests/modules/%s.so", build, module);
	assert_int_equal(ptah_file_read(path, 64 << 20, &scene->file, &scene->len), 0);
	scene->registry = ptah_registry_new(scene->folder, NULL);
	assert_non_null(scene->registry);
	ptah_registry_make_hot(scene->registry);
}

static void
scene_clear(struct scene *scene)
{
	char line[128];

	ptah_registry_free(scene->registry);
	free(scene->file);
	snprintf(line, sizeof(line), "rm -rf '%s'", scene->folder);
	assert_int_equal(system(line), 0);
}

static const char *
path_of(const struct scene *scene, const char *file)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", scene->folder, file);
	return path;
}

/* Write the module's number into its file. */
static void
number(struct scene *scene, unsigned edition)
{
	uint8_t *at = memmem(scene->file, scene->len, "EDITION=", 8);
	char digits[16];

	assert_non_null(at);
	snprintf(digits, sizeof(digits), "%04u", edition);
	memcpy(at + 8, digits, 4);
}

static void
write_file(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(ptah_write_full(fd, bytes, len), len);
	close(fd);
}

static void
install(struct scene *scene, const char *file, unsigned edition)
{
	char path[256];

	number(scene, edition);
	snprintf(path, sizeof(path), "%s", path_of(scene, file));
	write_file(path_of(scene, "new"), scene->file, scene->len);
	assert_int_equal(rename(path_of(scene, "new"), path), 0);
}

/* As "cp" does: the file stays the same one. */
static void
write_into(struct scene *scene, const char *file, const uint8_t *bytes, size_t len)
{
	write_file(path_of(scene, file), bytes, len);
}

static struct ptah_loaded *
get(struct scene *scene, const char *name)
{
	struct ptah_found found;
	char why[PTAH_WHY_TEXT] = "";

	if (ptah_registry_find(scene->registry, name, &found, why, sizeof(why)) < 0)
		fail_msg("%s: %s", name, why);
	assert_null(found.options);
	return found.loaded;
}

static unsigned
edition_of(const struct ptah_loaded *loaded)
{
	unsigned edition = 0;

	assert_int_equal(sscanf(loaded->module.version, "EDITION=%u", &edition), 1);
	return edition;
}

static const char *
refusal(struct scene *scene, const char *name)
{
	static char why[PTAH_WHY_TEXT];
	struct ptah_found found;

	ptah_registry_refresh(scene->registry);
	assert_true(ptah_registry_find(scene->registry, name, &found, why, sizeof(why)) < 0);
	return why;
}

/* How many copies of the file run. */
static unsigned
count_copies(const char *file)
{
	char line[512], inodes[64][24];
	unsigned n = 0;
	FILE *maps = fopen("/proc/self/maps", "re");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		char inode[24] = "", path[256] = "";
		unsigned i = 0;

		if (sscanf(line, "%*s %*s %*s %*s %23s %255[^\n]", inode, path) != 2 || strstr(path, file) == NULL)
			continue;
		while (i < n && strcmp(inodes[i], inode) != 0)
			i++;
		if (i == n && n < 64)
			snprintf(inodes[n++], sizeof(inodes[0]), "%s", inode);
	}
	fclose(maps);
	return n;
}

static unsigned
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static unsigned
count_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned n = 0;
	int c;

	assert_non_null(maps);
	while ((c = fgetc(maps)) != EOF)
		n += c == '\n';
	fclose(maps);
	return n;
}

static void
serves_a_file_that_appears(void **state)
{
	struct scene scene;
	struct ptah_found found;
	char why[PTAH_WHY_TEXT];

	(void)state;
	scene_set(&scene, "edition");
	assert_int_equal(ptah_registry_find(scene.registry, "edition", &found, why, sizeof(why)), -ENOENT);
	install(&scene, "edition.so", 7);
	assert_int_equal(edition_of(get(&scene, "edition")), 7);
	assert_int_equal(count_copies("memfd:edition.so"), 1);
	scene_clear(&scene);
	assert_int_equal(count_copies("memfd:edition.so"), 0);
}

static void
replaces_code_that_is_renamed_in(void **state)
{
	struct scene scene;
	struct ptah_loaded *old, *new;

	(void)state;
	scene_set(&scene, "edition");
	install(&scene, "edition.so", 1);
	old = ptah_shelf_ref(get(&scene, "edition"));
	install(&scene, "edition.so", 2);
	assert_ptr_equal(get(&scene, "edition"), old); /* nobody has looked yet */
	ptah_registry_refresh(scene.registry);
	new = get(&scene, "edition");
	assert_int_equal(edition_of(new), 2);
	assert_int_equal(edition_of(old), 1);
	assert_true(new->module.open != old->module.open);
	assert_true(new->serial != old->serial);
	assert_int_equal(ptah_registry_count_old(scene.registry), 1);
	assert_int_equal(count_copies("memfd:edition.so"), 2);

	ptah_shelf_unref(old);
	ptah_registry_refresh(scene.registry);
	assert_int_equal(ptah_registry_count_old(scene.registry), 0);
	assert_int_equal(count_copies("memfd:edition.so"), 1);
	assert_ptr_equal(get(&scene, "edition"), new);
	scene_clear(&scene);
}

static void
lives_through_being_written_into(void **state)
{
	struct scene scene;
	struct ptah_loaded *old;

	(void)state;
	scene_set(&scene, "edition");
	install(&scene, "edition.so", 1);
	old = ptah_shelf_ref(get(&scene, "edition"));
	number(&scene, 2);
	write_into(&scene, "edition.so", scene.file, scene.len);
	ptah_registry_refresh(scene.registry);
	assert_int_equal(edition_of(get(&scene, "edition")), 2);
	assert_int_equal(edition_of(old), 1);
	write_into(&scene, "edition.so", NULL, 0);
	assert_int_equal(edition_of(old), 1);
	old->module.close(NULL, 0); /* its code is there, too */
	ptah_shelf_unref(old);
	scene_clear(&scene);
}

static void
takes_a_file_that_was_only_touched_for_the_same(void **state)
{
	static const struct timespec then[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	struct scene scene;
	struct ptah_loaded *one;
	uint64_t serial;

	(void)state;
	scene_set(&scene, "edition");
	install(&scene, "edition.so", 1);
	one = ptah_shelf_ref(get(&scene, "edition"));
	serial = one->serial;
	assert_int_equal(utimensat(AT_FDCWD, path_of(&scene, "edition.so"), then, 0), 0);
	ptah_registry_refresh(scene.registry);
	assert_ptr_equal(get(&scene, "edition"), one);
	install(&scene, "edition.so", 1); /* another file, the same bytes */
	ptah_registry_refresh(scene.registry);
	assert_ptr_equal(get(&scene, "edition"), one);
	assert_int_equal(one->serial, serial);
	assert_int_equal(ptah_registry_count_old(scene.registry), 0);
	ptah_shelf_unref(one);
	scene_clear(&scene);
}

static void
refuses_a_bad_file_and_goes_on_with_the_old_code(void **state)
{
	static const char *const others[] = { "wrongmagic", "wrongabi", "dummy", "broken" };
	struct scene scene, other;
	struct ptah_loaded *old;
	uint8_t bytes[64] = "#!/bin/sh\n";

	(void)state;
	scene_set(&scene, "edition");
	install(&scene, "edition.so", 1);
	old = ptah_shelf_ref(get(&scene, "edition"));

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		scene_set(&other, others[i]);
		write_into(&scene, "edition.so", other.file, other.len);
		scene_clear(&other);
		assert_true(strlen(refusal(&scene, "edition")) > 0);
		assert_int_equal(edition_of(old), 1);
	}
	write_into(&scene, "edition.so", bytes, sizeof(bytes));
	assert_non_null(strstr(refusal(&scene, "edition"), "cannot load"));

	install(&scene, "edition.so", 2);
	assert_int_equal(chmod(path_of(&scene, "edition.so"), 0666), 0);
	assert_non_null(strstr(refusal(&scene, "edition"), "edition.so"));

	assert_int_equal(unlink(path_of(&scene, "edition.so")), 0);
	(void)refusal(&scene, "edition");

	/* What it was is what it is again. */
	install(&scene, "edition.so", 1);
	ptah_registry_refresh(scene.registry);
	assert_ptr_equal(get(&scene, "edition"), old);
	ptah_shelf_unref(old);
	scene_clear(&scene);
}

static void
refuses_a_file_that_is_cut_short_anywhere(void **state)
{
	struct scene scene;

	(void)state;
	scene_set(&scene, "edition");
	install(&scene, "edition.so", 1);
	for (size_t len = 0; len < scene.len; len += len < 4096 ? 13 : scene.len / 61) {
		write_into(&scene, "edition.so", scene.file, len);
		(void)refusal(&scene, "edition");
	}
	write_into(&scene, "edition.so", scene.file, scene.len - 1);
	assert_non_null(strstr(refusal(&scene, "edition"), "cut short"));
	write_into(&scene, "edition.so", scene.file, scene.len);
	ptah_registry_refresh(scene.registry);
	assert_int_equal(edition_of(get(&scene, "edition")), 1);
	assert_int_equal(count_copies("memfd:edition.so"), 1);
	scene_clear(&scene);
}

static void
keeps_code_that_does_not_say_it_may_go(void **state)
{
	struct scene scene;
	struct ptah_loaded *old;

	(void)state;
	scene_set(&scene, "lasting");
	install(&scene, "lasting.so", 1);
	old = get(&scene, "lasting");
	install(&scene, "lasting.so", 2);
	ptah_registry_refresh(scene.registry);
	assert_int_equal(edition_of(get(&scene, "lasting")), 2);
	ptah_registry_refresh(scene.registry);
	assert_int_equal(ptah_registry_count_old(scene.registry), 1);
	assert_int_equal(count_copies("memfd:lasting.so"), 2);
	assert_int_equal(edition_of(old), 1);
	install(&scene, "lasting.so", 1);
	ptah_registry_refresh(scene.registry);
	assert_ptr_equal(get(&scene, "lasting"), old);
	scene_clear(&scene);
	assert_int_equal(count_copies("memfd:lasting.so"), 0);
}

static void
unloads_each_module_that_we_ship(void **state)
{
	static const char *const names[] = { "dummy", "exec", "obfs2", "obfs3", "obfs4", "optimizer", "scramblesuit", "shadow" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char from[512], file[64], shown[80];
		struct scene scene;
		uint64_t serial;

		snprintf(from, sizeof(from), "%s/modules/%s.so", build, names[i]);
		if (access(from, F_OK) == -1)
			continue; /* configured without it */
		scene_set(&scene, "edition");
		free(scene.file);
		assert_int_equal(ptah_file_read(from, 64 << 20, &scene.file, &scene.len), 0);
		snprintf(file, sizeof(file), "%s.so", names[i]);
		snprintf(shown, sizeof(shown), "memfd:%s", file);
		write_file(path_of(&scene, file), scene.file, scene.len);
		serial = get(&scene, names[i])->serial;
		/* Another file: what stands behind its end is nobody's; there is a NUL. */
		write_file(path_of(&scene, file), scene.file, scene.len + 1);
		ptah_registry_refresh(scene.registry);
		assert_int_equal(count_copies(shown), 0);
		assert_true(get(&scene, names[i])->serial != serial);
		assert_int_equal(count_copies(shown), 1);
		scene_clear(&scene);
		assert_int_equal(count_copies(shown), 0);
	}
}

/* What a worker gives up last is unloaded by the main thread, which is told. */
struct errand {
	void (*fn)(void *arg);
	void *arg;
};

static int
keep_errand(void *hands_arg, void (*fn)(void *arg), void *arg)
{
	struct errand *errand = hands_arg;

	*errand = (struct errand){ fn, arg };
	return 0;
}

static void
unloads_on_the_main_thread(void **state)
{
	struct errand errand = { 0 };
	struct ptah_hands hands = { .on_main = keep_errand, .arg = &errand };
	struct scene scene;
	struct ptah_loaded *old;

	(void)state;
	scene_set(&scene, "edition");
	ptah_registry_set_hands(scene.registry, &hands);
	install(&scene, "edition.so", 1);
	old = ptah_shelf_ref(get(&scene, "edition"));
	install(&scene, "edition.so", 2);
	ptah_registry_refresh(scene.registry);
	(void)get(&scene, "edition");
	assert_null(errand.fn);
	ptah_shelf_unref(old);
	assert_non_null(errand.fn);
	assert_int_equal(count_copies("memfd:edition.so"), 2);
	errand.fn(errand.arg);
	assert_int_equal(count_copies("memfd:edition.so"), 1);

	/* One that comes when all is over does nothing. */
	old = ptah_shelf_ref(get(&scene, "edition"));
	install(&scene, "edition.so", 3);
	ptah_registry_refresh(scene.registry);
	errand.fn = NULL;
	ptah_shelf_unref(old);
	assert_non_null(errand.fn);
	scene_clear(&scene);
	errand.fn(errand.arg);
}

static void
leaks_nothing_in_many_swaps(void **state)
{
	struct scene scene;
	unsigned descriptors = 0, maps = 0;

	(void)state;
	scene_set(&scene, "edition");
	for (unsigned i = 1; i <= 220; i++) {
		struct ptah_loaded *held;

		install(&scene, "edition.so", i);
		ptah_registry_refresh(scene.registry);
		held = ptah_shelf_ref(get(&scene, "edition"));
		assert_int_equal(edition_of(held), i);
		if (i == 20) {
			descriptors = count_descriptors();
			maps = count_maps();
		}
		ptah_shelf_unref(held);
	}
	assert_int_equal(count_descriptors(), descriptors);
	assert_in_range(count_maps(), 0, maps + 4); /* the heap may have grown by an arena */
	assert_int_equal(count_copies("memfd:edition.so"), 1);
	scene_clear(&scene);
}

static void
looks_only_where_it_is_asked_to(void **state)
{
	struct scene scene;
	struct ptah_loaded *one;

	(void)state;
	scene_set(&scene, "edition");
	ptah_registry_free(scene.registry);
	scene.registry = ptah_registry_new(scene.folder, NULL); /* not hot */
	install(&scene, "edition.so", 1);
	one = get(&scene, "edition");
	assert_int_equal(count_copies("memfd:edition.so"), 0);
	assert_int_equal(count_copies(path_of(&scene, "edition.so")), 1);
	install(&scene, "edition.so", 2);
	ptah_registry_refresh(scene.registry);
	assert_ptr_equal(get(&scene, "edition"), one);
	scene_clear(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_a_file_that_appears),
		cmocka_unit_test(replaces_code_that_is_renamed_in),
		cmocka_unit_test(lives_through_being_written_into),
		cmocka_unit_test(takes_a_file_that_was_only_touched_for_the_same),
		cmocka_unit_test(refuses_a_bad_file_and_goes_on_with_the_old_code),
		cmocka_unit_test(refuses_a_file_that_is_cut_short_anywhere),
		cmocka_unit_test(keeps_code_that_does_not_say_it_may_go),
		cmocka_unit_test(unloads_each_module_that_we_ship),
		cmocka_unit_test(unloads_on_the_main_thread),
		cmocka_unit_test(leaks_nothing_in_many_swaps),
		cmocka_unit_test(looks_only_where_it_is_asked_to),
	};

	build = getenv("PTAH_BUILD") != NULL ? getenv("PTAH_BUILD") : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
