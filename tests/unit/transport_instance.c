/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/worker.h"
#include "transport/home.h"
#include "transport/instance.h"
#include "transport/registry.h"
#include "stage.h"

static int
never_called(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return -ENOSYS;
}

#define CODEC \
	.head = PTAH_HEAD(0), .open = never_called, \
	.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM

struct conf {
	int64_t size;
	const char *path;
};

struct args {
	const char *cert;
	int64_t mode;
	const char *exec;
};

static const struct ptah_option options[] = {
	{ .name = "size", .type = PTAH_INT, .offset = offsetof(struct conf, size) },
	{ .name = "path", .type = PTAH_STRING, .offset = offsetof(struct conf, path) },
	{ .name = "cert", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_REQUIRED, .offset = offsetof(struct args, cert),
	    .help = "from the bridge line" },
	{ .name = "mode", .type = PTAH_INT, .flags = PTAH_LINK, .min = 0, .max = 2, .offset = offsetof(struct args, mode) },
	{ .name = "exec", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_STATIC_ONLY, .offset = offsetof(struct args, exec) },
	{ .name = NULL },
};

static int
check_conf(const void *conf, uint32_t role, char *why, size_t room)
{
	(void)role;
	if (((const struct conf *)conf)->size != 13)
		return 0;
	snprintf(why, room, "13 brings bad luck");
	return -EINVAL;
}

static int
check_args(const void *conf, const void *args, uint32_t role, char *why, size_t room)
{
	(void)conf;
	(void)role;
	if (strcmp(((const struct args *)args)->cert, "bad") != 0)
		return 0;
	snprintf(why, room, "that certificate is bad");
	return -EINVAL;
}

static int
say_args(const void *conf, const char *bound, struct ptah_room args)
{
	const struct conf *mine = conf;

	if (mine->size == 99)
		return snprintf((char *)args.at, args.len, "{\"k\": 1}");
	return snprintf((char *)args.at, args.len, "{\"at\": \"%s\"}", bound);
}

static const struct ptah_module codec = {
	CODEC,
	.name = "codec",
	.options = options,
	.conf_size = sizeof(struct conf),
	.args_size = sizeof(struct args),
	.conf_check = check_conf,
	.args_check = check_args,
	.bridge_args = say_args,
};

static const struct ptah_module client_only = {
	.head = PTAH_HEAD(0), .open = never_called, .name = "clientonly", .abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_OWN_SOCKETS,
};

static int
no_dial(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)io;
	(void)link;
	(void)open;
	return -ENOSYS;
}

static const struct ptah_module carrier = {
	.head = PTAH_HEAD(0), .name = "carrier", .abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM | PTAH_IS_CARRIER,
	.dial = no_dial,
};

/* ---- a module that has all lives, and writes down what happened to them ---- */

struct lived_conf {
	const char *how;
};

struct lived_home {
	const struct ptah_host *host;
	struct ptah_self *self;
	const char *how;
};

struct lived_worker {
	uint32_t open;
};

static const struct ptah_option lived_options[] = {
	{ .name = "how", .type = PTAH_STRING, .offset = offsetof(struct lived_conf, how), .def = "now" },
	{ .name = NULL },
};

static atomic_int homes_open, homes_closed, workers_open, workers_closed, worker_events, stops;

static int
lived_open(void *home, const struct ptah_start *start)
{
	struct lived_home *mine = home;
	const struct ptah_host *host = start->host;
	struct ptah_self *self = start->self;

	assert_int_equal(start->size, sizeof(*start));
	assert_string_equal(start->name, "lived");
	assert_null(start->bind);
	assert_int_equal((uintptr_t)home % 64, 0);
	mine->host = host;
	mine->self = self;
	mine->how = ((const struct lived_conf *)start->conf)->how;
	atomic_fetch_add(&homes_open, 1);
	if (strcmp(mine->how, "now") == 0)
		host->ready(self, 0, "192.0.2.1:7", "{\"k\":\"v\"}", NULL);
	else if (strcmp(mine->how, "later") == 0)
		return host->timer(self, 3, 20 * PTAH_NS_PER_MS);
	else if (strcmp(mine->how, "fails") == 0)
		return -EACCES;
	else if (strcmp(mine->how, "says no") == 0)
		host->ready(self, -EINVAL, NULL, NULL, "no, said the home");
	else if (strcmp(mine->how, "bad args") == 0)
		host->ready(self, 0, NULL, "[]", NULL);
	return 0;
}

static int
lived_event(void *home, const struct ptah_event *event)
{
	struct lived_home *mine = home;

	if (event->what == PTAH_EV_TIMER && event->val == 3)
		mine->host->ready(mine->self, 0, NULL, NULL, NULL);
	if (event->what != PTAH_EV_STOP)
		return 0;
	atomic_fetch_add(&stops, 1);
	if (strcmp(mine->how, "never done") != 0)
		mine->host->home_done(mine->self);
	if (strcmp(mine->how, "never done") == 0)
		mine->host->ready(mine->self, 0, NULL, NULL, NULL);
	return 0;
}

static void
lived_close(void *home)
{
	(void)home;
	atomic_fetch_add(&homes_closed, 1);
}

static int
lived_worker_open(void *worker, const struct ptah_start *start)
{
	struct lived_worker *mine = worker;

	mine->open = 1;
	atomic_fetch_add(&workers_open, 1);
	assert_int_equal(start->host->timer(start->self, 0, 1), 0);
	return strcmp(((const struct lived_conf *)start->conf)->how, "no worker") == 0 ? -EIO : 0;
}

static int
lived_worker_event(void *worker, const struct ptah_event *event)
{
	struct lived_worker *mine = worker;

	assert_int_equal(mine->open, 1);
	assert_int_equal(event->what, PTAH_EV_TIMER);
	assert_int_equal(event->val, 0);
	atomic_fetch_add(&worker_events, 1);
	return 0;
}

static void
lived_worker_close(void *worker)
{
	assert_int_equal(((struct lived_worker *)worker)->open, 1);
	atomic_fetch_add(&workers_closed, 1);
}

static const struct ptah_module lived = {
	CODEC,
	.name = "lived",
	.options = lived_options,
	.conf_size = sizeof(struct lived_conf),
	.home_size = sizeof(struct lived_home),
	.worker_size = sizeof(struct lived_worker),
	.home_open = lived_open,
	.home_event = lived_event,
	.home_close = lived_close,
	.worker_open = lived_worker_open,
	.worker_event = lived_worker_event,
	.worker_close = lived_worker_close,
};

static struct stage stage;

static int
set_stage(void **state)
{
	static const struct ptah_module *const modules[] = { &codec, &client_only, &carrier, &lived, NULL };

	(void)state;
	stage_set(&stage, modules, 3);
	return 0;
}

static int
clear_stage(void **state)
{
	(void)state;
	stage_clear(&stage);
	return 0;
}

static void
opens_a_module_without_lives_at_once(void **state)
{
	struct ptah_instance *one;

	(void)state;
	one = stage_open(&stage, "codec", PTAH_CLIENT, "{\"size\":7,\"unheard\":1,\"half-close\":\"hold\",\"serverAddress\":\"a.example:1\"}");
	assert_non_null(one);
	assert_int_equal(stage.n_ready, 1);
	assert_int_equal(stage.ready_rc, 0);
	assert_int_equal(((const struct conf *)one->conf)->size, 7);
	assert_false(one->args_complete);
	assert_int_equal(one->half_close, PTAH_HALF_CLOSE_HOLD);
	assert_string_equal(one->server, "a.example:1");
	assert_non_null(strstr(one->settings, "\"unheard\":1"));
	stage_close(&stage, one);
}

static void
refuses_what_cannot_be_done(void **state)
{
	static const struct {
		const char *name, *options, *why;
		uint32_t role;
		bool proxy;
		int rc;
	} cases[] = {
		{ "ghost", "{}", "no such transport", PTAH_CLIENT, false, ENOENT },
		{ "foo-bar", "{}", "no such transport", PTAH_CLIENT, false, ENOENT },
		{ "codec+", "{}", "no such transport", PTAH_CLIENT, false, ENOENT },
		{ "clientonly", "{}", "has no server side", PTAH_SERVER, false, EINVAL },
		{ "clientonly", "{}", "cannot use the upstream proxy", PTAH_CLIENT, true, EINVAL },
		{ "codec", "{\"size\":\"big\"}", "option \"size\": \"big\" is not a whole number", PTAH_CLIENT, false, EINVAL },
		{ "codec", "{\"size\":13}", "13 brings bad luck", PTAH_CLIENT, false, EINVAL },
		{ "codec", "{\"cert\":\"bad\"}", "that certificate is bad", PTAH_CLIENT, false, EINVAL },
		{ "codec", "{}", "option \"cert\" is missing: from the bridge line", PTAH_SERVER, false, EINVAL },
		{ "codec", "{\"serverAddress\":\"x\"}", "option \"serverAddress\": \"x\" is not an address, host:port",
		    PTAH_CLIENT, false, EINVAL },
		{ "codec+ghost", "{}", "over \"ghost\": no such transport", PTAH_CLIENT, false, EINVAL },
		{ "codec", "{\"over\":{\"module\":\"codec\",\"size\":13}}", "over \"codec\": 13 brings bad luck",
		    PTAH_CLIENT, false, EINVAL },
		{ "codec", "{\"over\":7}", "option \"over\": write \"NAME\" or {\"module\": \"NAME\", ...options}",
		    PTAH_CLIENT, false, EINVAL },
		{ "carrier+codec", "{}", "makes its own streams, so it cannot stand over another transport",
		    PTAH_CLIENT, false, EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_instance *one;

		stage.has_proxy = cases[i].proxy;
		one = stage_open(&stage, cases[i].name, cases[i].role, cases[i].options);
		stage.has_proxy = false;
		assert_null(one);
		assert_string_equal(stage.why, cases[i].why);
		assert_int_equal(stage.rc, cases[i].rc);
		assert_int_equal(stage.n_ready, 0);
	}
}

static struct ptah_json *
json(const char *text)
{
	char why[128];
	struct ptah_json *out = text != NULL ? ptah_json_parse(text, strlen(text), 0, why, sizeof(why)) : NULL;

	assert_true(text == NULL || out != NULL);
	return out;
}

static void
lays_the_options_of_a_connection_over_the_global_ones(void **state)
{
	static const struct {
		const char *over, *why;
	} bad[] = {
		{ NULL, "option \"cert\" is missing: from the bridge line" },
		{ "{}", "option \"cert\" is missing: from the bridge line" },
		{ "{\"mode\":1}", "option \"cert\" is missing: from the bridge line" },
		{ "{\"cert\":\"c\",\"mode\":3}", "option \"mode\": \"3\" is not a whole number from 0 to 2" },
		{ "{\"cert\":\"bad\"}", "that certificate is bad" },
		{ "{\"cert\":\"c\",\"exec\":\"/bin/sh\"}",
		    "option \"exec\" cannot come with a connection; set it where the transport is configured" },
		{ "{\"cert\":\"c\",\"size\":8}",
		    "option \"size\" is the transport's, not a connection's; set it where the transport is configured" },
		{ "{\"cert\":\"c\",\"over\":\"codec\"}",
		    "option \"over\": a connection cannot choose what the transport stands on" },
		{ "{\"cert\":\"c\",\"serverAddress\":\"x\"}", "option \"serverAddress\": \"x\" is not an address, host:port" },
	};
	struct ptah_instance *one = stage_open(&stage, "codec", PTAH_CLIENT,
	    "{\"size\":7,\"mode\":1,\"exec\":\"/bin/true\",\"serverAddress\":\"a.example:1\"}");
	struct ptah_args args;
	struct ptah_json *over;
	char why[256];

	(void)state;
	assert_non_null(one);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		over = json(bad[i].over);
		assert_int_equal(ptah_args_make(&args, one, over, why, sizeof(why)), -EINVAL);
		assert_string_equal(why, bad[i].why);
		ptah_json_free(over);
	}
	over = json("{\"cert\":\"c\",\"size\":7,\"other\":\"x\",\"half-close\":\"send\"}");
	assert_int_equal(ptah_args_make(&args, one, over, why, sizeof(why)), 0);
	ptah_json_free(over);
	assert_string_equal(((const struct args *)args.values)->cert, "c");
	assert_int_equal(((const struct args *)args.values)->mode, 1);
	assert_string_equal(((const struct args *)args.values)->exec, "/bin/true");
	assert_string_equal(args.settings, "{\"size\":7,\"mode\":1,\"exec\":\"/bin/true\",\"serverAddress\":\"a.example:1\","
	    "\"cert\":\"c\",\"other\":\"x\",\"half-close\":\"send\"}");
	assert_int_equal(args.half_close, PTAH_HALF_CLOSE_SEND);
	assert_string_equal(args.server, "a.example:1");
	assert_false(args.server_is_own);
	ptah_args_free(&args);
	over = json("{\"cert\":\"c\",\"serverAddress\":\"[::1]:9\"}");
	assert_int_equal(ptah_args_make(&args, one, over, why, sizeof(why)), 0);
	ptah_json_free(over);
	assert_string_equal(args.server, "[::1]:9");
	assert_true(args.server_is_own);
	ptah_args_free(&args);
	stage_close(&stage, one);
}

static void
shares_complete_options_with_each_connection(void **state)
{
	struct ptah_instance *one = stage_open(&stage, "codec", PTAH_SERVER, "{\"cert\":\"c\"}");
	struct ptah_args args;
	char why[256];

	(void)state;
	assert_non_null(one);
	assert_true(one->args_complete);
	assert_int_equal(ptah_args_make(&args, one, NULL, why, sizeof(why)), 0);
	assert_ptr_equal(args.values, one->args);
	assert_null(args.owned);
	ptah_args_free(&args);
	stage_close(&stage, one);
}

static void
asks_for_bridge_arguments_when_bound(void **state)
{
	struct ptah_instance *one = stage_open(&stage, "codec", PTAH_SERVER, "{\"cert\":\"c\"}");
	char why[256];

	(void)state;
	assert_int_equal(ptah_instance_announce(one, "127.0.0.1:8", why, sizeof(why)), 0);
	assert_string_equal(ptah_json_get(one->bridge_args, "at")->text, "127.0.0.1:8");
	stage_close(&stage, one);
	one = stage_open(&stage, "codec", PTAH_SERVER, "{\"cert\":\"c\",\"size\":99}");
	assert_int_equal(ptah_instance_announce(one, "127.0.0.1:8", why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "its bridge arguments are not an object of strings");
	stage_close(&stage, one);
}

static void
builds_stacks(void **state)
{
	struct ptah_instance *one = stage_open(&stage, "codec+lived+carrier", PTAH_CLIENT,
	    "{\"size\":1,\"over\":{\"how\":\"later\",\"over\":{\"serverAddress\":\"b.example:2\"}}}");

	(void)state;
	assert_non_null(one);
	stage_wait_ready(&stage);
	assert_int_equal(stage.ready_rc, 0);
	assert_string_equal(one->name, "codec");
	assert_string_equal(one->below->name, "lived");
	assert_string_equal(one->below->below->name, "carrier");
	assert_null(one->below->below->below);
	assert_ptr_equal(one->below->above, one);
	assert_string_equal(((const struct lived_conf *)one->below->conf)->how, "later");
	assert_string_equal(one->below->below->server, "b.example:2");
	stage_close(&stage, one);
}

static void
gives_each_layer_its_own_options(void **state)
{
	static const struct {
		const char *over, *upper, *lower, *server; /* upper NULL: refused */
	} cases[] = {
		{ "{\"cert\":\"u\",\"over\":{\"cert\":\"l\"}}", "u", "l", "b.example:2" },
		{ "{\"cert\":\"u\",\"over.cert\":\"l\"}", "u", "l", "b.example:2" },
		{ "{\"over.cert\":\"x\",\"over\":{\"cert\":\"l\"},\"cert\":\"u\"}", "u", "l", "b.example:2" },
		{ "{\"cert\":\"u\",\"over.cert\":\"l\",\"over.serverAddress\":\"c.example:3\"}", "u", "l", "c.example:3" },
		{ "{\"cert\":\"one\"}", NULL, NULL, "over \"codec\": option \"cert\" is missing: from the bridge line" },
		{ "{\"cert\":\"u\",\"over.cert\":\"l\",\"over.size\":8}", NULL, NULL, "over \"codec\": option \"size\" is the "
		    "transport's, not a connection's; set it where the transport is configured" },
		{ "{\"cert\":\"u\",\"over.module\":\"codec\"}", NULL, NULL,
		    "option \"over\": a connection cannot choose what the transport stands on" },
		{ "{\"cert\":\"u\",\"over\":{\"cert\":\"l\",\"serverAddress\":\"c.example:3\"}}", "u", "l", "c.example:3" },
		{ "{\"cert\":\"u\",\"over\":{\"mode\":1}}", NULL, NULL, "over \"codec\": option \"cert\" is missing: from the bridge line" },
		{ "{\"cert\":\"u\",\"over\":{\"cert\":\"bad\"}}", NULL, NULL, "over \"codec\": that certificate is bad" },
	};
	struct ptah_instance *one = stage_open(&stage, "codec+codec", PTAH_CLIENT, "{\"over\":{\"serverAddress\":\"b.example:2\"}}");

	(void)state;
	assert_non_null(one);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_json *over = json(cases[i].over);
		struct ptah_args args;
		char why[256];
		int rc = ptah_args_make(&args, one, over, why, sizeof(why));

		ptah_json_free(over);
		if (cases[i].upper == NULL) {
			assert_int_equal(rc, -EINVAL);
			assert_string_equal(why, cases[i].server);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(((const struct args *)args.values)->cert, cases[i].upper);
		assert_string_equal(((const struct args *)args.below->values)->cert, cases[i].lower);
		assert_null(args.below->below);
		assert_string_equal(args.server, cases[i].server);
		ptah_args_free(&args);
	}
	stage_close(&stage, one);
}

static void
waits_until_all_lives_are_ready(void **state)
{
	static const struct {
		const char *options;
		int rc;
		const char *reason;
	} cases[] = {
		{ "{}", 0, NULL },
		{ "{\"how\":\"later\"}", 0, NULL },
		{ "{\"how\":\"fails\"}", -EACCES, "Permission denied" },
		{ "{\"how\":\"says no\"}", -EINVAL, "no, said the home" },
		{ "{\"how\":\"bad args\"}", -EINVAL, "its bridge arguments are not an object of strings" },
		{ "{\"how\":\"no worker\"}", -EIO, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_instance *one;

		homes_open = homes_closed = workers_open = workers_closed = worker_events = stops = 0;
		one = stage_open(&stage, "lived", PTAH_SERVER, cases[i].options);
		assert_non_null(one);
		if (strstr(cases[i].options, "no worker") == NULL) {
			stage_wait_ready(&stage);
			assert_int_equal(stage.ready_rc, cases[i].rc);
			if (cases[i].reason != NULL)
				assert_string_equal(stage.reason, cases[i].reason);
		}
		if (i == 0) {
			assert_string_equal(one->advertise, "192.0.2.1:7");
			assert_string_equal(ptah_json_get(one->bridge_args, "k")->text, "v");
		}
		/* Each worker life set a timer; it rings if it is given the time. */
		if (i == 1) {
			const struct timespec moment = { .tv_nsec = 1000000 };
			uint64_t until = ptah_clock_now_ns() + STAGE_LIMIT_S * PTAH_NS_PER_S;

			while (atomic_load(&worker_events) < 3 && ptah_clock_now_ns() < until)
				nanosleep(&moment, NULL);
			assert_int_equal(worker_events, 3);
		}
		stage_close(&stage, one);
		stage_wait_ready(&stage); /* one that ended before it was ready is told of, too, perhaps after its end */
		assert_int_equal(stage.n_ready, 1);
		assert_int_equal(homes_open, 1);
		assert_int_equal(homes_closed, 1);
		assert_int_equal(workers_open, 3);
		assert_int_equal(workers_closed, 3);
		assert_int_equal(stops, 1);
	}
}

static void
ends_a_home_that_does_not_finish(void **state)
{
	struct ptah_instance *one;

	(void)state;
	homes_closed = workers_closed = 0;
	one = stage_open(&stage, "lived", PTAH_SERVER, "{\"how\":\"never done\"}");
	/* It is not ready either: its end says so. */
	stage.stop_ms = 50;
	stage_close(&stage, one);
	stage.stop_ms = 0;
	assert_int_equal(stage.n_ready, 1);
	assert_int_equal(stage.ready_rc, -ECANCELED);
	assert_int_equal(homes_closed, 1);
	assert_int_equal(workers_closed, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_a_module_without_lives_at_once),
		cmocka_unit_test(refuses_what_cannot_be_done),
		cmocka_unit_test(lays_the_options_of_a_connection_over_the_global_ones),
		cmocka_unit_test(shares_complete_options_with_each_connection),
		cmocka_unit_test(asks_for_bridge_arguments_when_bound),
		cmocka_unit_test(builds_stacks),
		cmocka_unit_test(gives_each_layer_its_own_options),
		cmocka_unit_test(waits_until_all_lives_are_ready),
		cmocka_unit_test(ends_a_home_that_does_not_finish),
	};

	return cmocka_run_group_tests(tests, set_stage, clear_stage);
}
