/* SPDX-License-Identifier: BSD-3-Clause */
/* wire/udp.h: what the kernel joined comes apart, whole, with room around each. */
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/udp.h"

#define EACH 100
#define HEAD 24
#define TAIL 16
/* The last datagram is so much shorter. */
#define SHORT 7

/* As one piece; where the kernel sends no so many, in halves. */
static void
send_joined(int fd, const uint8_t *at, size_t n)
{
	int each = EACH;

	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &each, sizeof(each)), 0);
	if (send(fd, at, n * EACH - SHORT, 0) != -1)
		return;
	assert_int_equal(errno, EINVAL);
	assert_int_equal(send(fd, at, n / 2 * EACH, 0), n / 2 * EACH);
	assert_int_equal(send(fd, at + n / 2 * EACH, (n - n / 2) * EACH - SHORT, 0), (n - n / 2) * EACH - SHORT);
}

static void
takes_apart_as_many_as_a_local_peer_can_join(void **state)
{
	static uint8_t bytes[128 * EACH];
	static struct ptah_udp_got got[PTAH_UDP_BATCH];
	static struct ptah_room pieces[PTAH_UDP_JOIN_MOST];
	struct ptah_udp_batch *batch = ptah_udp_batch_new_roomy(HEAD, TAIL);
	struct ptah_addr at, bound;
	size_t came = 0;
	int fd, from;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 >> 4);
	assert_non_null(batch);
	assert_true(ptah_udp_batch_may_join(batch));
	assert_int_equal(ptah_addr_parse(&at, "127.0.0.1:0"), 0);
	assert_int_equal(ptah_udp_listen(&at, &fd, 1, &bound), 0);
	from = ptah_udp_connect(&bound);
	assert_true(from >= 0);
	send_joined(from, bytes, 128);
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	while (came < 128 && poll(&wait, 1, 10000) == 1) {
		int n = ptah_udp_read(fd, batch, got);

		for (int i = 0; i < n; i++) {
			size_t count = ptah_udp_pieces(batch, &got[i], pieces);

			for (size_t k = 0; k < count; k++, came++) {
				assert_true(came < 128);
				assert_int_equal(pieces[k].len, came < 127 ? EACH : EACH - SHORT);
				assert_memory_equal(pieces[k].at, bytes + came * EACH, pieces[k].len);
				assert_true(k == 0 || pieces[k].at - (pieces[k - 1].at + pieces[k - 1].len) >= HEAD + TAIL);
			}
		}
	}
	assert_int_equal(came, 128);
	assert_true(ptah_udp_read(fd, batch, got) <= 0);
	close(from);
	close(fd);
	ptah_udp_batch_free(batch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_apart_as_many_as_a_local_peer_can_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
