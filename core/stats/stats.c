/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats/stats.h"

#include <errno.h>

#include "base/clock.h"
#include "loop/worker.h"

_Static_assert(sizeof(struct ptah_stats) <= PTAH_WORKER_STATS_LEN,
    "a worker has room for its counters");

static const char *const names[PTAH_STAT_NAMED_N] = {
	[PTAH_STAT_LINKS_OPENED] = "links_opened",
	[PTAH_STAT_LINKS_CLOSED] = "links_closed",
	[PTAH_STAT_LINKS_RELAYING] = "links_relaying",
	[PTAH_STAT_PLAIN_BYTES_IN] = "plain_bytes_in",
	[PTAH_STAT_PLAIN_BYTES_OUT] = "plain_bytes_out",
	[PTAH_STAT_WIRE_BYTES_IN] = "wire_bytes_in",
	[PTAH_STAT_WIRE_BYTES_OUT] = "wire_bytes_out",
	[PTAH_STAT_DIALS_FAILED] = "dials_failed",
	[PTAH_STAT_HANDSHAKES_FAILED] = "handshakes_failed",
	[PTAH_STAT_REJECTED] = "rejected",
	[PTAH_STAT_TIMEOUTS] = "timeouts",
	[PTAH_STAT_ACCEPT_WAITS] = "accept_waits",
	[PTAH_STAT_UDP_IN] = "udp_in",
	[PTAH_STAT_UDP_OUT] = "udp_out",
	[PTAH_STAT_UDP_EVICTED] = "udp_evicted",
	[PTAH_STAT_UDP_DROP_WAITING] = "udp_drop_waiting",
	[PTAH_STAT_UDP_DROP_ALIEN] = "udp_drop_alien",
	[PTAH_STAT_UDP_DROP_FULL] = "udp_drop_full",
	[PTAH_STAT_UDP_DROP_REFUSED] = "udp_drop_refused",
	[PTAH_STAT_UDP_DROP_SEND] = "udp_drop_send",
	[PTAH_STAT_UDP_DROP_REJECTED] = "udp_drop_rejected",
	[PTAH_STAT_UDP_DROP_LONG] = "udp_drop_long",
};

const uint32_t ptah_stats_dial_ms[PTAH_STATS_DIAL_BUCKETS] = {
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000,
};

const char *
ptah_stats_name(enum ptah_stat which)
{
	return names[which];
}

void
ptah_stats_sum(struct ptah_stats *sum, const struct ptah_stats *one)
{
	for (int i = 0; i < PTAH_STAT_N; i++)
		ptah_stats_add(sum, (enum ptah_stat)i,
		    atomic_load_explicit(&one->at[i], memory_order_relaxed));
}

bool
ptah_stats_is_still(const struct ptah_stats *stats)
{
	return atomic_load_explicit(&stats->at[PTAH_STAT_PROBES_HELD], memory_order_acquire) == 0;
}

void
ptah_stats_dialed(struct ptah_stats *stats, uint64_t ns)
{
	unsigned i = 0;

	while (i < PTAH_STATS_DIAL_BUCKETS && ns > ptah_stats_dial_ms[i] * PTAH_NS_PER_MS)
		i++;
	ptah_stats_add(stats, (enum ptah_stat)(PTAH_STAT_DIAL_FIRST + i), 1);
	ptah_stats_add(stats, PTAH_STAT_DIAL_NS, ns);
}

enum ptah_stat
ptah_stats_failure(int rc)
{
	switch (-rc) {
	case EACCES:
		return PTAH_STAT_FAILED_REJECTED;
	case ETIMEDOUT:
		return PTAH_STAT_FAILED_TIMEOUT;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return PTAH_STAT_FAILED_CLOSED;
	case EPROTO:
	case EBADMSG:
	case EMSGSIZE:
		return PTAH_STAT_FAILED_PROTOCOL;
	case ECANCELED:
		return PTAH_STAT_FAILED_CANCELLED;
	default:
		return PTAH_STAT_FAILED_OTHER;
	}
}
