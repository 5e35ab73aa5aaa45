/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor/checks.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#include "base/clock.h"

/* November 2026: this was written then, so no clock that is right says less. */
#define WRITTEN_S INT64_C(1793491200)
/* More than this between two looks is somebody who sets the clock; adjusting is far slower. */
#define JUMP_NS (INT64_C(500) * 1000000)
/* How far a file's date may be ahead: another machine may have written it, by a clock of its own. */
#define AHEAD_S 3600

long long
ptah_check_clock_now(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return (long long)wall.tv_sec * 1000000000 + wall.tv_nsec - (long long)ptah_clock_now_ns();
}

static const char *
date_of(int64_t at, char out[static 32])
{
	time_t t = (time_t)at;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(out, 32, "%lld", (long long)at);
	return out;
}

static void
cure_clock(struct ptah_exam *exam)
{
	ptah_exam_cure(exam, "set it: timedatectl set-ntp true; or by hand: date -u -s 'YYYY-MM-DD HH:MM'");
	ptah_exam_cure(exam, "obfs4, scramblesuit and shadow refuse handshakes of another hour");
}

bool
ptah_check_clock(struct ptah_exam *exam)
{
	int64_t now = ptah_clock_wall_s();
	long long jumped = ptah_check_clock_now() - exam->clock_ns;
	char is[32];

	if (now < WRITTEN_S) {
		ptah_exam_fault(exam, NULL, "the clock says %s, which is before this program was written", date_of(now, is));
		exam->bad_clock = true;
		cure_clock(exam);
	}
	if (jumped > JUMP_NS || jumped < -JUMP_NS) {
		ptah_exam_fault(exam, NULL, "the clock was set by %+lld seconds while it was looked at", jumped / 1000000000);
		ptah_exam_cure(exam, "let one program alone set it: timedatectl timesync-status; systemctl list-units '*ntp*' '*chrony*' '*timesync*'");
	}
	return true;
}

/* ---- files ------------------------------------------------------------------------- */

static void
look_at_date(struct ptah_exam *exam, const char *path)
{
	struct stat st;
	char date[32];

	if (stat(path, &st) != 0 || (int64_t)st.st_mtime <= ptah_clock_wall_s() + AHEAD_S)
		return;
	ptah_exam_fault(exam, NULL, "%s is of %s, which is in the future: the clock is wrong, or was", path,
	    date_of((int64_t)st.st_mtime, date));
	ptah_exam_cure(exam, "compare date -u with another machine; if it is right now: touch %s", path);
}

bool
ptah_check_files_time(struct ptah_exam *exam)
{
	const char *last = NULL;

	if (exam->bad_clock)
		return false;
	look_at_date(exam, exam->self);
	if (exam->path)
		look_at_date(exam, exam->path);
	for (size_t i = 0; i < exam->n_cases; i++) {
		const char *folder = exam->cases[i].plan->state_dir;
		DIR *dir = folder && (!last || strcmp(last, folder) != 0) ? opendir(folder) : NULL;

		last = folder;
		for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
			char path[PATH_MAX];

			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
			look_at_date(exam, path);
		}
		if (dir)
			closedir(dir);
	}
	return true;
}

bool
ptah_check_synchronised(struct ptah_exam *exam)
{
	struct timex timex = { 0 };

	if (adjtimex(&timex) == -1)
		return false;
	if ((timex.status & STA_UNSYNC) == 0)
		return true;
	ptah_exam_warn(exam, NULL, "nothing keeps the clock right, as far as the kernel knows");
	ptah_exam_cure(exam, "timedatectl set-ntp true, or install chrony; not on a machine whose host does it");
	return true;
}
