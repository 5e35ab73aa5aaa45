/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/cell.h"
#include "host/crew.h"
#include "host/run.h"

struct gathering {
	struct ptah_figures *out;
	size_t room;
	time_t now;
};

static bool
is_of(const struct ptah_figures_service *service, const char *label, const char *transport, uint32_t role)
{
	return service->role == role && strcmp(service->label, label) == 0 && strcmp(service->transport, transport) == 0;
}

static struct ptah_figures_service *
find(const struct gathering *gathering, const char *label, const char *transport, uint32_t role)
{
	for (size_t i = 0; i < gathering->out->n_services; i++)
		if (is_of(&gathering->out->services[i], label, transport, role))
			return &gathering->out->services[i];
	return NULL;
}

static struct ptah_figures_service *
add(struct gathering *gathering, const struct ptah_figures_service *service)
{
	struct ptah_figures *out = gathering->out;

	if (out->n_services == gathering->room) {
		size_t room = 2 * gathering->room + 8;
		struct ptah_figures_service *more = reallocarray(out->services, room, sizeof(*more));

		if (!more)
			return NULL;
		out->services = more;
		gathering->room = room;
	}
	out->services[out->n_services] = *service;
	return &out->services[out->n_services++];
}

/* Of several plans of a service, the one that serves says how it is; else the one of the file, which comes first. */
static void
show_state(struct ptah_figures_service *service, const struct ptah_run_row *row, time_t now)
{
	service->state = ptah_run_state_name(row->state);
	service->serves = row->state == PTAH_RUN_SERVES;
	service->since_s = now > row->since ? (double)(now - row->since) : 0;
	service->mode = ptah_mode_name(row->plan->mode);
	service->isolated = row->plan->isolate;
	service->listen[0] = '\0';
	if (row->bound)
		(void)ptah_addr_format(row->bound, service->listen);
}

static int
on_row(const struct ptah_run_row *row, void *arg)
{
	struct gathering *gathering = arg;
	const char *transport = row->plan->services[0].name;
	uint32_t role = (uint32_t)row->plan->role;
	struct ptah_figures_service *service = find(gathering, row->label, transport, role);

	if (!service) {
		const struct ptah_figures_service fresh = { .label = row->label, .transport = transport, .role = role };

		service = add(gathering, &fresh);
		if (!service)
			return -ENOMEM;
		show_state(service, row, gathering->now);
	} else if (row->state == PTAH_RUN_SERVES && !service->serves) {
		show_state(service, row, gathering->now);
	}
	if (row->reason)
		service->reason = row->reason;
	service->n_draining += row->state == PTAH_RUN_DRAINS;
	service->resident += row->cell ? ptah_cell_resident(row->cell) : 0;
	return 0;
}

/* Of a service that is gone only what still changes is worth a word: peers that are held. */
static int
add_tally(struct gathering *gathering, const struct ptah_tally *tally)
{
	struct ptah_figures_service *service = find(gathering, tally->label, tally->transport, tally->role);
	struct ptah_figures_service gone = {
		.label = tally->label, .transport = tally->transport, .role = tally->role, .mode = "", .state = "gone",
	};

	ptah_tally_sum(tally, service ? &service->stats : &gone.stats);
	if (service || ptah_stats_get(&gone.stats, PTAH_STAT_PROBES_HELD) == 0)
		return 0;
	return add(gathering, &gone) ? 0 : -ENOMEM;
}

int
ptah_gather(const struct ptah_run *run, const struct ptah_pulse *pulse, struct ptah_figures *out)
{
	const struct ptah_crew *crew = ptah_run_crew(run);
	struct gathering gathering = { .out = out, .now = time(NULL) };
	int rc;

	*out = (struct ptah_figures){
		.version = PACKAGE_VERSION, .n_workers = crew->n_workers,
		.links_open = atomic_load(&crew->quota.used), .links_most = atomic_load(&crew->quota.most),
		.draining = ptah_run_is_draining(run),
	};
	ptah_run_reloads(run, &out->n_reloads, &out->n_reloads_refused);
	ptah_pulse_take(pulse, &out->vitals);
	rc = ptah_run_each(run, on_row, &gathering);
	for (const struct ptah_tally *tally = crew->tallies.first; tally && rc == 0; tally = tally->next)
		rc = add_tally(&gathering, tally);
	return rc;
}
