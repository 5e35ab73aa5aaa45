/* SPDX-License-Identifier: BSD-3-Clause */
/* config/reach.h: where an isolated service may go, and where not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "config/reach.h"

static struct ptah_service service;
static struct ptah_plan plan;

static void
make(int role, const char *options)
{
	char why[64];

	ptah_json_free(service.options);
	service = (struct ptah_service){ .options = options ? ptah_json_parse(options, strlen(options), 0, why, sizeof(why)) : NULL };
	plan = (struct ptah_plan){ .role = role, .services = &service, .n_services = 1 };
}

static bool
may(const char *to)
{
	static struct ptah_reach reach;
	struct ptah_dest dest;

	ptah_reach_of(&reach, &plan);
	assert_int_equal(ptah_dest_parse(&dest, to, false), 0);
	return ptah_reach_has(&reach, &dest);
}

static void
a_server_goes_to_its_target(void **state)
{
	(void)state;
	make(PTAH_ROLE_SERVER, "{\"serverAddress\": \"192.0.2.9:1\"}");
	assert_false(may("127.0.0.1:9001"));
	plan.has_target = true;
	assert_int_equal(ptah_dest_parse(&plan.target, "Target.example:9001", false), 0);
	assert_true(may("target.EXAMPLE:9001"));
	assert_false(may("target.example:9002"));
	assert_false(may("127.0.0.1:9001"));
	assert_false(may("192.0.2.9:1"));
}

static void
with_an_extended_orport_nowhere_else(void **state)
{
	(void)state;
	make(PTAH_ROLE_SERVER, NULL);
	plan.has_target = true;
	assert_int_equal(ptah_dest_parse(&plan.target, "127.0.0.1:9001", false), 0);
	plan.has_extorport = true;
	assert_int_equal(ptah_addr_parse(&plan.extorport, "[::1]:9002"), 0);
	assert_true(may("[::1]:9002"));
	assert_true(may("[0::1]:9002"));
	assert_false(may("127.0.0.1:9001"));
}

static void
a_client_goes_to_its_servers(void **state)
{
	(void)state;
	make(PTAH_ROLE_CLIENT, "{\"serverAddress\": \"192.0.2.1:443\", \"key\": \"192.0.2.2:443\","
	    "\"over\": {\"a\": [{\"serverAddress\": \"bridge.example:80\"}]}}");
	assert_true(may("192.0.2.1:443"));
	assert_true(may("bridge.example:80"));
	assert_false(may("192.0.2.2:443"));
	assert_false(may("192.0.2.1:80"));
	assert_false(may("127.0.0.1:22"));
}

static void
a_client_without_one_goes_where_it_is_asked(void **state)
{
	(void)state;
	make(PTAH_ROLE_CLIENT, NULL);
	assert_true(may("192.0.2.1:443"));
	make(PTAH_ROLE_CLIENT, "{\"serverAddress\": 5, \"key\": \"x\"}");
	assert_true(may("any.example:1"));
}

static void
has_room_for_so_many_and_no_more(void **state)
{
	char options[8192] = "[";
	size_t len = 1;

	(void)state;
	for (unsigned i = 1; i <= PTAH_REACH_MOST + 10; i++)
		len += (size_t)snprintf(options + len, sizeof(options) - len, "%s{\"serverAddress\":\"192.0.2.1:%u\"}",
		    i > 1 ? "," : "", i);
	snprintf(options + len, sizeof(options) - len, "]");
	make(PTAH_ROLE_CLIENT, options);
	assert_true(may("192.0.2.1:1"));
	assert_true(may("192.0.2.1:64"));
	assert_false(may("192.0.2.1:65"));
	ptah_json_free(service.options);
	service.options = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_goes_to_its_target),
		cmocka_unit_test(with_an_extended_orport_nowhere_else),
		cmocka_unit_test(a_client_goes_to_its_servers),
		cmocka_unit_test(a_client_without_one_goes_where_it_is_asked),
		cmocka_unit_test(has_room_for_so_many_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
