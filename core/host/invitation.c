/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/invitation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "host/pairs.h"
#include "host/swap.h"
#include "loop/worker.h"
#include "relay/through.h"
#include "transport/child.h"
#include "transport/instance.h"
#include "transport/loader.h"
#include "transport/merge.h"
#include "transport/options.h"
#include "transport/registry.h"
#include "transport/state.h"

/* How long a module may take to clean up. */
#define STOP_MS 2000u

/* A server that is opened to be asked, and closed again. */
struct asked {
	struct ptah_worker *worker;
	struct ptah_hands hands;
	struct ptah_instance *instance;
	bool running; /* its loop */
	bool ready, stopped;
	int rc;
	char *why;
	size_t room;
};

/* ---- open, ask, close --------------------------------------------------------- */

struct errand {
	void (*fn)(void *arg);
	void *arg;
};

static void
on_errand(struct ptah_worker *worker, void *arg)
{
	struct errand errand = *(struct errand *)arg;

	(void)worker;
	free(arg);
	errand.fn(errand.arg);
}

/* There is one thread, and this is it; but not from inside a hook. */
static int
on_main(void *arg, void (*fn)(void *arg), void *fn_arg)
{
	struct asked *asked = arg;
	struct errand *errand = malloc(sizeof(*errand));
	int rc = -ENOMEM;

	if (errand) {
		*errand = (struct errand){ fn, fn_arg };
		rc = ptah_worker_post(asked->worker, on_errand, errand);
	}
	if (rc != 0)
		free(errand);
	return rc;
}

static void
on_ready(struct ptah_instance *instance, int rc, const char *reason, void *arg)
{
	struct asked *asked = arg;

	(void)instance;
	asked->ready = true;
	asked->rc = rc;
	if (rc < 0)
		snprintf(asked->why, asked->room, "%s", reason ? reason : strerror(-rc));
	if (asked->running)
		ptah_worker_break(asked->worker);
}

static void
on_stopped(void *arg)
{
	struct asked *asked = arg;

	asked->stopped = true;
	if (asked->running)
		ptah_worker_break(asked->worker);
}

static int
run_until(struct asked *asked, const bool *what)
{
	asked->running = true;
	while (!*what) {
		int rc = ptah_worker_run(asked->worker);

		if (rc < 0)
			return rc;
	}
	asked->running = false;
	return 0;
}

static int
open_server(struct asked *asked, struct ptah_registry *registry, const struct ptah_invitation_wish *wish,
    const char *folder, struct ptah_state_look *look, const struct ptah_json *options, char *why, size_t room)
{
	struct ptah_instance_wish how = {
		.name = wish->name, .role = PTAH_SERVER, .options = options, .state_folder = folder, .look = look,
		.bind = wish->bind, .workers = &asked->worker, .n_workers = 1,
	};

	asked->why = why;
	asked->room = room;
	asked->worker = ptah_worker_new(0);
	if (!asked->worker)
		return -errno;
	asked->hands = (struct ptah_hands){ .through = &ptah_through_links, .on_main = on_main, .arg = asked };
	ptah_registry_set_hands(registry, &asked->hands);
	asked->instance = ptah_instance_open(registry, &how, on_ready, asked, why, room);
	if (!asked->instance)
		return -errno;

	int rc = run_until(asked, &asked->ready);

	return rc < 0 ? rc : asked->rc;
}

static void
close_server(struct asked *asked, struct ptah_registry *registry)
{
	if (asked->instance) {
		ptah_instance_stop(asked->instance, ptah_clock_now_ns() + STOP_MS * PTAH_NS_PER_MS, on_stopped, asked);
		(void)run_until(asked, &asked->stopped);
	}
	/* What it still writes tells its home so, by way of the worker. */
	ptah_registry_flush(registry);
	if (asked->instance)
		ptah_instance_unref(asked->instance);
	ptah_worker_free(asked->worker);
	ptah_registry_set_hands(registry, NULL);
}

/* What was made for clients goes before what the server says. */
static int
add_client_option(const char *key, const char *text, void *arg)
{
	struct ptah_invitation *out = arg;

	return ptah_json_get(out->client, key) ? 0 :
	    ptah_json_set(out->client, key, ptah_json_new_text(PTAH_JSON_STRING, text));
}

/* What the layers say to clients, and where peers come in, which the lowest that says so knows best. */
static int
ask(struct ptah_invitation *out, struct ptah_instance *top, const char *bind, char *why, size_t room)
{
	int rc = ptah_instance_bridge_args(top, bind, add_client_option, out, why, room);

	for (const struct ptah_instance *layer = top; layer; layer = layer->below)
		if (layer->advertise)
			snprintf(out->address, sizeof(out->address), "%s", layer->advertise);
	return rc;
}

/* Nobody else may have the state of these layers open while their files change. */
static int
commit(struct ptah_invitation *out, struct ptah_swap *swap, const struct ptah_instance *top, bool anew, char *why, size_t room)
{
	struct ptah_state *locks[PTAH_LAYERS_MAX] = { NULL };
	size_t n = 0;
	int rc = 0;

	for (const struct ptah_instance *layer = top; layer && rc == 0; layer = layer->below, n++) {
		locks[n] = ptah_instance_state(layer, swap->folder);
		rc = locks[n] ? ptah_state_prepare(locks[n], "state") : -ENOMEM;
		if (rc == -EBUSY)
			snprintf(why, room, "a ptah that runs uses %s/%s_*: stop it first", swap->folder, layer->name);
	}
	if (rc == 0)
		rc = ptah_swap_commit(swap, anew, out->files, out->kept, why, room);
	for (size_t i = 0; i < n; i++)
		ptah_state_free(locks[i]);
	return rc;
}

/* ---- an identity in the state folder --------------------------------------------- */

static void
on_read(const char *path, void *arg)
{
	struct ptah_invitation *out = arg;
	struct ptah_json *text = ptah_json_new_text(PTAH_JSON_STRING, path);

	if (text)
		(void)ptah_json_add(out->files, text);
}

/* 1 if what there is will do, 0 if one must be made, -errno. */
static int
read_identity(struct ptah_invitation *out, struct ptah_registry *registry, const struct ptah_invitation_wish *wish,
    char *why, size_t room)
{
	struct ptah_state_look look = { .on_read = on_read, .arg = out };
	struct asked asked = { 0 };
	int rc = open_server(&asked, registry, wish, wish->folder, &look, out->server, why, room);

	out->in_state = out->files->n > 0;
	if (rc == 0 && (out->in_state || look.n_dropped == 0))
		rc = ask(out, asked.instance, wish->bind, why, room) < 0 ? -EINVAL : 1;
	close_server(&asked, registry);
	return rc;
}

static int
make_identity(struct ptah_invitation *out, struct ptah_registry *registry, const struct ptah_invitation_wish *wish,
    char *why, size_t room)
{
	struct asked asked = { 0 };
	struct ptah_swap swap;
	int rc = ptah_swap_begin(&swap, wish->folder, why, room);

	if (rc == 0) {
		rc = open_server(&asked, registry, wish, swap.work, NULL, out->server, why, room);
		if (rc == 0)
			rc = ask(out, asked.instance, wish->bind, why, room);
		if (rc == 0)
			rc = commit(out, &swap, asked.instance, wish->anew, why, room);
		close_server(&asked, registry);
	}
	ptah_swap_end(&swap);
	out->made = out->files->n > 0;
	out->in_state = out->made;
	return rc;
}

static int
find_identity(struct ptah_invitation *out, struct ptah_registry *registry, const struct ptah_invitation_wish *wish,
    char *why, size_t room)
{
	int rc = wish->anew ? 0 : read_identity(out, registry, wish, why, room);

	if (rc == 0)
		rc = make_identity(out, registry, wish, why, room);
	return rc < 0 ? rc : 0;
}

/* ---- options that are made --------------------------------------------------------- */

/* Would a server take them, and what have the layers below it to say? */
static int
try_options(struct ptah_invitation *out, struct ptah_registry *registry, const struct ptah_invitation_wish *wish,
    char *why, size_t room)
{
	struct ptah_state_look look = { .on_read = on_read, .arg = out };
	struct asked asked = { 0 };
	int rc = open_server(&asked, registry, wish, wish->folder, &look, out->server, why, room);

	if (rc == 0)
		rc = ask(out, asked.instance, wish->bind, why, room);
	close_server(&asked, registry);
	return rc;
}

static int
make_pair(struct ptah_invitation *out, struct ptah_registry *registry, const struct ptah_invitation_wish *wish,
    const struct ptah_pair *pair, char *why, size_t room)
{
	struct ptah_swap swap;
	int rc;

	if (pair->server->n == 0) /* nothing to remember */
		return try_options(out, registry, wish, why, room);
	rc = ptah_swap_begin(&swap, wish->folder, why, room);
	if (rc == 0)
		rc = ptah_pair_write(pair, swap.work, wish->name, why, room);
	if (rc == 0)
		rc = try_options(out, registry, wish, why, room);
	if (rc == 0)
		rc = ptah_swap_commit(&swap, wish->anew, out->files, out->kept, why, room);
	ptah_swap_end(&swap);
	out->made = true;
	return rc;
}

static int
find_pair(struct ptah_invitation *out, struct ptah_registry *registry, const struct ptah_module *module,
    const struct ptah_json *options, const struct ptah_invitation_wish *wish, char *why, size_t room)
{
	struct ptah_pair pair = { 0 };
	int rc = wish->anew ? 0 : ptah_pair_read(&pair, wish->folder, wish->name, out->files, why, room);
	bool there = rc == 1;

	if (there && wish->options->n > 0) {
		snprintf(why, room, "%s/%s_server.json has its options already: leave --options out, "
		    "or make others with --new", wish->folder, wish->name);
		rc = -EEXIST;
	}
	if (rc == 0)
		rc = ptah_pair_generate(&pair, module, options, wish->advertise, why, room);
	if (rc >= 0)
		rc = ptah_json_overlay(out->server, pair.server);
	if (rc == 0)
		rc = ptah_json_overlay(out->client, pair.client);
	if (rc == 0)
		rc = there ? try_options(out, registry, wish, why, room) : make_pair(out, registry, wish, &pair, why, room);
	ptah_pair_clear(&pair);
	return rc;
}

/* ---- all of it ------------------------------------------------------------------------ */

static int
find(struct ptah_invitation *out, struct ptah_registry *registry, const struct ptah_invitation_wish *wish,
    char *why, size_t room)
{
	struct ptah_found found;
	int rc = ptah_registry_find(registry, wish->name, &found, why, room);

	if (rc == -ENOENT)
		snprintf(why, room, "there is no such transport: see ptah modules");
	if (rc < 0)
		return rc;

	const struct ptah_module *module = &found.loaded->module;
	struct ptah_json *options = ptah_merge(found.options, wish->options);

	if (!options)
		rc = -ENOMEM;
	else if (module->generate && !module->home_open)
		rc = find_pair(out, registry, module, options, wish, why, room);
	else
		rc = find_identity(out, registry, wish, why, room);
	ptah_json_free(options);
	ptah_json_free(found.options);
	return rc;
}

/* A bridge line has the address and the transport at its beginning. */
static int
finish(struct ptah_invitation *out)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < out->client->n; i++)
		if (!ptah_options_is_host(out->client->keys[i]))
			rc = ptah_json_set(out->bridge, out->client->keys[i], ptah_json_copy(out->client->items[i]));
	if (rc == 0)
		rc = ptah_json_set(out->client, PTAH_KEY_SERVER, ptah_json_new_text(PTAH_JSON_STRING, out->address));
	return rc;
}

int
ptah_invitation_make(struct ptah_invitation *out, struct ptah_registry *registry,
    const struct ptah_invitation_wish *wish, char *why, size_t room)
{
	int rc;

	*out = (struct ptah_invitation){
		.files = ptah_json_new(PTAH_JSON_ARRAY), .kept = ptah_json_new(PTAH_JSON_ARRAY),
		.server = ptah_json_copy(wish->options), .client = ptah_json_new(PTAH_JSON_OBJECT),
		.bridge = ptah_json_new(PTAH_JSON_OBJECT),
	};
	snprintf(out->address, sizeof(out->address), "%s", wish->advertise);
	why[0] = '\0';
	rc = out->files && out->kept && out->server && out->client && out->bridge ? 0 : -ENOMEM;
	if (rc == 0)
		rc = find(out, registry, wish, why, room);
	if (rc == 0)
		rc = finish(out);
	if (rc < 0 && !why[0])
		snprintf(why, room, "%s", strerror(-rc));
	return rc;
}

void
ptah_invitation_clear(struct ptah_invitation *invitation)
{
	ptah_json_free(invitation->files);
	ptah_json_free(invitation->kept);
	ptah_json_free(invitation->server);
	ptah_json_free(invitation->client);
	ptah_json_free(invitation->bridge);
}
