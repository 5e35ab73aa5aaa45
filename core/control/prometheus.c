/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The text that Prometheus reads, version 0.0.4: for each metric its HELP and
 * TYPE, and then all of its samples.  Names and units are as its conventions
 * want them: base units, _total for what only grows; what a process has of
 * itself has the names that all exporters give it.
 */
#include <inttypes.h>
#include <string.h>

#include "control/figures.h"

#define COUNTER "counter"
#define GAUGE "gauge"

/* A metric of a service that is a sum of one counter, or one of several that a label tells apart. */
struct metric {
	const char *name, *type, *help;
	const char *label; /* NULL: one sample */
	struct sample {
		const char *value; /* of the label */
		enum ptah_stat stat;
	} samples[8];
	unsigned n;
};

static const struct metric metrics[] = {
	{ "ptah_links_total", COUNTER, "Links that began.", NULL, { { NULL, PTAH_STAT_LINKS_OPENED } }, 1 },
	{ "ptah_handshakes_completed_total", COUNTER, "Links that got as far as carrying bytes.", NULL,
	    { { NULL, PTAH_STAT_LINKS_RELAYING } }, 1 },
	{ "ptah_probes_held", GAUGE, "Peers that failed to authenticate and whose connection is kept open, silently.", NULL,
	    { { NULL, PTAH_STAT_PROBES_HELD } }, 1 },
	{ "ptah_peers_rejected_total", COUNTER, "Peers that failed to authenticate.", NULL, { { NULL, PTAH_STAT_REJECTED } }, 1 },
	{ "ptah_replays_refused_total", COUNTER, "Handshakes and messages that had come before.", NULL,
	    { { NULL, PTAH_STAT_REPLAYS } }, 1 },
	{ "ptah_dial_failures_total", COUNTER, "Connections to servers that were not made.", NULL,
	    { { NULL, PTAH_STAT_DIALS_FAILED } }, 1 },
	{ "ptah_timeouts_total", COUNTER, "Dials and handshakes that ran into their limit.", NULL, { { NULL, PTAH_STAT_TIMEOUTS } }, 1 },
	{ "ptah_accept_pauses_total", COUNTER, "Times that new connections waited, for want of descriptors or memory.", NULL,
	    { { NULL, PTAH_STAT_ACCEPT_WAITS } }, 1 },
	{ "ptah_connections_refused_total", COUNTER, "New links that had to wait or were turned away, by the limit of the service that was reached.", "limit",
	    { { "links", PTAH_STAT_REFUSED_LINKS }, { "rate", PTAH_STAT_REFUSED_RATE }, { "prefix", PTAH_STAT_REFUSED_PREFIX } }, 3 },
	{ "ptah_plain_bytes_total", COUNTER, "Bytes on the side that trusts us.", "direction",
	    { { "received", PTAH_STAT_PLAIN_BYTES_IN }, { "sent", PTAH_STAT_PLAIN_BYTES_OUT } }, 2 },
	{ "ptah_wire_bytes_total", COUNTER, "Bytes on the side that a censor may read.", "direction",
	    { { "received", PTAH_STAT_WIRE_BYTES_IN }, { "sent", PTAH_STAT_WIRE_BYTES_OUT } }, 2 },
	{ "ptah_datagrams_total", COUNTER, "Datagrams of the UDP modes, on the side that trusts us.", "direction",
	    { { "received", PTAH_STAT_UDP_IN }, { "sent", PTAH_STAT_UDP_OUT } }, 2 },
	{ "ptah_datagrams_dropped_total", COUNTER, "Datagrams that were lost here, by reason.", "reason",
	    { { "waiting", PTAH_STAT_UDP_DROP_WAITING }, { "alien", PTAH_STAT_UDP_DROP_ALIEN }, { "full", PTAH_STAT_UDP_DROP_FULL },
	    { "refused", PTAH_STAT_UDP_DROP_REFUSED }, { "send", PTAH_STAT_UDP_DROP_SEND },
	    { "rejected", PTAH_STAT_UDP_DROP_REJECTED }, { "long", PTAH_STAT_UDP_DROP_LONG } }, 7 },
	{ "ptah_datagram_sources_evicted_total", COUNTER, "Sources of datagrams that had to go for a new one.", NULL,
	    { { NULL, PTAH_STAT_UDP_EVICTED } }, 1 },
};

static void
put_head(struct ptah_buf *out, const char *name, const char *type, const char *help)
{
	ptah_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put_escaped(struct ptah_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"')
			ptah_buf_printf(out, "\\%c", *text);
		else if (*text == '\n')
			ptah_buf_puts(out, "\\n");
		else
			ptah_buf_add(out, text, 1);
	}
}

/* name{service="...",transport="...",role="..."; without the brace that closes. */
static void
put_name(struct ptah_buf *out, const char *name, const struct ptah_figures_service *service)
{
	ptah_buf_printf(out, "%s{service=\"", name);
	put_escaped(out, service->label);
	ptah_buf_puts(out, "\",transport=\"");
	put_escaped(out, service->transport);
	ptah_buf_printf(out, "\",role=\"%s\"", ptah_figures_role(service->role));
}

static void
put_sample(struct ptah_buf *out, const char *name, const struct ptah_figures_service *service, const char *label,
    const char *value, uint64_t n)
{
	put_name(out, name, service);
	if (label != NULL)
		ptah_buf_printf(out, ",%s=\"%s\"", label, value);
	ptah_buf_printf(out, "} %" PRIu64 "\n", n);
}

static void
put_metric(struct ptah_buf *out, const struct metric *metric, const struct ptah_figures *figures)
{
	put_head(out, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < figures->n_services; i++)
		for (unsigned j = 0; j < metric->n; j++)
			put_sample(out, metric->name, &figures->services[i], metric->label, metric->samples[j].value,
			    ptah_stats_get(&figures->services[i].stats, metric->samples[j].stat));
}

static void
put_failures(struct ptah_buf *out, const struct ptah_figures *figures)
{
	static const char name[] = "ptah_handshake_failures_total";

	put_head(out, name, COUNTER, "Links that ended before they carried bytes, by reason.");
	for (size_t i = 0; i < figures->n_services; i++)
		for (int j = PTAH_STAT_FAILED_FIRST; j < PTAH_STAT_FAILED_END; j++)
			put_sample(out, name, &figures->services[i], "reason", ptah_figures_reason((enum ptah_stat)j),
			    ptah_stats_get(&figures->services[i].stats, (enum ptah_stat)j));
}

/* A histogram: each bucket counts those below it, too. */
static void
put_dials(struct ptah_buf *out, const struct ptah_figures *figures)
{
	static const char name[] = "ptah_dial_duration_seconds";

	put_head(out, name, "histogram", "How long connecting took: a client to its server, a server to its target.");
	for (size_t i = 0; i < figures->n_services; i++) {
		const struct ptah_figures_service *service = &figures->services[i];
		uint64_t n = 0;

		for (int j = 0; j < PTAH_STATS_DIAL_BUCKETS; j++) {
			n += ptah_stats_get(&service->stats, (enum ptah_stat)(PTAH_STAT_DIAL_FIRST + j));
			put_name(out, "ptah_dial_duration_seconds_bucket", service);
			ptah_buf_printf(out, ",le=\"%g\"} %" PRIu64 "\n", ptah_stats_dial_ms[j] / 1000.0, n);
		}
		n += ptah_stats_get(&service->stats, PTAH_STAT_DIAL_LAST);
		put_sample(out, "ptah_dial_duration_seconds_bucket", service, "le", "+Inf", n);
		put_name(out, "ptah_dial_duration_seconds_sum", service);
		ptah_buf_printf(out, "} %.9f\n", (double)ptah_stats_get(&service->stats, PTAH_STAT_DIAL_NS) / 1e9);
		put_sample(out, "ptah_dial_duration_seconds_count", service, NULL, NULL, n);
	}
}

static void
put_states(struct ptah_buf *out, const struct ptah_figures *figures)
{
	put_head(out, "ptah_service_up", GAUGE, "Whether the service takes connections.");
	for (size_t i = 0; i < figures->n_services; i++)
		put_sample(out, "ptah_service_up", &figures->services[i], NULL, NULL, figures->services[i].serves);
	put_head(out, "ptah_links_open", GAUGE, "Links that have not ended.");
	for (size_t i = 0; i < figures->n_services; i++)
		put_sample(out, "ptah_links_open", &figures->services[i], NULL, NULL, ptah_figures_open(&figures->services[i].stats));
}

/* Of those that have processes of their own. */
static void
put_memory(struct ptah_buf *out, const struct ptah_figures *figures)
{
	static const char name[] = "ptah_service_resident_memory_bytes";

	put_head(out, name, GAUGE, "Memory of the processes of an isolated service, with what they share with others.");
	for (size_t i = 0; i < figures->n_services; i++)
		if (figures->services[i].resident > 0)
			put_sample(out, name, &figures->services[i], NULL, NULL, figures->services[i].resident);
}

static void
put_one(struct ptah_buf *out, const char *name, const char *type, const char *help, double value)
{
	put_head(out, name, type, help);
	ptah_buf_printf(out, "%s %.15g\n", name, value);
}

static void
put_process(struct ptah_buf *out, const struct ptah_figures *figures)
{
	const struct ptah_vitals *vitals = &figures->vitals;

	put_head(out, "ptah_build_info", GAUGE, "Which ptah this is; always 1.");
	ptah_buf_puts(out, "ptah_build_info{version=\"");
	put_escaped(out, figures->version);
	ptah_buf_puts(out, "\"} 1\n");
	put_one(out, "ptah_workers", GAUGE, "Threads that carry links.", figures->n_workers);
	put_one(out, "ptah_process_links_open", GAUGE, "Links of all services that hold descriptors.", figures->links_open);
	put_one(out, "ptah_process_links_limit", GAUGE, "How many of them there may be.", figures->links_most);
	put_head(out, "ptah_reloads_total", COUNTER, "Times that the configuration was read again, by how that went.");
	ptah_buf_printf(out, "ptah_reloads_total{result=\"taken\"} %" PRIu64 "\nptah_reloads_total{result=\"refused\"} %" PRIu64 "\n",
	    figures->n_reloads, figures->n_reloads_refused);
	put_one(out, "process_start_time_seconds", GAUGE, "When the process began, in seconds since 1970.", vitals->start_s);
	put_one(out, "process_cpu_seconds_total", COUNTER, "Time that all its threads spent on processors.", vitals->cpu_s);
	put_one(out, "process_max_fds", GAUGE, "Descriptors that it may have.", vitals->descriptors_most);
	if (vitals->resident == 0)
		return;
	put_one(out, "process_resident_memory_bytes", GAUGE, "Memory that is really there.", (double)vitals->resident);
	put_one(out, "process_virtual_memory_bytes", GAUGE, "Address space.", (double)vitals->virtual);
}

int
ptah_figures_prometheus(const struct ptah_figures *figures, struct ptah_buf *out)
{
	put_process(out, figures);
	put_states(out, figures);
	put_memory(out, figures);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		put_metric(out, &metrics[i], figures);
	put_failures(out, figures);
	put_dials(out, figures);
	return out->rc;
}
