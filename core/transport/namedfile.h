/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/namedfile.h: a file that an option names (PTAH_FILE), as it is now.
 *
 * Threads: any.
 */
#ifndef PTAH_TRANSPORT_NAMEDFILE_H
#define PTAH_TRANSPORT_NAMEDFILE_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/option.h>

struct crypto_generichash_blake2b_state;

/** One that is open. */
struct ptah_namedfile {
	const struct ptah_option *option;
	const char *path;
	int fd;
	size_t len;
};

/** How long it may be. */
void ptah_namedfile_bounds(const struct ptah_option *option, size_t *min, size_t *max);

/**
 * Open it, and see that it is what the option wants; then it is 'len' bytes long.
 * Lends: both texts, until it is closed.
 * Gives: *file for ptah_namedfile_close().
 * Fails: -errno and 'why' (option, path and cause).
 */
int ptah_namedfile_open(struct ptah_namedfile *file, const struct ptah_option *option, const char *path,
    char *why, size_t why_room);

/** Read all of it, once, and put a NUL behind: 'bytes' has room for len + 1.  -errno and 'why'. */
int ptah_namedfile_read(const struct ptah_namedfile *file, uint8_t *bytes, char *why, size_t why_room);

void ptah_namedfile_close(struct ptah_namedfile *file);

/** Add a path, and what the file holds now or why it cannot be read, to a hash. */
void ptah_namedfile_print(const char *path, struct crypto_generichash_blake2b_state *print);

/** End a hash that such were added to: what they hold, which may be secret, stays nowhere. */
void ptah_namedfile_print_end(struct crypto_generichash_blake2b_state *print, uint8_t *out, size_t len);

/** The same of one that was read: as long as the file holds that, and can be read, both hash to the same. */
void ptah_namedfile_print_read(const struct ptah_file *file, struct crypto_generichash_blake2b_state *print);

#endif
