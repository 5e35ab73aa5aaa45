/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/generate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/json.h"
#include "config/plan.h"
#include "host/pairs.h"
#include "transport/loader.h"
#include "transport/merge.h"
#include "transport/registry.h"

static int
write_pair(const struct ptah_plan *plan, const struct ptah_pair *pair, char *why, size_t room)
{
	const char *name = plan->services[0].name;
	int rc = ptah_file_mkdirs(plan->state_dir);

	if (rc < 0) {
		snprintf(why, room, "cannot make '%s': %s", plan->state_dir, strerror(-rc));
		return rc;
	}
	rc = ptah_pair_write(pair, plan->state_dir, name, why, room);
	if (rc == 0)
		fprintf(stderr, "ptah: wrote %s/%s_server.json\nptah: wrote %s/%s_client.json\n",
		    plan->state_dir, name, plan->state_dir, name);
	return rc;
}

static int
generate(const struct ptah_plan *plan, struct ptah_registry *registry, char *why, size_t room)
{
	struct ptah_found found = { 0 };
	struct ptah_pair pair = { 0 };
	struct ptah_json *options = NULL;
	int rc = ptah_registry_find(registry, plan->services[0].name, &found, why, room);

	if (rc == -ENOENT)
		snprintf(why, room, "there is no such transport: see ptah modules");
	if (rc == 0)
		options = ptah_merge(found.options, plan->services[0].options);
	if (rc == 0)
		rc = options ? ptah_pair_generate(&pair, &found.loaded->module, options, plan->generate_server,
		    why, room) : -ENOMEM;
	if (rc == 0)
		rc = write_pair(plan, &pair, why, room);
	ptah_pair_clear(&pair);
	ptah_json_free(options);
	ptah_json_free(found.options);
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
