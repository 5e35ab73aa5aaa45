/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/runself.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "host/checkfile.h"
#include "host/crew.h"
#include "transport/registry.h"

static void
log_faults(const struct ptah_run *run, const struct ptah_faults *faults, struct ptah_buf *words)
{
	for (size_t i = 0; i < faults->n; i++) {
		const struct ptah_fault *fault = &faults->at[i];
		struct ptah_buf line = { 0 };

		if (ptah_fault_print(fault, run->path, &line) == 0) {
			ptah_event(fault->warning ? PTAH_LOG_WARN : PTAH_LOG_ERROR, AREA_CONFIG, "config-fault", NULL, "%.*s", (int)line.len, (const char *)line.at);
			if (words)
				ptah_buf_printf(words, "%.*s\n", (int)line.len, (const char *)line.at);
		}
		ptah_buf_clear(&line);
	}
}

/* What modules have to say to it.  Before there is a crew they are looked for and forgotten again. */
static int
check_file(struct ptah_run *run, const struct ptah_runfile *file, struct ptah_faults *faults)
{
	struct ptah_registry *registry = run->crew ? run->crew->registry :
	    ptah_registry_new(file->module_path, file->module_dir);
	int rc = registry ? ptah_checkfile(file, registry, faults, false, &run->spawns) : -errno;

	if (!run->crew)
		ptah_registry_free(registry);
	return rc;
}

/* The file, whole and without an error. */
int
ptah_run_read_file(struct ptah_run *run, struct ptah_runfile *file, struct ptah_run_reload *how, struct ptah_buf *words)
{
	struct ptah_faults faults = { 0 };
	int rc = ptah_runfile_read(file, run->path, run->envp, &faults);

	if (rc == 0 || rc == -EINVAL)
		rc = check_file(run, file, &faults);
	ptah_harden_judge(&run->hardened, file, run->spawns);
	ptah_runfile_forget(file);
	how->n_errors = faults.n_errors;
	how->n_warnings = faults.n_warnings;
	log_faults(run, &faults, words);
	ptah_faults_clear(&faults);
	if (rc < 0)
		ptah_runfile_clear(file);
	return rc;
}

static bool
are_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is one for the process stays as it was at the start. */
void
ptah_run_warn_of_process(const struct ptah_runfile *now, const struct ptah_runfile *then)
{
	const struct {
		const char *key;
		bool same;
	} rows[] = {
		{ "workers", now->workers == then->workers },
		{ "moduleDir", are_same(now->module_dir, then->module_dir) },
		{ "stateDir", are_same(now->state_dir, then->state_dir) },
		{ "replayState", now->replay_state == then->replay_state },
		{ "peerTimeout", now->peer_timeout_s == then->peer_timeout_s },
		{ "control", are_same(now->control, then->control) },
		{ "metrics", are_same(now->metrics_path, then->metrics_path) && memcmp(&now->metrics, &then->metrics, sizeof(now->metrics)) == 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].same)
			ptah_warn(AREA_HOST, "%s has changed: that takes effect when ptah is started anew", rows[i].key);
}
