/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "host/cell.h"

/* Modules may take this long to clean up. */
#define CLEAN_UP_MS 2000

static void
set_state(struct ptah_tenant *tenant, int state)
{
	tenant->state = state;
	tenant->since = (time_t)ptah_clock_wall_s();
	tenant->says->on_state(tenant, tenant->arg);
}

static void
end_dispatcher(struct ptah_tenant *tenant)
{
	ptah_deadline_clear(&tenant->limit);
	tenant->bound = NULL;
	tenant->address = NULL;
	tenant->bridge_args = NULL;

	uint64_t until_ns = ptah_clock_now_ns() + CLEAN_UP_MS * PTAH_NS_PER_MS;

	if (tenant->cell)
		ptah_cell_end(tenant->cell, until_ns);
	else
		ptah_dispatcher_end(tenant->dispatcher, until_ns);
}

static bool
is_at_work(const struct ptah_tenant *tenant)
{
	return tenant->dispatcher || tenant->cell;
}

/* --- what its dispatcher says ----------------------------------------------------- */

static int
on_method(const char *name, const struct ptah_addr *bound, const char *address, const struct ptah_kv *args, void *arg)
{
	struct ptah_tenant *tenant = arg;

	(void)name;
	tenant->bound = bound;
	if (tenant->plan->role == PTAH_ROLE_SERVER) {
		tenant->address = address;
		tenant->bridge_args = args;
	}
	return 0;
}

static void
on_method_error(const char *name, const char *text, void *arg)
{
	struct ptah_tenant *tenant = arg;

	(void)name;
	tenant->reason = strdup(text);
}

/* Modules say which file it is, and do not know the folder: "" where nothing is wrong with that. */
static const char *
state_note(const struct ptah_plan *plan, char *out, size_t room)
{
	char above[PATH_MAX];
	struct stat st;
	int rc = plan->state_dir ? ptah_file_nearest(plan->state_dir, above, &st) : 0;
	bool made = rc == 1;

	out[0] = '\0';
	if (!plan->state_dir)
		return out;
	if (rc >= 0 && !S_ISDIR(st.st_mode)) {
		snprintf(out, room, " (its state folder is %s, and %s is a file)", plan->state_dir, above);
		return out;
	}
	if (rc >= 0)
		rc = faccessat(AT_FDCWD, above, W_OK | X_OK, AT_EACCESS) == -1 ? -errno : 0;
	if (rc < 0)
		snprintf(out, room, " (its state folder is %s, which cannot be %s%s: %s)", plan->state_dir,
		    made ? "made in " : "used", made ? above : "", strerror(-rc));
	return out;
}

/* It serves, or never will. */
static void
settle(struct ptah_tenant *tenant)
{
	char text[PTAH_ADDR_TEXT], note[PATH_MAX + 128];

	if (tenant->bound) {
		ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "service-serves", tenant->plan->label, "%s serves: %s on %s",
		    tenant->plan->label, tenant->plan->services[0].name, ptah_addr_format(tenant->bound, text));
		set_state(tenant, PTAH_RUN_SERVES);
		return;
	}
	if (!tenant->reason)
		tenant->reason = strdup("there is no such transport; `ptah modules` lists what there is");
	ptah_event(PTAH_LOG_ERROR, AREA_HOST, "service-failed", tenant->plan->label, "%s does not start: %s: %s%s", tenant->plan->label, tenant->plan->services[0].name,
	    tenant->reason ? tenant->reason : strerror(ENOMEM), state_note(tenant->plan, note, sizeof(note)));
	end_dispatcher(tenant);
	set_state(tenant, PTAH_RUN_FAILED);
}

static void
on_ready(void *arg)
{
	struct ptah_tenant *tenant = arg;

	if (is_at_work(tenant))
		settle(tenant);
	else
		tenant->told = true;
}

static void
on_drained(void *arg)
{
	struct ptah_tenant *tenant = arg;

	if (tenant->state == PTAH_RUN_DRAINS)
		ptah_tenant_end(tenant);
}

static void
on_ended(void *arg)
{
	struct ptah_tenant *tenant = arg;

	ptah_dispatcher_free(tenant->dispatcher);
	ptah_cell_free(tenant->cell);
	tenant->dispatcher = NULL;
	tenant->cell = NULL;
	if (tenant->state != PTAH_RUN_FAILED)
		tenant->says->on_gone(tenant, tenant->arg);
}

static const struct ptah_dispatcher_says says = {
	.on_method = on_method,
	.on_method_error = on_method_error,
	.on_ready = on_ready,
	.on_drained = on_drained,
	.on_ended = on_ended,
};

/* --- its life ----------------------------------------------------------------------- */

struct ptah_tenant *
ptah_tenant_start(struct ptah_crew *crew, struct ptah_plan *plan, const struct ptah_tenant_says *said, void *arg)
{
	struct ptah_tenant *tenant = calloc(1, sizeof(*tenant));

	if (!tenant) {
		ptah_plan_free(plan);
		errno = ENOMEM;
		return NULL;
	}
	tenant->crew = crew;
	tenant->plan = plan;
	tenant->says = said;
	tenant->arg = arg;
	tenant->since = (time_t)ptah_clock_wall_s();
	if (plan->isolate)
		tenant->cell = ptah_cell_start(crew, plan, &says, tenant);
	else
		tenant->dispatcher = ptah_dispatcher_start(crew, plan, &says, tenant);
	if (!is_at_work(tenant)) {
		ptah_tenant_free(tenant);
		errno = ENOMEM;
		return NULL;
	}
	if (tenant->told)
		settle(tenant);
	return tenant;
}

static void
on_limit(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_tenant *tenant = arg;

	(void)deadline;
	tenant->cut_off = true;
	ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "service-cut-off", tenant->plan->label, "%s: links of the old plan are ended: they had their time (drainTimeout)", tenant->plan->label);
	ptah_tenant_end(tenant);
}

void
ptah_tenant_release(struct ptah_tenant *tenant)
{
	if (tenant->state != PTAH_RUN_SERVES)
		return;
	if (tenant->cell)
		ptah_cell_release(tenant->cell);
	else
		ptah_dispatcher_release(tenant->dispatcher);
}

void
ptah_tenant_drain(struct ptah_tenant *tenant, unsigned limit_s)
{
	if (tenant->state == PTAH_RUN_DRAINS)
		ptah_deadline_clear(&tenant->limit);
	if (tenant->state != PTAH_RUN_SERVES && tenant->state != PTAH_RUN_DRAINS) {
		ptah_tenant_end(tenant);
		return;
	}
	if (tenant->state == PTAH_RUN_SERVES) {
		if (tenant->cell)
			ptah_cell_drain(tenant->cell);
		else
			ptah_dispatcher_drain(tenant->dispatcher);
		set_state(tenant, PTAH_RUN_DRAINS);
	}
	if (ptah_deadline_set(tenant->crew->loop, &tenant->limit, limit_s * 1000, on_limit, tenant) != 0)
		ptah_tenant_end(tenant);
}

void
ptah_tenant_end(struct ptah_tenant *tenant)
{
	int state = tenant->state;

	if (state == PTAH_RUN_ENDS)
		return;
	set_state(tenant, PTAH_RUN_ENDS);
	if (!is_at_work(tenant))
		tenant->says->on_gone(tenant, tenant->arg);
	else if (state != PTAH_RUN_FAILED) /* that one ends already */
		end_dispatcher(tenant);
}

void
ptah_tenant_free(struct ptah_tenant *tenant)
{
	ptah_deadline_clear(&tenant->limit);
	ptah_plan_free(tenant->plan);
	free(tenant->reason);
	free(tenant);
}
