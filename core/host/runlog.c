/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/runself.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/source.h"

const char *const ptah_run_log_formats[] = { "plain", "journal", "json", "auto", NULL };

/* Is our stderr the journal?  It says so by device and inode (systemd.exec(5)). */
static bool
is_journal(char *const envp[])
{
	const char *stream = ptah_env_get(envp, "JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	    st.st_dev == dev && st.st_ino == ino;
}

static ptah_log_output_fn *
output_of(const struct ptah_run *run)
{
	switch (run->log_format != -1 ? run->log_format : run->file.log_format) {
	case PTAH_LOG_JOURNAL:
		return ptah_log_to_journal;
	case PTAH_LOG_JSON:
		return ptah_log_to_json;
	case PTAH_LOG_AUTO:
		return is_journal(run->envp) ? ptah_log_to_journal : ptah_log_to_stderr;
	default:
		return ptah_log_to_stderr;
	}
}

int
ptah_run_open_log(struct ptah_run *run)
{
	const struct ptah_runfile *file = &run->file;

	ptah_log_unsafe(file->log_unsafe);
	if (file->log_file)
		return ptah_log_file_open(file->log_file, file->log_level);
	run->log_output = output_of(run);
	return ptah_log_add(file->log_level, run->log_output, NULL);
}
