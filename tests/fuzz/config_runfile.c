/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration file from anywhere.  Each fault has a text, and a place that
 * is in the file; one without errors gives plans that can be served.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/key.h"
#include "config/runfile.h"
#include "target.h"

static void
check_faults(const struct ptah_faults *faults, const char *text, size_t len)
{
	size_t lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	expect(faults->n <= PTAH_FAULTS_MOST && faults->n <= faults->n_errors + faults->n_warnings);
	for (size_t i = 0; i < faults->n; i++) {
		const struct ptah_fault *fault = &faults->at[i];

		expect(fault->text[0] != '\0' && !strpbrk(fault->text, "\r\n") && !strpbrk(fault->path, "\r\n"));
		expect(fault->line >= 1 && fault->line <= lines && fault->column >= 1 && fault->column <= len + 1);
		expect(i == 0 || fault[-1].line <= fault->line);
	}
}

static void
check_plan(const struct ptah_plan *plan, const struct ptah_runfile *file)
{
	const struct ptah_service *service = &plan->services[0];

	expect(plan->n_services == 1 && service->name && service->options->type == PTAH_JSON_OBJECT);
	expect(ptah_label_check(plan->label) == 0 && ptah_runfile_get(file, plan->label) == plan);
	expect(plan->fingerprint && plan->state_dir[0] == '/');
	expect(plan->role == PTAH_ROLE_CLIENT || plan->has_target != plan->has_extorport);
	expect(!plan->has_extorport || plan->cookie_path);
	expect((plan->activation == NULL) == (service->listen.sa.sa_family != AF_UNSPEC));
	expect(service->n_also <= PTAH_ALSO_MAX);
	for (size_t i = 0; i < service->n_also; i++)
		expect(service->also[i].sa.sa_family != AF_UNSPEC);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *envp[] = { NULL };
	struct ptah_faults faults = { 0 };
	struct ptah_runfile file;
	int rc = ptah_runfile_parse(&file, (const char *)data, len, envp, &faults);

	expect(rc == (faults.n_errors > 0 ? -EINVAL : 0));
	check_faults(&faults, (const char *)data, len);
	expect(rc != 0 || (file.n_plans > 0 && file.state_dir[0] == '/'));
	for (size_t i = 0; rc == 0 && i < file.n_plans; i++)
		check_plan(file.plans[i], &file);
	ptah_runfile_forget(&file);
	ptah_runfile_clear(&file);
	ptah_faults_clear(&faults);
	return 0;
}
