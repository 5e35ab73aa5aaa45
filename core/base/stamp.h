/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/stamp.h: has a file changed since it was last looked at?
 *
 * A clock of the file system may tick a few times a second only, so a change
 * right behind a look may leave no trace: a stamp that is taken that soon
 * after a change is young, and equals nothing.
 */
#ifndef PTAH_BASE_STAMP_H
#define PTAH_BASE_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

struct ptah_stamp {
	dev_t dev;
	ino_t ino;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	off_t size;
	struct timespec modified, changed;
	bool young;
};

/** The stamp of what 'path' leads to.  -errno. */
int ptah_stamp_take(struct ptah_stamp *stamp, const char *path);

/** The same file, untouched; young ones too, if 'young' says so. */
bool ptah_stamp_equal(const struct ptah_stamp *a, const struct ptah_stamp *b, bool young);

#endif
