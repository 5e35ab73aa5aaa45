/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/instance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "stats/tally.h"
#include "transport/announce.h"
#include "transport/check.h"
#include "transport/chunk.h"
#include "transport/home.h"
#include "transport/loader.h"
#include "transport/merge.h"
#include "transport/needs.h"
#include "transport/registry.h"
#include "transport/shelf.h"
#include "transport/stacks.h"
#include "transport/state.h"

/* Longest "a+b+c" of names. */
#define NAMES_MAX 1024

struct ptah_instance *
ptah_instance_ref(struct ptah_instance *instance)
{
	atomic_fetch_add_explicit(&instance->refs, 1, memory_order_relaxed);
	return instance;
}

static void
free_instance(struct ptah_instance *instance)
{
	bool over = ptah_lives_free(instance);

	ptah_state_free(instance->state);
	ptah_filled_clear(&instance->args_memory);
	ptah_filled_clear(&instance->conf_memory);
	if (instance->settings != NULL)
		explicit_bzero(instance->settings, strlen(instance->settings));
	free(instance->settings);
	ptah_json_free(instance->options);
	ptah_json_free(instance->bridge_args);
	free(instance->advertise);
	free((void *)instance->counters);
	free(instance->workers);
	free(instance->bind);
	free(instance->name);
	if (over)
		ptah_shelf_unref(instance->loaded);
	free(instance);
}

void
ptah_instance_unref(struct ptah_instance *instance)
{
	while (instance != NULL && atomic_fetch_sub_explicit(&instance->refs, 1, memory_order_acq_rel) == 1) {
		struct ptah_instance *below = instance->below;

		free_instance(instance);
		instance = below;
	}
}

static int
out_of_memory(char *why, size_t why_room)
{
	snprintf(why, why_room, "out of memory");
	return -ENOMEM;
}

static int
refuse(char *why, size_t why_room, const char *text)
{
	snprintf(why, why_room, "%s", text);
	return -EINVAL;
}

/* Can this module do what is wanted of it? */
static int
check_abilities(const struct ptah_module *module, const struct ptah_instance_wish *wish, char *why, size_t why_room)
{
	uint32_t can = module->abilities;

	if (wish->role == PTAH_CLIENT && (can & PTAH_CAN_CLIENT) == 0)
		return refuse(why, why_room, "has no client side");
	if (wish->role == PTAH_SERVER && (can & PTAH_CAN_SERVER) == 0)
		return refuse(why, why_room, "has no server side");
	if ((can & PTAH_CAN_STREAM) == 0 && !wish->datagrams)
		return refuse(why, why_room, "carries messages only: it goes with -mode transparent-UDP or STUN");
	if (wish->role == PTAH_CLIENT && wish->has_proxy && (can & PTAH_OWN_SOCKETS) != 0)
		return refuse(why, why_room, "cannot use the upstream proxy");
	return 0;
}

/* One line in the log for each key that nobody will read: it has come down through all layers. */
static void
warn_unknown(const struct ptah_instance *instance)
{
	char why[PTAH_WHY_TEXT];

	if (instance->below != NULL || (instance->module->abilities & PTAH_PASSES_OPTIONS) != 0)
		return;

	for (size_t i = 0; i < instance->options->n; i++) {
		const char *key = instance->options->keys[i];

		if (ptah_options_is_host(key) || ptah_options_find(instance->module, instance->role, key) != NULL)
			continue;
		ptah_options_say_unknown(instance->module, instance->role, key, why, sizeof(why));
		ptah_warn(AREA_MODULE, "%s: %s", instance->name, why);
	}
}

/* What its options read belongs to what it is made of. */
static int
need_files(const struct ptah_instance *instance, struct ptah_needs *needs)
{
	const struct ptah_option *option = instance->module->options;
	int rc = 0;

	for (; rc == 0 && option != NULL && option->name != NULL; option++) {
		const struct ptah_file *files;
		size_t n = 1;

		if (option->type != PTAH_FILE || !ptah_option_is_for(option, instance->role))
			continue;
		files = (const void *)((const char *)instance->conf + option->offset);
		if ((option->flags & PTAH_LIST) != 0) {
			const struct ptah_list *list = (const void *)files;

			files = list->items;
			n = list->n;
		}
		for (size_t i = 0; rc == 0 && i < n; i++)
			rc = files[i].path != NULL ? ptah_needs_add_file(needs, &files[i]) : 0;
	}
	return rc;
}

static int
fill_conf(struct ptah_instance *instance, char *why, size_t why_room)
{
	const struct ptah_module *module = instance->module;
	const struct ptah_option *missing;
	int rc = ptah_options_fill(&instance->conf_memory, module, instance->role, false, instance->options,
	    &missing, why, why_room);

	if (rc < 0)
		return rc;
	instance->conf = instance->conf_memory.values;
	if (missing != NULL) {
		ptah_options_say_missing(missing, why, why_room);
		return -EINVAL;
	}
	if (module->conf_check != NULL) {
		snprintf(why, why_room, "refuses its options");
		rc = module->conf_check(instance->conf, instance->role, why, why_room);
	}
	return rc < 0 ? rc : 0;
}

/* A server gets nothing later, nor do clients in most modes: what they lack now they lack for good. */
static int
fill_args(struct ptah_instance *instance, bool alone, char *why, size_t why_room)
{
	const struct ptah_module *module = instance->module;
	int rc = ptah_options_fill(&instance->args_memory, module, instance->role, true, instance->options,
	    &instance->missing, why, why_room);

	if (rc < 0)
		return rc;
	instance->args = instance->args_memory.values;
	instance->args_complete = instance->missing == NULL;
	if (!instance->args_complete && (alone || instance->role == PTAH_SERVER)) {
		ptah_options_say_missing(instance->missing, why, why_room);
		return -EINVAL;
	}
	if (instance->args_complete && module->args_check != NULL) {
		snprintf(why, why_room, "refuses its options");
		rc = module->args_check(instance->conf, instance->args, instance->role, why, why_room);
	}
	return rc < 0 ? rc : 0;
}

static int
copy_wish(struct ptah_instance *instance, const struct ptah_instance_wish *wish)
{
	size_t n = 0;

	instance->role = wish->role;
	instance->state_folder = wish->state_folder;
	instance->look = wish->look;
	instance->dial_how = wish->dial_how;
	instance->turn = wish->turn;
	instance->flocks = wish->flocks;
	instance->tally = wish->tally;
	instance->needs = wish->needs;
	instance->on_arrive = wish->on_arrive;
	instance->n_workers = wish->n_workers;
	instance->workers = calloc(wish->n_workers + 1, sizeof(struct ptah_worker *));
	while (instance->module->counters != NULL && instance->module->counters[n] != NULL)
		n++;
	instance->n_counters = (unsigned)n;
	instance->counters = calloc(n * wish->n_workers + 1, sizeof(*instance->counters));
	instance->bind = wish->bind != NULL ? strdup(wish->bind) : NULL;
	if (instance->workers == NULL || instance->counters == NULL || (wish->bind != NULL && instance->bind == NULL))
		return -ENOMEM;
	if (wish->n_workers == 0) /* it is only tried */
		return 0;
	memcpy(instance->workers, wish->workers, wish->n_workers * sizeof(struct ptah_worker *));
	instance->home_worker = instance->workers[ptah_registry_turn(instance->registry) % wish->n_workers];
	return 0;
}

/* Takes: options. */
static int
configure(struct ptah_instance *instance, const struct ptah_instance_wish *wish, struct ptah_json *options,
    char *why, size_t why_room)
{
	int rc;

	instance->options = options;
	rc = check_abilities(instance->module, wish, why, why_room);
	if (rc < 0)
		return rc;
	if (copy_wish(instance, wish) < 0)
		return out_of_memory(why, why_room);
	if (instance->role == PTAH_CLIENT || options->n > 0) {
		instance->settings = ptah_json_text(options);
		if (instance->settings == NULL)
			return out_of_memory(why, why_room);
	}
	rc = ptah_options_host(options, &instance->half_close, instance->server, why, why_room);
	if (rc == 0)
		rc = ptah_options_messages(options, &instance->messages_said, why, why_room);
	if (rc == 0)
		rc = fill_conf(instance, why, why_room);
	if (rc == 0 && wish->needs != NULL && need_files(instance, wish->needs) < 0)
		rc = out_of_memory(why, why_room);
	if (rc == 0)
		rc = fill_args(instance, wish->alone, why, why_room);
	if (rc == 0 && ptah_lives_make(instance) < 0)
		rc = out_of_memory(why, why_room);
	return rc;
}

static struct ptah_instance *build(struct ptah_registry *registry, const struct ptah_instance_wish *wish,
    const char *name, struct ptah_json *options, unsigned layer, char *why, size_t why_room);

/* What stands in "over", if anything: the layers below. */
static int
build_below(struct ptah_instance *instance, const struct ptah_instance_wish *wish, unsigned layer,
    char *why, size_t why_room)
{
	const struct ptah_json *over = ptah_json_get(instance->options, PTAH_KEY_OVER);
	struct ptah_json *own = NULL, *options = NULL;
	const char *name;
	char reason[PTAH_WHY_TEXT];
	int rc;

	if (over == NULL || over->type == PTAH_JSON_NULL)
		return 0;
	if ((instance->module->abilities & PTAH_IS_CARRIER) != 0)
		return refuse(why, why_room, PTAH_STACK_OWN_STREAMS);
	if (layer + 1 == PTAH_LAYERS_MAX)
		return refuse(why, why_room, "option \"over\": the stack is too high");
	rc = ptah_merge_split(over, &name, &own);
	if (rc == 0) {
		options = ptah_merge_below(instance->module, instance->options, own);
		rc = options != NULL ? 0 : -ENOMEM;
	}
	ptah_json_free(own);
	if (rc == -ENOMEM)
		return out_of_memory(why, why_room);
	if (rc < 0)
		return refuse(why, why_room, "option \"over\": write \"NAME\" or {\"module\": \"NAME\", ...options}");
	instance->below = build(instance->registry, wish, name, options, layer + 1, reason, sizeof(reason));
	if (instance->below == NULL) {
		rc = -errno;
		snprintf(why, why_room, "over \"%s\": %s", name, reason);
		return rc == -ENOENT ? -EINVAL : rc;
	}
	instance->below->above = instance;
	return 0;
}

/* One layer and those below it, configured but not open.  Takes: options. */
static struct ptah_instance *
build(struct ptah_registry *registry, const struct ptah_instance_wish *wish, const char *name,
    struct ptah_json *options, unsigned layer, char *why, size_t why_room)
{
	struct ptah_instance *instance = NULL;
	struct ptah_found found = { 0 };
	struct ptah_json *whole = NULL;
	int rc = ptah_registry_find(registry, name, &found, why, why_room);

	if (rc == 0 && wish->needs != NULL && ptah_needs_add(wish->needs, name, &found) < 0)
		rc = out_of_memory(why, why_room);
	if (rc == 0) {
		instance = calloc(1, sizeof(*instance));
		whole = ptah_merge_definition(found.options, options);
		if (instance == NULL || whole == NULL)
			rc = out_of_memory(why, why_room);
	}
	ptah_json_free(found.options);
	ptah_json_free(options);
	if (rc < 0) {
		ptah_json_free(whole);
		free(instance);
		errno = -rc;
		return NULL;
	}
	atomic_init(&instance->refs, 1);
	atomic_flag_clear(&instance->warned);
	instance->registry = registry;
	instance->loaded = ptah_shelf_ref(found.loaded);
	instance->module = &found.loaded->module;
	instance->name = strdup(name);
	if (instance->name == NULL) {
		instance->options = whole;
		rc = out_of_memory(why, why_room);
	} else {
		rc = configure(instance, wish, whole, why, why_room);
	}
	if (rc == 0)
		rc = build_below(instance, wish, layer, why, why_room);
	if (rc == 0)
		warn_unknown(instance);
	if (rc < 0) {
		ptah_instance_unref(instance);
		errno = -rc;
		return NULL;
	}
	return instance;
}

/* Would this layer carry messages, if all do?  What the top says goes for all that say nothing themselves. */
static bool
wants_messages(const struct ptah_instance *layer, const struct ptah_instance *top)
{
	int said = layer->messages_said != -1 ? layer->messages_said : top->messages_said;

	return said != -1 ? said == 1 : (layer->module->abilities & PTAH_MESSAGES_ASKED) == 0;
}

/* Messages, or a stream with frames in it? */
static int
choose_messages(struct ptah_instance *top, bool has_proxy, char *why, size_t why_room)
{
	const struct ptah_instance *cannot = NULL, *must = NULL;
	bool wanted = true;
	size_t head = 0, tail = 0;

	for (const struct ptah_instance *layer = top; layer != NULL; layer = layer->below) {
		uint32_t can = layer->module->abilities;

		if ((can & PTAH_CAN_MESSAGE) == 0 || (can & PTAH_IS_CARRIER) != 0)
			cannot = layer;
		if ((can & PTAH_CAN_STREAM) == 0)
			must = layer;
		wanted = wanted && wants_messages(layer, top);
		head += layer->module->msg_head;
		tail += layer->module->msg_tail;
	}
	if (cannot != NULL && (must != NULL || top->messages_said == 1)) {
		snprintf(why, why_room, "%s cannot carry messages, and %s", cannot->name,
		    must != NULL ? "another layer can carry nothing else" : "option \"messages\" asks for them");
		return -EINVAL;
	}
	if (cannot != NULL || (!wanted && must == NULL))
		return 0;
	if (head > PTAH_MSG_ROOM_LIMIT || tail > PTAH_MSG_ROOM_LIMIT)
		return refuse(why, why_room, "its layers want too much room around a message");
	if (has_proxy && top->role == PTAH_CLIENT)
		return refuse(why, why_room, "carries messages, which cannot go through the upstream proxy; "
		    "option \"messages\": false puts them into a stream, if the server does the same");
	top->messages = true;
	return 0;
}

/* A whole stack, configured but not open. */
static struct ptah_instance *
assemble(struct ptah_registry *registry, const struct ptah_instance_wish *wish, char *why, size_t why_room)
{
	struct ptah_instance *instance = NULL;
	struct ptah_json *options;
	char name[NAMES_MAX], *plus;
	int rc;

	if (!ptah_text_is_stack(wish->name, strlen(wish->name)) || ptah_text_copy(name, sizeof(name), wish->name) < 0) {
		snprintf(why, why_room, "no such transport");
		errno = ENOENT;
		return NULL;
	}
	options = wish->options != NULL ? ptah_json_copy(wish->options) : ptah_json_new(PTAH_JSON_OBJECT);
	plus = strchr(name, '+');
	rc = options != NULL ? 0 : -ENOMEM;
	if (rc == 0 && plus != NULL) {
		*plus = '\0';
		rc = ptah_merge_stack(options, plus + 1);
	}
	if (rc < 0) {
		ptah_json_free(options);
		(void)out_of_memory(why, why_room);
		errno = ENOMEM;
		return NULL;
	}
	instance = build(registry, wish, name, options, 0, why, why_room);
	if (instance != NULL && wish->datagrams && (rc = choose_messages(instance, wish->has_proxy, why, why_room)) < 0) {
		ptah_instance_unref(instance);
		errno = -rc;
		return NULL;
	}
	return instance;
}

struct ptah_instance *
ptah_instance_open(struct ptah_registry *registry, const struct ptah_instance_wish *wish,
    ptah_ready_fn *on_ready, void *arg, char *why, size_t why_room)
{
	struct ptah_instance *instance = assemble(registry, wish, why, why_room);

	if (instance == NULL)
		return NULL;
	instance->arg = arg;
	if (ptah_lives_open(instance, on_ready, arg) < 0) {
		ptah_instance_unref(instance);
		(void)out_of_memory(why, why_room);
		errno = ENOMEM;
		return NULL;
	}
	return instance;
}

int
ptah_instance_try(struct ptah_registry *registry, const struct ptah_instance_wish *wish, struct ptah_tried *tried,
    char *why, size_t why_room)
{
	struct ptah_instance *instance = assemble(registry, wish, why, why_room);

	if (instance == NULL)
		return -errno;
	const struct ptah_module *bottom = ptah_instance_bottom(instance)->module;

	*tried = (struct ptah_tried){ .messages = instance->messages, .homeless = wish->role == PTAH_CLIENT &&
		instance->server[0] == '\0' && (bottom->abilities & PTAH_NO_ADDRESS) == 0 && bottom->endpoint == NULL };
	for (const struct ptah_instance *layer = instance; layer != NULL; layer = layer->below) {
		tried->spawns = tried->spawns || (layer->module->abilities & PTAH_SPAWNS) != 0;
		tried->sockets = tried->sockets || (layer->module->abilities & PTAH_OWN_SOCKETS) != 0;
	}
	ptah_instance_unref(instance);
	return 0;
}

struct ptah_stats *
ptah_instance_stats(const struct ptah_instance *instance, const struct ptah_worker *worker)
{
	return instance->tally != NULL ? ptah_tally_at(instance->tally, worker->index) : worker->stats;
}

struct ptah_instance *
ptah_instance_bottom(struct ptah_instance *instance)
{
	while (instance->below != NULL)
		instance = instance->below;
	return instance;
}

int
ptah_instance_announce(struct ptah_instance *instance, const char *bound, char *why, size_t why_room)
{
	struct ptah_json *args;
	int rc;

	if (instance->bridge_args != NULL || instance->home != NULL || instance->module->bridge_args == NULL)
		return 0;
	rc = ptah_announce_ask(instance->module, instance->conf, bound, &args, why, why_room);
	if (rc == 0)
		instance->bridge_args = args;
	return rc;
}

/* Gives: a text for free(), or NULL (ENOMEM). */
static char *
bridge_key(const struct ptah_instance *instance, const char *key)
{
	struct ptah_buf text = { 0 };
	bool taken = false;

	for (const struct ptah_instance *layer = instance->above; layer != NULL; layer = layer->above)
		taken = taken || ptah_merge_takes(layer->module, key);
	for (const struct ptah_instance *layer = instance->above; taken && layer != NULL; layer = layer->above)
		ptah_buf_puts(&text, PTAH_KEY_BELOW);
	ptah_buf_puts(&text, key);
	return ptah_buf_take_text(&text);
}

int
ptah_instance_bridge_args(struct ptah_instance *top, const char *bound, ptah_bridge_arg_fn *fn, void *arg,
    char *why, size_t why_room)
{
	int rc = 0;

	for (struct ptah_instance *layer = top; layer != NULL && rc == 0; layer = layer->below) {
		rc = ptah_instance_announce(layer, bound, why, why_room);
		for (size_t i = 0; rc == 0 && layer->bridge_args != NULL && i < layer->bridge_args->n; i++) {
			char *key = bridge_key(layer, layer->bridge_args->keys[i]);

			rc = key != NULL ? fn(key, layer->bridge_args->items[i]->text, arg) : -ENOMEM;
			free(key);
		}
	}
	return rc;
}

/* Files begin with the transport's name; of layers of one name the upper one has it, and the others have numbers. */
static struct ptah_state *
state_of(const struct ptah_instance *instance, const char *folder)
{
	unsigned n = 1;
	char *name;
	struct ptah_state *state = NULL;

	for (const struct ptah_instance *layer = instance->above; layer != NULL; layer = layer->above)
		n += strcmp(layer->name, instance->name) == 0;
	if (n == 1)
		return ptah_state_new(folder, instance->name);
	if (asprintf(&name, "%s.%u", instance->name, n) != -1) {
		state = ptah_state_new(folder, name);
		free(name);
	}
	return state;
}

struct ptah_state *
ptah_instance_state(const struct ptah_instance *instance, const char *folder)
{
	struct ptah_state *state = state_of(instance, folder);

	if (state != NULL && ptah_registry_guards_state(instance->registry))
		ptah_state_guard(state);
	return state;
}
