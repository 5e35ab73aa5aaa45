/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets that outlive a service, and a process. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/place.h"

#define N 2u

static const struct ptah_bounds none, on_lo = { .interface = "lo" };

static struct ptah_place_want
want_of(const struct ptah_addr *addr, const char *name)
{
	return (struct ptah_place_want){ .addr = addr, .name = name, .bounds = &none };
}

static struct ptah_place *
take(struct ptah_places *places, const struct ptah_place_want *want)
{
	struct ptah_place *place = NULL;

	assert_int_equal(ptah_place_take(places, want, &place), 0);
	return place;
}

static struct ptah_addr
where(const struct ptah_place *place)
{
	struct ptah_addr bound;
	int fds[N];

	assert_int_equal(ptah_place_share(place, fds, &bound), 0);
	for (unsigned i = 0; i < N; i++)
		close(fds[i]);
	return bound;
}

/* As another process would have them. */
static int
carry(const struct ptah_place_want *want, const int *fds, unsigned n, void *arg)
{
	int theirs[N];

	assert_int_equal(n, N);
	for (unsigned i = 0; i < n; i++)
		theirs[i] = dup(fds[i]);
	return ptah_places_inherit(arg, want, theirs, n);
}

static int
is_refused(const struct ptah_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM, 0), rc;

	rc = connect(fd, &addr->sa, ptah_addr_len(addr));
	close(fd);
	return rc == -1 && errno == ECONNREFUSED;
}

static void
the_next_process_has_the_same_sockets(void **state)
{
	struct ptah_places *old = ptah_places_new(N), *young = ptah_places_new(N);
	struct ptah_addr any, bound, other;
	struct ptah_place *place, *same;

	(void)state;
	assert_int_equal(ptah_addr_parse(&any, "127.0.0.1:0"), 0);

	const struct ptah_place_want mine = want_of(&any, "mine"), another = want_of(&any, "another");
	struct ptah_place_want elsewhere = mine;

	place = take(old, &mine);
	bound = where(place);
	assert_int_equal(ptah_places_each(old, carry, young), 0);
	ptah_places_share(old, true);
	assert_false(ptah_place_drop(place)); /* somebody else has it */
	ptah_places_free(old);
	assert_false(is_refused(&bound));
	/* It is known by all that it was wanted by. */
	place = take(young, &another);
	other = where(place);
	assert_false(ptah_addr_equal(&other, &bound));
	assert_true(ptah_place_drop(place));
	elsewhere.bounds = &on_lo;
	place = take(young, &elsewhere);
	other = where(place);
	assert_false(ptah_addr_equal(&other, &bound));
	assert_true(ptah_place_drop(place));
	same = take(young, &mine);
	other = where(same);
	assert_true(ptah_addr_equal(&other, &bound));
	ptah_places_settle(young);
	assert_false(is_refused(&bound));
	assert_true(ptah_place_drop(same));
	assert_true(is_refused(&bound));
	ptah_places_free(young);
}

static void
what_nobody_takes_is_closed(void **state)
{
	struct ptah_places *old = ptah_places_new(N), *young = ptah_places_new(N);
	struct ptah_addr any, bound;
	struct ptah_place *place;

	(void)state;
	assert_int_equal(ptah_addr_parse(&any, "127.0.0.1:0"), 0);

	const struct ptah_place_want mine = want_of(&any, "mine");

	place = take(old, &mine);
	bound = where(place);
	assert_int_equal(ptah_places_each(old, carry, young), 0);
	ptah_places_free(old);
	assert_false(is_refused(&bound));
	ptah_places_settle(young);
	assert_true(is_refused(&bound));
	ptah_places_free(young);
}

static void
there_are_as_many_as_workers(void **state)
{
	struct ptah_places *places = ptah_places_new(N);
	struct ptah_addr any;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(ptah_addr_parse(&any, "127.0.0.1:0"), 0);

	const struct ptah_place_want mine = want_of(&any, "mine");

	assert_int_equal(ptah_places_inherit(places, &mine, &fd, 1), -EINVAL);
	assert_int_equal(close(fd), -1); /* it was taken */
	ptah_places_free(places);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_process_has_the_same_sockets),
		cmocka_unit_test(what_nobody_takes_is_closed),
		cmocka_unit_test(there_are_as_many_as_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
