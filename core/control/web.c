/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/web.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/random.h"
#include "control/desk.h"
#include "control/figures.h"
#include "control/page.h"
#include "control/request.h"

#define VISITORS_MOST 32
#define ASK_MS 5000
#define SAY_MS 10000

/* Stands in the page where its scripts and styles show that they are ours. */
#define NONCE_MARK "@NONCE@"
#define NONCE_LEN 16

struct ptah_web {
	struct ptah_desk *desk;
	bool is_port;
	ptah_figures_fn *figures;
	void *arg;
};

struct answer {
	int status;
	const char *type;
	char nonce[2 * NONCE_LEN + 1]; /* of the page; "": it has none */
	struct ptah_buf body;
};

/* --- what there is to see ---------------------------------------------------------- */

static void
fail(struct answer *answer, int status, const char *words)
{
	ptah_buf_clear(&answer->body);
	answer->status = status;
	answer->type = "text/plain; charset=utf-8";
	ptah_buf_printf(&answer->body, "%d: %s\n", status, words);
}

static int
make_metrics(const struct ptah_figures *figures, struct ptah_buf *out)
{
	return ptah_figures_prometheus(figures, out);
}

static int
make_status(const struct ptah_figures *figures, struct ptah_buf *out)
{
	struct ptah_json *json = ptah_figures_json(figures, false);
	int rc = json ? ptah_json_print(json, out) : -ENOMEM;

	ptah_json_free(json);
	return rc == 0 ? ptah_buf_puts(out, "\n") : rc;
}

static void
show_figures(const struct ptah_web *web, struct answer *answer, const char *type,
    int (*make)(const struct ptah_figures *figures, struct ptah_buf *out))
{
	struct ptah_figures figures = { 0 };
	int rc = web->figures(&figures, web->arg);

	answer->type = type;
	if (rc == 0)
		rc = make(&figures, &answer->body);
	ptah_figures_clear(&figures);
	if (rc < 0)
		fail(answer, 503, "out of memory; ask again");
}

static void
show_page(struct answer *answer)
{
	const char *at = (const char *)ptah_page, *end = at + ptah_page_len;
	uint8_t random[NONCE_LEN];

	ptah_random_bytes(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++) {
		answer->nonce[2 * i] = "0123456789abcdef"[random[i] >> 4];
		answer->nonce[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
	}
	answer->type = "text/html; charset=utf-8";
	while (at < end) {
		const char *mark = memmem(at, (size_t)(end - at), NONCE_MARK, strlen(NONCE_MARK));

		ptah_buf_add(&answer->body, at, (size_t)((mark ? mark : end) - at));
		if (!mark)
			break;
		ptah_buf_puts(&answer->body, answer->nonce);
		at = mark + strlen(NONCE_MARK);
	}
}

static void
show(const struct ptah_web *web, const struct ptah_request *request, struct answer *answer)
{
	answer->status = 200;
	if (web->is_port && !ptah_request_host_is_local(request->host))
		fail(answer, 421, "this is served under the names of this machine only: ask for localhost or 127.0.0.1");
	else if (strcmp(request->path, "/metrics") == 0)
		show_figures(web, answer, PTAH_PROMETHEUS_TYPE, make_metrics);
	else if (strcmp(request->path, "/status.json") == 0)
		show_figures(web, answer, "application/json", make_status);
	else if (strcmp(request->path, "/") == 0)
		show_page(answer);
	else
		fail(answer, 404, "there are /, /metrics and /status.json");
}

static void
refuse(struct answer *answer, int status)
{
	switch (status) {
	case 404:
		fail(answer, 404, "there are /, /metrics and /status.json");
		break;
	case 405:
		fail(answer, 405, "only GET and HEAD are answered");
		break;
	case 413:
		fail(answer, 413, "no request here has a body");
		break;
	case 431:
		fail(answer, 431, "the request is too long");
		break;
	case 505:
		fail(answer, 505, "this is HTTP/1.1");
		break;
	default:
		fail(answer, 400, "this is no request of HTTP/1.1");
		break;
	}
}

/* --- how it is said ------------------------------------------------------------------ */

static const char *
words_of(int status)
{
	static const struct {
		int status;
		const char *words;
	} rows[] = {
		{ 200, "OK" }, { 400, "Bad Request" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 413, "Content Too Large" }, { 421, "Misdirected Request" }, { 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" },
	};
	size_t i = 0;

	while (rows[i].status != status && i + 1 < sizeof(rows) / sizeof(rows[0]))
		i++;
	return rows[i].words;
}

static void
put_date(struct ptah_buf *out)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm at;

	if (gmtime_r(&now, &at))
		ptah_buf_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + 3 * at.tm_wday, at.tm_mday,
		    months + 3 * at.tm_mon, at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

static void
put_head(struct ptah_buf *out, const struct answer *answer)
{
	ptah_buf_printf(out, "HTTP/1.1 %d %s\r\n", answer->status, words_of(answer->status));
	put_date(out);
	ptah_buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", answer->type, answer->body.len);
	if (answer->status == 405)
		ptah_buf_puts(out, "Allow: GET, HEAD\r\n");
	/* Nothing is ever fetched from anywhere else, and nobody else's page may show this one or read what it says. */
	if (answer->nonce[0] != '\0')
		ptah_buf_printf(out, "Content-Security-Policy: default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; "
		    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
		    answer->nonce, answer->nonce);
	else
		ptah_buf_puts(out, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n");
	ptah_buf_puts(out, "X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n"
	    "Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
}

static long
on_bytes(struct ptah_visitor *visitor, struct ptah_span bytes, void *arg)
{
	const struct ptah_web *web = arg;
	struct ptah_request request;
	struct answer answer = { 0 };
	struct ptah_buf out = { 0 };
	long len = ptah_request_parse(&request, bytes);

	if (len == 0)
		return 0;
	if (len > 0)
		show(web, &request, &answer);
	else
		refuse(&answer, (int)-len);
	put_head(&out, &answer);
	if (!request.head)
		ptah_buf_add(&out, answer.body.at, answer.body.len);
	if (answer.body.rc == 0 && out.rc == 0)
		ptah_visitor_say(visitor, out.at, out.len, PTAH_SAY_LAST);
	len = answer.body.rc == 0 && out.rc == 0 ? (long)bytes.len : -ENOMEM;
	ptah_buf_clear(&answer.body);
	ptah_buf_clear(&out);
	return len;
}

struct ptah_web *
ptah_web_open(struct ptah_worker *worker, int fd, bool is_port, ptah_figures_fn *figures, void *arg)
{
	struct ptah_web *web = calloc(1, sizeof(*web));
	const struct ptah_desk_how how = {
		.name = "metrics", .most = VISITORS_MOST, .ask_most = PTAH_REQUEST_MAX, .ask_ms = ASK_MS, .say_ms = SAY_MS,
		.on_bytes = on_bytes, .arg = web,
	};

	if (!web) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	*web = (struct ptah_web){ .is_port = is_port, .figures = figures, .arg = arg };
	web->desk = ptah_desk_open(worker, fd, &how);
	if (!web->desk) {
		free(web);
		errno = ENOMEM;
		return NULL;
	}
	return web;
}

void
ptah_web_close(struct ptah_web *web)
{
	if (!web)
		return;
	ptah_desk_close(web->desk);
	free(web);
}
