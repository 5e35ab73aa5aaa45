/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "config/source.h"
#include "wire/place.h"

#define FIRST_FD 3

/* A whole number of at most 'most', or -1. */
static long
number(const char *text, long most)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && n <= most ? n : -1;
}

static bool
is_meant_for_us(char *const envp[])
{
	const char *pid = ptah_env_get(envp, "LISTEN_PID");

	return pid && number(pid, INT32_MAX) == (long)getpid();
}

static bool
get(int fd, int name, int *value)
{
	socklen_t len = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, name, value, &len) == 0;
}

/* What is wrong with it; NULL: nothing. */
static const char *
look(struct ptah_inherited *one)
{
	int type, family, listens;

	if (!get(one->fd, SO_TYPE, &type) || !get(one->fd, SO_DOMAIN, &family))
		return "it is no socket";
	if (family != AF_INET && family != AF_INET6)
		return "it is not of IPv4 or IPv6";
	one->stream = type == SOCK_STREAM;
	if (!one->stream && type != SOCK_DGRAM)
		return "it is neither of TCP nor of UDP";
	if (one->stream && (!get(one->fd, SO_ACCEPTCONN, &listens) || !listens))
		return "it does not listen (a socket unit with Accept=yes hands over connections: use Accept=no)";
	if (fcntl(one->fd, F_SETFD, FD_CLOEXEC) == -1 || fcntl(one->fd, F_SETFL, O_NONBLOCK) == -1)
		return strerror(errno);
	return NULL;
}

/* The next of "a:b:c"; too long a name is cut, and fits nothing then. */
static void
take_name(const char **names, char *out, size_t room)
{
	size_t len = strcspn(*names, ":");

	snprintf(out, room, "%.*s", (int)(len < room ? len : room - 1), *names);
	*names += len;
	if (**names == ':')
		(*names)++;
}

int
ptah_activation_take(struct ptah_activation *activation, char *const envp[], char *why, size_t why_room)
{
	const char *count = ptah_env_get(envp, "LISTEN_FDS"), *names = ptah_env_get(envp, "LISTEN_FDNAMES");
	long n;

	activation->n = 0;
	if (!count || !is_meant_for_us(envp))
		return 0;
	n = number(count, PTAH_INHERITED_MOST);
	if (n < 0) {
		snprintf(why, why_room, "LISTEN_FDS is no number of sockets from 0 to %d", PTAH_INHERITED_MOST);
		return -EINVAL;
	}
	if (!names)
		names = "";
	for (long i = 0; i < n; i++) {
		struct ptah_inherited *one = &activation->at[activation->n++];
		const char *wrong;

		one->fd = FIRST_FD + (int)i;
		take_name(&names, one->name, sizeof(one->name));
		wrong = look(one);
		if (wrong) {
			snprintf(why, why_room, "the inherited socket %d (\"%.100s\") is of no use: %s", one->fd, one->name, wrong);
			return -EINVAL;
		}
	}
	return 0;
}

int
ptah_activation_place(struct ptah_places *places, const char *name, int fd)
{
	int rc = ptah_places_adopt(places, name, fd);

	if (rc == -EEXIST)
		ptah_error(AREA_HOST, "two inherited sockets have the name \"%s\": one of them must go "
		    "(for IPv4 and IPv6, one with BindIPv6Only=both is enough)", name);
	return rc;
}

void
ptah_activation_close(struct ptah_activation *activation)
{
	for (size_t i = 0; i < activation->n; i++)
		if (activation->at[i].fd != -1)
			close(activation->at[i].fd);
	activation->n = 0;
}
