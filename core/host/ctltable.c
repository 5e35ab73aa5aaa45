/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/ctltable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MOST 11
#define CELL_LEN 64

/* A table in the making: rows of cells, and how wide each column must be. */
struct table {
	unsigned n_columns;
	const char *const *heads;
	unsigned right; /* bits: columns of numbers */
	size_t width[COLUMNS_MOST];
	char (*cells)[CELL_LEN];
	size_t n_rows, row;
};

static const char *
text_of(const struct ptah_json *object, const char *key)
{
	const struct ptah_json *value = object && object->type == PTAH_JSON_OBJECT ? ptah_json_get(object, key) : NULL;

	return value && value->text ? value->text : "-";
}

static double
number_of(const struct ptah_json *object, const char *key)
{
	const char *text = text_of(object, key);

	return text[0] == '-' ? 0 : strtod(text, NULL);
}

static const struct ptah_json *
get(const struct ptah_json *object, const char *key, int type)
{
	static const struct ptah_json nothing = { .type = PTAH_JSON_NULL };
	const struct ptah_json *value = object->type == PTAH_JSON_OBJECT ? ptah_json_get(object, key) : NULL;

	return value && value->type == type ? value : &nothing;
}

/* --- tables ------------------------------------------------------------------------- */

static bool
table_begin(struct table *table, const char *const *heads, unsigned right, size_t n_rows)
{
	*table = (struct table){ .heads = heads, .right = right, .n_rows = n_rows };
	while (heads[table->n_columns]) {
		table->width[table->n_columns] = strlen(heads[table->n_columns]);
		table->n_columns++;
	}
	table->cells = calloc(n_rows * table->n_columns + 1, sizeof(*table->cells));
	return table->cells;
}

static char *
cell(const struct table *table, size_t row, unsigned column)
{
	return table->cells[row * table->n_columns + column];
}

/* A terminal gets no control bytes from us, whoever has said them. */
static void
put(struct table *table, unsigned column, const char *text)
{
	char *at = cell(table, table->row, column);

	snprintf(at, CELL_LEN, "%s", text);
	for (size_t i = 0; at[i] != '\0'; i++)
		if ((unsigned char)at[i] < ' ' || at[i] == 0x7f)
			at[i] = '?';
	if (strlen(at) > table->width[column])
		table->width[column] = strlen(at);
}

static void
print_cell(const struct table *table, unsigned column, const char *text, struct ptah_buf *out)
{
	const char *gap = column > 0 ? "  " : "";
	int width = (int)table->width[column];

	if ((table->right & (1u << column)) != 0)
		ptah_buf_printf(out, "%s%*s", gap, width, text);
	else
		ptah_buf_printf(out, "%s%-*s", gap, column + 1 < table->n_columns ? width : 0, text);
}

static void
table_end(struct table *table, struct ptah_buf *out)
{
	for (unsigned i = 0; i < table->n_columns; i++)
		print_cell(table, i, table->heads[i], out);
	ptah_buf_puts(out, "\n");
	for (size_t row = 0; row < table->n_rows; row++) {
		for (unsigned i = 0; i < table->n_columns; i++)
			print_cell(table, i, cell(table, row, i), out);
		ptah_buf_puts(out, "\n");
	}
	free(table->cells);
}

/* --- figures as people like them ------------------------------------------------------- */

static const char *
bytes(double n, char out[CELL_LEN])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	size_t i = 0;

	while (n >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
		n /= 1024;
		i++;
	}
	snprintf(out, CELL_LEN, i == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, units[i]);
	return out;
}

static const char *
duration(double s, char out[CELL_LEN])
{
	unsigned long t = s > 0 ? (unsigned long)s : 0;

	if (t < 90)
		snprintf(out, CELL_LEN, "%lu s", t);
	else if (t < 5400)
		snprintf(out, CELL_LEN, "%lu min", t / 60);
	else if (t < 172800)
		snprintf(out, CELL_LEN, "%lu h %lu min", t / 3600, t % 3600 / 60);
	else
		snprintf(out, CELL_LEN, "%lu days", t / 86400);
	return out;
}

static void
put_bytes(struct table *table, unsigned column, const struct ptah_json *object, const char *key)
{
	char text[CELL_LEN];

	put(table, column, bytes(number_of(object, key), text));
}

/* --- status ------------------------------------------------------------------------------ */

static void
put_service(struct table *table, const struct ptah_json *service)
{
	const struct ptah_json *moved = get(service, "bytes", PTAH_JSON_OBJECT);

	put(table, 0, text_of(service, "service"));
	put(table, 1, text_of(service, "transport"));
	put(table, 2, text_of(service, "role"));
	put(table, 3, text_of(service, "state"));
	put(table, 4, text_of(service, "linksOpen"));
	put(table, 5, text_of(service, "linksTotal"));
	put(table, 6, text_of(service, "handshakesFailed"));
	put(table, 7, text_of(service, "probesHeld"));
	put_bytes(table, 8, moved, "wireReceived");
	put_bytes(table, 9, moved, "wireSent");
	if (number_of(service, "residentBytes") > 0)
		put_bytes(table, 10, service, "residentBytes");
	else
		put(table, 10, "-"); /* what it has is in that of all */
	table->row++;
}

static void
print_process(const struct ptah_json *answer, struct ptah_buf *out)
{
	const struct ptah_json *process = get(answer, "process", PTAH_JSON_OBJECT);
	char up[CELL_LEN], memory[CELL_LEN];

	ptah_buf_printf(out, "ptah %s, up %s, %s of at most %s links, %s of memory%s\n", text_of(answer, "version"),
	    duration(number_of(process, "uptimeSeconds"), up), text_of(process, "linksOpen"), text_of(process, "linksLimit"),
	    bytes(number_of(process, "residentBytes"), memory), get(process, "draining", PTAH_JSON_BOOL)->truth ? ", it drains" : "");
}

int
ptah_ctltable_status(const struct ptah_json *answer, struct ptah_buf *out)
{
	static const char *const heads[] = { "SERVICE", "TRANSPORT", "ROLE", "STATE", "LINKS", "TOTAL", "FAILED", "HELD",
		"WIRE IN", "WIRE OUT", "MEMORY", NULL };
	const struct ptah_json *services = get(answer, "services", PTAH_JSON_ARRAY);
	struct table table;

	print_process(answer, out);
	if (!table_begin(&table, heads, 0x7f0, services->n))
		return -1;
	for (size_t i = 0; i < services->n; i++)
		put_service(&table, services->items[i]);
	table_end(&table, out);
	for (size_t i = 0; i < services->n; i++) {
		const char *reason = text_of(services->items[i], "reason");

		if (strcmp(reason, "-") != 0)
			ptah_buf_printf(out, "%s: %s\n", text_of(services->items[i], "service"), reason);
	}
	return out->rc;
}

/* --- links ---------------------------------------------------------------------------------- */

static void
put_link(struct table *table, const struct ptah_json *link, bool peers)
{
	char text[CELL_LEN];

	put(table, 0, text_of(link, "service"));
	put(table, 1, text_of(link, "transport"));
	put(table, 2, text_of(link, "role"));
	put(table, 3, text_of(link, "state"));
	put(table, 4, duration(number_of(link, "ageSeconds"), text));
	put_bytes(table, 5, link, "plainReceived");
	put_bytes(table, 6, link, "wireReceived");
	if (peers)
		put(table, 7, text_of(link, "peer"));
	table->row++;
}

int
ptah_ctltable_links(const struct ptah_json *answer, struct ptah_buf *out)
{
	static const char *const heads[] = { "SERVICE", "TRANSPORT", "ROLE", "STATE", "AGE", "FROM PLAIN", "FROM WIRE", "PEER", NULL };
	static const char *const fewer[] = { "SERVICE", "TRANSPORT", "ROLE", "STATE", "AGE", "FROM PLAIN", "FROM WIRE", NULL };
	const struct ptah_json *links = get(answer, "links", PTAH_JSON_ARRAY);
	bool peers = links->n > 0 && links->items[0]->type == PTAH_JSON_OBJECT && ptah_json_get(links->items[0], "peer");
	struct table table;

	if (!table_begin(&table, peers ? heads : fewer, 0x70, links->n))
		return -1;
	for (size_t i = 0; i < links->n; i++)
		put_link(&table, links->items[i], peers);
	table_end(&table, out);
	if (number_of(answer, "more") > 0)
		ptah_buf_printf(out, "and %s more: --most shows as many as you like\n", text_of(answer, "more"));
	if (number_of(answer, "servicesNotListed") > 0)
		ptah_buf_printf(out, "%s isolated %s not tell all links in time: ptah ctl status says how many there are\n",
		    text_of(answer, "servicesNotListed"), number_of(answer, "servicesNotListed") == 1 ? "service did" : "services did");
	return out->rc;
}

/* --- what was done ----------------------------------------------------------------------------- */

int
ptah_ctltable_reload(const struct ptah_json *answer, struct ptah_buf *out)
{
	ptah_buf_printf(out, "the file is read again: %s services are new, %s changed, %s gone, %s as they were\n",
	    text_of(answer, "new"), text_of(answer, "changed"), text_of(answer, "gone"), text_of(answer, "same"));
	return out->rc;
}

int
ptah_ctltable_drain(const struct ptah_json *answer, struct ptah_buf *out)
{
	if (number_of(answer, "linksCut") > 0)
		ptah_buf_printf(out, "it ends; %s %s still open, and cut off\n", text_of(answer, "linksCut"),
		    number_of(answer, "linksCut") == 1 ? "link was" : "links were");
	else
		ptah_buf_puts(out, "it ends, and no link was cut off\n");
	return out->rc;
}

int
ptah_ctltable_upgrade(const struct ptah_json *answer, struct ptah_buf *out)
{
	(void)answer;
	return ptah_buf_puts(out, "the new program serves; the old one ends with its last link\n");
}
