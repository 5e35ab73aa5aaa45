/* SPDX-License-Identifier: BSD-3-Clause */
/* A link of exec, whose home and host are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "link.h"

static char logged[EXEC_LETTER_MAX];

static uint64_t
fake_id(struct ptah_self *self)
{
	(void)self;
	return 7;
}

static int
fake_mail(struct ptah_self *self, uint64_t to, struct ptah_span body)
{
	(void)self;
	assert_int_equal(to, PTAH_HOME);
	assert_int_equal(body.len, 1);
	assert_int_equal(body.at[0], EXEC_ASK);
	return 0;
}

static void
fake_log(struct ptah_self *self, uint32_t level, const char *text, size_t len)
{
	(void)self;
	assert_int_equal(level, PTAH_LOG_LEVEL_INFO);
	assert_true(len < sizeof(logged));
	memcpy(logged, text, len);
	logged[len] = '\0';
}

static const struct ptah_host host = { .size = sizeof(host), .id = fake_id, .mail = fake_mail, .log = fake_log };

/* The home answers a link with this; what its host is told. */
static const char *
reason_after(const char *letter, size_t len)
{
	const struct exec_conf conf = { .exec = "/bin/odd" };
	const struct ptah_open open = { .size = sizeof(open), .role = PTAH_CLIENT, .conf = &conf, .host = &host };
	const struct ptah_event event = { .size = sizeof(event), .what = PTAH_EV_MAIL,
		.body = { (const uint8_t *)letter, len } };
	struct ptah_io io = { .size = sizeof(io) };
	struct exec_link link = { .host = NULL };

	logged[0] = '\0';
	assert_int_equal(exec_link_dial(&link, &open, &io), 0);
	assert_int_equal(exec_link_event(&link, &event, &io), -EHOSTUNREACH);
	exec_link_close(&link, -EHOSTUNREACH);
	return io.reason;
}

/* The host says it when the link is gone. */
static void
the_reason_outlives_the_link(void **state)
{
	const char *reason = reason_after("nthe program ended by itself", 28);

	(void)state;
	assert_non_null(reason);
	assert_string_equal(logged, "the program ended by itself");
	assert_ptr_equal(reason_after("nit was not ready", 17), reason);
	assert_string_equal(logged, "it was not ready");
	assert_ptr_equal(reason_after("n", 1), reason);
	assert_string_equal(logged, "");
	assert_string_equal(reason, "the program does not run");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reason_outlives_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
