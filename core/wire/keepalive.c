/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/keepalive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* How often it is asked before it counts as gone. */
#define PROBES 5u

static void
set(int fd, int level, int option, unsigned value)
{
	int number = (int)value;

	/* Without it a connection is as good, but for its end. */
	(void)setsockopt(fd, level, option, &number, sizeof(number));
}

void
ptah_keepalive_set(int fd, unsigned gone_s)
{
	unsigned idle_s = gone_s / 2 > 0 ? gone_s / 2 : 1;
	unsigned rest_s = gone_s > idle_s ? gone_s - idle_s : 1;
	unsigned probes = rest_s < PROBES ? rest_s : PROBES;

	if (gone_s == 0)
		return;
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, rest_s / probes);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}
