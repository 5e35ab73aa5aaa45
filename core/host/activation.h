/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/activation.h: sockets that the service manager has opened for us (sd_listen_fds(3)).
 *
 * They begin at descriptor 3, LISTEN_FDS of them, with names in LISTEN_FDNAMES:
 * so a port below 1024 needs no capability of ours.  Several may have one name
 * (IPv4 and IPv6 of one socket unit).
 *
 * Threads: the main one, before there are others.
 */
#ifndef PTAH_HOST_ACTIVATION_H
#define PTAH_HOST_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

struct ptah_places;

/** More are an error. */
#define PTAH_INHERITED_MOST 64

struct ptah_inherited {
	int fd;         /* ours; close-on-exec and non-blocking; -1: taken */
	char name[256]; /* "" when nobody named it */
	bool stream;    /* it accepts connections; else datagrams come on it */
};

struct ptah_activation {
	struct ptah_inherited at[PTAH_INHERITED_MOST];
	size_t n;
};

/**
 * Take what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES speak of, if it is meant for us; each must be a listening
 * stream socket or a bound datagram socket of IPv4 or IPv6.
 * Gives: *activation, for ptah_activation_close(), also on failure.
 * Fails: -EINVAL and 'why'.
 */
int ptah_activation_take(struct ptah_activation *activation, char *const envp[], char *why, size_t why_room);

/**
 * One of them, whether it came to us or through our keeper, is from now on the place of this name.
 * Takes: fd.
 * Fails: -EEXIST, which has been logged: another one has the name; -errno.
 */
int ptah_activation_place(struct ptah_places *places, const char *name, int fd);

/** Close what nobody has taken. */
void ptah_activation_close(struct ptah_activation *activation);

#endif
