/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/through.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "relay/link.h"
#include "wire/dial.h"

#define DIAL_MS 30000u

/* What stands between a link and the module that wants to know how it went. */
struct ptah_through {
	struct ptah_link *link; /* NULL: it is gone, or has begun */
	struct event soon;      /* lets it begin, once our caller is done */
	ptah_through_fn *fn;    /* NULL: was told, or is not wanted */
	ptah_through_plain_fn *on_plain;
	void *arg;
};

static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_through *through = arg;
	struct ptah_link *link = through->link;

	(void)fd;
	(void)what;
	through->link = NULL;
	ptah_link_go(link);
}

static struct ptah_through *
through_new(struct ptah_worker *worker, void *arg)
{
	struct ptah_through *through = calloc(1, sizeof(*through));

	if (through == NULL)
		return NULL;
	through->arg = arg;
	if (evtimer_assign(&through->soon, worker->base, on_soon, through) == 0)
		return through;
	free(through);
	errno = ENOMEM;
	return NULL;
}

static void
through_free(struct ptah_through *through)
{
	event_del(&through->soon);
	free(through);
}

/* ---- clients ---------------------------------------------------------------- */

static void
tell(struct ptah_through *through, int rc)
{
	ptah_through_fn *fn = through->fn;

	through->fn = NULL;
	if (fn != NULL)
		fn(rc, through->arg);
}

static struct ptah_span
on_open(struct ptah_link *link, void *arg)
{
	(void)link;
	tell(arg, 0);
	return (struct ptah_span){ NULL, 0 };
}

static void
on_failed(int plain_fd, int rc, const char *reason, void *arg)
{
	if (reason != NULL)
		ptah_debug(AREA_LINK, "a link of a module's transport failed: %s", reason);
	tell(arg, rc);
	close(plain_fd);
	through_free(arg);
}

static void
on_client_closed(int rc, void *arg)
{
	(void)rc;
	through_free(arg);
}

static const struct ptah_link_ops client_ops = {
	.on_open = on_open,
	.on_failed = on_failed,
	.on_closed = on_client_closed,
};

static bool
is_free(const struct ptah_instance *instance)
{
	return (instance->module->abilities & PTAH_IS_FREE) != 0;
}

/* Where to: as the module says, else as the options do.  1: nowhere, which may be fine. */
static int
find_server(struct ptah_dest *dest, const char *server, const struct ptah_args *args)
{
	if (server == NULL && args->server[0] == '\0')
		return 1;
	return ptah_dest_parse(dest, server != NULL ? server : args->server, false);
}

static struct ptah_through *
dial(struct ptah_worker *worker, struct ptah_instance *instance, int plain_fd, const char *server,
    const struct ptah_json *args, ptah_through_fn *fn, void *arg)
{
	static const struct ptah_dial_how directly;
	struct ptah_through *through = through_new(worker, arg);
	struct ptah_args filled = { 0 };
	struct ptah_dest dest;
	char why[512];
	int rc = through != NULL ? ptah_args_make(&filled, instance, args, why, sizeof(why)) : -ENOMEM;
	int where = rc == 0 ? find_server(&dest, is_free(instance) ? NULL : server, &filled) : 0;
	struct ptah_link_client how = {
		.instance = instance,
		.how = instance->dial_how != NULL ? instance->dial_how : &directly,
		.plain_fd = plain_fd,
		.args = &filled,
		.server = where == 0 ? &dest : NULL,
		.dest = is_free(instance) ? server : NULL,
		.dial_ms = DIAL_MS,
	};

	if (rc < 0 && through != NULL)
		ptah_warn(AREA_LINK, "%s: %s", instance->name, why);
	if (rc == 0)
		rc = where < 0 ? where : 0;
	if (rc == 0) {
		through->fn = fn;
		through->link = ptah_link_client_new(worker, &how, &client_ops, through);
		rc = through->link != NULL ? 0 : -errno;
	}
	if (rc < 0) {
		ptah_args_free(&filled);
		if (through != NULL)
			through_free(through);
		close(plain_fd);
		errno = -rc;
		return NULL;
	}
	event_active(&through->soon, EV_TIMEOUT, 0);
	return through;
}

static void
forget(struct ptah_through *through)
{
	through->fn = NULL;
}

/* ---- servers ----------------------------------------------------------------- */

static void
on_admit(struct ptah_link *link, const char *dest, const char *peer, void *arg)
{
	struct ptah_through *through = arg;
	ptah_through_plain_fn *on_plain = through->on_plain;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1) {
		ptah_link_plain_failed(link, -errno);
		return;
	}
	through->on_plain = NULL;
	on_plain(fds[0], peer, dest, through->arg);
	ptah_link_plain_opened(link, fds[1], (struct ptah_span){ NULL, 0 });
}

static void
on_server_closed(int rc, void *arg)
{
	struct ptah_through *through = arg;

	(void)rc;
	if (through->on_plain != NULL)
		through->on_plain(-1, NULL, NULL, through->arg);
	through_free(through);
}

static const struct ptah_link_ops server_ops = {
	.on_admit = on_admit,
	.on_closed = on_server_closed,
};

static int
accept_link(struct ptah_worker *worker, struct ptah_instance *instance, int wire_fd, const char *peer,
    const struct ptah_arrival *arrival, ptah_through_plain_fn *fn, void *arg)
{
	struct ptah_through *through = through_new(worker, arg);

	if (through == NULL) {
		close(wire_fd);
		return -ENOMEM;
	}
	through->on_plain = fn;
	through->link = ptah_link_server_new(worker, instance, wire_fd, peer, &server_ops, through);
	if (through->link == NULL) {
		through_free(through);
		return -ENOMEM;
	}
	if (arrival != NULL)
		ptah_link_arrived(through->link, arrival);
	event_active(&through->soon, EV_TIMEOUT, 0);
	return 0;
}

const struct ptah_through_ops ptah_through_links = {
	.dial = dial,
	.forget = forget,
	.accept = accept_link,
};
