/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/generate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/json.h"
#include "config/plan.h"
#include "transport/loader.h"
#include "transport/options.h"
#include "transport/registry.h"

/* Room for each of the two texts, with a NUL. */
#define TEXT_ROOM ((size_t)64 * 1024)

struct pair {
	char server[TEXT_ROOM], client[TEXT_ROOM];
};

/* One text to <state>/<name>_<which>.json.  0, or -errno and 'why'. */
static int
write_text(const struct ptah_plan *plan, const char *which, const char *text, char *why, size_t room)
{
	char *path = NULL, inner[200];
	struct ptah_json *json = ptah_json_parse(text, strlen(text), 0, inner, sizeof(inner));
	int rc;

	if (!json || json->type != PTAH_JSON_OBJECT) {
		snprintf(why, room, "it made %s options that are no JSON object%s%s", which,
		    json ? "" : ": ", json ? "" : inner);
		ptah_json_free(json);
		return -EINVAL;
	}
	ptah_json_free(json);
	if (asprintf(&path, "%s/%s_%s.json", plan->state_dir, plan->services[0].name, which) == -1)
		return -ENOMEM;
	rc = ptah_file_mkdirs(plan->state_dir);
	if (rc == 0)
		rc = ptah_file_write_atomic(path, text, strlen(text));
	if (rc != 0)
		snprintf(why, room, "cannot write '%s': %s", path, strerror(-rc));
	else
		fprintf(stderr, "ptah: wrote %s\n", path);
	free(path);
	return rc;
}

/* Ask the module.  0, or -errno and 'why'. */
static int
ask(const struct ptah_plan *plan, const struct ptah_module *module, const struct ptah_json *options,
    struct pair *pair, char *why, size_t room)
{
	const struct ptah_option *missing = NULL;
	struct ptah_filled conf = { 0 };
	int rc;

	if (!module->generate) {
		snprintf(why, room, "it has no options to make");
		return -ENOTSUP;
	}
	rc = ptah_options_fill(&conf, module, PTAH_SERVER, false, options, &missing, why, room);
	if (rc == 0) {
		rc = module->generate(conf.values, plan->generate_server,
		    (struct ptah_room){ (uint8_t *)pair->server, TEXT_ROOM - 1 },
		    (struct ptah_room){ (uint8_t *)pair->client, TEXT_ROOM - 1 });
		rc = rc < 0 ? rc : 0;
	}
	ptah_filled_clear(&conf);
	return rc;
}

static int
generate(const struct ptah_plan *plan, struct ptah_registry *registry, char *why, size_t room)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	struct ptah_found found = { 0 };
	struct ptah_json *options = NULL;
	int rc = pair ? ptah_registry_find(registry, plan->services[0].name, &found, why, room) : -ENOMEM;

	if (rc == -ENOENT)
		snprintf(why, room, "there is no such transport: see ptah modules");
	if (rc == 0)
		options = found.options ? ptah_json_copy(found.options) : ptah_json_new(PTAH_JSON_OBJECT);
	if (rc == 0)
		rc = options ? ptah_json_overlay(options, plan->services[0].options) : -ENOMEM;
	if (rc == 0)
		rc = ask(plan, &found.loaded->module, options, pair, why, room);
	if (rc == 0)
		rc = write_text(plan, "server", pair->server, why, room);
	if (rc == 0)
		rc = write_text(plan, "client", pair->client, why, room);
	ptah_json_free(options);
	ptah_json_free(found.options);
	if (pair)
		explicit_bzero(pair, sizeof(*pair));
	free(pair);
	return rc;
}

int
ptah_generate(const struct ptah_plan *plan)
{
	struct ptah_registry *registry = ptah_registry_new(plan->module_path, plan->module_dir);
	char why[PTAH_WHY_TEXT] = "";
	int rc = registry ? generate(plan, registry, why, sizeof(why)) : -ENOMEM;

	ptah_registry_free(registry);
	if (rc == 0)
		return EX_OK;
	fprintf(stderr, "ptah: -generateConfig: %s: %s\n", plan->services[0].name,
	    why[0] ? why : strerror(-rc));
	return EX_UNAVAILABLE;
}
