/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "config/flag.h"
#include "config/source.h"
#include "control/order.h"
#include "host/ctltable.h"

/* Where the unit of systemd lets ptah have its socket (RuntimeDirectory=ptah). */
#define SOCKET_USUAL "/run/ptah/control"
/* Without a word for so long the other side hangs: it says something each second while it works. */
#define SILENCE_MS 60000
/* Longest answer: all the links that can be asked for. */
#define ANSWER_MAX ((size_t)64 * 1024 * 1024)

#define EXIT_REFUSED 1
/* The file is in force, and not all of it serves: neither done nor refused. */
#define EXIT_PARTLY 2

enum { SOCKET, JSON, MOST, SECONDS };

const struct ptah_ask ptah_ctl_flags[] = {
	[SOCKET] = { .name = "socket", .value = "PATH", .type = PTAH_VALUE_FILE,
	    .help = "the control socket (default: control in RUNTIME_DIRECTORY, else " SOCKET_USUAL ")" },
	[JSON] = { .name = "json", .help = "print the answer as one JSON object, not as a table" },
	[MOST] = { .name = "most", .value = "N", .type = PTAH_VALUE_NUMBER, .help = "links: show at most so many (default: 1000)" },
	[SECONDS] = { .name = "seconds", .value = "N", .type = PTAH_VALUE_NUMBER,
	    .help = "drain: end after so long whatever is open (default: as the file says)" },
	{ .name = NULL },
};

const struct ptah_exit ptah_ctl_exits[] = {
	{ EX_OK, "it was done" },
	{ EXIT_REFUSED, "it was refused" },
	{ EXIT_PARTLY, "the file was read again and a service of it did not start" },
	{ EX_UNAVAILABLE, "nobody answers" },
	{ 0, NULL },
};

struct talk {
	const char *path;
	bool json;
	int what;
	int fd;
	struct ptah_buf in;
};

static int
say_wrong(const char *path, const char *words, const char *next)
{
	fprintf(stderr, "ptah: %s: %s\n%s%s", path, words, next, next[0] ? "\n" : "");
	return EX_UNAVAILABLE;
}

/* --- the socket ---------------------------------------------------------------------- */

static int
call(struct talk *talk)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", talk->path) >= (int)sizeof(addr.sun_path))
		return say_wrong(talk->path, "too long for a socket", "");
	talk->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (talk->fd != -1 && connect(talk->fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return EX_OK;
	switch (errno) {
	case ENOENT:
		return say_wrong(talk->path, "there is no such socket",
		    "Is ptah run started, and does its file have \"control\"?  --socket PATH names another one.");
	case ECONNREFUSED:
		return say_wrong(talk->path, "nobody serves there any more", "Start ptah run; it puts its socket in that one's place.");
	case EACCES:
	case EPERM:
		return say_wrong(talk->path, "you may not", "Ask as root, or as the user or the group that ptah runs as.");
	default:
		return say_wrong(talk->path, strerror(errno), "");
	}
}

/* Take a line off what has come.  NULL: there is none yet. */
static struct ptah_json *
take_line(struct talk *talk, bool *broken)
{
	const uint8_t *end = talk->in.len > 0 ? memchr(talk->in.at, '\n', talk->in.len) : NULL;
	struct ptah_json *json;
	char why[128];

	if (!end)
		return NULL;
	json = ptah_json_parse((const char *)talk->in.at, (size_t)(end - talk->in.at), 0, why, sizeof(why));
	*broken = !json || json->type != PTAH_JSON_OBJECT;
	ptah_buf_eat(&talk->in, (size_t)(end - talk->in.at) + 1);
	return json;
}

/* The next line; NULL when it was said why there is none. */
static struct ptah_json *
hear(struct talk *talk)
{
	struct pollfd poll_fd = { .fd = talk->fd, .events = POLLIN };
	char bytes[16384];

	for (;;) {
		bool broken = false;
		struct ptah_json *json = take_line(talk, &broken);
		ssize_t n;

		if (json && !broken)
			return json;
		ptah_json_free(json);
		if (broken || talk->in.len > ANSWER_MAX) {
			say_wrong(talk->path, "who serves there does not speak as ptah does", "Is that the control socket?");
			return NULL;
		}
		if (poll(&poll_fd, 1, SILENCE_MS) == 0) {
			say_wrong(talk->path, "no answer in a minute", "ptah may hang: look into its log.");
			return NULL;
		}
		n = read(talk->fd, bytes, sizeof(bytes));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			say_wrong(talk->path, "ptah ended before it answered", "Its log says why.");
			return NULL;
		}
		if (ptah_buf_add(&talk->in, bytes, (size_t)n) != 0) {
			say_wrong(talk->path, strerror(ENOMEM), "");
			return NULL;
		}
	}
}

/* --- answers --------------------------------------------------------------------------- */

static bool
is_true(const struct ptah_json *answer, const char *key)
{
	const struct ptah_json *value = ptah_json_get(answer, key);

	return value && value->type == PTAH_JSON_BOOL && value->truth;
}

static const char *
text_of(const struct ptah_json *answer, const char *key)
{
	const struct ptah_json *value = ptah_json_get(answer, key);

	return value && value->type == PTAH_JSON_STRING ? value->text : "";
}

/* A reload after which a service does not serve.  Who says nothing of it is older than that. */
static bool
is_partly(const struct ptah_json *answer)
{
	const struct ptah_json *failed = ptah_json_get(answer, "failed");

	return failed && failed->type == PTAH_JSON_NUMBER && strcmp(failed->text, "0") != 0;
}

static void
print_words(const struct ptah_json *answer)
{
	const struct ptah_json *words = ptah_json_get(answer, "words");

	for (size_t i = 0; words && words->type == PTAH_JSON_ARRAY && i < words->n; i++)
		fprintf(stderr, "%s\n", words->items[i]->type == PTAH_JSON_STRING ? words->items[i]->text : "");
}

static int
print(const struct talk *talk, const struct ptah_json *answer)
{
	static int (*const tables[])(const struct ptah_json *, struct ptah_buf *) = {
		[PTAH_ORDER_STATUS] = ptah_ctltable_status, [PTAH_ORDER_LINKS] = ptah_ctltable_links,
		[PTAH_ORDER_RELOAD] = ptah_ctltable_reload, [PTAH_ORDER_DRAIN] = ptah_ctltable_drain,
		[PTAH_ORDER_UPGRADE] = ptah_ctltable_upgrade,
	};
	struct ptah_buf out = { 0 };
	int rc = talk->json ? ptah_json_print(answer, &out) : tables[talk->what](answer, &out);

	if (rc == 0 && talk->json)
		rc = ptah_buf_puts(&out, "\n");
	if (rc == 0 && ptah_write_full(STDOUT_FILENO, out.at, out.len) != (ssize_t)out.len)
		rc = -EIO;
	ptah_buf_clear(&out);
	return rc == 0 ? EX_OK : EX_OSERR;
}

static int
settle(const struct talk *talk, const struct ptah_json *answer)
{
	bool ok = is_true(answer, "ok");

	print_words(answer);
	if (ok) {
		int rc = print(talk, answer);

		return rc == EX_OK && is_partly(answer) ? EXIT_PARTLY : rc;
	}
	if (talk->json)
		(void)print(talk, answer);
	fprintf(stderr, "ptah: %s\n", text_of(answer, "error"));
	if (text_of(answer, "next")[0] != '\0')
		fprintf(stderr, "Next: %s.\n", text_of(answer, "next"));
	return EXIT_REFUSED;
}

static int
converse(struct talk *talk, const struct ptah_order *order)
{
	struct ptah_buf out = { 0 };
	struct ptah_json *answer;
	int rc = ptah_order_print(order, &out);

	if (rc == 0 && ptah_write_full(talk->fd, out.at, out.len) != (ssize_t)out.len)
		rc = -EPIPE;
	ptah_buf_clear(&out);
	if (rc != 0)
		return say_wrong(talk->path, strerror(-rc), "");
	while ((answer = hear(talk)) && !ptah_json_get(answer, "ok")) {
		fprintf(stderr, "%s\n", text_of(answer, "progress"));
		ptah_json_free(answer);
	}
	rc = answer ? settle(talk, answer) : EX_UNAVAILABLE;
	ptah_json_free(answer);
	return rc;
}

/* --- what is asked ------------------------------------------------------------------------ */

/* A flag that is a number.  -EINVAL, and a line that says why. */
static int
read_number(const struct ptah_asked *asked, int flag, int for_what, int what, unsigned most, unsigned *out)
{
	const char *text = asked->value[flag];
	unsigned long n;
	char *end;

	if (!text)
		return 0;
	if (what != for_what)
		return ptah_asked_wrong("ctl", "--%s goes with %s", ptah_ctl_flags[flag].name, ptah_order_words[for_what]);
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || n < 1 || n > most)
		return ptah_asked_wrong("ctl", "--%s: a number from 1 to %u, not \"%s\"", ptah_ctl_flags[flag].name, most, text);
	*out = (unsigned)n;
	return 0;
}

int
ptah_ctl_command(const struct ptah_asked *asked, char *envp[])
{
	struct ptah_order order = { .most = PTAH_ORDER_LINKS_USUAL };
	struct talk talk = { .path = asked->value[SOCKET], .json = asked->value[JSON], .fd = -1 };
	const char *runtime = ptah_env_get(envp, "RUNTIME_DIRECTORY");
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int rc;

	while (ptah_order_words[order.what] && strcasecmp(ptah_order_words[order.what], asked->operand) != 0)
		order.what++;
	if (read_number(asked, MOST, PTAH_ORDER_LINKS, order.what, PTAH_ORDER_LINKS_MOST, &order.most) != 0 ||
	    read_number(asked, SECONDS, PTAH_ORDER_DRAIN, order.what, 1000000, &order.seconds) != 0)
		return EX_USAGE;
	talk.what = order.what;
	if (!talk.path && runtime && runtime[0] && snprintf(path, sizeof(path), "%s/control", runtime) < (int)sizeof(path))
		talk.path = path;
	if (!talk.path)
		talk.path = SOCKET_USUAL;
	rc = call(&talk);
	if (rc == EX_OK)
		rc = converse(&talk, &order);
	if (talk.fd != -1)
		close(talk.fd);
	ptah_buf_clear(&talk.in);
	return rc;
}
