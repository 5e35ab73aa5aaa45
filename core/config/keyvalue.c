/* SPDX-License-Identifier: BSD-3-Clause */
/* config/keyvalue.c: the readers of single values that the rows of config/key.c name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "config/keyread.h"

void
ptah_keyread_flag(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	(void)reader;
	(void)key;
	*(bool *)to = value->truth;
}

void
ptah_keyread_number(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	uint64_t number;

	if (ptah_text_u64(value->text, key->min, key->max, &number) != 0)
		ptah_keyread_misfit(reader, key, value);
	else
		*(unsigned *)to = (unsigned)number;
}

/* An IPv6 address without brackets, as Tor once wrote them? */
static bool
is_bare_ipv6(const char *text)
{
	return text[0] != '[' && strchr(text, ':') != strrchr(text, ':');
}

int
ptah_keyread_addr(struct ptah_addr *addr, const char *text)
{
	return is_bare_ipv6(text) ? -EINVAL : ptah_addr_parse(addr, text);
}

/* Its place among the words, or -1 and a fault. */
static int
word_of(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value)
{
	for (int i = 0; key->words[i]; i++)
		if (strcmp(key->words[i], value->text) == 0)
			return i;
	ptah_keyread_misfit(reader, key, value);
	return -1;
}

void
ptah_keyread_word(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	int word = word_of(reader, key, value);

	if (word >= 0)
		*(int *)to = word;
}

void
ptah_keyread_level(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	int word = word_of(reader, key, value);

	if (word >= 0)
		*(int *)to = ptah_log_level_parse(key->words[word]);
}

void
ptah_keyread_role(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	static const int roles[] = { PTAH_ROLE_CLIENT, PTAH_ROLE_SERVER };
	int word = word_of(reader, key, value);

	if (word >= 0)
		*(int *)to = roles[word];
}

void
ptah_keyread_framing(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value,
    void *to)
{
	int word = word_of(reader, key, value);

	if (word >= 0)
		*(bool *)to = strcmp(key->words[word], "le") == 0;
}

void
ptah_keyread_family(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	int word = word_of(reader, key, value);

	if (word >= 0)
		*(int *)to = families[word];
}

/* Takes: text, perhaps NULL for want of memory. */
static void
set_text(struct ptah_keyreader *reader, char *text, char **to)
{
	if (!text)
		reader->rc = -ENOMEM;
	free(*to);
	*to = text;
}

void
ptah_keyread_path(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	(void)key;
	set_text(reader, strdup(value->text), to);
}

/* One of an array of them; a colon stands between those that are kept in one text. */
static bool
is_path(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *item)
{
	struct ptah_key one = *key;

	if (item->type == PTAH_JSON_STRING && item->text[0] == '/' && !strchr(item->text, ':'))
		return true;
	one.kind = PTAH_KIND_PATH;
	ptah_keyread_misfit(reader, &one, item);
	return false;
}

void
ptah_keyread_files(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	struct ptah_json *files = ptah_json_new(PTAH_JSON_ARRAY), **at = to;

	if (!files)
		reader->rc = -ENOMEM;
	for (size_t i = 0; reader->rc == 0 && i < value->n; i++)
		if (is_path(reader, key, value->items[i]))
			reader->rc = ptah_json_add(files, ptah_json_copy(value->items[i]));
	ptah_json_free(*at);
	*at = files;
}

void
ptah_keyread_paths(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	struct ptah_buf text = { 0 };

	(void)ptah_buf_puts(&text, "");
	for (size_t i = 0; i < value->n; i++) {
		const struct ptah_json *item = value->items[i];

		if (is_path(reader, key, item))
			ptah_buf_printf(&text, "%s%s", text.len > 0 ? ":" : "", item->text);
	}
	if (value->n > 0)
		set_text(reader, ptah_buf_take_text(&text), to);
	ptah_buf_clear(&text);
}

void
ptah_keyread_ip(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	int family = key->kind == PTAH_KIND_IPV4 ? AF_INET : AF_INET6;
	struct ptah_addr addr;

	if (ptah_addr_parse_host(&addr, value->text, 0) != 0 || addr.sa.sa_family != family)
		ptah_keyread_misfit(reader, key, value);
	else
		*(struct ptah_addr *)to = addr;
}

void
ptah_keyread_target(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	if (is_bare_ipv6(value->text) || ptah_dest_parse(to, value->text, false) != 0)
		ptah_keyread_misfit(reader, key, value);
	else
		reader->plan->has_target = true;
}

void
ptah_keyread_extorport(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value,
    void *to)
{
	struct ptah_addr addr;

	if (ptah_keyread_addr(&addr, value->text) != 0 || ptah_addr_port(&addr) == 0) {
		ptah_keyread_misfit(reader, key, value);
		return;
	}
	*(struct ptah_addr *)to = addr;
	reader->plan->has_extorport = true;
	if (!ptah_addr_is_loopback(&addr))
		ptah_keyread_fault(reader, PTAH_FAULT_WARNING, value, NULL, "this is not on this machine: what passes is "
		    "not encrypted by us");
}

void
ptah_keyread_prefixes(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value,
    void *to)
{
	struct ptah_prefix *prefixes = calloc(value->n + 1, sizeof(*prefixes)), **at = to;
	size_t n = 0;

	if (!prefixes) {
		reader->rc = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < value->n; i++) {
		const struct ptah_json *item = value->items[i];

		if (item->type == PTAH_JSON_STRING && ptah_prefix_parse(&prefixes[n], item->text) == 0)
			n++;
		else if (item->type == PTAH_JSON_STRING)
			ptah_keyread_fault(reader, 0, item, NULL, "\"%.80s\" is no network: write one such as "
			    "\"192.0.2.0/24\", with no bit set behind its prefix, or an address", item->text);
		else
			ptah_keyread_misfit(reader, key, item);
	}
	if (value->n == 0)
		ptah_keyread_fault(reader, 0, value, NULL, "no network is in it: name one, or leave it out");
	free(*at);
	*at = prefixes;
	reader->plan->n_proxy_from = n;
}

void
ptah_keyread_proxy(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value, void *to)
{
	char why[400] = "";
	int rc = ptah_proxy_parse(to, value->text, why, sizeof(why));

	(void)key;
	if (rc == -EINVAL)
		ptah_keyread_fault(reader, 0, value, NULL, "%s", why);
	else if (rc != 0)
		reader->rc = rc;
}

void
ptah_keyread_interface(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value,
    void *to)
{
	if (strpbrk(value->text, "/ \t\n:"))
		ptah_keyread_misfit(reader, key, value);
	else
		memcpy(to, value->text, strlen(value->text) + 1); /* its length is checked: the row's 'max' */
}

void
ptah_keyread_metrics(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value,
    void *to)
{
	struct ptah_addr addr;

	if (value->text[0] == '/') {
		set_text(reader, strdup(value->text), to);
		return;
	}
	if (ptah_keyread_addr(&addr, value->text) != 0 || !ptah_addr_is_loopback(&addr))
		ptah_keyread_misfit(reader, key, value);
	else
		reader->file->metrics = addr;
}
