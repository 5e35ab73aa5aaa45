/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * host/tenants.h: a list of tenants: which is the newest of a service, and who waits for whom.
 *
 * Starts and ends nothing.  Newer ones stand before older ones of the same label.
 *
 * Threads: the main one.
 */
#ifndef PTAH_HOST_TENANTS_H
#define PTAH_HOST_TENANTS_H

#include "host/tenant.h"

/** The newest of this label; NULL: there is none, or it takes nothing new any more. */
struct ptah_tenant *ptah_tenants_newest(struct ptah_tenant *list, const char *label);

/** Who serves the label of 'newest' (NULL: nobody): it, or the one that it is to replace. */
struct ptah_tenant *ptah_tenants_serving(struct ptah_tenant *list, struct ptah_tenant *newest);

/** Who is about to serve where this one does?  NULL: nobody. */
struct ptah_tenant *ptah_tenants_who_wants(struct ptah_tenant *list, const struct ptah_tenant *old);

/** Is it this plan that it works for: the same settings, of the same modules? */
bool ptah_tenant_is_of(const struct ptah_tenant *tenant, const struct ptah_plan *plan);

/** Take it out; nobody waits for it any more. */
void ptah_tenants_remove(struct ptah_tenant **list, struct ptah_tenant *gone);

/** Those of 'olds' wait for nobody who is not among 'list'. */
void ptah_tenants_forget_heirs(struct ptah_tenant *olds, const struct ptah_tenant *list);

#endif
