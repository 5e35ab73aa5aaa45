/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/keeperwords.h: what a keeper and its programs say to each other, one
 * message each on a SOCK_SEQPACKET socket.
 *
 *     old program            keeper                 new program
 *     UPGRADE ────────────►  starts it
 *                                     ◄──────────── CHECKED  its file is good
 *             ◄──────────── HOLD                             no state is written from here on
 *     WORKERS, SERVES,
 *     PLACE, REPLAY ──────► as they are ──────────►
 *     GIVEN ──────────────► GO ───────────────────►          it opens all that the file says
 *                                     ◄──────────── READY
 *             ◄──────────── LEAVE                            it closes what only one can have
 *     REPLAY, LEFT ───────► YOURS ────────────────►          it opens that, and takes connections
 *             ◄──────────── DONE   ◄─────────────── BEGUN    the old one drains
 *
 * Where the new one fails, ends or is late before BEGUN it is killed, and STAY
 * tells the old one why: that opens again what it had closed, and goes on as if
 * nothing had happened.  The first program of all has no old one; it is told of
 * what the service manager has opened, and GO.
 *
 * Both sides may be of another version of ptah: numbers and texts stay as they
 * are, and a word that is not known is passed over.
 */
#ifndef PTAH_HOST_KEEPERWORDS_H
#define PTAH_HOST_KEEPERWORDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** The variable that says which descriptor leads to the keeper. */
#define PTAH_KEEPER_VARIABLE "PTAH_KEEPER"

/* A program's. */
#define PTAH_KEEPER_CHECKED 1u
#define PTAH_KEEPER_READY 2u
#define PTAH_KEEPER_FAILED 3u  /* text: why it does not serve, or cannot hand over */
#define PTAH_KEEPER_UPGRADE 4u
#define PTAH_KEEPER_GIVEN 5u
#define PTAH_KEEPER_LEFT 6u
#define PTAH_KEEPER_BEGUN 7u   /* it takes connections, and all else that was the old one's */

/* The keeper's. */
#define PTAH_KEEPER_GO 16u     /* value: 1, it is an heir */
#define PTAH_KEEPER_HOLD 17u
#define PTAH_KEEPER_LEAVE 18u
#define PTAH_KEEPER_STAY 19u   /* text: why */
#define PTAH_KEEPER_YOURS 20u
#define PTAH_KEEPER_DONE 22u   /* the new one has begun: drain */
#define PTAH_KEEPER_ADOPTED 21u /* text: the name; a descriptor: what the service manager opened */

/* The old program's, which the keeper passes on. */
#define PTAH_KEEPER_WORKERS 32u /* value: how many sockets there are of each place */
#define PTAH_KEEPER_SERVES 33u  /* text: a service's label */
#define PTAH_KEEPER_PLACE 34u   /* text: kind, address, name, interface, family, a line each; its descriptors */
#define PTAH_KEEPER_REPLAY 35u  /* a descriptor: a file, what the replay filter remembers */
#define PTAH_KEEPER_PASSED 32u  /* the first of those, and the last */
#define PTAH_KEEPER_PASSED_LAST 63u

#define PTAH_KEEPER_TEXT 4000

struct ptah_keeper_word {
	uint32_t what;
	uint32_t reserved;
	uint64_t value;
	char text[PTAH_KEEPER_TEXT]; /* sent as far as it goes */
};

#define PTAH_KEEPER_HEAD offsetof(struct ptah_keeper_word, text)

/** Say one; of the text what there is room for.  Lends: fds.  -errno; -EAGAIN: it was not taken in time. */
int ptah_keeper_tell(int fd, uint32_t what, uint64_t value, const char *text, const int *fds, unsigned n);

/**
 * The next one, its text ended by a NUL.
 * Gives: its length as it came; and descriptors, for which there is room for PTAH_PASS_MOST (wire/pass.h), on failure none.
 * Fails: -EPIPE: there will be no more.
 */
ssize_t ptah_keeper_hear(int fd, struct ptah_keeper_word *word, int *fds, unsigned *n);

#endif
