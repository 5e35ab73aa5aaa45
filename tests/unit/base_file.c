/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"

/* A folder of our own, and names in it. */
static char folder[64];

static const char *
in_folder(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", folder, name);
	return out;
}

static int
make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/ptah-unit-XXXXXX");
	umask(022);
	return mkdtemp(folder) == NULL;
}

static int
drop_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
buffers_grow_and_shrink_at_the_front(void **state)
{
	struct ptah_buf buf = { 0 };
	char *text;

	(void)state;
	assert_int_equal(ptah_buf_puts(&buf, ""), 0);
	assert_string_equal((char *)buf.at, "");
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ptah_buf_printf(&buf, "%d,", i), 0);
	assert_int_equal(buf.len, 3890);
	ptah_buf_eat(&buf, 3886);
	assert_string_equal((char *)buf.at, "999,");
	ptah_buf_add(&buf, "\0x", 2);
	assert_int_equal(buf.len, 6);
	ptah_buf_eat(&buf, 100);
	assert_int_equal(buf.len, 0);
	ptah_buf_puts(&buf, "end");
	text = ptah_buf_take_text(&buf);
	assert_string_equal(text, "end");
	assert_null(buf.at);
	free(text);
	text = ptah_buf_take_text(&buf);
	assert_string_equal(text, "");
	free(text);
	ptah_buf_eat(&buf, 1);
	ptah_buf_wipe(&buf);
}

static void
buffers_remember_a_failure(void **state)
{
	struct ptah_buf buf = { 0 };

	(void)state;
	ptah_buf_puts(&buf, "a");
	assert_int_equal(ptah_buf_add(&buf, "", SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(ptah_buf_puts(&buf, "b"), -ENOMEM);
	assert_int_equal(ptah_buf_printf(&buf, "c"), -ENOMEM);
	assert_int_equal(buf.len, 1);
	assert_null(ptah_buf_take_text(&buf));
	assert_int_equal(buf.rc, 0);
}

static void
reads_whole_files_within_a_limit(void **state)
{
	uint8_t big[10000], *out;
	size_t len;
	int fds[2];
	char name[64];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(ptah_file_write_atomic(in_folder("big"), big, sizeof(big)), 0);
	assert_int_equal(ptah_file_read(in_folder("big"), sizeof(big), &out, &len), 0);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(out, big, len);
	assert_int_equal(out[len], 0);
	free(out);
	assert_int_equal(ptah_file_read(in_folder("big"), sizeof(big) - 1, &out, &len), -EFBIG);
	assert_null(out);
	assert_int_equal(ptah_file_read(folder, 100, &out, &len), -EISDIR);
	assert_int_equal(ptah_file_read(in_folder("none"), 100, &out, &len), -ENOENT);
	assert_int_equal(ptah_file_write_atomic(in_folder("empty"), "", 0), 0);
	assert_int_equal(ptah_file_read(in_folder("empty"), 0, &out, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal((char *)out, "");
	free(out);

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "piped", 5), 5);
	close(fds[1]);
	snprintf(name, sizeof(name), "/dev/fd/%d", fds[0]);
	assert_int_equal(ptah_file_read(name, 5, &out, &len), 0);
	assert_string_equal((char *)out, "piped");
	free(out);
	close(fds[0]);
	assert_int_equal(ptah_file_read("/dev/zero", 9999, &out, &len), -EFBIG);
}

static void
replaces_files_whole(void **state)
{
	char command[128];
	uint8_t *out;
	size_t len;

	(void)state;
	assert_int_equal(ptah_file_write_atomic(in_folder("f"), "one", 3), 0);
	assert_int_equal(chmod(in_folder("f"), 0644), 0);
	assert_int_equal(ptah_file_write_atomic(in_folder("f"), "two!", 4), 0);
	assert_int_equal(mode_of(in_folder("f")), 0600);
	assert_int_equal(ptah_file_read(in_folder("f"), 100, &out, &len), 0);
	assert_string_equal((char *)out, "two!");
	free(out);
	assert_int_equal(ptah_file_write_atomic(in_folder("no/f"), "x", 1), -ENOENT);
	/* A folder cannot be replaced, and nothing is left behind. */
	assert_int_equal(mkdir(in_folder("d"), 0700), 0);
	assert_int_equal(ptah_file_write_atomic(in_folder("d"), "x", 1), -EISDIR);
	snprintf(command, sizeof(command), "test -z \"$(ls %s/*.?????? 2>/dev/null)\"", folder);
	assert_int_equal(system(command), 0);
}

static void
makes_folders_with_their_parents(void **state)
{
	(void)state;
	assert_int_equal(ptah_file_mkdirs(in_folder("p//q/r/")), 0);
	assert_int_equal(mode_of(in_folder("p")), 0700);
	assert_int_equal(mode_of(in_folder("p/q/r")), 0700);
	assert_int_equal(ptah_file_mkdirs(in_folder("p/q/r")), 0);
	assert_int_equal(ptah_file_mkdirs("/"), 0);
	assert_int_equal(ptah_file_mkdirs("."), 0);
	assert_int_equal(ptah_file_mkdirs(""), -ENOENT);
	assert_int_equal(ptah_file_write_atomic(in_folder("plain"), "x", 1), 0);
	assert_int_equal(ptah_file_mkdirs(in_folder("plain")), -ENOTDIR);
	assert_int_equal(ptah_file_mkdirs(in_folder("plain/x")), -ENOTDIR);
	assert_int_equal(ptah_file_mkdirs("/proc/nosuch/x"), -ENOENT);
}

static void
makes_paths_absolute(void **state)
{
	char cwd[4096], want[5000];
	char *out;

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	out = ptah_file_absolute("/a/../b");
	assert_string_equal(out, "/a/../b");
	free(out);
	snprintf(want, sizeof(want), "%s/a/b", cwd);
	out = ptah_file_absolute("a/b");
	assert_string_equal(out, want);
	free(out);
	assert_int_equal(chdir("/"), 0);
	out = ptah_file_absolute("a");
	assert_string_equal(out, "/a");
	free(out);
	assert_int_equal(chdir(cwd), 0);
}

static void
reads_and_writes_over_short_counts(void **state)
{
	char out[8];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(ptah_write_full(fds[1], "abc", 3), 3);
	assert_int_equal(ptah_write_full(fds[1], "def", 3), 3);
	assert_int_equal(ptah_read_full(fds[0], out, 4), 4);
	close(fds[1]);
	assert_int_equal(ptah_read_full(fds[0], out + 4, 4), 2);
	assert_memory_equal(out, "abcdef", 6);
	close(fds[0]);
	assert_int_equal(ptah_read_full(fds[0], out, 1), -EBADF);
	assert_int_equal(ptah_write_full(fds[0], out, 1), -EBADF);
}

static void
trusts_only_what_others_cannot_change(void **state)
{
	const char *file = in_folder("t/m.so");
	char at[PATH_MAX] = "", why[300] = "", want[300];

	(void)state;
	assert_int_equal(ptah_file_mkdirs(in_folder("t")), 0);
	assert_int_equal(ptah_file_write_atomic(file, "x", 1), 0);
	assert_int_equal(ptah_file_is_trusted(file, at, why, sizeof(why)), 0); /* though /tmp is all the world's: it is sticky */

	assert_int_equal(chmod(file, 0666), 0);
	assert_int_equal(ptah_file_is_trusted(file, at, why, sizeof(why)), -EPERM);
	snprintf(want, sizeof(want), "%s/t/m.so can be written to by everyone: chmod o-w", folder);
	assert_string_equal(why, want);
	assert_string_equal(at, file);
	assert_int_equal(ptah_file_is_trusted(file, NULL, why, sizeof(why)), -EPERM);
	assert_int_equal(chmod(file, 0644), 0);

	/* by a link, it is the real place that counts */
	assert_int_equal(symlink(file, in_folder("link")), 0);
	assert_int_equal(chmod(in_folder("t"), 0777), 0);
	assert_int_equal(ptah_file_is_trusted(in_folder("link"), at, why, sizeof(why)), -EPERM);
	snprintf(want, sizeof(want), "%s/t can be written to by everyone: chmod o-w", folder);
	assert_string_equal(why, want);
	assert_string_equal(at, in_folder("t"));
	assert_int_equal(ptah_file_is_trusted(in_folder("t"), at, why, sizeof(why)), -EPERM);

	/* sticky protects what is in a folder, but not from new names in it */
	assert_int_equal(chmod(in_folder("t"), 01777), 0);
	assert_int_equal(ptah_file_is_trusted(file, at, why, sizeof(why)), 0);
	assert_int_equal(ptah_file_is_trusted(in_folder("t"), at, why, sizeof(why)), -EPERM);
	assert_int_equal(chmod(in_folder("t"), 0755), 0);

	assert_int_equal(ptah_file_is_trusted(in_folder("none"), at, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/none: No such file"));

	if (geteuid() != 0)
		return; /* the rest needs files of other people */
	assert_int_equal(chown(file, 0, 4321), 0);
	assert_int_equal(chmod(file, 0664), 0);
	assert_int_equal(ptah_file_is_trusted(file, at, why, sizeof(why)), -EPERM);
	assert_non_null(strstr(why, "by its group: chmod g-w"));
	assert_int_equal(chown(file, 0, 50), 0);
	assert_int_equal(ptah_file_is_trusted(file, at, why, sizeof(why)), 0);
	assert_int_equal(chown(file, 4321, 0), 0);
	assert_int_equal(ptah_file_is_trusted(file, at, why, sizeof(why)), -EPERM);
	assert_non_null(strstr(why, "is owned by another user"));
	assert_int_equal(chown(file, 0, 0), 0);
	assert_int_equal(chown(in_folder("t"), 4321, 0), 0);
	assert_int_equal(ptah_file_is_trusted(file, at, why, sizeof(why)), -EPERM);
}

/* From 'path' it goes up to 'want', a name in our folder; 'file': that is none. */
static void
goes_up(const char *path, int rc, const char *want, bool file)
{
	char out[PATH_MAX];
	struct stat st;

	assert_int_equal(ptah_file_nearest(path, out, &st), rc);
	assert_string_equal(out, want);
	assert_int_equal(S_ISREG(st.st_mode), file);
}

static void
finds_the_nearest_there_is(void **state)
{
	char cwd[PATH_MAX], out[PATH_MAX], *longer = calloc(1, PATH_MAX + 1);
	struct stat st;

	(void)state;
	assert_int_equal(ptah_file_mkdirs(in_folder("near/below")), 0);
	assert_int_equal(ptah_file_write_atomic(in_folder("near/file"), "x", 1), 0);
	goes_up(in_folder("near/below"), 0, in_folder("near/below"), false);
	goes_up(in_folder("near/file"), 0, in_folder("near/file"), true);
	goes_up(in_folder("near/none"), 1, in_folder("near"), false);
	goes_up(in_folder("near/none/of/them"), 1, in_folder("near"), false);
	goes_up(in_folder("near/none//them/"), 1, in_folder("near"), false);
	goes_up(in_folder("near/file/below/it"), 1, in_folder("near/file"), true);
	goes_up("/", 0, "/", false);
	goes_up("/none of this name/at all", 1, "/", false);

	/* a relative one ends where we are */
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(in_folder("near")), 0);
	goes_up("below/none", 1, "below", false);
	goes_up("none/below", 1, ".", false);
	goes_up("none", 1, ".", false);
	assert_int_equal(chdir(cwd), 0);

	/* what hinders it is told, and of what */
	assert_int_equal(symlink("loop", in_folder("near/loop")), 0);
	assert_int_equal(ptah_file_nearest(in_folder("near/loop/none"), out, &st), -ELOOP);
	assert_string_equal(out, in_folder("near/loop/none"));
	assert_non_null(longer);
	memset(longer, 'x', PATH_MAX);
	assert_int_equal(ptah_file_nearest(longer, out, &st), -ENAMETOOLONG);
	free(longer);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_grow_and_shrink_at_the_front),
		cmocka_unit_test(buffers_remember_a_failure),
		cmocka_unit_test(reads_whole_files_within_a_limit),
		cmocka_unit_test(replaces_files_whole),
		cmocka_unit_test(makes_folders_with_their_parents),
		cmocka_unit_test(makes_paths_absolute),
		cmocka_unit_test(finds_the_nearest_there_is),
		cmocka_unit_test(reads_and_writes_over_short_counts),
		cmocka_unit_test(trusts_only_what_others_cannot_change),
	};

	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
