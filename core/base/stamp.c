/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/stamp.h"

#include <errno.h>

/* Longer than between two ticks of any file system's clock, FAT's apart. */
#define YOUNG_NS 1000000000LL
#define NS_PER_S 1000000000LL

static bool
is_young(const struct timespec *changed)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - changed->tv_sec) * NS_PER_S + now.tv_nsec - changed->tv_nsec < YOUNG_NS;
}

int
ptah_stamp_take(struct ptah_stamp *stamp, const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return -errno;
	*stamp = (struct ptah_stamp){
		.dev = st.st_dev, .ino = st.st_ino, .mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid,
		.size = st.st_size, .modified = st.st_mtim, .changed = st.st_ctim, .young = is_young(&st.st_ctim),
	};
	return 0;
}

static bool
is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
ptah_stamp_equal(const struct ptah_stamp *a, const struct ptah_stamp *b, bool young)
{
	return (young || (!a->young && !b->young)) && a->dev == b->dev && a->ino == b->ino && a->mode == b->mode &&
	    a->uid == b->uid && a->gid == b->gid && a->size == b->size && is_same_time(&a->modified, &b->modified) &&
	    is_same_time(&a->changed, &b->changed);
}
