/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/vitals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
take_memory(int statm, uint64_t *resident, uint64_t *virtual)
{
	char text[128];
	ssize_t n = statm != -1 ? pread(statm, text, sizeof(text) - 1, 0) : -1;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char *end;

	*resident = *virtual = 0;
	if (n <= 0)
		return;
	text[n] = '\0';
	*virtual = strtoull(text, &end, 10) * page;
	*resident = strtoull(end, NULL, 10) * page;
}

int
ptah_statm_open(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd == -1 ? -errno : fd;
}

uint64_t
ptah_statm_resident(int statm)
{
	uint64_t resident, virtual;

	take_memory(statm, &resident, &virtual);
	return resident;
}

void
ptah_pulse_take(const struct ptah_pulse *pulse, struct ptah_vitals *out)
{
	struct rlimit limit = { 0 };

	*out = (struct ptah_vitals){
		.start_s = pulse->start_s, .cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID),
		.uptime_s = (double)(ptah_clock_now_ns() - pulse->start_ns) / 1e9,
	};
	take_memory(pulse->statm, &out->resident, &out->virtual);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		out->descriptors_most = limit.rlim_cur < UINT32_MAX ? (unsigned)limit.rlim_cur : UINT32_MAX;
}
