/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/roll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/module.h>

#include "base/json.h"
#include "control/figures.h"
#include "host/crew.h"
#include "host/dispatcher.h"
#include "host/run.h"
#include "relay/census.h"
#include "relay/flock.h"

/* A plan at work: its label, and where each worker has its links. */
struct one {
	char *label;
	const struct ptah_flock *flocks;
};

/* What one worker has. */
struct sheet {
	struct ptah_roll *roll;
	const struct one *plan; /* that is looked at */
	struct ptah_json *links;
	unsigned n, more;
	int rc;
};

struct ptah_roll {
	struct ptah_worker *loop;
	unsigned most;  /* of each worker, so that none must know of another */
	bool addresses;
	ptah_roll_fn *fn; /* NULL: forgotten */
	void *arg;
	struct one *plans;
	size_t n_plans, n_isolated;
	struct sheet *sheets; /* by worker */
	unsigned n_sheets;
	unsigned n_open; /* sheets that are not back, and one for whoever hands them out */
};

/* --- on a worker ---------------------------------------------------------------------- */

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
fill(struct ptah_json *object, const struct sheet *sheet, const struct ptah_seen *seen)
{
	char peer[PTAH_ADDR_TEXT] = "";
	int rc = set_text(object, "service", PTAH_JSON_STRING, sheet->plan->label);

	rc = rc == 0 ? set_text(object, "transport", PTAH_JSON_STRING, seen->transport) : rc;
	rc = rc == 0 ? set_text(object, "role", PTAH_JSON_STRING, ptah_figures_role(seen->role)) : rc;
	rc = rc == 0 ? set_text(object, "carries", PTAH_JSON_STRING, seen->messages ? "messages" : "a stream") : rc;
	rc = rc == 0 ? set_text(object, "state", PTAH_JSON_STRING, seen->state) : rc;
	rc = rc == 0 ? set_number(object, "ageSeconds", (double)seen->age_ns / 1e9, 3) : rc;
	rc = rc == 0 ? set_number(object, "plainReceived", (double)seen->got[0], 0) : rc;
	rc = rc == 0 ? set_number(object, "wireReceived", (double)seen->got[1], 0) : rc;
	if (rc == 0 && sheet->roll->addresses)
		rc = set_text(object, "peer", PTAH_JSON_STRING, ptah_addr_format_peer(&seen->peer, peer));
	return rc;
}

static int
on_link(const struct ptah_seen *seen, void *arg)
{
	struct sheet *sheet = arg;
	struct ptah_json *object;

	if (sheet->n == sheet->roll->most) {
		sheet->more++;
		return 0;
	}
	object = ptah_json_new(PTAH_JSON_OBJECT);
	if (!object || fill(object, sheet, seen) != 0) {
		ptah_json_free(object);
		return -ENOMEM;
	}
	sheet->n++;
	return ptah_json_add(sheet->links, object);
}

static void on_sheet(struct ptah_worker *loop, void *arg);

static void
look(struct ptah_worker *worker, void *arg)
{
	struct sheet *sheet = arg;
	struct ptah_roll *roll = sheet->roll;

	for (size_t i = 0; i < roll->n_plans && sheet->rc == 0; i++) {
		sheet->plan = &roll->plans[i];
		sheet->rc = ptah_census(&sheet->plan->flocks[worker->index], roll->addresses, on_link, sheet);
	}
	(void)ptah_worker_post(roll->loop, on_sheet, roll);
}

/* --- the list --------------------------------------------------------------------------- */

static void
roll_free(struct ptah_roll *roll)
{
	for (size_t i = 0; i < roll->n_plans; i++)
		free(roll->plans[i].label);
	for (unsigned i = 0; i < roll->n_sheets; i++)
		ptah_json_free(roll->sheets[i].links);
	free(roll->plans);
	free(roll->sheets);
	free(roll);
}

/* Move links from a sheet to the list, as many as it may have. */
static int
take(struct ptah_json *list, struct sheet *sheet, unsigned most, size_t *more)
{
	int rc = sheet->rc;

	*more += sheet->more;
	for (size_t i = 0; i < sheet->links->n && rc == 0; i++) {
		if (list->n >= most) {
			*more += 1;
			continue;
		}
		rc = ptah_json_add(list, sheet->links->items[i]);
		sheet->links->items[i] = NULL;
	}
	return rc;
}

static struct ptah_json *
make_list(struct ptah_roll *roll)
{
	struct ptah_json *list = ptah_json_new(PTAH_JSON_ARRAY), *object = ptah_json_new(PTAH_JSON_OBJECT);
	size_t more = 0;
	int rc = list && object ? 0 : -ENOMEM;

	for (unsigned i = 0; i < roll->n_sheets && rc == 0; i++)
		rc = take(list, &roll->sheets[i], roll->most, &more);
	if (rc == 0) {
		rc = ptah_json_set(object, "links", list);
		list = NULL;
	}
	if (rc == 0)
		rc = set_number(object, "more", (double)more, 0);
	if (rc == 0)
		rc = set_number(object, "servicesNotListed", (double)roll->n_isolated, 0);
	ptah_json_free(list);
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
	list = fn ? make_list(roll) : NULL;
	roll_free(roll);
	if (fn)
		fn(list, arg);
}

static void
on_sheet(struct ptah_worker *loop, void *arg)
{
	(void)loop;
	come_back(arg);
}

/* --- the call ---------------------------------------------------------------------------- */

static int
add_plan(const struct ptah_run_row *row, void *arg)
{
	struct ptah_roll *roll = arg;
	struct one *more;

	roll->n_isolated += row->cell != NULL;
	/* One that ends already may be gone before a worker looks. */
	if (!row->dispatcher || row->state == PTAH_RUN_ENDS)
		return 0;
	more = reallocarray(roll->plans, roll->n_plans + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	roll->plans = more;
	more[roll->n_plans] = (struct one){ strdup(row->label), ptah_dispatcher_flocks(row->dispatcher) };
	if (!more[roll->n_plans].label)
		return -ENOMEM;
	roll->n_plans++;
	return 0;
}

static int
make_sheets(struct ptah_roll *roll, unsigned n)
{
	roll->sheets = calloc(n, sizeof(*roll->sheets));
	if (!roll->sheets)
		return -ENOMEM;
	for (; roll->n_sheets < n; roll->n_sheets++) {
		roll->sheets[roll->n_sheets] = (struct sheet){ .roll = roll, .links = ptah_json_new(PTAH_JSON_ARRAY) };
		if (!roll->sheets[roll->n_sheets].links)
			return -ENOMEM;
	}
	return 0;
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
	*roll = (struct ptah_roll){ .loop = crew->loop, .most = most, .addresses = addresses, .fn = fn, .arg = arg, .n_open = 1 };
	if (ptah_run_each(run, add_plan, roll) != 0 || make_sheets(roll, crew->n_workers) != 0) {
		roll_free(roll);
		errno = ENOMEM;
		return NULL;
	}
	/* A plan that ends later is heard of by the workers after this, so what we point to is there until they have looked. */
	for (unsigned i = 0; i < crew->n_workers; i++)
		if (ptah_worker_post(crew->workers[i], look, &roll->sheets[i]) == 0)
			roll->n_open++;
		else
			roll->sheets[i].rc = -ENOMEM;
	if (roll->n_open == 1) { /* nobody comes back */
		roll_free(roll);
		errno = ENOMEM;
		return NULL;
	}
	roll->n_open--;
	return roll;
}

void
ptah_roll_forget(struct ptah_roll *roll)
{
	if (roll)
		roll->fn = NULL;
}
