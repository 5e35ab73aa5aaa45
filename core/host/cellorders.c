/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "config/carry.h"
#include "host/cellself.h"
#include "plain/extor.h"
#include "transport/registry.h"
#include "wire/pass.h"
#include "wire/place.h"

/* Dials of one cell at a time: an eighth of all descriptors, between these for each of its workers. */
#define DIALS_PART 8
#define DIALS_LEAST 16u
#define DIALS_MOST 1024u

static int
tell_with(const struct ptah_cell *cell, uint32_t what, uint64_t value, const char *text, const int *fds, unsigned n)
{
	struct ptah_cell_word word = { .what = what, .value = value };
	size_t len = strlen(text);

	memcpy(word.text, text, len);
	return ptah_pass_send(cell->life.fd, &word, PTAH_CELL_HEAD + len, fds, n);
}

int
ptah_cell_tell(const struct ptah_cell *cell, uint32_t what, uint64_t value)
{
	return tell_with(cell, what, value, "", NULL, 0);
}

static int
log_level(void)
{
	int level = PTAH_LOG_ERROR;

	while (level < PTAH_LOG_DEBUG && ptah_log_hears(level + 1))
		level++;
	return level;
}

/* Where modules are, with colons between.  Gives: a text for free(), or NULL. */
static char *
join_folders(const struct ptah_registry *registry)
{
	struct ptah_buf text = { 0 };

	ptah_buf_puts(&text, "");
	for (const char *const *folder = ptah_registry_folders(registry); *folder; folder++)
		ptah_buf_printf(&text, "%s%s", text.len > 0 ? ":" : "", *folder);
	return ptah_buf_take_text(&text);
}

/* By a file that has no name: what is on a command line or in an environment others can read. */
static int
tell_plan(const struct ptah_cell *cell)
{
	struct ptah_plan plan = *cell->plan;
	struct ptah_buf text = { 0 };
	int fd = memfd_create("ptah-plan", MFD_CLOEXEC), rc = fd == -1 ? -errno : 0;

	/* What is one for the process is as it was at the start. */
	plan.workers = cell->n_workers;
	plan.peer_timeout_s = cell->crew->how.peer_timeout_s;
	plan.module_dir = NULL;
	plan.module_path = join_folders(cell->crew->registry);
	if (rc == 0)
		rc = plan.module_path ? ptah_plan_carry(&plan, &text) : -ENOMEM;
	free(plan.module_path);

	if (rc == 0 && ptah_write_full(fd, text.at, text.len) != (ssize_t)text.len)
		rc = -EIO;
	if (rc == 0)
		rc = tell_with(cell, PTAH_CELL_PLAN, (uint64_t)log_level(), "", &fd, 1);
	ptah_buf_wipe(&text);
	if (fd != -1)
		close(fd);
	return rc;
}

static int
tell_places(struct ptah_cell *cell)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < cell->n_places; i++) {
		const struct ptah_service *service = &cell->plan->services[0];
		char text[PTAH_ADDR_TEXT];
		struct ptah_addr bound;
		int fds[PTAH_WORKERS_MAX];

		rc = ptah_place_share(cell->places[i], fds, &bound);
		if (rc != 0)
			break;
		if (i == 0)
			cell->bound = bound;
		ptah_addr_format(i == 0 ? &service->listen : &service->also[i - 1], text);
		rc = tell_with(cell, PTAH_CELL_PLACE, 0, cell->plan->activation ? cell->plan->activation : text, fds,
		    cell->n_workers);
		for (unsigned k = 0; k < cell->n_workers; k++)
			close(fds[k]);
	}
	return rc;
}

/* ---- where it may go -------------------------------------------------------------------- */

static bool
may_go(const struct ptah_dest *dest, void *arg)
{
	const struct ptah_cell *cell = arg;

	return ptah_reach_has(&cell->reach, dest);
}

static void
on_refused(const struct ptah_dest *dest, void *arg)
{
	struct ptah_cell *cell = arg;
	char text[PTAH_DEST_TEXT];

	ptah_warn_often(&cell->refused, AREA_HOST, "%s: its process asked for a connection to " PTAH_PRIVATE_FMT
	    ", which its configuration does not name: refused", cell->plan->label, ptah_dest_format(dest, text));
}

static int
read_cookie(const struct ptah_dest *dest, uint8_t out[static PTAH_BROKER_SECRET], void *arg)
{
	const struct ptah_cell *cell = arg;

	_Static_assert(PTAH_BROKER_SECRET == PTAH_EXTOR_COOKIE, "the one secret that there is");
	(void)dest; /* with an Extended ORPort there is no other place */
	return cell->plan->has_extorport ? ptah_extor_cookie_read(cell->plan->cookie_path, out) : -ENOENT;
}

/* Who takes no answer keeps their descriptors with us: of all that there are it may have a part, and others the rest. */
static unsigned
dials_most(const struct ptah_cell *cell)
{
	unsigned most = cell->crew->how.descriptors / DIALS_PART / cell->n_workers;

	return most < DIALS_LEAST ? DIALS_LEAST : most > DIALS_MOST ? DIALS_MOST : most;
}

static int
open_channels(struct ptah_cell *cell)
{
	const struct ptah_agent_how how = {
		.loop = cell->crew->loop, .dial = &cell->dial, .most = dials_most(cell), .may = may_go, .secret = read_cookie,
		.refused = on_refused, .arg = cell,
	};
	int theirs[PTAH_WORKERS_MAX], rc = 0;
	unsigned n = 0;

	while (rc == 0 && n < cell->n_workers) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1) {
			rc = -errno;
			break;
		}
		theirs[n] = pair[1];
		cell->life.agents[n++] = ptah_agent_new(&how, pair[0]);
		rc = cell->life.agents[n - 1] ? 0 : -ENOMEM;
	}
	if (rc == 0)
		rc = tell_with(cell, PTAH_CELL_CHANNELS, 0, "", theirs, n);
	while (n > 0)
		close(theirs[--n]);
	return rc;
}

int
ptah_cell_tell_beginning(struct ptah_cell *cell)
{
	int rc = tell_plan(cell);

	if (rc == 0)
		rc = open_channels(cell);
	if (rc == 0)
		rc = tell_places(cell);
	return rc == 0 ? ptah_cell_tell(cell, PTAH_CELL_GO, cell->crew->held) : rc;
}
