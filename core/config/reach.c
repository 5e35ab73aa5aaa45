/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/reach.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"

static void
add(struct ptah_reach *reach, const struct ptah_dest *to)
{
	if (reach->n < PTAH_REACH_MOST && !ptah_reach_has(reach, to))
		reach->to[reach->n++] = *to;
}

/* Wherever it stands: a stack and a choice among transports have options inside options. */
static void
add_servers(struct ptah_reach *reach, const struct ptah_json *json)
{
	for (size_t i = 0; i < json->n; i++) {
		const struct ptah_json *item = json->items[i];
		struct ptah_dest to;

		if (json->type == PTAH_JSON_OBJECT && strcmp(json->keys[i], "serverAddress") == 0 &&
		    item->type == PTAH_JSON_STRING && ptah_dest_parse(&to, item->text, false) == 0)
			add(reach, &to);
		else
			add_servers(reach, item);
	}
}

static void
add_extorport(struct ptah_reach *reach, const struct ptah_addr *addr)
{
	char text[PTAH_ADDR_TEXT];
	struct ptah_dest to;

	if (ptah_dest_parse(&to, ptah_addr_format(addr, text), false) == 0)
		add(reach, &to);
}

void
ptah_reach_of(struct ptah_reach *reach, const struct ptah_plan *plan)
{
	*reach = (struct ptah_reach){ .any = false };
	if (plan->role == PTAH_ROLE_SERVER && plan->has_extorport) {
		add_extorport(reach, &plan->extorport);
	} else if (plan->role == PTAH_ROLE_SERVER) {
		if (plan->has_target)
			add(reach, &plan->target);
	} else {
		if (plan->services[0].options)
			add_servers(reach, plan->services[0].options);
		reach->any = reach->n == 0;
	}
}

static bool
is_same(const struct ptah_dest *a, const struct ptah_dest *b)
{
	if (a->literal != b->literal || a->port != b->port)
		return false;
	return a->literal ? ptah_addr_equal(&a->addr, &b->addr) : strcasecmp(a->host, b->host) == 0;
}

bool
ptah_reach_has(const struct ptah_reach *reach, const struct ptah_dest *to)
{
	if (reach->any)
		return true;
	for (unsigned i = 0; i < reach->n; i++)
		if (is_same(&reach->to[i], to))
			return true;
	return false;
}
