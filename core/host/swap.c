/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/swap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

/* Longest file that is compared. */
#define FILE_MAX ((size_t)16 * 1024 * 1024)
/* Files that are kept in one second. */
#define KEPT_MOST 100

static int
say(int rc, char *why, size_t room, const char *what, const char *path)
{
	snprintf(why, room, "cannot %s %s: %s", what, path, strerror(-rc));
	return rc;
}

/* What root makes in another's folder, that one could not read. */
static int
check_owner(const char *folder, char *why, size_t room)
{
	char path[PATH_MAX];
	struct stat st;
	int rc = ptah_file_nearest(folder, path, &st);

	if (rc < 0)
		return say(rc, why, room, "look at", folder);
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;

	const struct passwd *user = getpwuid(st.st_uid);
	char number[32];

	snprintf(number, sizeof(number), "#%lu", (unsigned long)st.st_uid);
	snprintf(why, room, "%s is %s's, who could not read what root makes there: run this as that user "
	    "(sudo -u %s ptah invite ...)", path, user ? user->pw_name : number, user ? user->pw_name : number);
	return -EPERM;
}

int
ptah_swap_begin(struct ptah_swap *swap, const char *folder, char *why, size_t room)
{
	int rc = check_owner(folder, why, room);

	*swap = (struct ptah_swap){ .folder = folder };
	if (rc < 0)
		return rc;
	rc = ptah_file_mkdirs(folder);
	if (rc < 0)
		return say(rc, why, room, "make the state folder", folder);
	if (asprintf(&swap->work, "%s/invite.XXXXXX", folder) == -1) {
		swap->work = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(swap->work)) {
		rc = say(-errno, why, room, "write to the state folder", folder);
		free(swap->work);
		swap->work = NULL;
	}
	return rc;
}

static char *
path_in(const char *folder, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", folder, name) != -1 ? path : NULL;
}

static int
add_path(struct ptah_json *array, const char *path)
{
	struct ptah_json *text = ptah_json_new_text(PTAH_JSON_STRING, path);

	return text ? ptah_json_add(array, text) : -ENOMEM;
}

static bool
are_same(const char *a, const char *b)
{
	uint8_t *one = NULL, *other = NULL;
	size_t one_len = 0, other_len = 0;
	bool same = ptah_file_read(a, FILE_MAX, &one, &one_len) == 0 &&
	    ptah_file_read(b, FILE_MAX, &other, &other_len) == 0 &&
	    one_len == other_len && memcmp(one, other, one_len) == 0;

	if (one)
		explicit_bzero(one, one_len);
	if (other)
		explicit_bzero(other, other_len);
	free(one);
	free(other);
	return same;
}

/* A second name for what is there: the first one is never without a file. */
static int
keep(const char *path, struct ptah_json *kept, char *why, size_t room)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm parts;
	int rc = -EEXIST;

	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H%M%SZ", gmtime_r(&now, &parts));
	for (int i = 1; rc == -EEXIST && i < KEPT_MOST; i++) {
		char *name = NULL, nth[16] = "";

		if (i > 1)
			snprintf(nth, sizeof(nth), ".%d", i);
		if (asprintf(&name, "%s.%s%s", path, stamp, nth) == -1)
			return -ENOMEM;
		rc = link(path, name) == -1 ? -errno : 0;
		/* Some file systems have one name for each file. */
		if (rc == -EPERM || rc == -EOPNOTSUPP)
			rc = renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE) == -1 ? -errno : 0;
		if (rc == 0)
			rc = add_path(kept, name);
		free(name);
	}
	return rc < 0 ? say(rc, why, room, "keep a copy of", path) : 0;
}

static int
commit_one(const char *from, const char *to, bool anew, struct ptah_json *files, struct ptah_json *kept,
    char *why, size_t room)
{
	int rc = 0;

	if (access(to, F_OK) == 0 && !are_same(from, to)) {
		if (!anew) {
			snprintf(why, room, "%s is there, and says something else: "
			    "with --new it is replaced, and kept under another name", to);
			return -EEXIST;
		}
		rc = keep(to, kept, why, room);
	}
	if (rc == 0 && rename(from, to) == -1)
		rc = say(-errno, why, room, "write", to);
	return rc == 0 ? add_path(files, to) : rc;
}

static int
sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd == -1 || (fsync(fd) == -1 && errno != EINVAL) ? -errno : 0;

	if (fd != -1)
		close(fd);
	return rc;
}

int
ptah_swap_commit(struct ptah_swap *swap, bool anew, struct ptah_json *files, struct ptah_json *kept,
    char *why, size_t room)
{
	struct dirent **entries = NULL;
	int n = scandir(swap->work, &entries, NULL, alphasort), rc = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		size_t len = strlen(name);

		/* A lock is its holder's. */
		if (rc == 0 && name[0] != '.' && !(len > 5 && strcmp(name + len - 5, "_lock") == 0)) {
			char *from = path_in(swap->work, name), *to = path_in(swap->folder, name);

			rc = from && to ? commit_one(from, to, anew, files, kept, why, room) : -ENOMEM;
			free(from);
			free(to);
		}
		free(entries[i]);
	}
	free(entries);
	if (rc == 0)
		rc = sync_folder(swap->folder);
	return rc;
}

void
ptah_swap_end(struct ptah_swap *swap)
{
	DIR *folder = swap->work ? opendir(swap->work) : NULL;

	for (const struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
	if (swap->work)
		(void)rmdir(swap->work);
	free(swap->work);
	swap->work = NULL;
}
