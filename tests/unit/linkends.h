/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * unit/linkends.h: what tests of a link stand around it: instances without a
 * registry, a client between two sockets, and hooks that do the plainest thing.
 */
#ifndef PTAH_UNIT_LINKENDS_H
#define PTAH_UNIT_LINKENDS_H

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "loop/worker.h"
#include "relay/link.h"
#include "wire/listen.h"

/* ---- hooks ------------------------------------------------------------------ */

static inline int
open_later(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_GO;
}

static inline int
open_at_once(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_OPEN;
}

/* ... and says of both sides that one byte is enough. */
static inline int
open_for_a_byte(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	io->plain.want = io->wire.want = 1;
	return PTAH_OPEN;
}

static inline int
open_and_pass(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_PASS;
}

/* Takes nothing, gives nothing. */
static inline int
step_idly(void *link, struct ptah_io *io)
{
	(void)link;
	(void)io;
	return PTAH_GO;
}

static inline int
unwrap_copying(void *link, struct ptah_io *io)
{
	size_t n = io->wire.in.len < io->plain.out.len ? io->wire.in.len : io->plain.out.len;

	(void)link;
	if (n > 0)
		memcpy(io->plain.out.at, io->wire.in.at, n);
	io->wire.eaten = io->plain.made = n;
	return PTAH_GO;
}

/* ---- instances and links ------------------------------------------------------- */

/* An instance of each module, the first on top; NULL ends them. */
static inline void
stack_instances(struct ptah_instance *instances, uint32_t role, const struct ptah_module *const *modules)
{
	for (int i = 0; modules[i] != NULL; i++) {
		instances[i].module = modules[i];
		instances[i].name = (char *)(uintptr_t)modules[i]->name;
		instances[i].role = role;
		instances[i].refs = 1000;
		instances[i].below = modules[i + 1] != NULL ? &instances[i + 1] : NULL;
	}
}

static inline int
listen_somewhere(struct ptah_addr *bound)
{
	struct ptah_addr at;
	int fd;

	assert_int_equal(ptah_addr_parse(&at, "127.0.0.1:0"), 0);
	assert_int_equal(ptah_listen_open(&at, &fd, 1, bound), 0);
	return fd;
}

/* A client link that goes; 'how' says all but the server. */
static inline void
client_goes(struct ptah_worker *worker, const struct ptah_addr *server, struct ptah_link_client how,
    const struct ptah_link_ops *ops, void *arg)
{
	struct ptah_dest dest;
	char text[PTAH_ADDR_TEXT];

	assert_int_equal(ptah_dest_parse(&dest, ptah_addr_format(server, text), false), 0);
	how.server = &dest;
	how.dial_ms = 3000;
	struct ptah_link *link = ptah_link_client_new(worker, &how, ops, arg);
	assert_non_null(link);
	ptah_link_go(link);
}

/* ---- time goes by -------------------------------------------------------------- */

#define LIMIT_S 30

/* Once; '*peer', if it is -1, is who came to the listener. */
static inline void
turn_worker(struct ptah_worker *worker, int listener, int *peer)
{
	assert_int_not_equal(event_base_loop(worker->base, EVLOOP_ONCE | EVLOOP_NONBLOCK), -1);
	if (*peer == -1)
		*peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
}

/* turn() the test's 'one' until it is true; fail when that takes too long. */
#define TURN_UNTIL(one, truth) \
	do { \
		uint64_t until_ = ptah_clock_now_ns() + LIMIT_S * PTAH_NS_PER_S; \
		while (!(truth)) { \
			turn(one); \
			if (ptah_clock_now_ns() > until_) \
				fail_msg("it never comes to %s", #truth); \
		} \
	} while (0)

#endif
