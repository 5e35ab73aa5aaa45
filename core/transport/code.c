/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/code.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

/* Of kernels later than the header. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

#if defined(__LP64__)
#define OUR_CLASS ELFCLASS64
#else
#define OUR_CLASS ELFCLASS32
#endif

/* How often a file that changes under our eyes is read anew. */
#define READS_MOST 5

/* ---- is it whole? ------------------------------------------------------------ */

static bool
is_in(uint64_t at, uint64_t n, size_t len)
{
	return at <= len && n <= len - at;
}

static int
cut_short(const char *what, char *why, size_t why_room)
{
	snprintf(why, why_room, "is cut short: its %s ends behind the end of the file; was it copied whole?", what);
	return -EBADMSG;
}

int
ptah_code_check(const uint8_t *bytes, size_t len, char *why, size_t why_room)
{
	ElfW(Ehdr) head;

	if (len < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return 0;
	if (len < sizeof(head))
		return cut_short("head", why, why_room);
	memcpy(&head, bytes, sizeof(head));
	if (head.e_ident[EI_CLASS] != OUR_CLASS)
		return 0;
	if (head.e_phentsize == sizeof(ElfW(Phdr)) && !is_in(head.e_phoff, (uint64_t)head.e_phnum * sizeof(ElfW(Phdr)), len))
		return cut_short("table of segments", why, why_room);
	for (unsigned i = 0; head.e_phentsize == sizeof(ElfW(Phdr)) && i < head.e_phnum; i++) {
		ElfW(Phdr) segment;

		memcpy(&segment, bytes + head.e_phoff + i * sizeof(segment), sizeof(segment));
		if (!is_in(segment.p_offset, segment.p_filesz, len))
			return cut_short("code", why, why_room);
	}
	/* It stands at the end, so what is cut short misses it. */
	if (head.e_shoff != 0 && !is_in(head.e_shoff, (uint64_t)head.e_shnum * head.e_shentsize, len))
		return cut_short("table of sections", why, why_room);
	return 0;
}

/* ---- reading it ---------------------------------------------------------------- */

/* -EAGAIN: it changed meanwhile. */
static int
read_once(struct ptah_code *code, const char *path)
{
	struct ptah_stamp after;
	int rc = ptah_stamp_take(&code->stamp, path);

	if (rc == 0)
		rc = ptah_file_read(path, PTAH_CODE_MAX, &code->bytes, &code->len);
	if (rc == 0)
		rc = ptah_stamp_take(&after, path);
	if (rc == 0 && (!ptah_stamp_equal(&code->stamp, &after, true) || (off_t)code->len != after.size))
		rc = -EAGAIN;
	if (rc < 0)
		ptah_code_clear(code);
	return rc;
}

int
ptah_code_read(struct ptah_code *code, const char *path, char *why, size_t why_room)
{
	int rc = -EAGAIN;

	memset(code, 0, sizeof(*code));
	for (int i = 0; rc == -EAGAIN && i < READS_MOST; i++)
		rc = read_once(code, path);
	if (rc < 0) {
		snprintf(why, why_room, "cannot read it: %s", rc == -EAGAIN ? "somebody writes it just now; try again" : strerror(-rc));
		return rc;
	}
	rc = ptah_code_check(code->bytes, code->len, why, why_room);
	if (rc < 0) {
		ptah_code_clear(code);
		return rc;
	}
	crypto_generichash(code->hash, sizeof(code->hash), code->bytes, code->len, NULL, 0);
	return 0;
}

void
ptah_code_clear(struct ptah_code *code)
{
	free(code->bytes);
	memset(code, 0, sizeof(*code));
}

/* ---- the copy -------------------------------------------------------------------- */

static int
make_memory(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd == -1 && errno == EINVAL) /* a kernel in which all of it can be run */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd != -1 ? fd : -errno;
}

/*
 * By our number, so that a debugger finds the file too; but /proc may be that
 * of another namespace, in which the number is somebody else's.
 */
int
ptah_code_path(int fd, char path[static PTAH_CODE_PATH])
{
	struct stat ours, seen;

	if (fstat(fd, &ours) == -1)
		return -errno;
	for (int by_number = 1; by_number >= 0; by_number--) {
		if (by_number)
			snprintf(path, PTAH_CODE_PATH, "/proc/%ld/fd/%d", (long)getpid(), fd);
		else
			snprintf(path, PTAH_CODE_PATH, "/proc/self/fd/%d", fd);
		if (stat(path, &seen) == 0 && seen.st_ino == ours.st_ino && seen.st_dev == ours.st_dev)
			return 0;
	}
	return -ENOENT;
}

int
ptah_code_copy(const struct ptah_code *code, const char *name, char path[static PTAH_CODE_PATH])
{
	char file[256];
	int fd, rc = 0;

	snprintf(file, sizeof(file), "%.200s.so", name); /* the kernel takes 249 */
	fd = make_memory(file);
	if (fd < 0)
		return fd;
	if (ptah_write_full(fd, code->bytes, code->len) != (ssize_t)code->len)
		rc = -ENOSPC;
	else if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == -1)
		rc = -errno;
	if (rc == 0)
		rc = ptah_code_path(fd, path);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}
