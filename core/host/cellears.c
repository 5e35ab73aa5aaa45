/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "host/cellself.h"
#include "stats/tally.h"
#include "wire/pass.h"

/* Words taken in one turn of the loop. */
#define TAKE_MOST 64
/* Lines of its log in one second; more are counted. */
#define LINES_MOST 200
/* What it says on stderr goes into the log in pieces of at most this. */
#define LAST_WORDS 400

static bool
may_log(struct ptah_cell *cell)
{
	uint64_t now = ptah_clock_now_ns();

	if (now - cell->lines_ns >= PTAH_NS_PER_S) {
		cell->lines_ns = now;
		cell->n_lines = 0;
	}
	if (cell->n_lines++ < LINES_MOST)
		return true;
	ptah_warn_often(&cell->muted, AREA_HOST, "%s: says more than %d lines in a second; the rest is left out",
	    cell->plan->label, LINES_MOST);
	return false;
}

/* Areas are constants to whoever sorts by them. */
static const char *
area_of(const char *said)
{
	static const char *const areas[] = { AREA_HOST, AREA_CONFIG, AREA_LOOP, AREA_WIRE, AREA_MODULE, AREA_LINK,
		AREA_SOCKS, AREA_ORPORT };

	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		if (strcmp(areas[i], said) == 0)
			return areas[i];
	return AREA_MODULE;
}

static void
hear_log(struct ptah_cell *cell, uint64_t level, const char *area, size_t len)
{
	size_t n = strlen(area) + 1;

	if (level < PTAH_LOG_ERROR || level > PTAH_LOG_DEBUG || n >= len || !may_log(cell))
		return;
	ptah_log((int)level, area_of(area), "%s: %s", cell->plan->label, area + n);
}

/* As the bridge arguments say it: {"key": "value", ...}. */
static int
take_args(struct ptah_kv *kv, const struct ptah_json *args)
{
	int rc = 0;

	for (size_t i = 0; args && rc == 0 && i < args->n; i++) {
		const struct ptah_json *value = args->items[i];

		if (args->type != PTAH_JSON_OBJECT || value->type != PTAH_JSON_STRING)
			return -EINVAL;
		rc = ptah_kv_add(kv, NULL, args->keys[i], value->text);
	}
	return rc;
}

/* Heard once of each life, or a hostile one would fill the log; and not of one that ends: nobody waits for it any more. */
static void
hear_listens(struct ptah_cell *cell, const char *text)
{
	if (cell->ending || cell->life.listens)
		return;

	struct ptah_json *json = ptah_json_parse(text, strlen(text), 0, (char[64]){ "" }, 64);
	const struct ptah_json *address = json ? ptah_json_get(json, "address") : NULL;

	cell->life.listens = true;
	if (cell->told)
		ptah_event(PTAH_LOG_NOTICE, AREA_HOST, "isolated-serves", cell->plan->label, "%s: serves again", cell->plan->label);
	if (!cell->told && address && address->type == PTAH_JSON_STRING &&
	    ptah_text_copy(cell->address, sizeof(cell->address), address->text) == 0 &&
	    take_args(&cell->args, ptah_json_get(json, "args")) == 0) {
		cell->told = true;
		(void)cell->says->on_method(cell->plan->services[0].name, &cell->bound, cell->address, &cell->args, cell->arg);
		cell->says->on_ready(cell->arg);
	}
	ptah_json_free(json);
}

void
ptah_cell_count(struct ptah_cell *cell, enum ptah_stat which, uint64_t now)
{
	ptah_stats_add(ptah_tally_at_main(cell->tally), which, now - ptah_stats_get(&cell->life.stats, which));
	atomic_store_explicit(&cell->life.stats.at[which], now, memory_order_relaxed);
}

static void
hear_pong(struct ptah_cell *cell, const char *figures, size_t len)
{
	uint64_t figure;

	cell->life.answered_ns = ptah_clock_now_ns();
	for (size_t i = 0; i < PTAH_STAT_N && (i + 1) * sizeof(figure) <= len; i++) {
		memcpy(&figure, figures + i * sizeof(figure), sizeof(figure));
		ptah_cell_count(cell, (enum ptah_stat)i, figure);
	}
}

static void
hear(struct ptah_cell *cell, const struct ptah_cell_word *word, size_t len)
{
	switch (word->what) {
	case PTAH_CELL_LOG:
		hear_log(cell, word->value, word->text, len);
		break;
	case PTAH_CELL_LISTENS:
		hear_listens(cell, word->text);
		break;
	case PTAH_CELL_FAILED:
		free(cell->why);
		cell->why = strdup(word->text);
		break;
	case PTAH_CELL_DRAINED:
		ptah_cell_drained(cell);
		break;
	case PTAH_CELL_PONG:
		hear_pong(cell, word->text, len);
		break;
	case PTAH_CELL_LINKS:
		ptah_cell_hear_links(cell, word->value, word->text, len);
		break;
	default:
		break; /* it is not trusted, so it may say anything */
	}
}

void
ptah_cell_hear(struct ptah_cell *cell)
{
	for (int i = 0; i < TAKE_MOST; i++) {
		struct ptah_cell_word word;
		unsigned none = 0;
		ssize_t len = ptah_pass_receive(cell->life.fd, &word, sizeof(word) - 1, NULL, &none);

		if (len < (ssize_t)PTAH_CELL_HEAD) {
			if (len != -EAGAIN)
				event_del(cell->life.on_word); /* its end is heard of in another way */
			return;
		}
		((char *)&word)[len] = '\0';
		hear(cell, &word, (size_t)len - PTAH_CELL_HEAD);
	}
}

void
ptah_cell_on_word(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ptah_cell_hear(arg);
}

/* What the C library or a sanitizer says of a crash. */
void
ptah_cell_on_last_words(evutil_socket_t fd, short what, void *arg)
{
	struct ptah_cell *cell = arg;
	char text[LAST_WORDS];
	ssize_t n = read(fd, text, sizeof(text));

	(void)what;
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		event_del(cell->life.on_last_words);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0 && may_log(cell))
		ptah_warn(AREA_HOST, "%s: its process says: %.*s", cell->plan->label, (int)n, text);
}
