/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/tenants.h"

#include <string.h>

struct ptah_tenant *
ptah_tenants_newest(struct ptah_tenant *list, const char *label)
{
	for (struct ptah_tenant *tenant = list; tenant; tenant = tenant->next)
		if (strcmp(tenant->plan->label, label) == 0)
			return tenant->state < PTAH_RUN_DRAINS ? tenant : NULL;
	return NULL;
}

struct ptah_tenant *
ptah_tenants_serving(struct ptah_tenant *list, struct ptah_tenant *newest)
{
	struct ptah_tenant *old = list;

	if (!newest || newest->state == PTAH_RUN_SERVES)
		return newest;
	while (old && !(old->heir == newest && strcmp(old->plan->label, newest->plan->label) == 0))
		old = old->next;
	return old;
}

static const struct ptah_addr *
address_of(const struct ptah_tenant *tenant, size_t i)
{
	const struct ptah_service *service = &tenant->plan->services[0];

	return i == 0 ? &service->listen : i <= service->n_also ? &service->also[i - 1] : NULL;
}

/* Do both listen on one address? */
static bool
share_address(const struct ptah_tenant *a, const struct ptah_tenant *b)
{
	const struct ptah_addr *one, *other;

	for (size_t i = 0; (one = address_of(a, i)) != NULL; i++)
		for (size_t k = 0; (other = address_of(b, k)) != NULL; k++)
			if (ptah_addr_port(one) != 0 && ptah_addr_equal(one, other))
				return true;
	return false;
}

struct ptah_tenant *
ptah_tenants_who_wants(struct ptah_tenant *list, const struct ptah_tenant *old)
{
	for (struct ptah_tenant *tenant = list; tenant; tenant = tenant->next)
		if (tenant->state == PTAH_RUN_STARTS && share_address(tenant, old))
			return tenant;
	return NULL;
}

static bool
are_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool
ptah_tenant_is_of(const struct ptah_tenant *tenant, const struct ptah_plan *plan)
{
	return are_same(tenant->plan->fingerprint, plan->fingerprint) && are_same(tenant->plan->code, plan->code) &&
	    !(tenant->dispatcher && ptah_dispatcher_is_outdated(tenant->dispatcher));
}

void
ptah_tenants_remove(struct ptah_tenant **list, struct ptah_tenant *gone)
{
	struct ptah_tenant **at = list;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	for (struct ptah_tenant *tenant = *list; tenant; tenant = tenant->next)
		if (tenant->heir == gone)
			tenant->heir = NULL;
}

void
ptah_tenants_forget_heirs(struct ptah_tenant *olds, const struct ptah_tenant *list)
{
	for (struct ptah_tenant *old = olds; old; old = old->next) {
		const struct ptah_tenant *heir = list;

		while (heir && heir != old->heir)
			heir = heir->next;
		if (!heir)
			old->heir = NULL;
	}
}
