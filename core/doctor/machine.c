/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "proc/filter.h"
#include "proc/landlock.h"

/* A link has two; names, state, listeners and peers that are let hang take these, and an eighth. */
#define EACH 2
#define BESIDE 128
/* Where nobody says how many links, so many should be possible. */
#define LINKS_LEAST 1000

/* ---- descriptors --------------------------------------------------------------------- */

/* How many the links that are asked for will take; 0: nobody has said. */
static unsigned long long
asked_for(const struct ptah_exam *exam)
{
	unsigned long long links = 0;

	for (size_t i = 0; i < exam->n_cases; i++)
		links += exam->cases[i].plan->bounds.links;
	return links;
}

bool
ptah_check_descriptors(struct ptah_exam *exam)
{
	unsigned long long links = asked_for(exam), wanted, most;
	struct rlimit limit;
	const char *whose = "this shell";

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return false;
	most = limit.rlim_max;
	if (exam->unit.descriptors > 0) {
		most = exam->unit.descriptors;
		whose = exam->unit.name;
	}
	wanted = (links > 0 ? links : LINKS_LEAST) * EACH;
	wanted += wanted / 7 + BESIDE;
	if (most >= wanted)
		return true;
	if (links > 0)
		ptah_exam_fault(exam, NULL, "%llu descriptors are few for the %llu links that \"links\" promises (limit of %s)", most, links, whose);
	else
		ptah_exam_warn(exam, NULL, "%llu descriptors are enough for about %llu links (limit of %s)", most,
		    most > BESIDE ? (most - BESIDE) * 7 / 8 / EACH : 1, whose);
	ptah_exam_cure(exam, "LimitNOFILE=%llu in the unit that starts it, or: ulimit -Hn %llu", wanted, wanted);
	return true;
}

/* ---- the kernel ---------------------------------------------------------------------- */

bool
ptah_check_random(struct ptah_exam *exam)
{
	unsigned char byte;

	if (getrandom(&byte, 1, GRND_NONBLOCK) == 1 || errno == ENOSYS)
		return true;
	ptah_exam_fault(exam, NULL, "the kernel has gathered no randomness yet: ptah would wait for it at its start");
	ptah_exam_cure(exam, "give a virtual machine a random device (virtio-rng), or install jitterentropy-rngd or haveged");
	return true;
}

static void
cure_kernel(struct ptah_exam *exam, bool filter, int level)
{
	if (level == 0)
		ptah_exam_cure(exam, "boot with lsm=landlock,... (see /sys/kernel/security/lsm) and a kernel of 5.13 or later");
	if (!filter)
		ptah_exam_cure(exam, "boot a kernel with CONFIG_SECCOMP_FILTER, as every distribution's is; in a container, let its profile permit seccomp()");
}

bool
ptah_check_isolation(struct ptah_exam *exam)
{
	const struct ptah_case *isolated = NULL;
	int level = ptah_landlock_level();
	bool filter = ptah_filter_is_there();
	const char *lacks = filter ? "Landlock" : level > 0 ? "filters of system calls (seccomp)" :
	    "filters of system calls (seccomp), nor Landlock";

	for (size_t i = 0; i < exam->n_cases && !isolated; i++)
		if (exam->cases[i].plan->isolate)
			isolated = &exam->cases[i];
	if (filter && level > 0)
		return true;
	if (isolated) {
		ptah_exam_fault(exam, isolated, "it is to be isolated, and the kernel has no %s", lacks);
		cure_kernel(exam, filter, level);
		ptah_exam_cure(exam, "or \"isolate\": false in %s", isolated->where);
	} else {
		ptah_exam_warn(exam, NULL, "the kernel has no %s: what is broken into is held by less", lacks);
		cure_kernel(exam, filter, level);
	}
	return true;
}
