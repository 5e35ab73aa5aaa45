/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* Groups below this one belong to the system (login.defs: SYS_GID_MAX 999). */
#define SYSTEM_GIDS 1000

#define READ_STEP 4096

int
ptah_file_read(const char *path, size_t max, uint8_t **out, size_t *len)
{
	uint8_t *bytes = NULL;
	size_t n = 0, room = 0;
	struct stat st;
	int rc = 0;

	*out = NULL;
	*len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == -1) {
		rc = -errno;
		goto out;
	}
	if (S_ISDIR(st.st_mode)) {
		rc = -EISDIR;
		goto out;
	}
	if (S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size > max) {
		rc = -EFBIG;
		goto out;
	}
	for (;;) {
		ssize_t got;

		if (room - n < 2) {
			size_t more = room == 0 ? READ_STEP : room * 2;
			uint8_t *grown = malloc(more);

			if (grown == NULL) {
				rc = -ENOMEM;
				goto out;
			}
			if (n > 0) {
				memcpy(grown, bytes, n);
				explicit_bzero(bytes, n); /* it may hold keys */
			}
			free(bytes);
			bytes = grown;
			room = more;
		}
		got = read(fd, bytes + n, room - n - 1);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1) {
			rc = -errno;
			goto out;
		}
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > max) {
			rc = -EFBIG;
			goto out;
		}
	}
	bytes[n] = '\0';
	*out = bytes;
	*len = n;
	bytes = NULL;

out:
	if (bytes != NULL)
		explicit_bzero(bytes, n);
	free(bytes);
	close(fd);
	return rc;
}

/* The folder that 'path' is in.  Gives: a text for free(), or NULL. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int
sync_folder(const char *path)
{
	int rc = 0;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -errno;
	/* Some file systems cannot sync a folder, and then need not. */
	if (fsync(fd) == -1 && errno != EINVAL)
		rc = -errno;
	close(fd);
	return rc;
}

int
ptah_file_write_atomic(const char *path, const void *bytes, size_t len)
{
	static const char suffix[] = ".XXXXXX";
	char *folder = folder_of(path);
	char *temp = malloc(strlen(path) + sizeof(suffix));
	int fd = -1, rc = 0;
	ssize_t n;

	if (folder == NULL || temp == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	memcpy(temp, path, strlen(path));
	memcpy(temp + strlen(path), suffix, sizeof(suffix));
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd == -1) {
		rc = -errno;
		goto out;
	}
	n = ptah_write_full(fd, bytes, len);
	if (n < 0)
		rc = (int)n;
	else if (fsync(fd) == -1)
		rc = -errno;
	if (close(fd) == -1 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temp, path) == -1)
		rc = -errno;
	if (rc != 0)
		unlink(temp);
	else
		rc = sync_folder(folder);

out:
	free(folder);
	free(temp);
	return rc;
}

static int
make_folder(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno != EEXIST && errno != EISDIR && errno != EROFS && errno != EACCES)
		return -errno;
	/* Above ours there may be folders that we cannot write to. */
	int rc = -errno;
	if (stat(path, &st) == -1)
		return rc == -EEXIST ? -errno : rc;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int
ptah_file_mkdirs(const char *path)
{
	char *part;
	int rc = 0;

	if (path[0] == '\0')
		return -ENOENT;
	part = strdup(path);
	if (part == NULL)
		return -ENOMEM;
	for (char *p = part + 1; rc == 0 && *p != '\0'; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		rc = make_folder(part);
		*p = '/';
	}
	if (rc == 0)
		rc = make_folder(part);
	free(part);
	return rc;
}

char *
ptah_file_absolute(const char *path)
{
	char *cwd, *out = NULL;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL)
		return NULL;
	if (path[0] == '\0')
		return cwd;
	if (asprintf(&out, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, path) == -1) {
		out = NULL;
		errno = ENOMEM;
	}
	free(cwd);
	return out;
}

int
ptah_file_nearest(const char *path, char out[static PATH_MAX], struct stat *st)
{
	int rc = ptah_text_copy(out, PATH_MAX, path);
	bool there = true;

	if (rc < 0)
		return rc;
	while (stat(out, st) == -1) {
		char *slash = strrchr(out, '/');

		/* ENOTDIR: one above it is a file, and that is the nearest. */
		if ((errno != ENOENT && errno != ENOTDIR) || strcmp(out, ".") == 0)
			return -errno;
		if (slash == NULL)
			memcpy(out, ".", sizeof("."));
		else
			slash[slash == out] = '\0';
		there = false;
	}
	return there ? 0 : 1;
}

ssize_t
ptah_read_full(int fd, void *out, size_t len)
{
	uint8_t *at = out;
	size_t n = 0;

	while (n < len) {
		ssize_t got = read(fd, at + n, len - n);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

ssize_t
ptah_write_full(int fd, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t n = 0;

	while (n < len) {
		ssize_t put = write(fd, at + n, len - n);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -errno;
		n += (size_t)put;
	}
	return (ssize_t)n;
}

/* What is wrong with the owner and mode of one file or folder; NULL if nothing. */
static const char *
distrusted(const struct stat *st, bool above)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "is owned by another user: root or who runs ptah must own it";
	/* In a sticky folder others can add names, but not change ours. */
	if (above && S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)
		return NULL;
	if ((st->st_mode & S_IWOTH) != 0)
		return "can be written to by everyone: chmod o-w";
	if ((st->st_mode & S_IWGRP) != 0 && st->st_gid >= SYSTEM_GIDS)
		return "can be written to by its group: chmod g-w";
	return NULL;
}

int
ptah_file_is_trusted(const char *path, char *at, char *why, size_t why_room)
{
	char *real = realpath(path, NULL);
	int rc = 0;

	if (real == NULL) {
		rc = -errno;
		snprintf(why, why_room, "%s: %s", path, strerror(-rc));
		return rc;
	}
	for (bool above = false; rc == 0; above = true) {
		const char *wrong;
		char *slash;
		struct stat st;

		if (stat(real, &st) == -1) {
			rc = -errno;
			snprintf(why, why_room, "%s: %s", real, strerror(-rc));
			break;
		}
		wrong = distrusted(&st, above);
		if (wrong != NULL) {
			rc = -EPERM;
			snprintf(why, why_room, "%s %s", real, wrong);
			if (at != NULL)
				snprintf(at, PATH_MAX, "%s", real);
			break;
		}
		if (strcmp(real, "/") == 0)
			break;
		slash = strrchr(real, '/');
		slash[slash == real ? 1 : 0] = '\0';
	}
	free(real);
	return rc;
}
