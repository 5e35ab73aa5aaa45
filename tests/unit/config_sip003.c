/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The variables of a Shadowsocks program, and the plan that they make.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sysexits.h>

#include <cmocka.h>

#include "vectors.h"

#include "config/plan.h"
#include "config/sip003.h"

#define ENV_MAX 8

static struct ptah_json *vectors;

static void
web_151_reads_options_with_escapes(void **state)
{
	const struct ptah_json *list = vectors_list(vectors, "options_parse");

	(void)state;
	for (size_t i = 0; i < list->n; i++) {
		const struct ptah_json *out = vectors_get(list->items[i], "out");
		struct ptah_kv kv = { NULL, 0 };
		int rc = ptah_sip003_options(&kv, vectors_text(list->items[i], "in"));

		if (out->type == PTAH_JSON_STRING) {
			assert_int_equal(rc, -EINVAL);
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(kv.n, out->n);
			for (size_t k = 0; k < out->n; k++) {
				assert_string_equal(kv.pairs[k].key, out->items[k]->items[0]->text);
				assert_string_equal(kv.pairs[k].value, out->items[k]->items[1]->text);
			}
		}
		ptah_kv_clear(&kv);
	}
}

static int
never(const char *token, void *arg)
{
	(void)arg;
	fail_msg("a plugin said VERSION %s", token);
	return -EINVAL;
}

static int
read_env(struct ptah_plan *plan, struct ptah_verdict *verdict, const char *argv0, const char *const env[])
{
	char *argv[] = { strdup(argv0), NULL }, *envp[ENV_MAX] = { NULL };
	size_t n = 0;
	int rc;

	for (; env[n] != NULL; n++)
		envp[n] = strdup(env[n]);
	assert_true(n < ENV_MAX);
	rc = ptah_plan_read(plan, verdict, 1, argv, envp, never, NULL);
	while (n > 0)
		free(envp[--n]);
	free(argv[0]);
	return rc;
}

static void
makes_a_client_of_what_ss_local_says(void **state)
{
	static const char *const env[] = { "SS_REMOTE_HOST=bridge.example", "SS_REMOTE_PORT=8388", "SS_LOCAL_HOST=127.0.0.1",
		"SS_LOCAL_PORT=47129", "SS_PLUGIN_OPTIONS=transport=obfs4;cert=a\\;b\\=;iat-mode=1;fast;over={\"module\":\"dummy\"}",
		NULL };
	struct ptah_plan plan;
	struct ptah_verdict verdict;
	char text[PTAH_ADDR_TEXT];

	(void)state;
	assert_int_equal(read_env(&plan, &verdict, "/usr/bin/ptah", env), 0);
	assert_true(plan.plugin);
	assert_false(plan.stdin_close);
	assert_int_equal(plan.role, PTAH_ROLE_CLIENT);
	assert_int_equal(plan.mode, PTAH_MODE_TCP);
	assert_int_equal(plan.ipc_log_level, 0);
	assert_int_equal(plan.n_services, 1);
	assert_string_equal(plan.services[0].name, "obfs4");
	assert_string_equal(ptah_addr_format(&plan.services[0].listen, text), "127.0.0.1:47129");
	assert_string_equal(vectors_text(plan.services[0].options, "serverAddress"), "bridge.example:8388");
	assert_string_equal(vectors_text(plan.services[0].options, "cert"), "a;b=");
	assert_string_equal(vectors_text(plan.services[0].options, "iat-mode"), "1");
	assert_string_equal(vectors_text(plan.services[0].options, "fast"), "1");
	assert_int_equal(vectors_get(plan.services[0].options, "over")->type, PTAH_JSON_OBJECT);
	assert_null(ptah_json_get(plan.services[0].options, "transport"));
	ptah_plan_clear(&plan);
}

static void
makes_a_server_of_what_ss_server_says(void **state)
{
	static const char *const env[] = { "SS_REMOTE_HOST=::", "SS_REMOTE_PORT=8388", "SS_LOCAL_HOST=::1",
		"SS_LOCAL_PORT=47129", "SS_PLUGIN_OPTIONS=transport=dummy;server;state=/var/lib/somewhere", NULL };
	static const char *const named[] = { "SS_REMOTE_HOST=0.0.0.0", "SS_REMOTE_PORT=8388", "SS_LOCAL_HOST=127.0.0.1",
		"SS_LOCAL_PORT=47129", "SS_PLUGIN_OPTIONS=transport=dummy", NULL };
	struct ptah_plan plan;
	struct ptah_verdict verdict;
	char text[PTAH_DEST_TEXT];

	(void)state;
	assert_int_equal(read_env(&plan, &verdict, "ptah", env), 0);
	assert_int_equal(plan.role, PTAH_ROLE_SERVER);
	assert_string_equal(ptah_addr_format(&plan.services[0].listen, text), "[::]:8388");
	assert_string_equal(ptah_dest_format(&plan.target, text), "[::1]:47129");
	assert_string_equal(plan.state_dir, "/var/lib/somewhere");
	assert_int_equal(plan.services[0].options->n, 0);
	ptah_plan_clear(&plan);
	assert_int_equal(read_env(&plan, &verdict, "/usr/bin/ptah-server", named), 0);
	assert_int_equal(plan.role, PTAH_ROLE_SERVER);
	ptah_plan_clear(&plan);
}

static void
web_152_listens_where_it_is_told(void **state)
{
	static const char *const env[] = { "SS_REMOTE_HOST=0.0.0.0|::", "SS_REMOTE_PORT=8388", "SS_LOCAL_HOST=127.0.0.1",
		"SS_LOCAL_PORT=47129", "SS_PLUGIN_OPTIONS=transport=dummy;server", NULL };
	static const char *const client[] = { "SS_REMOTE_HOST=0.0.0.0|::", "SS_REMOTE_PORT=8388", "SS_LOCAL_HOST=127.0.0.1",
		"SS_LOCAL_PORT=47129", "SS_PLUGIN_OPTIONS=transport=dummy", NULL };
	static const char *const many[] = { "SS_REMOTE_HOST=127.0.0.1|127.0.0.2|127.0.0.3|127.0.0.4|127.0.0.5", "SS_REMOTE_PORT=8388",
		"SS_LOCAL_HOST=127.0.0.1", "SS_LOCAL_PORT=47129", "SS_PLUGIN_OPTIONS=transport=dummy;server", NULL };
	static const char *const name[] = { "SS_REMOTE_HOST=127.0.0.1|some.example", "SS_REMOTE_PORT=8388",
		"SS_LOCAL_HOST=127.0.0.1", "SS_LOCAL_PORT=47129", "SS_PLUGIN_OPTIONS=transport=dummy;server", NULL };
	const char *const *bad[] = { client, many, name };
	struct ptah_plan plan;
	struct ptah_verdict verdict;
	char text[PTAH_ADDR_TEXT];

	(void)state;
	assert_int_equal(read_env(&plan, &verdict, "ptah", env), 0);
	assert_string_equal(ptah_addr_format(&plan.services[0].listen, text), "0.0.0.0:8388");
	assert_int_equal(plan.services[0].n_also, 1);
	assert_string_equal(ptah_addr_format(&plan.services[0].also[0], text), "[::]:8388");
	ptah_plan_clear(&plan);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_env(&plan, &verdict, "ptah", bad[i]), -EINVAL);
		assert_int_equal(verdict.rc, EX_CONFIG);
		assert_memory_equal(verdict.text, "SS_REMOTE_HOST", 14);
		ptah_plan_clear(&plan);
	}
}

static void
web_152_wants_all_four_variables_and_a_transport(void **state)
{
	static const struct {
		const char *env[ENV_MAX], *says;
	} cases[] = {
		{ { "SS_REMOTE_HOST=1.2.3.4", NULL }, "SS_REMOTE_PORT is not set" },
		{ { "SS_REMOTE_HOST=1.2.3.4", "SS_REMOTE_PORT=1", "SS_LOCAL_PORT=1", NULL }, "SS_LOCAL_HOST is not set" },
		{ { "SS_REMOTE_HOST=1.2.3.4", "SS_REMOTE_PORT=1", "SS_LOCAL_HOST=::1", "SS_LOCAL_PORT=1", NULL },
		    "no transport is named" },
		{ { "SS_REMOTE_HOST=1.2.3.4", "SS_REMOTE_PORT=1", "SS_LOCAL_HOST=::1", "SS_LOCAL_PORT=1",
		      "SS_PLUGIN_OPTIONS=transport=../x", NULL }, "no transport is named" },
		{ { "SS_REMOTE_HOST=1.2.3.4", "SS_REMOTE_PORT=1", "SS_LOCAL_HOST=::1", "SS_LOCAL_PORT=1",
		      "SS_PLUGIN_OPTIONS=transport=dummy\\", NULL }, "backslash" },
		{ { "SS_REMOTE_HOST=1.2.3.4", "SS_REMOTE_PORT=1", "SS_LOCAL_HOST=::1", "SS_LOCAL_PORT=x",
		      "SS_PLUGIN_OPTIONS=transport=dummy", NULL }, "[::1]:x" },
	};
	struct ptah_plan plan;
	struct ptah_verdict verdict;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_env(&plan, &verdict, "ptah", cases[i].env), -EINVAL);
		assert_null(verdict.keyword);
		assert_int_equal(verdict.rc, EX_CONFIG);
		if (strstr(verdict.text, cases[i].says) == NULL)
			fail_msg("%zu: %s", i, verdict.text);
		ptah_plan_clear(&plan);
	}
}

static void
lets_flags_and_a_pt_parent_win(void **state)
{
	static char host[] = "SS_REMOTE_HOST=1.2.3.4", pt[] = "TOR_PT_MANAGED_TRANSPORT_VER=1";
	static char name[] = "ptah", flag[] = "-client", letter[] = "-V", word[] = "modules";
	char *plain[] = { host, NULL }, *both[] = { host, pt, NULL }, *none[] = { NULL };
	char *one[] = { name, NULL }, *flagged[] = { name, flag, NULL }, *android[] = { name, letter, NULL },
	     *command[] = { name, word, NULL };

	(void)state;
	assert_true(ptah_sip003_applies(1, one, plain));
	assert_true(ptah_sip003_applies(2, android, plain));
	assert_false(ptah_sip003_applies(1, one, both));
	assert_false(ptah_sip003_applies(1, one, none));
	assert_false(ptah_sip003_applies(2, flagged, plain));
	assert_false(ptah_sip003_applies(2, command, plain));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(web_151_reads_options_with_escapes),
		cmocka_unit_test(makes_a_client_of_what_ss_local_says),
		cmocka_unit_test(makes_a_server_of_what_ss_server_says),
		cmocka_unit_test(web_152_listens_where_it_is_told),
		cmocka_unit_test(web_152_wants_all_four_variables_and_a_transport),
		cmocka_unit_test(lets_flags_and_a_pt_parent_win),
	};
	int rc;

	vectors = vectors_load("sip003.json");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	ptah_json_free(vectors);
	return rc;
}
