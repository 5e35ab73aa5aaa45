/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The figures as JSON, for people's own programs, `ptah ctl` and the status
 * page.  Keys are camelCase and say their unit.  None is ever left out but for
 * "listen", which not everybody is told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/scrub.h"
#include "control/figures.h"

/* Longest reason. */
#define REASON_MOST 1024

/* What failed on the way is a NULL that ptah_json_set() hands on as -ENOMEM; the first sticks. */
struct maker {
	int rc;
};

static void
set(struct maker *maker, struct ptah_json *object, const char *key, struct ptah_json *value)
{
	int rc = ptah_json_set(object, key, value);

	if (rc != 0)
		maker->rc = rc;
}

static void
set_count(struct maker *maker, struct ptah_json *object, const char *key, uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	set(maker, object, key, ptah_json_new_text(PTAH_JSON_NUMBER, text));
}

static void
set_seconds(struct maker *maker, struct ptah_json *object, const char *key, double s)
{
	char text[64];

	snprintf(text, sizeof(text), "%.3f", s);
	set(maker, object, key, ptah_json_new_text(PTAH_JSON_NUMBER, text));
}

static void
set_text(struct maker *maker, struct ptah_json *object, const char *key, const char *text)
{
	set(maker, object, key, text != NULL ? ptah_json_new_text(PTAH_JSON_STRING, text) : ptah_json_new(PTAH_JSON_NULL));
}

static void
set_truth(struct maker *maker, struct ptah_json *object, const char *key, bool truth)
{
	struct ptah_json *value = ptah_json_new(PTAH_JSON_BOOL);

	if (value != NULL)
		value->truth = truth;
	set(maker, object, key, value);
}

/* Counters under their keys. */
struct key {
	const char *key;
	enum ptah_stat stat;
};

static struct ptah_json *
counts(struct maker *maker, const struct ptah_stats *stats, const struct key *keys, size_t n)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);

	for (size_t i = 0; i < n; i++)
		set_count(maker, object, keys[i].key, ptah_stats_get(stats, keys[i].stat));
	return object;
}

#define SET_COUNTS(name, keys) \
	set(maker, object, name, counts(maker, stats, keys, sizeof(keys) / sizeof((keys)[0])))

static const struct key bytes_keys[] = {
	{ "plainReceived", PTAH_STAT_PLAIN_BYTES_IN }, { "plainSent", PTAH_STAT_PLAIN_BYTES_OUT },
	{ "wireReceived", PTAH_STAT_WIRE_BYTES_IN }, { "wireSent", PTAH_STAT_WIRE_BYTES_OUT },
};

static const struct key refused_keys[] = {
	{ "links", PTAH_STAT_REFUSED_LINKS }, { "rate", PTAH_STAT_REFUSED_RATE }, { "prefix", PTAH_STAT_REFUSED_PREFIX },
};

static const struct key datagram_keys[] = { { "received", PTAH_STAT_UDP_IN }, { "sent", PTAH_STAT_UDP_OUT } };

static const struct key drop_keys[] = {
	{ "waiting", PTAH_STAT_UDP_DROP_WAITING }, { "alien", PTAH_STAT_UDP_DROP_ALIEN }, { "full", PTAH_STAT_UDP_DROP_FULL },
	{ "refused", PTAH_STAT_UDP_DROP_REFUSED }, { "send", PTAH_STAT_UDP_DROP_SEND },
	{ "rejected", PTAH_STAT_UDP_DROP_REJECTED }, { "long", PTAH_STAT_UDP_DROP_LONG },
};

static struct ptah_json *
failures(struct maker *maker, const struct ptah_stats *stats)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);

	for (int i = PTAH_STAT_FAILED_FIRST; i < PTAH_STAT_FAILED_END; i++)
		set_count(maker, object, ptah_figures_reason((enum ptah_stat)i), ptah_stats_get(stats, (enum ptah_stat)i));
	return object;
}

static struct ptah_json *
dials(struct maker *maker, const struct ptah_stats *stats)
{
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);
	uint64_t n = 0;

	for (int i = PTAH_STAT_DIAL_FIRST; i <= PTAH_STAT_DIAL_LAST; i++)
		n += ptah_stats_get(stats, (enum ptah_stat)i);
	set_count(maker, object, "made", n);
	set_count(maker, object, "failed", ptah_stats_get(stats, PTAH_STAT_DIALS_FAILED));
	set_seconds(maker, object, "secondsTotal", (double)ptah_stats_get(stats, PTAH_STAT_DIAL_NS) / 1e9);
	return object;
}

/* A reason may name an address, and is then no text for everybody. */
static void
set_reason(struct maker *maker, struct ptah_json *object, const char *reason, bool addresses)
{
	char text[REASON_MOST];

	if (reason != NULL)
		(void)ptah_scrub(reason, strlen(reason), addresses, text, sizeof(text));
	set_text(maker, object, "reason", reason != NULL ? text : NULL);
}

static struct ptah_json *
service_of(struct maker *maker, const struct ptah_figures_service *service, bool addresses)
{
	const struct ptah_stats *stats = &service->stats;
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);

	set_text(maker, object, "service", service->label);
	set_text(maker, object, "transport", service->transport);
	set_text(maker, object, "role", ptah_figures_role(service->role));
	set_text(maker, object, "mode", service->mode);
	set_text(maker, object, "state", service->state);
	set_reason(maker, object, service->reason, addresses);
	if (addresses)
		set_text(maker, object, "listen", service->listen[0] != '\0' ? service->listen : NULL);
	set_seconds(maker, object, "stateSeconds", service->since_s);
	set_truth(maker, object, "isolated", service->isolated);
	/* One that has no process of its own shares ours, and nobody could say which bytes are its. */
	if (service->resident > 0)
		set_count(maker, object, "residentBytes", service->resident);
	else
		set_text(maker, object, "residentBytes", NULL);
	set_count(maker, object, "plansDraining", service->n_draining);
	set_count(maker, object, "linksOpen", ptah_figures_open(stats));
	set_count(maker, object, "linksTotal", ptah_stats_get(stats, PTAH_STAT_LINKS_OPENED));
	set_count(maker, object, "handshakesCompleted", ptah_stats_get(stats, PTAH_STAT_LINKS_RELAYING));
	set_count(maker, object, "handshakesFailed", ptah_figures_failed(stats));
	set(maker, object, "failedBy", failures(maker, stats));
	set_count(maker, object, "probesHeld", ptah_stats_get(stats, PTAH_STAT_PROBES_HELD));
	set_count(maker, object, "peersRejected", ptah_stats_get(stats, PTAH_STAT_REJECTED));
	set_count(maker, object, "replaysRefused", ptah_stats_get(stats, PTAH_STAT_REPLAYS));
	set_count(maker, object, "acceptPauses", ptah_stats_get(stats, PTAH_STAT_ACCEPT_WAITS));
	SET_COUNTS("bytes", bytes_keys);
	SET_COUNTS("refusedBy", refused_keys);
	SET_COUNTS("datagrams", datagram_keys);
	SET_COUNTS("datagramsDroppedBy", drop_keys);
	set(maker, object, "dials", dials(maker, stats));
	return object;
}

static struct ptah_json *
process_of(struct maker *maker, const struct ptah_figures *figures)
{
	const struct ptah_vitals *vitals = &figures->vitals;
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT);

	set_seconds(maker, object, "startSeconds", vitals->start_s);
	set_seconds(maker, object, "uptimeSeconds", vitals->uptime_s);
	set_seconds(maker, object, "cpuSeconds", vitals->cpu_s);
	set_count(maker, object, "residentBytes", vitals->resident);
	set_count(maker, object, "workers", figures->n_workers);
	set_count(maker, object, "linksOpen", figures->links_open);
	set_count(maker, object, "linksLimit", figures->links_most);
	set_count(maker, object, "reloads", figures->n_reloads);
	set_count(maker, object, "reloadsRefused", figures->n_reloads_refused);
	set_truth(maker, object, "draining", figures->draining);
	return object;
}

struct ptah_json *
ptah_figures_json(const struct ptah_figures *figures, bool addresses)
{
	struct maker maker = { 0 };
	struct ptah_json *object = ptah_json_new(PTAH_JSON_OBJECT), *services = ptah_json_new(PTAH_JSON_ARRAY);

	for (size_t i = 0; i < figures->n_services && services != NULL; i++)
		if (ptah_json_add(services, service_of(&maker, &figures->services[i], addresses)) != 0)
			maker.rc = -1;
	set_text(&maker, object, "version", figures->version);
	set(&maker, object, "process", process_of(&maker, figures));
	set(&maker, object, "services", services);
	if (maker.rc == 0 && object != NULL)
		return object;
	ptah_json_free(object);
	return NULL;
}
