/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/roll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/module.h>

#include "base/json.h"
#include "control/figures.h"
#include "host/cell.h"
#include "host/crew.h"
#include "host/dispatcher.h"
#include "host/muster.h"
#include "host/run.h"
#include "relay/census.h"

/* Cells have so long to tell all of their links. */
#define CELLS_MS 4000

/* An isolated service that is asked. */
struct away {
	struct ptah_roll *roll;
	char *label;
	struct ptah_cell *cell; /* NULL: it has answered, or never will */
};

struct ptah_roll {
	struct ptah_worker *loop;
	unsigned most;
	bool addresses;
	ptah_roll_fn *fn;
	void *arg;
	/* Those here, by the number of the owner. */
	char **labels;
	const struct ptah_flock **flocks;
	size_t n_here;
	struct ptah_muster *muster; /* NULL: it is back */
	struct away *aways;
	size_t n_aways;
	struct ptah_deadline limit; /* of the aways */
	unsigned n_open; /* answers that are not there, and one for whoever asks */
	/* What came so far. */
	struct ptah_json *links;
	uint64_t more;
	size_t n_silent;
	int rc;
};

/* --- a link ---------------------------------------------------------------------------- */

static int
set_text(struct ptah_json *object, const char *key, int type, const char *text)
{
	return ptah_json_set(object, key, ptah_json_new_text(type, text));
}

static int
set_number(struct ptah_json *object, const char *key, double n, int digits)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*f", digits, n);
	return set_text(object, key, PTAH_JSON_NUMBER, text);
}

static int
fill(struct ptah_json *object, const char *label, const struct ptah_mustered *link, bool addresses)
{
	const char *state = ptah_seen_state_name(link->state);
	char peer[PTAH_ADDR_TEXT] = "";
	int rc = set_text(object, "service", PTAH_JSON_STRING, label);

	rc = rc == 0 ? set_text(object, "transport", PTAH_JSON_STRING, link->transport) : rc;
	rc = rc == 0 ? set_text(object, "role", PTAH_JSON_STRING, ptah_figures_role(link->role)) : rc;
	rc = rc == 0 ? set_text(object, "carries", PTAH_JSON_STRING, link->messages != 0 ? "messages" : "a stream") : rc;
	rc = rc == 0 ? set_text(object, "state", PTAH_JSON_STRING, state ? state : "unknown") : rc;
	rc = rc == 0 ? set_number(object, "ageSeconds", (double)link->age_ns / 1e9, 3) : rc;
	rc = rc == 0 ? set_number(object, "plainReceived", (double)link->got[0], 0) : rc;
	rc = rc == 0 ? set_number(object, "wireReceived", (double)link->got[1], 0) : rc;
	if (rc == 0 && addresses)
		rc = set_text(object, "peer", PTAH_JSON_STRING, ptah_addr_format_peer(&link->peer, peer));
	return rc;
}

/* One more for the list, if it may have one. */
static int
add_link(struct ptah_roll *roll, const char *label, const struct ptah_mustered *link)
{
	struct ptah_json *object;

	if (roll->links->n >= roll->most) {
		roll->more++;
		return 0;
	}
	object = ptah_json_new(PTAH_JSON_OBJECT);
	if (!object || fill(object, label, link, roll->addresses) != 0) {
		ptah_json_free(object);
		return -ENOMEM;
	}
	return ptah_json_add(roll->links, object);
}

/* --- the list --------------------------------------------------------------------------- */

static void
roll_free(struct ptah_roll *roll)
{
	ptah_deadline_clear(&roll->limit);
	for (size_t i = 0; i < roll->n_here; i++)
		free(roll->labels[i]);
	for (size_t i = 0; i < roll->n_aways; i++)
		free(roll->aways[i].label);
	ptah_json_free(roll->links);
	free(roll->labels);
	free(roll->flocks);
	free(roll->aways);
	free(roll);
}

static struct ptah_json *
make_list(struct ptah_roll *roll)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);
	int rc = object ? roll->rc : -ENOMEM;

	if (rc == 0) {
		rc = ptah_json_set(object, "links", roll->links);
		roll->links = NULL;
	}
	if (rc == 0)
		rc = set_number(object, "more", (double)roll->more, 0);
	if (rc == 0)
		rc = set_number(object, "servicesNotListed", (double)roll->n_silent, 0);
	if (rc == 0)
		return object;
	ptah_json_free(object);
	return NULL;
}

static void
come_back(struct ptah_roll *roll)
{
	ptah_roll_fn *fn = roll->fn;
	void *arg = roll->arg;
	struct ptah_json *list;

	if (--roll->n_open > 0)
		return;
	list = make_list(roll);
	roll_free(roll);
	fn(list, arg);
}

static void
on_muster(const struct ptah_mustered *links, size_t n, uint64_t more, int rc, void *arg)
{
	struct ptah_roll *roll = arg;

	roll->muster = NULL;
	roll->more += more;
	roll->rc = roll->rc == 0 ? rc : roll->rc;
	for (size_t i = 0; i < n && roll->rc == 0; i++)
		roll->rc = add_link(roll, roll->labels[links[i].owner], &links[i]);
	come_back(roll);
}

static void
on_cell(const struct ptah_mustered *links, size_t n, uint64_t more, int rc, void *arg)
{
	struct away *away = arg;
	struct ptah_roll *roll = away->roll;

	away->cell = NULL;
	roll->more += more;
	roll->n_silent += rc != 0;
	for (size_t i = 0; i < n && roll->rc == 0; i++)
		roll->rc = add_link(roll, away->label, &links[i]);
	come_back(roll);
}

static void
on_limit(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_roll *roll = arg;

	(void)deadline;
	roll->n_open++; /* the roll is there until we are done */
	for (size_t i = 0; i < roll->n_aways; i++)
		if (roll->aways[i].cell)
			ptah_cell_list_end(roll->aways[i].cell, -ETIMEDOUT);
	come_back(roll);
}

/* --- the call ---------------------------------------------------------------------------- */

static int
add_here(struct ptah_roll *roll, const struct ptah_run_row *row)
{
	char **labels = reallocarray(roll->labels, roll->n_here + 1, sizeof(*labels));
	const struct ptah_flock **flocks;

	if (!labels)
		return -ENOMEM;
	roll->labels = labels;
	flocks = reallocarray(roll->flocks, roll->n_here + 1, sizeof(*flocks));
	if (!flocks)
		return -ENOMEM;
	roll->flocks = flocks;
	flocks[roll->n_here] = ptah_dispatcher_flocks(row->dispatcher);
	labels[roll->n_here] = strdup(row->label);
	return labels[roll->n_here++] ? 0 : -ENOMEM;
}

static int
add_away(struct ptah_roll *roll, const struct ptah_run_row *row)
{
	struct away *aways = reallocarray(roll->aways, roll->n_aways + 1, sizeof(*aways));

	if (!aways)
		return -ENOMEM;
	roll->aways = aways;
	aways[roll->n_aways] = (struct away){ .roll = roll, .label = strdup(row->label), .cell = row->cell };
	return aways[roll->n_aways++].label ? 0 : -ENOMEM;
}

static int
add_row(const struct ptah_run_row *row, void *arg)
{
	/* One that ends already may be gone before a worker looks. */
	if (row->state == PTAH_RUN_ENDS)
		return 0;
	return row->dispatcher ? add_here(arg, row) : row->cell ? add_away(arg, row) : 0;
}

static void
ask_cells(struct ptah_roll *roll)
{
	for (size_t i = 0; i < roll->n_aways; i++) {
		struct away *away = &roll->aways[i];

		roll->n_open++;
		ptah_cell_list(away->cell, roll->most, roll->addresses, on_cell, away);
	}
}

struct ptah_roll *
ptah_roll_call(const struct ptah_run *run, unsigned most, bool addresses, ptah_roll_fn *fn, void *arg)
{
	const struct ptah_crew *crew = ptah_run_crew(run);
	struct ptah_roll *roll = calloc(1, sizeof(*roll));

	if (!roll) {
		errno = ENOMEM;
		return NULL;
	}
	*roll = (struct ptah_roll){
		.loop = crew->loop, .most = most, .addresses = addresses, .fn = fn, .arg = arg, .n_open = 1,
		.links = ptah_json_new(PTAH_JSON_ARRAY),
	};
	if (roll->links && ptah_run_each(run, add_row, roll) == 0 &&
	    ptah_deadline_set(roll->loop, &roll->limit, CELLS_MS, on_limit, roll) == 0)
		roll->muster = ptah_muster_call(crew, roll->flocks, roll->n_here, most, addresses, on_muster, roll);
	if (!roll->muster) {
		roll_free(roll);
		errno = ENOMEM;
		return NULL;
	}
	/* The workers answer in a later turn, so it is not over when the last cell has no link to tell. */
	ask_cells(roll);
	return roll;
}

void
ptah_roll_forget(struct ptah_roll *roll)
{
	if (!roll)
		return;
	ptah_muster_forget(roll->muster);
	for (size_t i = 0; i < roll->n_aways; i++)
		if (roll->aways[i].cell)
			ptah_cell_list_forget(roll->aways[i].cell);
	roll_free(roll);
}
