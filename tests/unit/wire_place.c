/* SPDX-License-Identifier: BSD-3-Clause */
/* wire/place.h: sockets that outlive who takes from them, and those that another process holds. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/listen.h"
#include "wire/place.h"

#define WORKERS 3

static const struct ptah_bounds bounds;
static struct ptah_addr any;

static int
set_any(void **state)
{
	(void)state;
	return ptah_addr_parse(&any, "127.0.0.1:0");
}

/* Does anybody listen there? */
static bool
is_open(const struct ptah_addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool open;

	assert_int_not_equal(fd, -1);
	open = connect(fd, &addr->sa, ptah_addr_len(addr)) == 0;
	close(fd);
	return open;
}

static void
close_all(const int *fds)
{
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(close(fds[i]), 0);
}

/* A number that is set on a socket; of SO_LINGER whether it is on. */
static int
is_set(int fd, int level, int option)
{
	int value[2] = { -1, -1 };
	socklen_t len = option == SO_LINGER && level == SOL_SOCKET ? sizeof(value) : sizeof(value[0]);

	assert_int_equal(getsockopt(fd, level, option, value, &len), 0);
	return value[0];
}

/* Whoever had its sockets before may have been hostile, and what is set on a listener each accepted socket inherits. */
static void
is_shared_as_it_was_made(void **state)
{
	const struct ptah_place_want want = { .addr = &any, .name = "one", .bounds = &bounds };
	struct ptah_places *places = ptah_places_new(WORKERS);
	const struct linger cut = { 1, 0 };
	struct ptah_place *place;
	struct ptah_addr bound;
	const int none = 0;
	int fds[WORKERS];

	(void)state;
	assert_int_equal(ptah_place_take(places, &want, &place), 0);
	for (unsigned turn = 0; turn < 2; turn++) {
		assert_int_equal(ptah_place_share(place, fds, &bound), 0);
		for (unsigned i = 0; i < WORKERS; i++) {
			assert_int_equal(is_set(fds[i], SOL_SOCKET, SO_LINGER), 0);
			assert_int_equal(is_set(fds[i], IPPROTO_TCP, TCP_NODELAY), 1);
			assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &cut, sizeof(cut)), 0);
			assert_int_equal(setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &none, sizeof(none)), 0);
		}
		close_all(fds);
	}
	ptah_places_free(places);
}

static void
lasts_until_the_last_one_drops_it(void **state)
{
	const struct ptah_place_want want = { .addr = &any, .name = "one", .bounds = &bounds };
	const struct ptah_place_want other = { .addr = &any, .name = "two", .bounds = &bounds };
	struct ptah_places *places = ptah_places_new(WORKERS);
	struct ptah_place *first, *again, *else_;
	struct ptah_addr bound, same;
	int fds[WORKERS];

	(void)state;
	assert_int_equal(ptah_place_take(places, &want, &first), 0);
	assert_int_equal(ptah_place_share(first, fds, &bound), 0);
	close_all(fds);
	assert_true(is_open(&bound));
	/* Port 0 is the same port again for the same name, and another one for another. */
	assert_int_equal(ptah_place_take(places, &want, &again), 0);
	assert_ptr_equal(again, first);
	assert_int_equal(ptah_place_take(places, &other, &else_), 0);
	assert_ptr_not_equal(else_, first);
	assert_int_equal(ptah_place_share(else_, fds, &same), 0);
	close_all(fds);
	assert_false(ptah_addr_equal(&bound, &same));
	assert_false(ptah_place_drop(first));
	assert_true(is_open(&bound));
	assert_true(ptah_place_drop(again));
	assert_false(is_open(&bound));
	assert_true(ptah_place_drop(else_));
	assert_true(ptah_place_drop(NULL));
	ptah_places_free(places);
}

static void
a_preset_one_is_found_by_the_address_that_was_asked_for(void **state)
{
	const struct ptah_place_want want = { .addr = &any, .name = "one", .bounds = &bounds };
	struct ptah_places *places = ptah_places_new(WORKERS);
	struct ptah_place *preset, *place;
	struct ptah_addr bound, shared;
	int fds[WORKERS], copies[WORKERS];

	(void)state;
	assert_int_equal(ptah_listen_open(&any, fds, WORKERS, &bound), 0);
	assert_int_equal(ptah_places_preset(places, &want, fds, &preset), 0);
	assert_int_equal(ptah_place_take(places, &want, &place), 0);
	assert_ptr_equal(place, preset);
	assert_int_equal(ptah_place_share(place, copies, &shared), 0);
	assert_true(ptah_addr_equal(&bound, &shared));
	close_all(copies);
	assert_false(ptah_place_drop(place));
	assert_true(ptah_place_drop(preset));
	assert_false(is_open(&bound));
	ptah_places_free(places);
}

static void
what_is_no_socket_is_refused_and_closed(void **state)
{
	const struct ptah_place_want want = { .addr = &any, .name = "one", .bounds = &bounds };
	struct ptah_places *places = ptah_places_new(WORKERS);
	struct ptah_place *preset;
	int fds[WORKERS];

	(void)state;
	for (int i = 0; i < WORKERS; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	assert_int_equal(ptah_places_preset(places, &want, fds, &preset), -ENOTSOCK);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
	ptah_places_free(places);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_shared_as_it_was_made),
		cmocka_unit_test(lasts_until_the_last_one_drops_it),
		cmocka_unit_test(a_preset_one_is_found_by_the_address_that_was_asked_for),
		cmocka_unit_test(what_is_no_socket_is_refused_and_closed),
	};

	return cmocka_run_group_tests(tests, set_any, NULL);
}
