/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/namedfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* So much of a path is shown, so that what follows is seen. */
#define SHOWN 300
#define STEP ((size_t)16 * 1024)
/* More than the calls of a hash lie deep. */
#define HASH_STACK 4096

void
ptah_namedfile_bounds(const struct ptah_option *option, size_t *min, size_t *max)
{
	bool usual = option->min == 0 && option->max == 0;

	*min = usual ? 1 : (size_t)option->min;
	*max = usual ? PTAH_FILE_USUAL : (size_t)option->max;
}

static int __attribute__((format(printf, 5, 6)))
refuse(const struct ptah_namedfile *file, int rc, char *why, size_t room, const char *format, ...)
{
	int n = snprintf(why, room, "option \"%s\": %.*s%s ", file->option->name, SHOWN, file->path,
	    strlen(file->path) > SHOWN ? "..." : "");
	va_list args;

	va_start(args, format);
	if (n > 0 && (size_t)n < room)
		vsnprintf(why + n, room - (size_t)n, format, args);
	va_end(args);
	return rc;
}

/* A pipe must not make us wait for who writes into it. */
static int
open_at(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;

	if (fd == -1)
		return -errno;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	rc = S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
	close(fd);
	return rc;
}

int
ptah_namedfile_open(struct ptah_namedfile *file, const struct ptah_option *option, const char *path,
    char *why, size_t why_room)
{
	size_t min, max;
	struct stat st = { 0 };
	int rc = 0;

	*file = (struct ptah_namedfile){ .option = option, .path = path, .fd = open_at(path, &st) };
	if (file->fd == -EINVAL || file->fd == -EISDIR)
		return refuse(file, file->fd, why, why_room, "is no file, but %s", file->fd == -EISDIR ? "a folder" : "something else");
	if (file->fd < 0)
		return refuse(file, file->fd, why, why_room, "cannot be read: %s", strerror(-file->fd));
	ptah_namedfile_bounds(option, &min, &max);
	if (st.st_size < (off_t)min || st.st_size > (off_t)max)
		rc = refuse(file, -EFBIG, why, why_room, "is %lld bytes long, and not %zu to %zu", (long long)st.st_size, min, max);
	else if ((option->flags & PTAH_SECRET) != 0 && (st.st_mode & S_IRWXO) != 0)
		rc = refuse(file, -EPERM, why, why_room, "is a secret, and open to everybody (mode %04o): chmod o-rwx it",
		    (unsigned)st.st_mode & 07777);
	file->len = (size_t)st.st_size;
	if (rc < 0)
		ptah_namedfile_close(file);
	return rc;
}

int
ptah_namedfile_read(const struct ptah_namedfile *file, uint8_t *bytes, char *why, size_t why_room)
{
	ssize_t n = ptah_read_full(file->fd, bytes, file->len + 1);

	if (n < 0)
		return refuse(file, (int)n, why, why_room, "cannot be read: %s", strerror((int)-n));
	if (n != (ssize_t)file->len)
		return refuse(file, -EAGAIN, why, why_room, "is just being written");
	bytes[file->len] = '\0';
	return 0;
}

void
ptah_namedfile_close(struct ptah_namedfile *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static void
print_facts(crypto_generichash_state *print, int64_t rc, size_t len)
{
	const int64_t facts[] = { rc, (int64_t)len };

	crypto_generichash_update(print, (const unsigned char *)facts, sizeof(facts));
}

void
ptah_namedfile_print_end(crypto_generichash_state *print, uint8_t *out, size_t len)
{
	crypto_generichash_final(print, out, len);
	explicit_bzero(print, sizeof(*print));
	sodium_stackzero(HASH_STACK); /* the last of what was hashed lies there as words */
}

void
ptah_namedfile_print_read(const struct ptah_file *file, crypto_generichash_state *print)
{
	crypto_generichash_update(print, (const unsigned char *)file->path, strlen(file->path) + 1);
	crypto_generichash_update(print, file->bytes.at, file->bytes.len);
	print_facts(print, 0, file->bytes.len);
}

void
ptah_namedfile_print(const char *path, crypto_generichash_state *print)
{
	uint8_t bytes[STEP];
	struct stat st = { 0 };
	int fd = open_at(path, &st);
	ssize_t n = fd < 0 ? fd : 0;
	size_t read = 0;

	crypto_generichash_update(print, (const unsigned char *)path, strlen(path) + 1);
	while (fd >= 0 && read <= PTAH_FILE_MOST && (n = ptah_read_full(fd, bytes, sizeof(bytes))) > 0) {
		crypto_generichash_update(print, bytes, (size_t)n);
		read += (size_t)n;
	}

	print_facts(print, n < 0 ? n : 0, read);
	explicit_bzero(bytes, sizeof(bytes));
	if (fd >= 0)
		close(fd);
}
