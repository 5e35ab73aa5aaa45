/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

/* Longer words are near to nothing. */
#define NEAREST_MAX 64

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool
ptah_text_is_ptname(const char *text, size_t len)
{
	if (len == 0 || !is_name_start(text[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!is_name_start(text[i]) && !is_digit(text[i]))
			return false;
	}
	return true;
}

bool
ptah_text_is_stack(const char *text, size_t len)
{
	const char *plus;

	while ((plus = memchr(text, '+', len)) != NULL) {
		if (!ptah_text_is_ptname(text, (size_t)(plus - text)))
			return false;
		len -= (size_t)(plus - text) + 1;
		text = plus + 1;
	}
	return ptah_text_is_ptname(text, len);
}

/* Read digits at *at and move it behind them. */
static int
read_digits(const char **at, uint64_t *out)
{
	uint64_t value = 0;
	bool over = false;
	const char *p = *at;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			over = true;
	}
	*at = p;
	*out = value;
	return over ? -ERANGE : 0;
}

int
ptah_text_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value;
	int rc = read_digits(&text, &value);

	if (rc == -EINVAL || *text != '\0')
		return -EINVAL;
	if (rc != 0)
		return rc;
	if (value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int
ptah_text_bool(const char *text, bool *out)
{
	static const struct {
		const char *word;
		bool truth;
	} words[] = {
		{ "1", true }, { "t", true }, { "T", true }, { "true", true }, { "TRUE", true }, { "True", true },
		{ "0", false }, { "f", false }, { "F", false }, { "false", false }, { "FALSE", false },
		{ "False", false },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i].word) == 0) {
			*out = words[i].truth;
			return 0;
		}
	}
	return -EINVAL;
}

int
ptah_text_duration(const char *text, uint64_t *ns)
{
	static const struct {
		const char *word;
		uint64_t ns;
	} units[] = {
		{ "", PTAH_NS_PER_S },
		{ "ms", PTAH_NS_PER_MS },
		{ "s", PTAH_NS_PER_S },
		{ "m", 60 * PTAH_NS_PER_S },
		{ "h", 3600 * PTAH_NS_PER_S },
	};
	uint64_t value;
	int rc = read_digits(&text, &value);

	if (rc == -EINVAL)
		return rc;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].word) != 0)
			continue;
		if (rc != 0 || __builtin_mul_overflow(value, units[i].ns, &value))
			return -ERANGE;
		*ns = value;
		return 0;
	}
	return -EINVAL;
}

bool
ptah_text_next(const char **cursor, char comma, const char **item, size_t *len)
{
	const char *end;

	if (*cursor == NULL)
		return false;
	*item = *cursor;
	end = strchr(*cursor, comma);
	if (end == NULL || comma == '\0') {
		*len = strlen(*cursor);
		*cursor = NULL;
	} else {
		*len = (size_t)(end - *cursor);
		*cursor = end + 1;
	}
	return true;
}

size_t
ptah_text_utf8_len(const uint8_t *at, size_t len)
{
	size_t n;
	uint8_t low = 0x80, high = 0xbf;

	if (len == 0 || at[0] == 0)
		return 0;
	if (at[0] < 0x80)
		return 1;
	/* RFC 3629, section 4: neither overlong forms nor surrogates. */
	if (at[0] >= 0xc2 && at[0] <= 0xdf) {
		n = 2;
	} else if (at[0] >= 0xe0 && at[0] <= 0xef) {
		n = 3;
		if (at[0] == 0xe0)
			low = 0xa0;
		if (at[0] == 0xed)
			high = 0x9f;
	} else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
		n = 4;
		if (at[0] == 0xf0)
			low = 0x90;
		if (at[0] == 0xf4)
			high = 0x8f;
	} else {
		return 0;
	}
	if (len < n || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (at[i] < 0x80 || at[i] > 0xbf)
			return 0;
	}
	return n;
}

bool
ptah_text_is_utf8(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = ptah_text_utf8_len(at + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

size_t
ptah_text_utf8_cut(const char *text, size_t len, size_t room)
{
	if (len <= room)
		return len;
	while (room > 0 && ((uint8_t)text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

/* Changes, drops and additions of one letter between two words; case is free. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NEAREST_MAX + 1];
	size_t b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = corner + (strncasecmp(&a[i - 1], &b[j - 1], 1) != 0);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[b_len];
}

const char *
ptah_text_nearest(const char *word, const char *const *known)
{
	const char *best = NULL;
	size_t len = strlen(word);
	/* One past the farthest that still counts. */
	size_t near = len < 3 ? 2 : len < 9 ? len / 3 + 1 : 4;

	if (len > NEAREST_MAX)
		return NULL;
	for (; *known != NULL; known++) {
		size_t d;

		if (strlen(*known) > NEAREST_MAX)
			continue;
		d = distance(word, *known);
		if (d < near) {
			near = d;
			best = *known;
		}
	}
	return best;
}

int
ptah_text_copy(char *out, size_t room, const char *text)
{
	size_t len = strlen(text);

	if (len >= room)
		return -ENAMETOOLONG;
	memcpy(out, text, len + 1);
	return 0;
}

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int
base32_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	return -1;
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (is_digit(c))
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

/*
 * Letters of 'bits' bits each into bytes.  'group' letters make whole bytes;
 * padding, when there is any, must fill the last group and no more.
 */
static long
decode(const char *text, uint8_t *out, size_t room, unsigned bits, size_t group, int (*value_of)(char))
{
	size_t len = strlen(text), letters = len, tail;
	size_t n = 0;
	uint32_t held = 0;
	unsigned n_held = 0;

	while (letters > 0 && text[letters - 1] == '=')
		letters--;
	if (letters < len && (group == 1 || len % group != 0 || len - letters >= group))
		return -EINVAL;
	/* Letters past the whole bytes must be needed for the byte before them. */
	tail = letters * bits % 8;
	if (tail >= bits)
		return -EINVAL;
	if (letters * bits / 8 > room) {
		for (size_t i = 0; i < letters; i++) {
			if (value_of(text[i]) < 0)
				return -EINVAL;
		}
		return -ENOBUFS;
	}
	for (size_t i = 0; i < letters; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return -EINVAL;
		held = held << bits | (uint32_t)value;
		n_held += bits;
		if (n_held >= 8) {
			n_held -= 8;
			out[n++] = (uint8_t)(held >> n_held);
		}
	}
	return (long)n;
}

long
ptah_text_unhex(const char *text, uint8_t *out, size_t room)
{
	return decode(text, out, room, 4, 1, hex_value);
}

long
ptah_text_unbase64(const char *text, uint8_t *out, size_t room)
{
	return decode(text, out, room, 6, 4, base64_value);
}

long
ptah_text_unbase32(const char *text, uint8_t *out, size_t room)
{
	return decode(text, out, room, 5, 8, base32_value);
}
