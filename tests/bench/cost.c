/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cost.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef void visit_fn(pid_t pid, void *arg);

static void
each_process(pid_t pid, visit_fn *visit, void *arg)
{
	char path[64];
	struct dirent *task;

	visit(pid, arg);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	if (tasks == NULL)
		return;
	while ((task = readdir(tasks)) != NULL) {
		char name[400];
		int child;

		if (task->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s/children", path,
		    task->d_name);
		FILE *f = fopen(name, "re");
		if (f == NULL)
			continue;
		while (fscanf(f, "%d", &child) == 1)
			each_process(child, visit, arg);
		fclose(f);
	}
	closedir(tasks);
}

/* The clock of a process counts nanoseconds, and its finished threads too. */
static void
add_cpu(pid_t pid, void *arg)
{
	clockid_t clock;
	struct timespec t;
	uint64_t *sum = arg;

	if (clock_getcpuclockid(pid, &clock) == 0 &&
	    clock_gettime(clock, &t) == 0)
		*sum += (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t
cost_cpu_ns(pid_t pid)
{
	uint64_t sum = 0;

	each_process(pid, add_cpu, &sum);
	return sum;
}

static void
add_memory(pid_t pid, void *arg)
{
	struct memory *sum = arg;
	char line[256];
	uint64_t kib;

	snprintf(line, sizeof(line), "/proc/%d/smaps_rollup", (int)pid);
	FILE *f = fopen(line, "re");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Rss: %" SCNu64, &kib) == 1)
			sum->rss_kib += kib;
		else if (sscanf(line, "Pss: %" SCNu64, &kib) == 1)
			sum->pss_kib += kib;
	}
	fclose(f);
}

struct memory
cost_memory(pid_t pid)
{
	struct memory sum = { 0 };

	each_process(pid, add_memory, &sum);
	return sum;
}
