/* SPDX-License-Identifier: BSD-3-Clause */
/** base/file.h: whole files and folders. */
#ifndef PTAH_BASE_FILE_H
#define PTAH_BASE_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stat;

/**
 * Read a whole regular file (or pipe) of at most 'max' bytes; a NUL is put behind it.
 * Gives: bytes for free() in *out.
 * Fails: -EFBIG, -EISDIR, or what open and read say.
 */
int ptah_file_read(const char *path, size_t max, uint8_t **out, size_t *len);

/** Write all or nothing, mode 0600: temporary file beside it, fsync, rename, fsync of the folder. */
int ptah_file_write_atomic(const char *path, const void *bytes, size_t len);

/** Make a folder and its parents, mode 0700 each that had to be made; fine if it is there. */
int ptah_file_mkdirs(const char *path);

/** Gives: 'path' made absolute against the current folder, for free(); NULL and errno. */
char *ptah_file_absolute(const char *path);

/**
 * The nearest to 'path' that there is: itself, or one above it, which may be a file; of a relative one "." is the last.
 * Gives: its path in 'out', and what it is in *st.
 * Returns 0: 'path' is there; 1: it is not.
 * Fails: -ENAMETOOLONG, or what stat says but that nothing is there; 'out' is what that was said of.
 */
int ptah_file_nearest(const char *path, char out[static PATH_MAX], struct stat *st);

/** Read or write all, over short counts and EINTR; bytes, or -errno. */
ssize_t ptah_read_full(int fd, void *out, size_t len);
ssize_t ptah_write_full(int fd, const void *bytes, size_t len);

/**
 * Can only root and we change this file and what leads to it?  Checks owner and mode of the real path and of each
 * folder above it (root or us; not writable by world, unless sticky above; by group only root's or a system group).
 * Fails: -EPERM, 'why' (which path and what is wrong with it) and, unless it is NULL, 'at', which has room for PATH_MAX:
 * the path alone; or what stat says.
 */
int ptah_file_is_trusted(const char *path, char *at, char *why, size_t why_room);

#endif
