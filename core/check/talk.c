/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/talk.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check/pair.h"
#include "check/trial.h"

#define NEAR 0 /* the application, which says the number of its link first */
#define FAR 1
#define NUMBER_LEN 4u
#define NEAR_SAYS 50000u
#define FAR_SAYS 60000u
#define BREAKS_AT 20000u
#define NOBODY UINT32_MAX

/* One plain end. */
struct end {
	int fd, who;
	uint32_t number;
	uint8_t head[NUMBER_LEN];
	uint64_t sent, heard;
	bool shut, over;
};

struct ptah_talks {
	struct end ends[2 * PTAH_TALKS];
	unsigned n, n_near, n_far;
	const char *why; /* what the host has said last */
};

/* What becomes of a link. */
static bool
is_half_closed(uint32_t number)
{
	return number % 4 == 1;
}

static bool
is_broken_off(uint32_t number)
{
	return number % 4 == 3;
}

struct ptah_talks *
ptah_talks_new(const char *why)
{
	struct ptah_talks *talks = calloc(1, sizeof(*talks));

	if (talks == NULL)
		ptah_trial_na("no memory");
	talks->why = why;
	return talks;
}

void
ptah_talks_free(struct ptah_talks *talks)
{
	for (unsigned i = 0; i < talks->n; i++)
		if (talks->ends[i].fd != -1)
			close(talks->ends[i].fd);
	free(talks);
}

void
ptah_talks_add_near(struct ptah_talks *talks, int fd)
{
	struct end *end = &talks->ends[talks->n++];

	*end = (struct end){ .fd = fd, .who = NEAR, .number = talks->n_near++ };
	memcpy(end->head, &end->number, NUMBER_LEN);
}

void
ptah_talks_add_far(struct ptah_talks *talks, int fd)
{
	if (talks->n_far++ == PTAH_TALKS)
		ptah_trial_fail("its server opens more plain ends than there are links");
	talks->ends[talks->n++] = (struct end){ .fd = fd, .who = FAR, .number = NOBODY };
}

static uint8_t
byte_of(const struct end *end, int who, uint64_t at)
{
	return who == NEAR && at < NUMBER_LEN ? end->head[at] : ptah_pair_byte(end->number, who, at);
}

static uint64_t
says(int who)
{
	return who == NEAR ? NEAR_SAYS : FAR_SAYS;
}

static void
end_it(struct end *end)
{
	close(end->fd);
	end->fd = -1;
	end->over = true;
}

static void
speak(struct end *end)
{
	uint8_t bytes[4096];
	size_t n = 0;
	ssize_t sent;

	while (n < sizeof(bytes) && end->sent + n < says(end->who)) {
		bytes[n] = byte_of(end, end->who, end->sent + n);
		n++;
	}
	if (n > 0) {
		sent = send(end->fd, bytes, n, MSG_NOSIGNAL);
		if (sent > 0)
			end->sent += (uint64_t)sent;
	}
	if (end->sent == says(end->who) && end->who == NEAR && is_half_closed(end->number) && !end->shut) {
		end->shut = true;
		shutdown(end->fd, SHUT_WR);
	}
}

static void
take(struct end *end, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++, end->heard++) {
		if (end->who == FAR && end->heard < NUMBER_LEN) {
			end->head[end->heard] = bytes[i];
			if (end->heard + 1 < NUMBER_LEN)
				continue;
			memcpy(&end->number, end->head, NUMBER_LEN);
			if (end->number >= PTAH_TALKS)
				ptah_trial_fail("the first bytes of a link are not those that were said");
			continue;
		}
		if (end->heard >= says(!end->who) || bytes[i] != byte_of(end, !end->who, end->heard))
			ptah_trial_fail("byte %llu of link %u, to the %s, is not what was said", (unsigned long long)end->heard,
			    end->number, end->who == NEAR ? "client" : "server");
	}
}

/* Its link ends: too early, unless somebody broke it off. */
static void
hear_the_end(const struct ptah_talks *talks, struct end *end)
{
	bool whole = end->heard == says(!end->who);

	if (end->number != NOBODY && !is_broken_off(end->number) && !whole)
		ptah_trial_fail("link %u ends after %llu of %llu bytes to the %s%s%s", end->number, (unsigned long long)end->heard,
		    (unsigned long long)says(!end->who), end->who == NEAR ? "client" : "server",
		    talks->why[0] != '\0' ? "; the host said: " : "", talks->why);
	if (end->number == NOBODY || is_broken_off(end->number) || end->sent == says(end->who))
		end_it(end);
	else
		end->shut = true; /* its peer has said all, and wants to hear the rest */
}

static void
listen_to(const struct ptah_talks *talks, struct end *end)
{
	uint8_t bytes[8192];
	ssize_t n = recv(end->fd, bytes, sizeof(bytes), 0);

	if (n > 0)
		take(end, bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		hear_the_end(talks, end);
}

static void
look_whether_over(struct ptah_talks *talks, struct end *end)
{
	if (end->over || end->number == NOBODY)
		return;
	if (is_broken_off(end->number)) {
		if (end->who == NEAR && end->heard >= BREAKS_AT)
			end_it(end);
		return;
	}
	/* Who has said and heard all closes when the other has, too; an application may keep its own end back. */
	if (end->sent < says(end->who) || end->heard < says(!end->who))
		return;
	for (unsigned i = 0; i < talks->n; i++) {
		const struct end *other = &talks->ends[i];

		if (other->who != end->who && other->number == end->number && other->heard == says(end->who)) {
			end_it(end);
			return;
		}
	}
}

void
ptah_talks_turn(struct ptah_talks *talks, int listener, int ms)
{
	struct pollfd fds[2 * PTAH_TALKS + 1];

	for (unsigned i = 0; i < talks->n; i++) {
		const struct end *end = &talks->ends[i];
		bool more = end->number != NOBODY && end->sent < says(end->who);

		fds[i] = (struct pollfd){ .fd = end->fd,
			.events = (short)((end->shut && end->who == FAR ? 0 : POLLIN) | (more ? POLLOUT : 0)) };
	}
	fds[talks->n] = (struct pollfd){ .fd = listener, .events = POLLIN };
	if (poll(fds, talks->n + 1, ms) <= 0)
		return;
	for (unsigned i = 0, n = talks->n; i < n; i++) {
		struct end *end = &talks->ends[i];

		if ((fds[i].revents & POLLOUT) != 0)
			speak(end);
		if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && end->fd != -1)
			listen_to(talks, end);
		if (end->who == FAR && end->shut && end->fd != -1 && end->sent == FAR_SAYS)
			end_it(end);
		look_whether_over(talks, end);
	}
}

bool
ptah_talks_are_over(const struct ptah_talks *talks)
{
	unsigned n = 0;

	for (unsigned i = 0; i < talks->n; i++)
		n += talks->ends[i].over;
	return talks->n_near == PTAH_TALKS && n == 2 * PTAH_TALKS;
}

noreturn void
ptah_talks_say_where(const struct ptah_talks *talks)
{
	const char *why = talks->why;

	for (unsigned i = 0; i < talks->n; i++)
		if (!talks->ends[i].over)
			ptah_trial_fail("link %u stands still; its %s has said %llu of %llu bytes and heard %llu of %llu, and %u of %u "
			    "servers have opened%s%s", talks->ends[i].number, talks->ends[i].who == NEAR ? "client" : "server",
			    (unsigned long long)talks->ends[i].sent, (unsigned long long)says(talks->ends[i].who),
			    (unsigned long long)talks->ends[i].heard, (unsigned long long)says(!talks->ends[i].who), talks->n_far,
			    PTAH_TALKS, why[0] != '\0' ? "; the host said: " : "", why);
	ptah_trial_fail("%u of %u servers have opened their plain end%s%s", talks->n_far, PTAH_TALKS,
	    why[0] != '\0' ? "; the host said: " : "", why);
}
