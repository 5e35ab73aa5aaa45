/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A command line and an environment from anywhere: words and variables each
 * end in LF, and an empty line divides them.  Files are left alone: -state
 * and -optionsFile are only looked at.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/plan.h"
#include "target.h"

#define MOST 64

static int
on_version(const char *token, void *arg)
{
	(void)arg;
	expect(token[0] != '\0');
	return 0;
}

static void
check(const struct ptah_plan *plan, const struct ptah_verdict *verdict, int rc)
{
	if (rc == 0) {
		expect(verdict->keyword == NULL && verdict->rc == 0);
		if (plan->asked != PTAH_ASKED_SERVE)
			return;
		expect(plan->version && plan->state_dir && plan->state_dir[0] == '/');
		expect(plan->role == PTAH_ROLE_CLIENT || plan->has_target || plan->cookie_path);
		for (size_t i = 0; i < plan->n_services; i++)
			expect(plan->all || plan->services[i].options->type == PTAH_JSON_OBJECT);
		return;
	}
	expect(verdict->keyword && verdict->text[0] && verdict->streams != 0);
	expect(verdict->rc == 64 || verdict->rc == 69 || verdict->rc == 78);
	expect(memchr(verdict->text, '\0', sizeof(verdict->text)) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const more[] = { "dummy", "a" };
	char *argv[MOST + 1] = { NULL }, *envp[MOST + 1] = { NULL };
	size_t argc = 0, envc = 0;
	char *text = malloc(len + 1), *rest = text, *line;
	int in_env = 0;

	expect(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		if (line[0] == '\0' && !in_env)
			in_env = 1;
		else if (in_env && envc < MOST)
			envp[envc++] = line;
		else if (!in_env && argc < MOST)
			argv[argc++] = line;
	}

	struct ptah_plan plan;
	struct ptah_verdict verdict;
	int rc = ptah_plan_read(&plan, &verdict, (int)argc, argv, envp, on_version, NULL);

	check(&plan, &verdict, rc);
	if (rc == 0 && plan.all)
		expect(ptah_plan_expand(&plan, more, 2) == 0);
	ptah_plan_clear(&plan);
	free(text);
	return 0;
}
