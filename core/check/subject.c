/* SPDX-License-Identifier: BSD-3-Clause */
#include "check/subject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t
ptah_subject_role(int who)
{
	return who == PTAH_AT_CLIENT ? PTAH_CLIENT : PTAH_SERVER;
}

/* The options of one role, in the module's example or in what was given instead. */
static struct ptah_json *
role_options(const struct ptah_json *both, const char *role)
{
	const struct ptah_json *own = ptah_json_get(both, role);

	if (own == NULL && ptah_json_get(both, "server") == NULL && ptah_json_get(both, "client") == NULL)
		own = both; /* the same for both */
	return own != NULL && own->type == PTAH_JSON_OBJECT ? ptah_json_copy(own) : NULL;
}

static void
find_options(struct ptah_subject *subject)
{
	const char *example = subject->module->example;
	const struct ptah_json *both = subject->wish->given;
	struct ptah_json *parsed = NULL;
	char why[256];

	if (both == NULL && example == NULL) {
		snprintf(subject->why, sizeof(subject->why),
		    "it has no example configuration: write .example, or give --options");
		return;
	}
	if (both == NULL) {
		const char *text = example[0] != '\0' ? example : "{}";

		both = parsed = ptah_json_parse(text, strlen(text), 0, why, sizeof(why));
		if (parsed == NULL)
			snprintf(subject->why, sizeof(subject->why), "its example is no JSON: %s", why);
	}
	if (both != NULL && both->type != PTAH_JSON_OBJECT)
		snprintf(subject->why, sizeof(subject->why), "its example is no object: {\"server\": {...}, \"client\": {...}}");
	if (both != NULL && both->type == PTAH_JSON_OBJECT) {
		subject->options[PTAH_AT_CLIENT] = role_options(both, "client");
		subject->options[PTAH_AT_SERVER] = role_options(both, "server");
	}
	ptah_json_free(parsed);
}

int
ptah_subject_load(struct ptah_subject *subject, const struct ptah_subject_wish *wish, char *why, size_t why_room)
{
	int rc;

	memset(subject, 0, sizeof(*subject));
	subject->wish = wish;
	rc = ptah_loaded_open(wish->path, wish->name, &subject->loaded, why, why_room);
	if (rc < 0)
		return rc;
	subject->module = &subject->loaded->module;
	find_options(subject);
	return 0;
}

/* The host stands behind 'why': a module that says nothing has refused all the same. */
static int
ask(int (*refuses)(const void *, uint32_t, char *, size_t), struct ptah_filling *out, uint32_t role,
    char *why, size_t why_room)
{
	snprintf(why, why_room, "refuses its options");
	return refuses(out->conf.values, role, why, why_room);
}

int
ptah_filling_make(struct ptah_filling *out, const struct ptah_module *module, uint32_t role,
    const struct ptah_json *options, char *why, size_t why_room)
{
	const struct ptah_option *missing = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = ptah_options_fill(&out->conf, module, role, false, options, &missing, why, why_room);
	if (rc == 0 && missing == NULL && module->conf_check != NULL)
		rc = ask(module->conf_check, out, role, why, why_room);
	if (rc >= 0 && missing == NULL)
		rc = ptah_options_fill(&out->args, module, role, true, options, &missing, why, why_room);
	if (rc >= 0 && missing != NULL) {
		ptah_options_say_missing(missing, why, why_room);
		return -EINVAL;
	}
	if (rc >= 0 && module->args_check != NULL) {
		snprintf(why, why_room, "refuses its options");
		rc = module->args_check(out->conf.values, out->args.values, role, why, why_room);
	}
	if (rc < 0)
		return rc;
	if (role == PTAH_CLIENT || (options != NULL && options->n > 0)) {
		out->settings = options != NULL ? ptah_json_text(options) : strdup("{}");
		if (out->settings == NULL)
			return -ENOMEM;
	}
	return 0;
}

void
ptah_filling_clear(struct ptah_filling *filling)
{
	ptah_filled_clear(&filling->args);
	ptah_filled_clear(&filling->conf);
	free(filling->settings);
	memset(filling, 0, sizeof(*filling));
}
