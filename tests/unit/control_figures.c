/* SPDX-License-Identifier: BSD-3-Clause */
/* What is made of figures: the text of Prometheus, JSON, and orders of the control socket. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ptah/module.h>

#include "control/figures.h"
#include "control/order.h"

static struct ptah_figures_service services[2];

static struct ptah_figures
figures_of_two(void)
{
	services[0] = (struct ptah_figures_service){
		.label = "a \"b\"\\c\nd", .transport = "obfs4", .mode = "socks5", .role = PTAH_SERVER, .state = "serves", .serves = true,
		.listen = "192.0.2.7:443",
	};
	services[1] = (struct ptah_figures_service){
		.label = "plain", .transport = "dummy", .mode = "transparent-TCP", .role = PTAH_CLIENT, .state = "failed",
		.reason = "192.0.2.7:443 is not there",
	};
	for (int i = 0; i < PTAH_STAT_N; i++)
		ptah_stats_add(&services[0].stats, (enum ptah_stat)i, 1000 + (uint64_t)i);
	return (struct ptah_figures){ .version = "1.2.3", .n_workers = 2, .services = services, .n_services = 2 };
}

static char *
prometheus(void)
{
	struct ptah_figures figures = figures_of_two();
	struct ptah_buf out = { 0 };

	assert_int_equal(ptah_figures_prometheus(&figures, &out), 0);
	return ptah_buf_take_text(&out);
}

static void
labels_are_escaped(void **state)
{
	char *text = prometheus();

	(void)state;
	assert_non_null(strstr(text, "ptah_service_up{service=\"a \\\"b\\\"\\\\c\\nd\",transport=\"obfs4\",role=\"server\"} 1\n"));
	assert_non_null(strstr(text, "ptah_service_up{service=\"plain\",transport=\"dummy\",role=\"client\"} 0\n"));
	free(text);
}

/* Of a service without a process of its own nobody could say which bytes are its. */
static void
memory_is_told_of_those_that_have_their_own(void **state)
{
	struct ptah_figures figures = figures_of_two();
	struct ptah_buf out = { 0 };
	struct ptah_json *json;
	char *text;

	(void)state;
	services[1].isolated = true;
	services[1].resident = 5242880;
	assert_int_equal(ptah_figures_prometheus(&figures, &out), 0);
	text = ptah_buf_take_text(&out);
	assert_non_null(strstr(text, "# TYPE ptah_service_resident_memory_bytes gauge\n"
	    "ptah_service_resident_memory_bytes{service=\"plain\",transport=\"dummy\",role=\"client\"} 5242880\n#"));
	free(text);
	json = ptah_figures_json(&figures, true);
	assert_int_equal(ptah_json_get(ptah_json_get(json, "services")->items[0], "residentBytes")->type, PTAH_JSON_NULL);
	assert_string_equal(ptah_json_get(ptah_json_get(json, "services")->items[1], "residentBytes")->text, "5242880");
	ptah_json_free(json);
}

static void
no_address_is_in_it(void **state)
{
	char *text = prometheus();
	struct ptah_figures figures = figures_of_two();
	struct ptah_json *json = ptah_figures_json(&figures, false);
	char *page = ptah_json_text(json);

	(void)state;
	assert_null(strstr(text, "192.0.2.7"));
	assert_null(strstr(page, "192.0.2.7"));
	assert_non_null(strstr(page, "[scrubbed]:443 is not there"));
	free(text);
	free(page);
	ptah_json_free(json);
}

/* Each metric has its HELP and TYPE once, before all of its samples. */
static void
samples_stand_behind_their_type(void **state)
{
	char *text = prometheus(), *rest = text, type[128] = "";

	(void)state;
	for (char *line = strsep(&rest, "\n"); line && line[0] != '\0'; line = strsep(&rest, "\n")) {
		if (strncmp(line, "# TYPE ", 7) == 0) {
			size_t len = strcspn(line + 7, " ");

			memcpy(type, line + 7, len);
			type[len] = '\0';
		} else if (line[0] != '#') {
			assert_int_equal(strncmp(line, type, strlen(type)), 0);
		}
	}
	free(text);
}

/* A bucket holds all that was quicker, so the last holds all there are. */
static void
a_histogram_adds_up(void **state)
{
	char *text = prometheus();
	const char *at = text;
	unsigned long long last = 0, n = 0;
	unsigned buckets = 0;

	(void)state;
	while ((at = strstr(at, "ptah_dial_duration_seconds_bucket{service=\"a "))) {
		at = strstr(at, "} ") + 2;
		n = strtoull(at, NULL, 10);
		assert_true(n >= last);
		last = n;
		buckets++;
	}
	assert_int_equal(buckets, PTAH_STATS_DIAL_BUCKETS + 1);
	at = strstr(text, "ptah_dial_duration_seconds_count{service=\"a ");
	assert_non_null(at);
	assert_int_equal(strtoull(strstr(at, "} ") + 2, NULL, 10), last);
	free(text);
}

static void
each_counter_is_told_but_the_sum_of_failures(void **state)
{
	char *text = prometheus();

	(void)state;
	for (int i = 0; i < PTAH_STAT_DIAL_NS; i++) {
		char number[32];

		if (i == PTAH_STAT_HANDSHAKES_FAILED || i == PTAH_STAT_LINKS_CLOSED)
			continue; /* told by reason; and as what is open */
		snprintf(number, sizeof(number), "} %d\n", 1000 + i);
		assert_non_null(strstr(text, number));
	}
	free(text);
}

static void
json_says_the_same(void **state)
{
	struct ptah_figures figures = figures_of_two();
	struct ptah_json *json = ptah_figures_json(&figures, true);
	const struct ptah_json *list = ptah_json_get(json, "services"), *first = list->items[0];

	(void)state;
	assert_int_equal(list->n, 2);
	assert_string_equal(ptah_json_get(first, "service")->text, services[0].label);
	assert_string_equal(ptah_json_get(first, "listen")->text, "192.0.2.7:443");
	assert_int_equal(strtoull(ptah_json_get(first, "probesHeld")->text, NULL, 10), 1000 + PTAH_STAT_PROBES_HELD);
	assert_int_equal(ptah_json_get(first, "reason")->type, PTAH_JSON_NULL);
	assert_string_equal(ptah_json_get(list->items[1], "reason")->text, "192.0.2.7:443 is not there");
	ptah_json_free(json);
}

static void
orders_are_read_as_they_are_printed(void **state)
{
	const struct ptah_order orders[] = {
		{ PTAH_ORDER_STATUS, PTAH_ORDER_LINKS_USUAL, 0 }, { PTAH_ORDER_LINKS, 7, 0 },
		{ PTAH_ORDER_RELOAD, PTAH_ORDER_LINKS_USUAL, 0 }, { PTAH_ORDER_DRAIN, PTAH_ORDER_LINKS_USUAL, 33 },
		{ PTAH_ORDER_UPGRADE, PTAH_ORDER_LINKS_USUAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct ptah_buf out = { 0 };
		struct ptah_order got;
		char why[200];

		assert_int_equal(ptah_order_print(&orders[i], &out), 0);
		assert_int_equal(ptah_order_parse(&got, (struct ptah_span){ out.at, out.len }, why, sizeof(why)), 0);
		assert_int_equal(got.what, orders[i].what);
		assert_int_equal(got.most, orders[i].most);
		assert_int_equal(got.seconds, orders[i].seconds);
		ptah_buf_clear(&out);
	}
}

static void
what_is_no_order_is_refused_in_words(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "\"status\"", "{}", "{\"order\":1}", "{\"order\":\"dance\"}", "{\"order\":\"status\",\"most\":1}",
		"{\"order\":\"links\",\"most\":0}", "{\"order\":\"links\",\"most\":-1}", "{\"order\":\"links\",\"most\":1e3}",
		"{\"order\":\"links\",\"most\":\"1\"}", "{\"order\":\"links\",\"most\":100001}",
		"{\"order\":\"drain\",\"seconds\":99999999999999999999}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ptah_order got;
		char why[200] = "";

		assert_int_equal(ptah_order_parse(&got, (struct ptah_span){ (const uint8_t *)texts[i], strlen(texts[i]) }, why, sizeof(why)),
		    -EINVAL);
		assert_true(why[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(memory_is_told_of_those_that_have_their_own),
		cmocka_unit_test(no_address_is_in_it),
		cmocka_unit_test(samples_stand_behind_their_type),
		cmocka_unit_test(a_histogram_adds_up),
		cmocka_unit_test(each_counter_is_told_but_the_sum_of_failures),
		cmocka_unit_test(json_says_the_same),
		cmocka_unit_test(orders_are_read_as_they_are_printed),
		cmocka_unit_test(what_is_no_order_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
