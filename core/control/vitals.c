/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/vitals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define STATM "/proc/self/statm"

static double
seconds(clockid_t clock)
{
	struct timespec now = { 0 };

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void
ptah_pulse_open(struct ptah_pulse *pulse)
{
	*pulse = (struct ptah_pulse){
		.statm = open(STATM, O_RDONLY | O_CLOEXEC), .start_s = seconds(CLOCK_REALTIME), .start_ns = ptah_clock_now_ns(),
	};
}

void
ptah_pulse_close(struct ptah_pulse *pulse)
{
	if (pulse->statm != -1)
		close(pulse->statm);
	pulse->statm = -1;
}

/* "virtual resident ...", in pages. */
static void
take_memory(int statm, struct ptah_vitals *out)
{
	char text[128];
	ssize_t n = statm != -1 ? pread(statm, text, sizeof(text) - 1, 0) : -1;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char *end;

	if (n <= 0)
		return;
	text[n] = '\0';
	out->virtual = strtoull(text, &end, 10) * page;
	out->resident = strtoull(end, NULL, 10) * page;
}

void
ptah_pulse_take(const struct ptah_pulse *pulse, struct ptah_vitals *out)
{
	struct rlimit limit = { 0 };

	*out = (struct ptah_vitals){
		.start_s = pulse->start_s, .cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID),
		.uptime_s = (double)(ptah_clock_now_ns() - pulse->start_ns) / 1e9,
	};
	take_memory(pulse->statm, out);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		out->descriptors_most = limit.rlim_cur < UINT32_MAX ? (unsigned)limit.rlim_cur : UINT32_MAX;
}
