/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/crew.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/remember.h"
#include "relay/link.h"
#include "relay/through.h"
#include "stats/stats.h"
#include "transport/registry.h"
#include "wire/place.h"

/* Where there are many descriptors, these are kept for names, state and second attempts to connect. */
#define DESCRIPTORS_KEPT 64u
#define DESCRIPTORS_MANY 512u
/* Of all descriptors, what rejected peers may have. */
#define REJECTED_PART 8
/* More links than this are not taken: they wait in the kernel. */
#define LINKS_MOST 131072u
/* How often ptah_crew_run_until() looks whether it is late. */
#define LATE_LOOK_MS 50
/*
 * Of the time between two looks no more than this counts: a machine that stands
 * still is not a module that hangs.  And however late it is, so much is left.
 */
#define LATE_COUNTS_MS 200
#define LATE_LEAST_MS 400
/* How long a start that failed may take to be undone. */
#define START_UNDONE_MS 2000

/* --- what homes ask for ------------------------------------------------------ */

/* What a home asks the main thread to do for it. */
struct errand {
	void (*fn)(void *arg);
	void *arg;
};

static void
on_errand(struct ptah_worker *loop, void *arg)
{
	struct errand errand = *(struct errand *)arg;

	(void)loop;
	free(arg);
	errand.fn(errand.arg);
}

static int
on_main(void *arg, void (*fn)(void *arg), void *fn_arg)
{
	struct ptah_crew *crew = arg;
	struct errand *errand = malloc(sizeof(*errand));
	int rc;

	if (!errand)
		return -ENOMEM;
	*errand = (struct errand){ fn, fn_arg };
	rc = ptah_worker_post(crew->loop, on_errand, errand);
	if (rc != 0)
		free(errand);
	return rc;
}

static void
on_status(void *arg, const char *text, size_t len)
{
	const struct ptah_crew *crew = arg;

	if (crew->how.on_status)
		crew->how.on_status(text, len, crew->how.arg);
}

/* --- birth --------------------------------------------------------------------- */

static int
make_workers(struct ptah_crew *crew)
{
	unsigned n = crew->how.n_workers;

	crew->workers = calloc(n, sizeof(struct ptah_worker *));
	crew->letters = calloc(n, sizeof(*crew->letters));
	if (!crew->workers || !crew->letters)
		return -ENOMEM;
	for (; crew->n_workers < n; crew->n_workers++) {
		struct ptah_worker *worker = ptah_worker_new(crew->n_workers);

		if (!worker)
			return -errno;
		worker->gone_s = crew->how.peer_timeout_s;
		crew->workers[crew->n_workers] = worker;
		/* Dispatchers look in the next turn whether the last link has gone. */
		if (ptah_deadline_reserve(worker, 0) != 0) {
			crew->n_workers++;
			return -ENOMEM;
		}
	}
	return 0;
}

static int
make_registry(struct ptah_crew *crew)
{
	crew->registry = ptah_registry_new(crew->how.module_path, crew->how.module_dir);
	if (!crew->registry)
		return -errno;
	if (crew->how.hot)
		ptah_registry_make_hot(crew->registry);
	if (crew->how.guarded)
		ptah_registry_guard_state(crew->registry);
	crew->hands = (struct ptah_hands){ .through = &ptah_through_links, .on_main = on_main, .status = on_status, .arg = crew };
	ptah_registry_set_hands(crew->registry, &crew->hands);
	if (!crew->how.replay_folder)
		return 0;
	crew->remember = ptah_remember_begin(crew->registry, crew->loop, crew->how.replay_folder);
	return crew->remember ? 0 : -errno;
}

/* Peers that failed to authenticate are kept open a while, but never so many that good ones wait for it. */
static unsigned
rejected_each(const struct ptah_crew *crew)
{
	unsigned each = crew->how.descriptors / REJECTED_PART / crew->n_workers;

	if (each > PTAH_REJECTED_MOST)
		each = PTAH_REJECTED_MOST;
	return each > 0 ? each : 1;
}

void
ptah_crew_set_quota(struct ptah_crew *crew)
{
	unsigned descriptors = crew->how.descriptors;
	int next = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0); /* as many are open as its number says */
	unsigned used = next == -1 ? descriptors : (unsigned)next;

	if (next != -1)
		close(next);
	if (descriptors >= DESCRIPTORS_MANY)
		used += DESCRIPTORS_KEPT;
	if (crew->how.serves)
		used += rejected_each(crew) * crew->n_workers;

	/* A link costs two descriptors: what cannot have both waits in the kernel. */
	unsigned most = used < descriptors ? (descriptors - used) / 2 : 0;

	if (most == 0)
		most = 1;
	atomic_store(&crew->quota.most, most < LINKS_MOST ? most : LINKS_MOST);
}

static int
start_workers(struct ptah_crew *crew)
{
	crew->quota.spilled_most = PTAH_SPILLED_MOST / crew->n_workers;
	ptah_crew_set_quota(crew);
	for (unsigned i = 0; i < crew->n_workers; i++) {
		if (crew->how.serves)
			ptah_links_keep_rejected(crew->workers[i], rejected_each(crew));

		int rc = ptah_worker_start(crew->workers[i]);

		if (rc != 0)
			return rc;
	}
	return 0;
}

/* The file that they come from may be read anew, and then they are gone. */
static int
copy_texts(struct ptah_crew *crew)
{
	const char **texts[] = { &crew->how.module_path, &crew->how.module_dir, &crew->how.replay_folder };
	int rc = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		crew->texts[i] = *texts[i] ? strdup(*texts[i]) : NULL;
		if (*texts[i] && !crew->texts[i])
			rc = -ENOMEM;
		*texts[i] = crew->texts[i];
	}
	return rc;
}

struct ptah_crew *
ptah_crew_start(const struct ptah_crew_how *how, struct ptah_worker *loop)
{
	struct ptah_crew *crew = ptah_deadline_reserve(loop, LATE_LOOK_MS) == 0 ? calloc(1, sizeof(*crew)) : NULL;
	int rc;

	if (!crew) {
		errno = ENOMEM;
		return NULL;
	}
	crew->loop = loop;
	crew->how = *how;
	crew->tallies.n_workers = how->n_workers;
	crew->places = ptah_places_new(how->n_workers);
	rc = copy_texts(crew);
	if (rc == 0)
		rc = crew->places ? make_registry(crew) : -ENOMEM;
	if (rc == 0)
		rc = make_workers(crew);
	if (rc == 0)
		rc = start_workers(crew);
	if (rc == 0)
		return crew;
	(void)ptah_crew_stop(crew, ptah_clock_now_ns() + START_UNDONE_MS * PTAH_NS_PER_MS);
	errno = -rc;
	return NULL;
}

/* --- death --------------------------------------------------------------------- */

static void
on_look(struct ptah_deadline *deadline, void *arg)
{
	struct ptah_crew *crew = arg;

	(void)deadline;
	(void)ptah_deadline_set(crew->loop, &crew->look, LATE_LOOK_MS, on_look, crew); /* it is reserved */
}

static uint64_t
left_until(uint64_t until_ns)
{
	uint64_t now_ns = ptah_clock_now_ns(), least_ns = LATE_LEAST_MS * PTAH_NS_PER_MS;

	return until_ns > now_ns + least_ns ? until_ns - now_ns : least_ns;
}

bool
ptah_crew_run_until(struct ptah_crew *crew, const bool *over, uint64_t until_ns)
{
	uint64_t left_ns = left_until(until_ns), looked_ns = ptah_clock_now_ns();

	on_look(NULL, crew);
	while (!*over && left_ns > 0) {
		if (event_base_loop(crew->loop->base, EVLOOP_ONCE) == -1)
			break;

		uint64_t now_ns = ptah_clock_now_ns(), used_ns = now_ns - looked_ns;

		if (used_ns > LATE_COUNTS_MS * PTAH_NS_PER_MS)
			used_ns = LATE_COUNTS_MS * PTAH_NS_PER_MS;
		left_ns -= used_ns < left_ns ? used_ns : left_ns;
		looked_ns = now_ns;
	}
	ptah_deadline_clear(&crew->look);
	return *over;
}

static void
end_here(struct ptah_worker *worker, void *arg)
{
	(void)arg;
	ptah_links_free(worker);
}

static bool
stop_worker(struct ptah_worker *worker, uint64_t left_ns)
{
	for (uint64_t left_ms = left_ns / PTAH_NS_PER_MS; left_ms > 0;) {
		unsigned ms = left_ms < LATE_COUNTS_MS ? (unsigned)left_ms : LATE_COUNTS_MS;

		if (ptah_worker_stop(worker, ms) == 0)
			return true;
		left_ms -= ms;
	}
	return false;
}

static bool
stop_workers(struct ptah_crew *crew, uint64_t until_ns)
{
	for (unsigned i = 0; i < crew->n_workers; i++)
		(void)ptah_worker_send(crew->workers[i], &crew->letters[i], end_here, NULL);
	for (unsigned i = 0; i < crew->n_workers; i++) {
		if (!stop_worker(crew->workers[i], left_until(until_ns)))
			return false;
	}
	return true;
}

int
ptah_crew_stop(struct ptah_crew *crew, uint64_t until_ns)
{
	if (!crew)
		return 0;
	if (!stop_workers(crew, until_ns))
		return -ETIMEDOUT;
	ptah_remember_last(crew->remember);
	if (crew->registry)
		ptah_registry_flush(crew->registry);
	ptah_remember_end(crew->remember);
	for (unsigned i = 0; i < crew->n_workers; i++)
		ptah_worker_free(crew->workers[i]);
	ptah_registry_free(crew->registry);
	ptah_places_free(crew->places);
	ptah_tallies_clear(&crew->tallies);
	ptah_deadline_clear(&crew->look);
	free(crew->workers);
	free(crew->letters);
	for (size_t i = 0; i < sizeof(crew->texts) / sizeof(crew->texts[0]); i++)
		free(crew->texts[i]);
	free(crew);
	return 0;
}

void
ptah_crew_stats(const struct ptah_crew *crew, struct ptah_stats *sum)
{
	ptah_tallies_sum(&crew->tallies, sum);
	for (unsigned i = 0; i < crew->n_workers; i++)
		ptah_stats_sum(sum, crew->workers[i]->stats);
}

void
ptah_crew_log_stats(const struct ptah_crew *crew)
{
	struct ptah_stats sum = { 0 };
	char text[1024] = "";
	size_t len = 0;

	ptah_crew_stats(crew, &sum);
	for (int i = 0; i < PTAH_STAT_NAMED_N && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s=%llu",
		    ptah_stats_name((enum ptah_stat)i), (unsigned long long)sum.at[i]);
	ptah_notice(AREA_HOST, "counters:%s", text);
}
