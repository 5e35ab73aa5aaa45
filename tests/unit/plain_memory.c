/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that is not there: each allocation of the parsers and of the SOCKS
 * machine fails once, in turn.  The link that asked is refused, nothing is
 * lost, and yajl, which does not look, does not fall over.
 *
 * The linker puts these functions between our objects and the C library.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/kv.h"
#include "config/flag.h"
#include "plain/extor.h"
#include "plain/socks.h"

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_reallocarray(void *old, size_t n, size_t len);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void __real_free(void *at);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_reallocarray(void *old, size_t n, size_t len);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
void __wrap_free(void *at);

static long fail_at = -1; /* count down to the one that fails */
static long live;

static bool
is_refused(void)
{
	if (fail_at < 0)
		return false;
	if (fail_at-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

static void *
counted(void *at)
{
	live += at != NULL;
	return at;
}

void *
__wrap_malloc(size_t len)
{
	return is_refused() ? NULL : counted(__real_malloc(len));
}

void *
__wrap_calloc(size_t n, size_t len)
{
	return is_refused() ? NULL : counted(__real_calloc(n, len));
}

void *
__wrap_reallocarray(void *old, size_t n, size_t len)
{
	void *at;

	if (is_refused())
		return NULL;
	at = __real_reallocarray(old, n, len);
	live += at != NULL && old == NULL;
	return at;
}

char *
__wrap_strdup(const char *text)
{
	return is_refused() ? NULL : counted(__real_strdup(text));
}

char *
__wrap_strndup(const char *text, size_t len)
{
	return is_refused() ? NULL : counted(__real_strndup(text, len));
}

void
__wrap_free(void *at)
{
	live -= at != NULL;
	__real_free(at);
}

/* Runs once; true if it went well, false if it ended for want of memory. */
typedef bool attempt_fn(void);

static void
fail_each(attempt_fn *attempt, long at_least)
{
	long n = 0;
	bool good;

	do {
		long before = live;

		fail_at = n;
		good = attempt();
		/* Whoever can do without does not fail; but what never ran out must be good. */
		assert_true(fail_at < 0 || good);
		assert_int_equal(live, before);
		n++;
	} while (fail_at < 0);
	fail_at = -1;
	assert_true(n > at_least);
}

static bool
read_json(void)
{
	static const char text[] = "{shadow: {\"password\": \"x\\u00e9y\", n: [1, true, null, \"a\"]}, \"a\": 1, \"a\": 2}";
	char why[100];
	struct ptah_json *json = ptah_json_parse(text, sizeof(text) - 1, PTAH_JSON_BARE_KEYS, why, sizeof(why));
	struct ptah_json *copy;
	char *out;
	bool good;

	if (json == NULL) {
		assert_int_equal(errno, ENOMEM);
		assert_string_equal(why, "out of memory");
		return false;
	}
	copy = ptah_json_copy(json);
	good = copy != NULL && ptah_json_overlay(json, copy) == 0 &&
	    ptah_json_set(json, "b", ptah_json_new_text(PTAH_JSON_STRING, "c")) == 0;
	out = good ? ptah_json_text(json) : NULL;
	if (out != NULL)
		assert_string_equal(out,
		    "{\"shadow\":{\"password\":\"x\xc3\xa9y\",\"n\":[1,true,null,\"a\"]},\"a\":2,\"b\":\"c\"}");
	good = out != NULL;
	free(out);
	ptah_json_free(copy);
	ptah_json_free(json);
	return good;
}

static bool
read_pairs(void)
{
	struct ptah_json *json = NULL;
	struct ptah_kv kv;
	char why[100], *out = NULL;
	int rc = ptah_kv_parse_options(&kv, "a:k=1;a:l=2;b:k=3;a:k=4", why, sizeof(why));

	if (rc == 0) {
		json = ptah_json_from_kv(&kv, "a");
		rc = json == NULL ? -ENOMEM : ptah_kv_format_args(&kv, &out);
		if (rc == 0)
			rc = ptah_kv_add(&kv, NULL, "m", "5");
	}
	assert_true(rc == 0 || rc == -ENOMEM);
	if (rc == 0)
		assert_string_equal(out, "k=1,k=3,k=4,l=2");
	free(out);
	ptah_json_free(json);
	ptah_kv_clear(&kv);
	return rc == 0;
}

static bool
shake(int dialect, const char *bytes, size_t len, const char *refused, size_t refused_len)
{
	struct ptah_socks socks;
	bool good;

	ptah_socks_init(&socks, dialect, true);
	ptah_socks_feed(&socks, (struct ptah_span){ (const uint8_t *)bytes, len });
	good = socks.status == PTAH_SOCKS_REQUEST;
	if (!good) {
		assert_int_equal(socks.status, PTAH_SOCKS_FAILED);
		assert_string_equal(socks.why, "out of memory");
		assert_true(socks.out_len >= refused_len);
		assert_memory_equal(socks.out + socks.out_len - refused_len, refused, refused_len);
	}
	ptah_socks_clear(&socks);
	return good;
}

#define REQUEST "\5\1\0\3\1h\1\273"
#define SHAKE(dialect, bytes, refused) shake(dialect, bytes, sizeof(bytes) - 1, refused, sizeof(refused) - 1)
#define GENERAL "\5\1\0\1\0\0\0\0\0\0"

static bool
shake_json(void)
{
	return SHAKE(PTAH_D3, "\5\1\11\0\0\0\17{\"a\":{\"b\":\"c\"}}" REQUEST, GENERAL);
}

static bool
shake_bare_json(void)
{
	return SHAKE(PTAH_D3, "\5\1\200{\"a\":[\"b\",1]}" REQUEST, GENERAL);
}

static bool
shake_login(void)
{
	/* until the arguments are known, the refusal is that of the login */
	struct ptah_socks socks;
	static const char bytes[] = "\5\1\2\1\7a=1;a=2\1\0" REQUEST;
	bool good;

	ptah_socks_init(&socks, PTAH_D1, false);
	ptah_socks_feed(&socks, (struct ptah_span){ (const uint8_t *)bytes, sizeof(bytes) - 1 });
	good = socks.status == PTAH_SOCKS_REQUEST;
	if (!good) {
		assert_int_equal(socks.status, PTAH_SOCKS_FAILED);
		assert_string_equal(socks.why, "out of memory");
	}
	ptah_socks_clear(&socks);
	return good;
}

static bool
shake_socks4a(void)
{
	return SHAKE(PTAH_D1, "\4\1\0\120\0\0\0\1k=v\0host\0", "\0\133\0\0\0\0\0\0");
}

static bool
greet_extor(void)
{
	uint8_t cookie[PTAH_EXTOR_COOKIE] = { 0 };
	struct ptah_extor extor;
	struct ptah_buf out = { 0 };
	size_t ate;
	int rc;

	ptah_extor_init(&extor, cookie, NULL, NULL, "dummy");
	rc = ptah_extor_feed(&extor, (struct ptah_span){ (const uint8_t *)"\1\0", 2 }, &ate, &out);
	assert_true(rc == PTAH_EXTOR_MORE || rc == -ENOMEM);
	ptah_extor_clear(&extor);
	ptah_buf_clear(&out);
	return rc == PTAH_EXTOR_MORE;
}

static void
json_survives_any_failure(void **state)
{
	(void)state;
	fail_each(read_json, 60);
}

static void
pairs_survive_any_failure(void **state)
{
	(void)state;
	fail_each(read_pairs, 25);
}

static void
a_handshake_without_memory_is_refused(void **state)
{
	(void)state;
	fail_each(shake_json, 15);
	fail_each(shake_bare_json, 15);
	fail_each(shake_login, 10);
	fail_each(shake_socks4a, 6);
	fail_each(greet_extor, 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_survives_any_failure),
		cmocka_unit_test(pairs_survive_any_failure),
		cmocka_unit_test(a_handshake_without_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
