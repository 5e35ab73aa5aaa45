/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/keeperwords.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "wire/pass.h"

int
ptah_keeper_tell(int fd, uint32_t what, uint64_t value, const char *text, const int *fds, unsigned n)
{
	struct ptah_keeper_word word = { .what = what, .value = value };
	size_t len = strnlen(text, sizeof(word.text) - 1);

	memcpy(word.text, text, len);
	return ptah_pass_send(fd, &word, PTAH_KEEPER_HEAD + len, fds, n);
}

ssize_t
ptah_keeper_hear(int fd, struct ptah_keeper_word *word, int *fds, unsigned *n)
{
	ssize_t len;

	/* Who ended with words of ours unread resets the way, once; what it said before that is still there. */
	do {
		*n = PTAH_PASS_MOST;
		len = ptah_pass_receive(fd, word, sizeof(*word) - 1, fds, n);
	} while (len == -ECONNRESET);
	if (len < (ssize_t)PTAH_KEEPER_HEAD) {
		while (*n > 0)
			close(fds[--*n]);
		return -EPIPE;
	}
	((char *)word)[len] = '\0';
	return len;
}
