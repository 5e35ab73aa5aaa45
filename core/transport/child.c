/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "transport/ear.h"
#include "transport/home.h"
#include "transport/loader.h"
#include "transport/registry.h"
#include "transport/stream.h"
#include "wire/dial.h"
#include "wire/listen.h"

/* How long a child's home may take to finish. */
#define STOP_MS 2000u

struct ptah_child {
	struct ptah_child *next;
	int32_t number;
	struct ptah_home *home;
	struct ptah_instance *parent;
	char *name, *bind; /* bind: NULL for a client */
	struct ptah_json *options;
	struct ptah_instance *instance; /* once it was told to be ready, or not */
	struct ptah_listener *listener;
	int rc;
	char why[PTAH_WHY_TEXT];
	atomic_bool ready;
	bool opening, over; /* the home's: not told yet; ended */
};

static const struct ptah_hands *
hands_of(const struct ptah_instance *instance)
{
	return ptah_registry_hands(instance->registry);
}

/* ---- death -------------------------------------------------------------------- */

static void
is_gone(struct ptah_worker *worker, void *arg)
{
	struct ptah_child *child = arg;
	struct ptah_instance *parent = child->parent;

	(void)worker;
	ptah_home_child_gone(child->home);
	ptah_instance_unref(parent);
}

/* Holds a reference to the parent until then. */
static void
on_stopped(void *arg)
{
	struct ptah_child *child = arg;

	if (ptah_worker_post(child->parent->home_worker, is_gone, child) < 0)
		is_gone(child->parent->home_worker, child);
}

static void
end_one(struct ptah_child *child)
{
	struct ptah_instance *instance = child->instance;

	child->over = true;
	atomic_store(&child->ready, false);
	ptah_listener_free(child->listener, false);
	child->listener = NULL;
	if (child->opening)
		return; /* it ends when it is told to be ready */
	child->instance = NULL;
	ptah_instance_ref(child->parent);
	if (instance == NULL) {
		on_stopped(child);
		return;
	}
	ptah_instance_stop(instance, ptah_clock_now_ns() + STOP_MS * PTAH_NS_PER_MS, on_stopped, child);
	ptah_instance_unref(instance);
}

void
ptah_children_end(struct ptah_home *home)
{
	for (struct ptah_child *child = home->children; child != NULL; child = child->next)
		if (!child->over)
			end_one(child);
}

void
ptah_children_free(struct ptah_home *home)
{
	while (home->children != NULL) {
		struct ptah_child *child = home->children;

		home->children = child->next;
		ptah_json_free(child->options);
		free(child->name);
		free(child->bind);
		free(child);
	}
}

/* ---- links of a server child ------------------------------------------------------ */

/* A plain end on its way to the home. */
struct guest {
	struct ptah_child *child; /* with a reference to the parent */
	int fd;
	char *peer, *dest;
};

static void
free_guest(struct guest *guest)
{
	struct ptah_instance *parent = guest->child->parent;

	if (guest->fd != -1)
		close(guest->fd);
	ptah_quota_release(&guest->child->home->guests);
	free(guest->peer);
	free(guest->dest);
	free(guest);
	ptah_instance_unref(parent);
}

static void
on_guest_gone(void *arg)
{
	free_guest(arg);
}

static void
guest_comes(struct ptah_worker *worker, void *arg)
{
	struct guest *guest = arg;
	struct ptah_home *home = guest->child->home;
	struct ptah_stream *stream = NULL;

	(void)worker;
	if (home->open && !guest->child->over) {
		stream = ptah_stream_new(&home->self, guest->fd);
		guest->fd = -1;
	}
	if (stream != NULL && ptah_stream_introduce(stream, guest->child->number, 0, guest->peer, guest->dest, on_guest_gone, guest) == 0)
		return;
	ptah_stream_drop(stream);
	free_guest(guest);
}

static void
on_plain(int plain_fd, const char *peer, const char *dest, void *arg)
{
	struct guest *guest = arg;
	bool whole;

	guest->fd = plain_fd;
	guest->peer = peer != NULL ? strdup(peer) : NULL;
	guest->dest = dest != NULL ? strdup(dest) : NULL;
	whole = (peer == NULL || guest->peer != NULL) && (dest == NULL || guest->dest != NULL);
	if (plain_fd == -1 || !whole || ptah_worker_post(guest->child->parent->home_worker, guest_comes, guest) < 0)
		free_guest(guest);
}

/* With a place of the home's guests taken. */
static void
begin_link(struct ptah_child *child, struct ptah_instance *instance, struct ptah_worker *worker, int fd, const char *peer,
    const struct ptah_arrival *arrival)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	int rc;

	if (guest == NULL) {
		close(fd);
		ptah_quota_release(&child->home->guests);
		if (arrival != NULL)
			ptah_instance_tell_plain(arrival->from, arrival->cookie, -ENOMEM);
		return;
	}
	guest->child = child;
	guest->fd = -1;
	ptah_instance_ref(child->parent);
	rc = hands_of(child->parent)->through->accept(worker, instance, fd, peer, arrival, on_plain, guest);
	if (rc < 0) {
		ptah_warn_rc(AREA_MODULE, rc, "%s: cannot begin a link of \"%s\"", child->parent->name, child->name);
		if (arrival != NULL)
			ptah_instance_tell_plain(arrival->from, arrival->cookie, rc);
		free_guest(guest);
	}
}

static void
on_connection(int fd, const struct ptah_addr *peer, void *arg)
{
	struct ptah_child *child = arg;
	char text[PTAH_ADDR_TEXT];

	begin_link(child, child->instance, child->home->self.worker, fd, ptah_addr_format_peer(peer, text), NULL);
}

/* A carrier makes its own streams: there is no queue in which more could wait. */
static void
on_arrive(struct ptah_instance *instance, struct ptah_worker *worker, const struct ptah_arrival *arrival)
{
	struct ptah_child *child = instance->arg;

	if (atomic_fetch_add(&child->home->guests.used, 1) >= PTAH_GUESTS_MAX || !atomic_load(&child->ready)) {
		ptah_quota_release(&child->home->guests);
		close(arrival->fd);
		ptah_instance_tell_plain(arrival->from, arrival->cookie, -EAGAIN);
		return;
	}
	begin_link(child, instance, worker, arrival->fd, arrival->peer != NULL ? arrival->peer : "", arrival);
}

/* ---- birth ------------------------------------------------------------------------ */

static void
on_listening(int rc, const char *bound, void *arg)
{
	struct ptah_child *child = arg;

	(void)bound;
	if (rc < 0)
		ptah_error_rc(AREA_MODULE, rc, "%s: its transport \"%s\" cannot listen", child->parent->name, child->name);
}

static int
listen_for(struct ptah_child *child)
{
	struct ptah_addr wanted, bound;
	int fd, rc;

	if (child->bind == NULL)
		return 0;
	if ((ptah_instance_bottom(child->instance)->module->abilities & PTAH_IS_CARRIER) != 0)
		return ptah_instance_listen(ptah_instance_bottom(child->instance), child->bind, on_listening, child);
	if (ptah_addr_parse(&wanted, child->bind) < 0)
		return -EINVAL;
	rc = ptah_listen_open(&wanted, &fd, 1, &bound);
	if (rc < 0)
		return rc;
	child->listener = ptah_listener_new(child->home->self.worker, fd, &child->home->guests, NULL, on_connection, child);
	return child->listener != NULL ? 0 : -ENOMEM;
}

/* On the home's worker: the child is ready, or is not. */
static void
is_told(struct ptah_worker *worker, void *arg)
{
	struct ptah_child *child = arg;
	struct ptah_instance *parent = child->parent;
	char reason[PTAH_WHY_TEXT + 64];

	(void)worker;
	child->opening = false;
	if (child->over) {
		end_one(child);
	} else {
		if (child->rc == 0) {
			atomic_store(&child->ready, true);
			child->rc = listen_for(child);
			snprintf(child->why, sizeof(child->why), "cannot listen: %s", strerror(-child->rc));
		}
		snprintf(reason, sizeof(reason), "its transport \"%s\": %s", child->name, child->why);
		ptah_home_child_told(child->home, child->rc, reason);
	}
	ptah_instance_unref(parent);
}

static void
send_told(struct ptah_child *child)
{
	int rc = ptah_worker_post(child->parent->home_worker, is_told, child);

	if (rc < 0) {
		ptah_error_rc(AREA_MODULE, rc, "%s: cannot hear of its transport \"%s\"", child->parent->name, child->name);
		ptah_instance_unref(child->parent);
	}
}

static void
on_ready(struct ptah_instance *instance, int rc, const char *reason, void *arg)
{
	struct ptah_child *child = arg;

	child->instance = instance;
	child->rc = rc;
	snprintf(child->why, sizeof(child->why), "%s", reason != NULL ? reason : "");
	send_told(child);
}

static bool
has_proxy(const struct ptah_instance *instance)
{
	return instance->dial_how != NULL && instance->dial_how->proxy != NULL &&
	    instance->dial_how->proxy->scheme != PTAH_PROXY_NONE;
}

static void
open_on_main(void *arg)
{
	struct ptah_child *child = arg;
	struct ptah_instance *parent = child->parent;
	struct ptah_instance_wish wish = {
		.name = child->name,
		.role = child->bind == NULL ? PTAH_CLIENT : PTAH_SERVER,
		.options = child->options,
		.state_folder = parent->state_folder,
		.look = parent->look,
		.bind = child->bind,
		.has_proxy = has_proxy(parent),
		.workers = parent->workers,
		.n_workers = parent->n_workers,
		.dial_how = parent->dial_how,
		.turn = parent->turn,
		.flocks = parent->flocks,
		.needs = parent->needs,
		.on_arrive = on_arrive,
	};
	char why[PTAH_WHY_TEXT];

	struct ptah_json *options = child->options;
	struct ptah_instance *instance;

	child->options = NULL; /* by the time that this call returns 'child' may be another thread's */
	instance = ptah_instance_open(parent->registry, &wish, on_ready, child, why, sizeof(why));
	ptah_json_free(options);
	if (instance != NULL)
		return;
	child->rc = errno == ENOENT ? -EINVAL : -errno;
	snprintf(child->why, sizeof(child->why), "%s", why);
	send_told(child);
}

static struct ptah_child *
child_new(const char *name, const char *options, const char *bind)
{
	struct ptah_child *child = calloc(1, sizeof(*child));
	char ignored[128];

	if (child == NULL)
		return NULL;
	child->name = strdup(name);
	child->bind = bind != NULL ? strdup(bind) : NULL;
	child->options = options != NULL ? ptah_json_parse(options, strlen(options), 0, ignored, sizeof(ignored)) :
	    ptah_json_new(PTAH_JSON_OBJECT);
	if (child->name != NULL && (bind == NULL || child->bind != NULL) && child->options != NULL &&
	    child->options->type == PTAH_JSON_OBJECT)
		return child;
	errno = options != NULL && (child->options == NULL || child->options->type != PTAH_JSON_OBJECT) ? EINVAL : ENOMEM;
	ptah_json_free(child->options);
	free(child->name);
	free(child->bind);
	free(child);
	return NULL;
}

int
ptah_child_open(struct ptah_self *self, const char *name, const char *options, const char *bind)
{
	struct ptah_home *home = ptah_home_of(self);
	const struct ptah_hands *hands = hands_of(self->instance);
	struct ptah_child *child;
	int rc;

	if (home == NULL || !home->opening)
		return -EINVAL;
	if (hands == NULL)
		return -ENOTSUP;
	child = child_new(name, options, bind);
	if (child == NULL)
		return -errno;
	child->home = home;
	child->number = home->children != NULL ? home->children->number + 1 : 0;
	child->parent = ptah_instance_ref(self->instance);
	child->opening = true;
	rc = hands->on_main(hands->arg, open_on_main, child);
	child->next = home->children;
	home->children = child;
	if (rc < 0) {
		child->opening = false;
		child->over = true;
		ptah_instance_unref(self->instance);
		return rc;
	}
	home->n_children++;
	home->n_opening++;
	return child->number;
}

struct ptah_child *
ptah_child_find(struct ptah_instance *parent, int32_t number)
{
	struct ptah_child *child = parent->home != NULL ? parent->home->children : NULL;

	while (child != NULL && child->number != number)
		child = child->next;
	return child;
}

/* ---- dials -------------------------------------------------------------------------- */

struct ptah_through *
ptah_child_dial(struct ptah_child *child, struct ptah_worker *worker, int plain_fd, const char *server,
    const char *args, ptah_through_fn *fn, void *arg)
{
	struct ptah_json *json = NULL;
	struct ptah_through *through;
	char ignored[128];
	int rc;

	if (!atomic_load(&child->ready) || child->bind != NULL) {
		close(plain_fd);
		errno = child->bind != NULL ? EINVAL : EAGAIN;
		return NULL;
	}
	if (args != NULL) {
		json = ptah_json_parse(args, strlen(args), 0, ignored, sizeof(ignored));
		if (json == NULL || json->type != PTAH_JSON_OBJECT) {
			ptah_json_free(json);
			close(plain_fd);
			errno = EINVAL;
			return NULL;
		}
	}
	through = hands_of(child->parent)->through->dial(worker, child->instance, plain_fd, server, json, fn, arg);
	rc = errno;
	ptah_json_free(json);
	errno = rc;
	return through;
}

void
ptah_child_forget(struct ptah_instance *parent, struct ptah_through *through)
{
	hands_of(parent)->through->forget(through);
}
