/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "base/scrub.h"
#include "base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
scrubs_addresses_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *scrubbed; /* NULL: stays as it is */
	} cases[] = {
		{ "1.2.3.4:443", "[scrubbed]:443" },
		{ "dial 192.0.2.1:443: refused", "dial [scrubbed]:443: refused" },
		{ "0.0.0.0", "[scrubbed]" },
		{ "(255.255.255.255)", "([scrubbed])" },
		{ "10.0.0.0/8", "[scrubbed]/8" },
		{ "at 1.2.3.4.", "at [scrubbed]." },
		{ "1.2.3.4,5.6.7.8;9.9.9.9", "[scrubbed],[scrubbed];[scrubbed]" },
		{ "dummy-127.0.0.1:0", "dummy-[scrubbed]:0" },
		{ "socks5://u@1.2.3.4:5", "socks5://u@[scrubbed]:5" },
		{ "4.3.2.1.in-addr.arpa", "[scrubbed].in-addr.arpa" },
		{ "010.001.002.003", "[scrubbed]" },
		{ "\\n1.2.3.4", "\\n[scrubbed]" },
		{ "[1.2.3.4]:5", "[scrubbed]:5" },
		{ "[::1]:443", "[scrubbed]:443" },
		{ "[::]:443", "[scrubbed]:443" },
		{ "[2001:db8::1]:443, [2001:db8::2]:80", "[scrubbed]:443, [scrubbed]:80" },
		{ "2001:db8::1", "[scrubbed]" },
		{ "2001:db8::1: no route", "[scrubbed]: no route" },
		{ "at 2001:db8::1.", "at [scrubbed]." },
		{ "2001:DB8:1:2:3:4:5:6", "[scrubbed]" },
		{ "2001:db8:1:2:3:4:5:6:443", "[scrubbed]:443" },
		{ "fe80::", "[scrubbed]" },
		{ "::", "[scrubbed]" },
		{ "::ffff:1.2.3.4", "[scrubbed]" },
		{ "[::ffff:1.2.3.4]:443", "[scrubbed]:443" },
		{ "::ffff:1.2.3.4:443", "[scrubbed]:443" },
		{ "64:ff9b::192.0.2.1", "[scrubbed]" },
		{ "1:2:3:4:5:6:1.2.3.4", "[scrubbed]" },
		{ "[fe80::1%eth0]:443", "[scrubbed]:443" },
		{ "fe80::1%eth0.7", "[scrubbed].7" },
		{ "fe80::1%25wlan-0 x", "[scrubbed] x" },
		{ "dummy-::1:0", "dummy-[scrubbed]" },
		{ "peer=2001:db8::1,", "peer=[scrubbed]," },
		{ "nfe80::1:2:3", "n[scrubbed]" },
		{ "\xc3\xa9" "1.2.3.4\xc3\xa9", "\xc3\xa9[scrubbed]\xc3\xa9" },
		/* times, versions, hardware, fingerprints, names */
		{ "12:34:56", NULL },
		{ "2026-11-21T02:38:08.123Z", NULL },
		{ "00:00:00:00", NULL },
		{ "OpenSSL 3.0.11, libevent 2.1.12-stable", NULL },
		{ "v1.2.3.4", NULL },
		{ "1.2.3", NULL },
		{ "1.2.3.256", NULL },
		{ "1.2.3.4567", NULL },
		{ "aa:bb:cc:dd:ee:ff", NULL },
		{ "AA:BB:CC:DD:EE:FF:00:11", NULL },
		{ "01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67", NULL },
		{ "std::add", NULL },
		{ "Face::book", NULL },
		{ "link 3: done", NULL },
		{ "a:b", NULL },
		{ "127.0.0:80", NULL },
		{ "1:2:3:4:5:6:7", NULL },
		{ ":1:2", NULL },
		{ "[]", NULL },
		{ "[scrubbed]:443", NULL },
		{ "deadbeef cafe 0x1234 :", NULL },
		{ "", NULL },
	};
	char out[200];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *text = cases[i].text;
		const char *want = cases[i].scrubbed != NULL ? cases[i].scrubbed : text;

		assert_int_equal(ptah_scrub(text, strlen(text), false, out, sizeof(out)), strlen(want));
		assert_string_equal(out, want);
		assert_int_equal(ptah_scrub(text, strlen(text), true, out, sizeof(out)), strlen(text));
		assert_string_equal(out, text);
	}
}

static void
hides_private_text_between_its_marks(void **state)
{
	static const struct {
		const char *text, *safe, *unsafe;
	} cases[] = {
		{ "dial \1example.com\2:443", "dial [scrubbed]:443", "dial example.com:443" },
		{ "\1a\2 and \1b\2", "[scrubbed] and [scrubbed]", "a and b" },
		{ "\1\2", "[scrubbed]", "" },
		{ "\1" "1.2.3.4\2", "[scrubbed]", "1.2.3.4" },
		{ "\1a\2b\2 c", "[scrubbed] c", "ab c" },
		{ "\1never closed", "[scrubbed]", "never closed" },
		{ "stray\2 mark", "stray  mark", "stray mark" },
	};
	char out[100];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		ptah_scrub(cases[i].text, strlen(cases[i].text), false, out, sizeof(out));
		assert_string_equal(out, cases[i].safe);
		ptah_scrub(cases[i].text, strlen(cases[i].text), true, out, sizeof(out));
		assert_string_equal(out, cases[i].unsafe);
	}
}

static void
leaves_out_what_does_not_fit_whole(void **state)
{
	static const char text[] = "a\xc3\xa9 1.2.3.4 z";
	static const size_t want[] = { 0, 0, 1, 1, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 14, 15, 16, 16 };
	char out[32];

	(void)state;
	for (size_t room = 0; room < COUNT(want); room++) {
		size_t n = ptah_scrub(text, sizeof(text) - 1, false, out, room);

		assert_int_equal(n, want[room]);
		assert_memory_equal(out, "a\xc3\xa9 [scrubbed] z", n);
	}
	ptah_scrub("a\xff\xc3", 3, false, out, sizeof(out));
	assert_string_equal(out, "a\xef\xbf\xbd\xef\xbf\xbd");
}

/* What the sink said. */
struct heard {
	unsigned n;
	int level;
	char area[16];
	char text[8192];
	size_t len;
};

static void
hear(int level, const char *area, const char *text, size_t len, void *arg)
{
	struct heard *heard = arg;

	heard->n++;
	heard->level = level;
	snprintf(heard->area, sizeof(heard->area), "%s", area);
	assert_int_equal(text[len], '\0');
	assert_int_equal(strlen(text), len);
	memcpy(heard->text, text, len + 1);
	heard->len = len;
	ptah_error("test", "an output that logs is not heard");
}

static void
hands_lines_to_those_who_hear_their_level(void **state)
{
	static struct heard errors, all;

	(void)state;
	assert_false(ptah_log_hears(PTAH_LOG_ERROR));
	ptah_error("test", "nobody listens");
	assert_int_equal(ptah_log_add(PTAH_LOG_ERROR, hear, &errors), 0);
	assert_true(ptah_log_hears(PTAH_LOG_ERROR));
	assert_false(ptah_log_hears(PTAH_LOG_WARN));
	assert_int_equal(ptah_log_add(PTAH_LOG_DEBUG, hear, &all), 0);
	assert_true(ptah_log_hears(PTAH_LOG_DEBUG));

	ptah_debug(AREA_SOCKS, "link %d", 7);
	assert_int_equal(errors.n, 0);
	assert_int_equal(all.n, 1);
	assert_int_equal(all.level, PTAH_LOG_DEBUG);
	assert_string_equal(all.area, "socks");
	assert_string_equal(all.text, "link 7");
	errno = EBADF;
	ptah_error_rc("test", -ECONNREFUSED, "dial %s:%d", "1.2.3.4", 9);
	assert_int_equal(errno, EBADF);
	assert_string_equal(errors.text, "dial [scrubbed]:9: Connection refused");
	assert_string_equal(all.text, errors.text);
	ptah_log_unsafe(true);
	ptah_notice("test", "to %s " PTAH_PRIVATE_FMT, "1.2.3.4", "a.b");
	assert_string_equal(all.text, "to 1.2.3.4 a.b");
	ptah_log_unsafe(false);
	ptah_notice("test", "to %s " PTAH_PRIVATE_FMT, "1.2.3.4", "a.b");
	assert_string_equal(all.text, "to [scrubbed] [scrubbed]");

	ptah_log_remove(hear, &all);
	assert_false(ptah_log_hears(PTAH_LOG_WARN));
	ptah_log_remove(hear, &errors);
	ptah_error("test", "gone");
	assert_int_equal(errors.n, 1);
	assert_int_equal(all.n, 4);
}

static void
takes_four_outputs_at_most(void **state)
{
	static struct heard heard[5];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(ptah_log_add(PTAH_LOG_WARN, hear, &heard[i]), 0);
	assert_int_equal(ptah_log_add(PTAH_LOG_WARN, hear, &heard[4]), -ENOSPC);
	ptah_warn("test", "x");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(heard[i].n, 1);
		ptah_log_remove(hear, &heard[i]);
	}
	assert_int_equal(heard[4].n, 0);
}

static void
makes_one_clean_line_of_anything(void **state)
{
	static struct heard clean, as_is;

	(void)state;
	assert_int_equal(ptah_log_add(PTAH_LOG_ERROR, hear, &clean), 0);
	assert_int_equal(ptah_log_add(PTAH_LOG_ERROR | PTAH_LOG_AS_IS, hear, &as_is), 0);
	ptah_error("test", "a\"b\\c\nd\xc3\xa9\r\x1b\x7f\xff");
	assert_string_equal(clean.text, "a\"b\\c d\xc3\xa9   \xef\xbf\xbd");
	assert_string_equal(as_is.text, "a\"b\\c\nd\xc3\xa9\r\x1b\x7f\xef\xbf\xbd");
	ptah_log_remove(hear, &clean);
	ptah_log_remove(hear, &as_is);
}

static void
cuts_long_lines_between_characters_and_addresses(void **state)
{
	static struct heard heard;
	static char text[10001];

	(void)state;
	assert_int_equal(ptah_log_add(PTAH_LOG_ERROR, hear, &heard), 0);
	for (size_t shift = 0; shift < 8; shift++) {
		/* four bytes each, so that one is cut at some shift */
		memset(text, 'a', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 5);
		ptah_error("test", "%s", text);
		assert_true(heard.len > 4000 && heard.len < 4200);
		assert_true(ptah_text_is_utf8((uint8_t *)heard.text, heard.len));
		assert_string_equal(heard.text + heard.len - 3, "...");
	}
	for (size_t shift = 0; shift < 16; shift++) {
		/* an address at the very cut: none of it may stay */
		memset(text, '-', sizeof(text) - 1);
		memcpy(text + 4080 + shift, " 203.0.113.77 ", 14);
		ptah_error("test", "%s", text);
		assert_null(strstr(heard.text, "203"));
		memcpy(text + 4070 + shift, " [2001:db8::77]:8 ", 18);
		ptah_error("test", "%s", text);
		assert_null(strstr(heard.text, "2001"));
	}
	/* Blots are longer than what they hide. */
	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, ":: ", 4);
	ptah_error("test", "%s", text);
	assert_true(heard.len > 6000 && heard.len < 6200);
	assert_string_equal(heard.text + heard.len - 3, "...");
	ptah_log_remove(hear, &heard);
}

static void
says_often_things_at_a_slowing_pace(void **state)
{
	static struct heard heard;
	struct ptah_often often = { 0 };

	(void)state;
	assert_int_equal(ptah_log_add(PTAH_LOG_WARN, hear, &heard), 0);
	for (int i = 0; i < 100; i++)
		ptah_warn_often(&often, "test", "full");
	assert_int_equal(heard.n, 1);
	assert_string_equal(heard.text, "full");
	often.next_ns = 0; /* as if time had passed */
	ptah_warn_often(&often, "test", "full");
	assert_int_equal(heard.n, 2);
	assert_string_equal(heard.text, "full (and 99 more like it)");
	often.next_ns = 0;
	ptah_warn_often(&often, "test", "full");
	assert_string_equal(heard.text, "full");
	ptah_log_remove(hear, &heard);
}

static void
reads_level_words(void **state)
{
	(void)state;
	assert_int_equal(ptah_log_level_parse("NONE"), PTAH_LOG_NONE);
	assert_int_equal(ptah_log_level_parse("Error"), PTAH_LOG_ERROR);
	assert_int_equal(ptah_log_level_parse("warn"), PTAH_LOG_WARN);
	assert_int_equal(ptah_log_level_parse("INFO"), PTAH_LOG_INFO);
	assert_int_equal(ptah_log_level_parse("dEbUg"), PTAH_LOG_DEBUG);
	assert_int_equal(ptah_log_level_parse("loud"), -EINVAL);
	assert_int_equal(ptah_log_level_parse(""), -EINVAL);
}

static void *
log_lines(void *arg)
{
	for (int i = 0; i < 500; i++)
		ptah_info("test", "thread %s line %d from 1.2.3.4 and some more words", (const char *)arg, i);
	return NULL;
}

static void
writes_whole_lines_to_a_private_file(void **state)
{
	char path[] = "/tmp/ptah-unit-log-XXXXXX";
	pthread_t threads[2];
	struct stat st;
	uint8_t *bytes;
	size_t len, lines = 0;
	char *rest, *line;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd != -1);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(ptah_log_file_open(path, PTAH_LOG_INFO), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	ptah_debug("test", "too quiet");
	assert_int_equal(pthread_create(&threads[0], NULL, log_lines, (char[]){ "one" }), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, log_lines, (char[]){ "two" }), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	ptah_log_file_close();
	ptah_log_file_close();
	ptah_error("test", "closed");

	assert_int_equal(ptah_file_read(path, 1000000, &bytes, &len), 0);
	rest = (char *)bytes;
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		char thread[8];
		int year, n, end = 0;

		sscanf(line, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ INFO test: thread %7s line %d from "
		    "[scrubbed] and some more words%n", &year, thread, &n, &end);
		assert_int_equal(end, strlen(line));
		lines++;
	}
	assert_int_equal(lines, 1000);
	free(bytes);
	unlink(path);
	assert_int_equal(ptah_log_file_open("/nosuch/folder/log", PTAH_LOG_INFO), -ENOENT);
}

static void
speaks_on_stderr_with_its_name(void **state)
{
	int fds[2], saved = dup(2);
	char out[100] = "";

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], 2), 2);
	assert_int_equal(ptah_log_add(PTAH_LOG_WARN, ptah_log_to_stderr, NULL), 0);
	ptah_warn("test", "ENV-ERROR-like\ntext");
	ptah_log_remove(ptah_log_to_stderr, NULL);
	dup2(saved, 2);
	close(saved);
	assert_int_equal(read(fds[0], out, sizeof(out) - 1), 26);
	assert_string_equal(out, "ptah: ENV-ERROR-like text\n");
	close(fds[0]);
	close(fds[1]);
}

/* What an output writes on stderr for the lines of 'fn'. */
static void
on_stderr(ptah_log_output_fn *output, void (*fn)(void), char *out, size_t room)
{
	int fds[2], saved = dup(2);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], 2), 2);
	assert_int_equal(ptah_log_add(PTAH_LOG_DEBUG, output, NULL), 0);
	fn();
	ptah_log_remove(output, NULL);
	dup2(saved, 2);
	close(saved);
	close(fds[1]);
	n = read(fds[0], out, room - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	close(fds[0]);
}

static void
one_line_of_each_level(void)
{
	ptah_error("test", "e");
	ptah_warn("test", "w");
	ptah_notice("test", "n");
	ptah_info("test", "i");
	ptah_debug("test", "d");
}

static void
says_priorities_to_the_journal(void **state)
{
	char out[200];

	(void)state;
	on_stderr(ptah_log_to_journal, one_line_of_each_level, out, sizeof(out));
	assert_string_equal(out, "<3>test: e\n<4>test: w\n<5>test: n\n<6>test: i\n<7>test: d\n");
}

static void
hard_lines(void)
{
	ptah_event(PTAH_LOG_WARN, "test", "service-failed", "bridge", "it said \"no\" to 192.0.2.1\\\n\t \xff");
	ptah_log(PTAH_LOG_INFO, "test", "nothing more");
}

/* Cut off the time, which is another each time. */
static const char *
behind_time(const char *line)
{
	const char *at = strstr(line, "\"level\"");

	assert_int_equal(strncmp(line, "{\"time\":\"20", 11), 0);
	assert_non_null(at);
	return at;
}

static void
says_events_as_json(void **state)
{
	char out[1000], *next;

	(void)state;
	on_stderr(ptah_log_to_json, hard_lines, out, sizeof(out));
	next = strchr(out, '\n');
	assert_non_null(next);
	*next++ = '\0';
	assert_string_equal(behind_time(out), "\"level\":\"warn\",\"area\":\"test\",\"event\":\"service-failed\","
	    "\"service\":\"bridge\",\"text\":\"it said \\\"no\\\" to [scrubbed]\\\\   \xef\xbf\xbd\"}");
	assert_string_equal(behind_time(next), "\"level\":\"info\",\"area\":\"test\",\"event\":\"log\","
	    "\"text\":\"nothing more\"}\n");
}

static void
a_long_line(void)
{
	char text[4000];

	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ptah_info("test", "%s", text);
}

static void
keeps_a_long_line_whole_as_json(void **state)
{
	static char out[20000];
	size_t len;

	(void)state;
	on_stderr(ptah_log_to_json, a_long_line, out, sizeof(out));
	len = strlen(out);
	assert_true(len > 2 * 3999 && strcmp(out + len - 5, "\\\"\"}\n") == 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(scrubs_addresses_and_nothing_else),
		cmocka_unit_test(hides_private_text_between_its_marks),
		cmocka_unit_test(leaves_out_what_does_not_fit_whole),
		cmocka_unit_test(hands_lines_to_those_who_hear_their_level),
		cmocka_unit_test(takes_four_outputs_at_most),
		cmocka_unit_test(makes_one_clean_line_of_anything),
		cmocka_unit_test(cuts_long_lines_between_characters_and_addresses),
		cmocka_unit_test(says_often_things_at_a_slowing_pace),
		cmocka_unit_test(reads_level_words),
		cmocka_unit_test(writes_whole_lines_to_a_private_file),
		cmocka_unit_test(speaks_on_stderr_with_its_name),
		cmocka_unit_test(says_priorities_to_the_journal),
		cmocka_unit_test(says_events_as_json),
		cmocka_unit_test(keeps_a_long_line_whole_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
