/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/locked.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t
page_len(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t
whole(size_t len, size_t page)
{
	return len == 0 ? page : (len + page - 1) / page * page;
}

void *
ptah_locked_new(size_t len)
{
	size_t page = page_len();
	char *all;

	if (len > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	len = whole(len, page);
	all = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	if (mprotect(all + page, len, PROT_READ | PROT_WRITE) == -1) {
		munmap(all, len + 2 * page);
		errno = ENOMEM;
		return NULL;
	}
	(void)madvise(all + page, len, MADV_DONTDUMP);
	(void)mlock(all + page, len);
	return all + page;
}

void
ptah_locked_free(void *at, size_t len)
{
	size_t page = page_len();

	if (at == NULL)
		return;
	explicit_bzero(at, len);
	munmap((char *)at - page, whole(len, page) + 2 * page); /* unlocks */
}
