/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/carry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define NUMBER 0 /* an unsigned or an int */
#define TRUTH 1
#define TEXT 2
#define ADDR 3
#define DEST 4

/* What a process needs to serve streams; each row says where it stands in the plan. */
static const struct row {
	const char *name;
	int type;
	size_t offset;
} rows[] = {
	{ "dialect", NUMBER, offsetof(struct ptah_plan, dialect) },
	{ "role", NUMBER, offsetof(struct ptah_plan, role) },
	{ "mode", NUMBER, offsetof(struct ptah_plan, mode) },
	{ "hasTarget", TRUTH, offsetof(struct ptah_plan, has_target) },
	{ "target", DEST, offsetof(struct ptah_plan, target) },
	{ "hasExtorport", TRUTH, offsetof(struct ptah_plan, has_extorport) },
	{ "extorport", ADDR, offsetof(struct ptah_plan, extorport) },
	{ "cookie", TEXT, offsetof(struct ptah_plan, cookie_path) },
	{ "proxyScheme", NUMBER, offsetof(struct ptah_plan, proxy.scheme) },
	{ "stateDir", TEXT, offsetof(struct ptah_plan, state_dir) },
	{ "logUnsafe", TRUTH, offsetof(struct ptah_plan, log_unsafe) },
	{ "moduleDir", TEXT, offsetof(struct ptah_plan, module_dir) },
	{ "modulePath", TEXT, offsetof(struct ptah_plan, module_path) },
	{ "workers", NUMBER, offsetof(struct ptah_plan, workers) },
	{ "proxyProtocol", NUMBER, offsetof(struct ptah_plan, proxy_protocol) },
	{ "replayState", TRUTH, offsetof(struct ptah_plan, replay_state) },
	{ "dialTimeout", NUMBER, offsetof(struct ptah_plan, dial_timeout_s) },
	{ "peerTimeout", NUMBER, offsetof(struct ptah_plan, peer_timeout_s) },
	{ "legacySocks80", TRUTH, offsetof(struct ptah_plan, legacy_socks80) },
	{ "isolateMemory", NUMBER, offsetof(struct ptah_plan, isolate_memory_mib) },
	{ "label", TEXT, offsetof(struct ptah_plan, label) },
	{ "activation", TEXT, offsetof(struct ptah_plan, activation) },
	{ "links", NUMBER, offsetof(struct ptah_plan, bounds.links) },
	{ "linksPerSecond", NUMBER, offsetof(struct ptah_plan, bounds.links_per_second) },
	{ "linksPerPrefix", NUMBER, offsetof(struct ptah_plan, bounds.links_per_prefix) },
	{ "prefixV4", NUMBER, offsetof(struct ptah_plan, bounds.prefix_v4) },
	{ "prefixV6", NUMBER, offsetof(struct ptah_plan, bounds.prefix_v6) },
	{ "backlog", NUMBER, offsetof(struct ptah_plan, bounds.backlog) },
	{ "keepAlive", NUMBER, offsetof(struct ptah_plan, bounds.keep_alive_s) },
	{ "family", NUMBER, offsetof(struct ptah_plan, bounds.family) },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

_Static_assert(sizeof(unsigned) == sizeof(int), "both are carried as one");

/* ---- to a text ----------------------------------------------------------------- */

static struct ptah_json *
text_of(const char *text)
{
	return ptah_json_new_text(PTAH_JSON_STRING, text);
}

static struct ptah_json *
number_of(unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return ptah_json_new_text(PTAH_JSON_NUMBER, text);
}

static struct ptah_json *
addr_of(const struct ptah_addr *addr)
{
	char text[PTAH_ADDR_TEXT];

	return text_of(ptah_addr_format(addr, text));
}

/* NULL with *leave: it is not there, which is what the other side begins with. */
static struct ptah_json *
value_of(const struct row *row, const void *at, bool *leave)
{
	struct ptah_json *json;
	char dest[PTAH_DEST_TEXT];

	*leave = false;
	switch (row->type) {
	case NUMBER:
		return number_of(*(const unsigned *)at);
	case TRUTH:
		json = ptah_json_new(PTAH_JSON_BOOL);
		if (json)
			json->truth = *(const bool *)at;
		return json;
	case TEXT:
		*leave = *(char *const *)at == NULL;
		return *leave ? NULL : text_of(*(char *const *)at);
	case ADDR:
		*leave = ((const struct ptah_addr *)at)->sa.sa_family == AF_UNSPEC;
		return *leave ? NULL : addr_of(at);
	default:
		*leave = ((const struct ptah_dest *)at)->host[0] == '\0';
		return *leave ? NULL : text_of(ptah_dest_format(at, dest));
	}
}

static int
set_rows(struct ptah_json *object, const struct ptah_plan *plan)
{
	int rc = 0;

	for (size_t i = 0; i < N_ROWS && rc == 0; i++) {
		bool leave;
		struct ptah_json *value = value_of(&rows[i], (const char *)plan + rows[i].offset, &leave);

		if (!leave)
			rc = ptah_json_set(object, rows[i].name, value);
	}
	return rc;
}

static int
set_lists(struct ptah_json *object, const struct ptah_plan *plan)
{
	const struct ptah_service *service = &plan->services[0];
	struct ptah_json *listen = ptah_json_new(PTAH_JSON_ARRAY), *from = ptah_json_new(PTAH_JSON_ARRAY);
	int rc = listen && from ? 0 : -ENOMEM;

	if (rc == 0 && !plan->activation)
		rc = ptah_json_add(listen, addr_of(&service->listen));
	for (size_t i = 0; rc == 0 && i < service->n_also; i++)
		rc = ptah_json_add(listen, addr_of(&service->also[i]));
	for (size_t i = 0; rc == 0 && i < plan->n_proxy_from; i++) {
		char text[PTAH_PREFIX_TEXT];

		rc = ptah_json_add(from, text_of(ptah_prefix_format(&plan->proxy_from[i], text)));
	}
	if (rc != 0) {
		ptah_json_free(listen);
		ptah_json_free(from);
		return rc;
	}
	rc = ptah_json_set(object, "listen", listen);
	if (rc == 0)
		return ptah_json_set(object, "proxyFrom", from);
	ptah_json_free(from);
	return rc;
}

int
ptah_plan_carry(const struct ptah_plan *plan, struct ptah_buf *out)
{
	const struct ptah_service *service = &plan->services[0];
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);
	int rc = object ? set_rows(object, plan) : -ENOMEM;

	if (rc == 0)
		rc = set_lists(object, plan);
	if (rc == 0)
		rc = ptah_json_set(object, "transport", text_of(service->name));
	if (rc == 0 && service->options)
		rc = ptah_json_set(object, "options", ptah_json_copy(service->options));
	if (rc == 0 && plan->files)
		rc = ptah_json_set(object, "files", ptah_json_copy(plan->files));
	if (rc == 0)
		rc = ptah_json_set(object, "interface", text_of(plan->bounds.interface));
	if (rc == 0)
		rc = ptah_json_print(object, out);
	ptah_json_free(object);
	return rc;
}

/* ---- and back -------------------------------------------------------------------- */

static int
take_row(const struct row *row, const struct ptah_json *value, void *at)
{
	if (row->type == TRUTH) {
		*(bool *)at = value->truth;
		return value->type == PTAH_JSON_BOOL ? 0 : -EINVAL;
	}
	if (!value->text)
		return -EINVAL;
	switch (row->type) {
	case NUMBER:
		*(unsigned *)at = (unsigned)strtoul(value->text, NULL, 10);
		return 0;
	case TEXT:
		*(char **)at = strdup(value->text);
		return *(char **)at ? 0 : -ENOMEM;
	case ADDR:
		return ptah_addr_parse(at, value->text);
	default:
		return ptah_dest_parse(at, value->text, false);
	}
}

static int
take_rows(struct ptah_plan *plan, const struct ptah_json *object)
{
	int rc = 0;

	for (size_t i = 0; i < N_ROWS && rc == 0; i++) {
		const struct ptah_json *value = ptah_json_get(object, rows[i].name);

		if (value)
			rc = take_row(&rows[i], value, (char *)plan + rows[i].offset);
	}
	return rc;
}

static int
take_listen(struct ptah_service *service, const struct ptah_json *listen)
{
	int rc = 0;

	if (!listen || listen->type != PTAH_JSON_ARRAY || listen->n > PTAH_ALSO_MAX + 1)
		return -EINVAL;
	for (size_t i = 0; rc == 0 && i < listen->n; i++) {
		struct ptah_addr *to = i == 0 ? &service->listen : &service->also[service->n_also++];

		rc = listen->items[i]->text ? ptah_addr_parse(to, listen->items[i]->text) : -EINVAL;
	}
	return rc;
}

static int
take_prefixes(struct ptah_plan *plan, const struct ptah_json *from)
{
	int rc = 0;

	if (!from || from->type != PTAH_JSON_ARRAY)
		return -EINVAL;
	if (from->n == 0)
		return 0;
	plan->proxy_from = calloc(from->n, sizeof(*plan->proxy_from));
	if (!plan->proxy_from)
		return -ENOMEM;
	for (; rc == 0 && plan->n_proxy_from < from->n; plan->n_proxy_from++) {
		const char *text = from->items[plan->n_proxy_from]->text;

		rc = text ? ptah_prefix_parse(&plan->proxy_from[plan->n_proxy_from], text) : -EINVAL;
	}
	return rc;
}

static int
take(struct ptah_plan *plan, const struct ptah_json *object)
{
	const struct ptah_json *name = ptah_json_get(object, "transport"), *options = ptah_json_get(object, "options"),
	    *files = ptah_json_get(object, "files"), *interface = ptah_json_get(object, "interface");
	int rc = take_rows(plan, object);

	if (rc != 0)
		return rc;
	plan->services = calloc(1, sizeof(*plan->services));
	if (!plan->services)
		return -ENOMEM;
	plan->n_services = 1;
	if (!name || !name->text || !interface || !interface->text ||
	    strlen(interface->text) >= sizeof(plan->bounds.interface))
		return -EINVAL;
	memcpy(plan->bounds.interface, interface->text, strlen(interface->text) + 1);
	plan->services[0].name = strdup(name->text);
	plan->services[0].options = options ? ptah_json_copy(options) : NULL;
	plan->files = files ? ptah_json_copy(files) : NULL;
	if (!plan->services[0].name || (options && !plan->services[0].options) || (files && !plan->files))
		return -ENOMEM;
	rc = take_listen(&plan->services[0], ptah_json_get(object, "listen"));
	return rc == 0 ? take_prefixes(plan, ptah_json_get(object, "proxyFrom")) : rc;
}

struct ptah_plan *
ptah_plan_carried(const char *text, size_t len)
{
	char why[256];
	struct ptah_json *object = ptah_json_parse(text, len, 0, why, sizeof(why));
	struct ptah_plan *plan = object ? calloc(1, sizeof(*plan)) : NULL;
	int rc = object ? -ENOMEM : -errno;

	if (plan)
		rc = object->type == PTAH_JSON_OBJECT ? take(plan, object) : -EINVAL;
	ptah_json_free(object);
	if (rc == 0)
		return plan;
	ptah_plan_free(plan);
	errno = -rc;
	return NULL;
}
