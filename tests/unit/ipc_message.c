/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/plan.h"
#include "ipc/log.h"
#include "ipc/message.h"

static int out_pipe[2], err_pipe[2];
static struct ptah_ipc ipc;

static void
begin(int dialect, int role, unsigned streams)
{
	assert_int_equal(pipe(out_pipe), 0);
	assert_int_equal(pipe(err_pipe), 0);
	ptah_ipc_init(&ipc, out_pipe[1], err_pipe[1], -1);
	ipc.dialect = dialect;
	ipc.role = role;
	ipc.error_streams = streams;
}

static void
hears(int fd, const char *want)
{
	char got[2 * PTAH_LINE_MAX] = "";
	int n = 0;

	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	if (n > 0)
		assert_int_equal(read(fd, got, sizeof(got) - 1), n);
	assert_string_equal(got, want);
}

static void
end(void)
{
	hears(out_pipe[0], "");
	hears(err_pipe[0], "");
	ptah_ipc_clear(&ipc);
	for (size_t i = 0; i < 2; i++) {
		close(out_pipe[i]);
		close(err_pipe[i]);
	}
}

static void
start_up_of_a_client(void **state)
{
	struct ptah_addr addr;

	(void)state;
	begin(PTAH_D3, PTAH_ROLE_CLIENT, PTAH_STREAM_ERR);
	assert_int_equal(ptah_ipc_version(&ipc, "3.0"), 0);
	hears(out_pipe[0], "VERSION 3.0\n");
	assert_int_equal(ptah_ipc_proxy_done(&ipc), 0);
	hears(out_pipe[0], "PROXY DONE\n");
	assert_int_equal(ptah_addr_parse(&addr, "[::1]:1080"), 0);
	assert_int_equal(ptah_ipc_cmethod(&ipc, "dummy", "transparent-TCP", &addr), 0);
	hears(out_pipe[0], "CMETHOD dummy transparent-TCP [::1]:1080\n");
	assert_int_equal(ptah_ipc_method_error(&ipc, "broken", "no such\nfile \xc3\xa9 "), 0);
	hears(err_pipe[0], "CMETHOD-ERROR broken no such?file ??\n");
	assert_int_equal(ptah_ipc_method_error(&ipc, "broken", ""), 0);
	hears(err_pipe[0], "CMETHOD-ERROR broken it did not say why\n");
	assert_int_equal(ptah_ipc_methods_done(&ipc), 0);
	hears(out_pipe[0], "CMETHODS DONE\n");
	end();
}

static void
start_up_of_a_server(void **state)
{
	struct ptah_kv args = { 0 };

	(void)state;
	begin(PTAH_D1, PTAH_ROLE_SERVER, PTAH_STREAM_OUT);
	assert_int_equal(ptah_ipc_status(&ipc, "0.1"), 0);
	hears(out_pipe[0], "STATUS TRANSPORT=ptah TYPE=version IMPLEMENTATION=ptah VERSION=0.1\n");
	assert_int_equal(ptah_ipc_smethod(&ipc, "dummy", "127.0.0.1:5", &args), 0);
	hears(out_pipe[0], "SMETHOD dummy 127.0.0.1:5\n");
	assert_int_equal(ptah_ipc_smethod(&ipc, "dummy", "127.0.0.1:5", NULL), 0);
	hears(out_pipe[0], "SMETHOD dummy 127.0.0.1:5\n");
	assert_int_equal(ptah_kv_add(&args, NULL, "b", "x=y"), 0);
	assert_int_equal(ptah_kv_add(&args, NULL, "a", "1,2"), 0);
	assert_int_equal(ptah_kv_add(&args, NULL, "c", "q\\r"), 0);
	assert_int_equal(ptah_ipc_smethod(&ipc, "dummy", "127.0.0.1:5", &args), 0);
	hears(out_pipe[0], "SMETHOD dummy 127.0.0.1:5 ARGS:a=1\\,2,b=x\\=y,c=q\\\\r\n");
	assert_int_equal(ptah_kv_add(&args, NULL, "d", "a space"), 0);
	assert_int_equal(ptah_ipc_smethod(&ipc, "dummy", "127.0.0.1:5", &args), -EINVAL);
	assert_int_equal(ptah_ipc_method_error(&ipc, "dummy", "why"), 0);
	hears(out_pipe[0], "SMETHOD-ERROR dummy why\n");
	assert_int_equal(ptah_ipc_methods_done(&ipc), 0);
	hears(out_pipe[0], "SMETHODS DONE\n");
	ptah_kv_clear(&args);
	end();
}

static void
errors_go_where_they_are_sent(void **state)
{
	(void)state;
	begin(PTAH_D3, PTAH_ROLE_CLIENT, PTAH_STREAM_ERR);
	assert_int_equal(ptah_ipc_fatal(&ipc, PTAH_STREAM_ERR, "ENV-ERROR", "x y"), 0);
	hears(err_pipe[0], "ENV-ERROR x y\n");
	assert_int_equal(ptah_ipc_fatal(&ipc, PTAH_STREAM_OUT, "ENV-ERROR", "x y"), 0);
	hears(out_pipe[0], "ENV-ERROR x y\n");
	assert_int_equal(ptah_ipc_fatal(&ipc, PTAH_STREAM_OUT | PTAH_STREAM_ERR, "VERSION-ERROR",
	    "no-version"), 0);
	hears(out_pipe[0], "VERSION-ERROR no-version\n");
	hears(err_pipe[0], "VERSION-ERROR no-version\n");
	end();
}

static void
long_texts_are_cut_and_long_methods_are_not(void **state)
{
	char text[10001], want[PTAH_LINE_MAX + 1], name[5000];
	struct ptah_kv args = { 0 };
	struct ptah_addr addr;

	(void)state;
	begin(PTAH_D1, PTAH_ROLE_CLIENT, PTAH_STREAM_OUT);
	memset(text, 'x', 10000);
	text[10000] = '\0';
	assert_int_equal(ptah_ipc_method_error(&ipc, "d", text), 0);
	memset(want, 'x', sizeof(want));
	memcpy(want, "CMETHOD-ERROR d ", 16);
	memcpy(want + PTAH_LINE_MAX - 1, "\n", 2);
	hears(out_pipe[0], want);

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ptah_addr_parse(&addr, "127.0.0.1:5"), 0);
	assert_int_equal(ptah_ipc_cmethod(&ipc, name, "socks5", &addr), -EMSGSIZE);
	assert_int_equal(ptah_kv_add(&args, NULL, "k", text), 0);
	assert_int_equal(ptah_ipc_smethod(&ipc, "d", "127.0.0.1:5", &args), -EMSGSIZE);
	ptah_kv_clear(&args);

	/* The longest that fits. */
	name[PTAH_LINE_MAX - 1 - strlen("CMETHOD  socks5 127.0.0.1:5")] = '\0';
	assert_int_equal(ptah_ipc_cmethod(&ipc, name, "socks5", &addr), 0);
	memset(want, 'n', sizeof(want));
	memcpy(want, "CMETHOD ", 8);
	strcpy(want + 8 + strlen(name), " socks5 127.0.0.1:5\n");
	assert_int_equal(strlen(want), PTAH_LINE_MAX);
	hears(out_pipe[0], want);
	end();
}

static void
a_deaf_parent_is_told_apart(void **state)
{
	(void)state;
	begin(PTAH_D3, PTAH_ROLE_CLIENT, PTAH_STREAM_ERR);
	close(err_pipe[0]);
	assert_int_equal(ptah_ipc_method_error(&ipc, "d", "why"), 0); /* stderr may be closed */
	close(out_pipe[0]);
	assert_int_equal(ptah_ipc_methods_done(&ipc), -EPIPE);
	ptah_ipc_clear(&ipc);
	close(out_pipe[1]);
	close(err_pipe[1]);
}

static void
log_lines_have_two_grammars(void **state)
{
	static const struct {
		int dialect, level;
		const char *text, *line;
	} cases[] = {
		{ PTAH_D1, PTAH_LOG_ERROR, "a\"b\\c\nd\xc3\xa9",
		    "LOG SEVERITY=error MESSAGE=\"a'b/c?d??\"\n" },
		{ PTAH_D1, PTAH_LOG_WARN, "x", "LOG SEVERITY=warning MESSAGE=\"x\"\n" },
		{ PTAH_D1, PTAH_LOG_NOTICE, "x", "LOG SEVERITY=info MESSAGE=\"x\"\n" },
		{ PTAH_D1, PTAH_LOG_INFO, "", "LOG SEVERITY=info MESSAGE=\"\"\n" },
		{ PTAH_D1, PTAH_LOG_DEBUG, "x", "LOG SEVERITY=debug MESSAGE=\"x\"\n" },
		{ PTAH_D22, PTAH_LOG_ERROR, "a\"b\\c\nd\xc3\xa9", "LOG ERROR a\"b\\c d\xc3\xa9\n" },
		{ PTAH_D3, PTAH_LOG_WARN, "a\r\tb", "LOG WARN a  b\n" },
		{ PTAH_D3, PTAH_LOG_NOTICE, "x", "LOG INFO x\n" },
		{ PTAH_D3, PTAH_LOG_DEBUG, "x", "LOG DEBUG x\n" },
		{ PTAH_D2, PTAH_LOG_INFO, "x", "LOG INFO x\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[PTAH_LINE_MAX + 1];
		size_t len = ptah_ipc_log_line(cases[i].dialect, cases[i].level, cases[i].text,
		    strlen(cases[i].text), line);

		line[len] = '\0';
		assert_string_equal(line, cases[i].line);
	}
}

static void
long_log_lines_are_cut_between_characters(void **state)
{
	char text[9000], line[PTAH_LINE_MAX];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	len = ptah_ipc_log_line(PTAH_D3, PTAH_LOG_ERROR, text, sizeof(text), line);
	assert_true(len <= PTAH_LINE_MAX && len > PTAH_LINE_MAX - 4);
	assert_int_equal((len - strlen("LOG ERROR \n")) % 3, 0);
	assert_int_equal(line[len - 1], '\n');
	len = ptah_ipc_log_line(PTAH_D1, PTAH_LOG_ERROR, text, sizeof(text), line);
	assert_int_equal(len, PTAH_LINE_MAX);
	assert_memory_equal(line + len - 3, "?\"\n", 3);
}

static void
the_log_reaches_the_parent_and_stderr(void **state)
{
	(void)state;
	begin(PTAH_D1, PTAH_ROLE_CLIENT, PTAH_STREAM_OUT);
	assert_int_equal(ptah_ipc_log_start(&ipc, PTAH_LOG_INFO), 0);
	assert_int_equal(ptah_ipc_talk_start(&ipc, PTAH_LOG_WARN), 0);
	ptah_info(AREA_HOST, "hello\nworld");
	ptah_debug(AREA_HOST, "not this");
	hears(out_pipe[0], "LOG SEVERITY=info MESSAGE=\"hello?world\"\n");
	hears(err_pipe[0], "");
	ptah_warn(AREA_HOST, "from 192.0.2.7:443\nto you");
	hears(out_pipe[0], "LOG SEVERITY=warning MESSAGE=\"from [scrubbed]:443?to you\"\n");
	hears(err_pipe[0], "ptah: from [scrubbed]:443 to you\n");
	ptah_ipc_log_stop(&ipc);
	ptah_error(AREA_HOST, "not this");
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_up_of_a_client),
		cmocka_unit_test(start_up_of_a_server),
		cmocka_unit_test(errors_go_where_they_are_sent),
		cmocka_unit_test(long_texts_are_cut_and_long_methods_are_not),
		cmocka_unit_test(a_deaf_parent_is_told_apart),
		cmocka_unit_test(log_lines_have_two_grammars),
		cmocka_unit_test(long_log_lines_are_cut_between_characters),
		cmocka_unit_test(the_log_reaches_the_parent_and_stderr),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
