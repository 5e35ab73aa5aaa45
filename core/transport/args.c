/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The link options of one connection.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "transport/instance.h"
#include "transport/loader.h"
#include "transport/merge.h"

struct ptah_args_owned {
	struct ptah_filled memory;
	char *settings;
};

static void
forget_text(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

static bool
same_value(const struct ptah_json *one, const struct ptah_json *two)
{
	char *a, *b;
	bool same;

	if (one == NULL || two == NULL)
		return one == two;
	a = ptah_json_text(one);
	b = ptah_json_text(two);
	same = a != NULL && b != NULL && strcmp(a, b) == 0;
	forget_text(a); /* it may be a secret */
	forget_text(b);
	return same;
}

/* A connection may say which options a link has, not what the transport is. */
static int
check_key(const struct ptah_instance *instance, const char *key, const struct ptah_json *value,
    char *why, size_t why_room)
{
	const struct ptah_option *option = ptah_options_find(instance->module, instance->role, key);

	if (strcmp(key, PTAH_KEY_OVER) == 0 || strcmp(key, PTAH_KEY_BELOW "module") == 0) {
		if (value->type == PTAH_JSON_OBJECT && ptah_json_get(value, "module") == NULL)
			return 0;
		snprintf(why, why_room, "option \"over\": a connection cannot choose what the transport stands on");
		return -EINVAL;
	}
	if (option == NULL)
		return 0;
	if ((option->flags & PTAH_STATIC_ONLY) != 0) {
		snprintf(why, why_room, "option \"%s\" cannot come with a connection; set it where the transport is configured",
		    option->name);
		return -EINVAL;
	}
	if ((option->flags & PTAH_LINK) == 0 &&
	    !same_value(value, ptah_json_get(instance->options, key))) {
		snprintf(why, why_room, "option \"%s\" is the transport's, not a connection's; set it where the transport is configured",
		    option->name);
		return -EINVAL;
	}
	return 0;
}

static void
warn_unknown(struct ptah_instance *instance, const struct ptah_json *over)
{
	char why[PTAH_WHY_TEXT];
	bool first = true;

	/* What a layer does not know has gone on to the one below it. */
	if (instance->below != NULL || (instance->module->abilities & PTAH_PASSES_OPTIONS) != 0)
		return;
	for (size_t i = 0; i < over->n; i++) {
		const char *key = over->keys[i];

		if (ptah_options_is_host(key) || ptah_options_find(instance->module, instance->role, key) != NULL)
			continue;
		if (first && atomic_flag_test_and_set(&instance->warned))
			return;
		first = false;
		ptah_options_say_unknown(instance->module, instance->role, key, why, sizeof(why));
		ptah_warn(AREA_MODULE, "%s: a connection's %s", instance->name, why);
	}
}

static int
share(struct ptah_args *out, const struct ptah_instance *instance, char *why, size_t why_room)
{
	if (instance->missing != NULL) {
		ptah_options_say_missing(instance->missing, why, why_room);
		return -EINVAL;
	}
	out->values = instance->args;
	out->settings = instance->settings;
	out->half_close = instance->half_close;
	return ptah_text_copy(out->server, sizeof(out->server), instance->server);
}

static int
fill(struct ptah_args *out, const struct ptah_instance *instance, const struct ptah_json *merged,
    char *why, size_t why_room)
{
	const struct ptah_module *module = instance->module;
	const struct ptah_option *missing;
	int rc;

	out->half_close = instance->half_close;
	rc = ptah_options_host(merged, &out->half_close, out->server, why, why_room);
	if (rc == 0)
		rc = ptah_options_fill(&out->owned->memory, module, instance->role, true, merged, &missing, why, why_room);
	if (rc < 0)
		return rc;
	out->values = out->owned->memory.values;
	if (missing != NULL) {
		ptah_options_say_missing(missing, why, why_room);
		return -EINVAL;
	}
	if (module->args_check != NULL) {
		snprintf(why, why_room, "refuses its options");
		rc = module->args_check(instance->conf, out->values, instance->role, why, why_room);
		if (rc < 0)
			return -EINVAL;
	}
	out->owned->settings = ptah_json_text(merged);
	out->settings = out->owned->settings;
	return out->settings != NULL ? 0 : -ENOMEM;
}

static int
make_one(struct ptah_args *out, struct ptah_instance *instance, const struct ptah_json *over,
    char *why, size_t why_room)
{
	struct ptah_json *merged;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (over == NULL || over->n == 0)
		return share(out, instance, why, why_room);
	for (size_t i = 0; rc == 0 && i < over->n; i++)
		rc = check_key(instance, over->keys[i], over->items[i], why, why_room);
	if (rc < 0)
		return rc;
	warn_unknown(instance, over);
	out->owned = calloc(1, sizeof(*out->owned));
	merged = ptah_merge(instance->options, over);
	rc = out->owned != NULL && merged != NULL ? fill(out, instance, merged, why, why_room) : -ENOMEM;
	ptah_json_free(merged);
	if (rc == -ENOMEM)
		snprintf(why, why_room, "out of memory");
	if (rc < 0)
		ptah_args_free(out);
	else
		out->server_is_own = out->server[0] != '\0' && ptah_json_get(over, PTAH_KEY_SERVER) != NULL;
	return rc;
}

/* The same of the layers below. */
static int
make_below(struct ptah_args *out, struct ptah_instance *instance, const struct ptah_json *over,
    char *why, size_t why_room)
{
	struct ptah_json *theirs = over != NULL ? ptah_merge_below(instance->module, over, NULL) : NULL;
	char reason[PTAH_WHY_TEXT] = "out of memory";
	int rc = -ENOMEM;

	out->below = over == NULL || theirs != NULL ? malloc(sizeof(*out->below)) : NULL;
	if (out->below != NULL)
		rc = ptah_args_make(out->below, instance->below, theirs, reason, sizeof(reason));
	ptah_json_free(theirs);
	if (rc < 0) {
		snprintf(why, why_room, "over \"%s\": %s", instance->below->name, reason);
		free(out->below);
		out->below = NULL;
	}
	return rc;
}

int
ptah_args_make(struct ptah_args *out, struct ptah_instance *instance, const struct ptah_json *over,
    char *why, size_t why_room)
{
	int rc = make_one(out, instance, over, why, why_room);

	if (rc < 0 || instance->below == NULL)
		return rc;
	rc = make_below(out, instance, over, why, why_room);
	if (rc < 0) {
		ptah_args_free(out);
		return rc;
	}
	/* The address is dialled for the bottom, whichever layer's options say it. */
	if (out->server[0] == '\0' && out->below->server[0] != '\0') {
		memcpy(out->server, out->below->server, sizeof(out->server));
		out->server_is_own = out->below->server_is_own;
	}
	return 0;
}

void
ptah_args_free(struct ptah_args *args)
{
	if (args->below != NULL)
		ptah_args_free(args->below);
	free(args->below);
	if (args->owned != NULL) {
		ptah_filled_clear(&args->owned->memory);
		forget_text(args->owned->settings);
		free(args->owned);
	}
	memset(args, 0, sizeof(*args));
}
