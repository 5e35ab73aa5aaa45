/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that is not there, while a configuration file is read: each
 * allocation fails once, in turn.  Either the file is read all the same, or
 * the answer is that there is no memory.  That nothing is lost then, the build
 * with AddressSanitizer sees.
 *
 * The linker puts these functions between our objects and the C library.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/runfile.h"

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *old, size_t len);
void *__real_reallocarray(void *old, size_t n, size_t len);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *old, size_t len);
void *__wrap_reallocarray(void *old, size_t n, size_t len);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

static long fail_at = -1; /* count down to the one that fails */

static bool
is_refused(void)
{
	if (fail_at < 0 || fail_at-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t len)
{
	return is_refused() ? NULL : __real_malloc(len);
}

void *
__wrap_calloc(size_t n, size_t len)
{
	return is_refused() ? NULL : __real_calloc(n, len);
}

void *
__wrap_realloc(void *old, size_t len)
{
	return is_refused() ? NULL : __real_realloc(old, len);
}

void *
__wrap_reallocarray(void *old, size_t n, size_t len)
{
	return is_refused() ? NULL : __real_reallocarray(old, n, len);
}

char *
__wrap_strdup(const char *text)
{
	return is_refused() ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t len)
{
	return is_refused() ? NULL : __real_strndup(text, len);
}

/* Read it while the allocation 'n' fails; did that one come? */
static bool
survives(const char *text, long n, int good)
{
	char *envp[] = { (char *)"STATE_DIRECTORY=/s", (char *)"PTAH_MODULE_PATH=/a:/b", NULL };
	struct ptah_faults faults = { 0 };
	struct ptah_runfile file;
	int rc;

	fail_at = n;
	rc = ptah_runfile_parse(&file, text, strlen(text), envp, &faults);

	bool came = fail_at < 0;

	fail_at = -1;
	assert_int_equal(rc, came ? -ENOMEM : good);
	ptah_runfile_clear(&file);
	ptah_faults_clear(&faults);
	return came;
}

static void
lets_no_file_be_half_read(void **state)
{
	static const struct {
		const char *text;
		int good;
	} cases[] = {
		{ "{\"services\": {\"c\": {\"role\": \"client\", \"mode\": \"STUN\", \"listen\": \"fd:turn\", "
		    "\"transport\": \"obfs4+dummy\", \"options\": {\"serverAddress\": \"192.0.2.1:443\"}, "
		    "\"proxy\": \"socks5://user:word@127.0.0.1:1080\", \"limits\": {\"links\": 5}}, "
		    "\"s\": {\"role\": \"server\", \"listen\": [\"127.0.0.1:1\", \"[::1]:1\"], \"target\": \"host.example:80\", "
		    "\"proxyProtocolFrom\": [\"10.0.0.0/8\"], \"stack\": [{\"transport\": \"shadow\", \"options\": {\"a\": 1}}, "
		    "{\"transport\": \"dummy\"}]}}, \"control\": \"/c\", \"modulePath\": [\"/m\", \"/n\"]}", 0 },
		{ "{\"a\": 1, \"workers\": 0, \"services\": {\"x\": {\"mode\": \"tcp\", \"listen\": 5, \"stack\": [{}]}}}", -EINVAL },
		{ "{\"services\": ", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		long n = 0;

		while (survives(cases[i].text, n, cases[i].good))
			n++;
		assert_true(n > 10);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_no_file_be_half_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
