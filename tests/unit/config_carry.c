/* SPDX-License-Identifier: BSD-3-Clause */
/* config/carry.h: a plan arrives in the other process as it left, without what is not for it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "config/carry.h"

static const char options[] = "{\"password\":\"a \\\"secret\\\"\",\"n\":[1,2]}";

static struct ptah_plan *
make_plan(void)
{
	struct ptah_plan *plan = calloc(1, sizeof(*plan));
	char why[64];

	assert_non_null(plan);
	plan->dialect = PTAH_D3;
	plan->role = PTAH_ROLE_SERVER;
	plan->mode = PTAH_MODE_TCP;
	plan->services = calloc(1, sizeof(*plan->services));
	assert_non_null(plan->services);
	plan->n_services = 1;
	plan->services[0].name = strdup("veil");
	plan->services[0].options = ptah_json_parse(options, sizeof(options) - 1, 0, why, sizeof(why));
	assert_non_null(plan->services[0].options);
	assert_int_equal(ptah_addr_parse(&plan->services[0].listen, "0.0.0.0:443"), 0);
	assert_int_equal(ptah_addr_parse(&plan->services[0].also[0], "[::1]:444"), 0);
	plan->services[0].n_also = 1;
	plan->has_target = true;
	assert_int_equal(ptah_dest_parse(&plan->target, "target.example:9001", false), 0);
	plan->has_extorport = true;
	assert_int_equal(ptah_addr_parse(&plan->extorport, "127.0.0.1:9002"), 0);
	plan->cookie_path = strdup("/var/lib/tor/cookie");
	plan->proxy.scheme = PTAH_PROXY_SOCKS5;
	plan->proxy.password = strdup("of the proxy");
	plan->state_dir = strdup("/var/lib/ptah/one");
	plan->label = strdup("one");
	plan->workers = 3;
	plan->dial_timeout_s = 17;
	plan->bounds.links = 5;
	plan->bounds.family = AF_INET6;
	snprintf(plan->bounds.interface, sizeof(plan->bounds.interface), "lo");
	plan->proxy_from = calloc(1, sizeof(*plan->proxy_from));
	assert_non_null(plan->proxy_from);
	plan->n_proxy_from = 1;
	assert_int_equal(ptah_prefix_parse(plan->proxy_from, "192.0.2.0/24"), 0);
	return plan;
}

static void
arrives_as_it_left(void **state)
{
	struct ptah_plan *plan = make_plan(), *other;
	struct ptah_buf text = { 0 }, again = { 0 };
	char *printed;

	(void)state;
	assert_int_equal(ptah_plan_carry(plan, &text), 0);
	other = ptah_plan_carried((const char *)text.at, text.len);
	assert_non_null(other);
	assert_int_equal(ptah_plan_carry(other, &again), 0);
	assert_string_equal((const char *)text.at, (const char *)again.at);
	assert_int_equal(other->role, PTAH_ROLE_SERVER);
	assert_string_equal(other->services[0].name, "veil");
	assert_true(ptah_addr_equal(&other->services[0].listen, &plan->services[0].listen));
	assert_int_equal(other->services[0].n_also, 1);
	assert_true(ptah_addr_equal(&other->services[0].also[0], &plan->services[0].also[0]));
	assert_string_equal(other->target.host, "target.example");
	assert_true(ptah_addr_equal(&other->extorport, &plan->extorport));
	assert_int_equal(other->bounds.family, AF_INET6);
	assert_string_equal(other->bounds.interface, "lo");
	assert_int_equal(other->n_proxy_from, 1);
	assert_int_equal(other->proxy_from[0].bits, 24);
	assert_null(other->activation);
	printed = ptah_json_text(other->services[0].options);
	assert_string_equal(printed, options);
	free(printed);
	/* It dials through us. */
	assert_int_equal(other->proxy.scheme, PTAH_PROXY_SOCKS5);
	assert_null(strstr((const char *)text.at, "of the proxy"));
	ptah_plan_free(plan);
	ptah_plan_free(other);
	ptah_buf_wipe(&text);
	ptah_buf_wipe(&again);
}

static void
takes_nothing_else(void **state)
{
	static const char *const texts[] = {
		"", "[]", "{}", "null", "{\"transport\":\"x\"}",
		"{\"transport\":\"x\",\"interface\":\"\",\"listen\":[\"nowhere\"],\"proxyFrom\":[]}",
		"{\"transport\":\"x\",\"interface\":\"\",\"listen\":[\"127.0.0.1:1\"],\"proxyFrom\":[\"x\"]}",
		"{\"transport\":\"x\",\"interface\":\"\",\"listen\":[1,2,3,4,5],\"proxyFrom\":[]}",
		"{\"transport\":\"x\",\"interface\":\"a name longer than any\",\"listen\":[],\"proxyFrom\":[]}",
		"{\"workers\":true,\"transport\":\"x\",\"interface\":\"\",\"listen\":[],\"proxyFrom\":[]}",
		"{\"hasTarget\":1,\"transport\":\"x\",\"interface\":\"\",\"listen\":[],\"proxyFrom\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		errno = 0;
		assert_null(ptah_plan_carried(texts[i], strlen(texts[i])));
		assert_int_equal(errno, EINVAL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrives_as_it_left),
		cmocka_unit_test(takes_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
