/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/scrub.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

static const char blot[] = "[scrubbed]";

/* Longer than any address with brackets and zone. */
#define ADDRESS_MAX 80

struct view {
	const char *text;
	size_t len;
};

static char
byte_at(const struct view *view, size_t at)
{
	return at < view->len ? view->text[at] : '\0';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Length of a dotted quad at 'at', or 0. */
static size_t
match_v4(const struct view *view, size_t at)
{
	size_t i = at;

	for (int part = 0; part < 4; part++) {
		unsigned value = 0;
		size_t n = 0;

		if (part > 0 && byte_at(view, i++) != '.')
			return 0;
		for (; is_digit(byte_at(view, i)); i++) {
			if (++n > 3)
				return 0;
			value = value * 10 + (unsigned)(view->text[i] - '0');
		}
		if (n == 0 || value > 255)
			return 0;
	}
	return i - at;
}

/*
 * Length of the longest IPv6 address at 'at', or 0.  Eight groups of two
 * digits are a MAC or a fingerprint, and no address that is in use.
 */
static size_t
match_v6(const struct view *view, size_t at)
{
	size_t i = at, best = 0;
	unsigned groups = 0;
	bool gap = false, pairs = true;

	if (byte_at(view, i) == ':') {
		if (byte_at(view, i + 1) != ':')
			return 0;
		gap = true;
		i += 2;
		best = i;
	}
	while (groups < (gap ? 7 : 8)) {
		size_t n = 0, quad;

		while (n < 5 && is_hex(byte_at(view, i + n)))
			n++;
		if (n == 0 || n > 4)
			break;
		quad = groups == 6 || (gap && groups < 6) ? match_v4(view, i) : 0;
		if (quad > 0) {
			best = i + quad;
			break;
		}
		groups++;
		i += n;
		pairs = pairs && n == 2;
		if (gap || groups == 8)
			best = i;
		if (byte_at(view, i) != ':')
			break;
		if (byte_at(view, i + 1) == ':') {
			if (gap || groups == 8)
				break;
			gap = true;
			i += 2;
			best = i;
		} else {
			i++;
		}
	}
	if (best == 0 || is_hex(byte_at(view, best)) || (!gap && groups == 8 && pairs))
		return 0;
	return best - at;
}

/* Part of a word rather than an address?  "std::add" is, "nfe80::1:2:3" not. */
static bool
is_glued(const struct view *view, size_t at, size_t len, char before)
{
	size_t colons = 0;

	if (!is_word(before) && !is_word(byte_at(view, at + len)))
		return false;
	for (size_t i = at; i < at + len; i++)
		colons += view->text[i] == ':';
	return colons < 3;
}

/* Length of an address at 'at', without brackets, or 0.  'before' is what stands before it in the output. */
static size_t
match(const struct view *view, size_t at, char before)
{
	char c = view->text[at];
	size_t len;

	if (c != ':' && !is_hex(c))
		return 0;
	if (!is_hex(before) || c == ':') {
		len = match_v6(view, at);
		if (len > 0 && !is_glued(view, at, len, before)) {
			/* The zone goes with it. */
			if (byte_at(view, at + len) == '%' && is_word(byte_at(view, at + len + 1))) {
				len++;
				while (is_word(byte_at(view, at + len)) || byte_at(view, at + len) == '-')
					len++;
			}
			return len;
		}
	}
	if (is_digit(c) && !is_digit(before)) {
		/* "v1.2.3.4" is a version; so is no other word before a quad. */
		if ((before == 'v' || before == 'V') && (at < 2 || !is_word(view->text[at - 2])))
			return 0;
		return match_v4(view, at);
	}
	return 0;
}

/* Length of private text from its opening mark to behind its closing one. */
static size_t
match_private(const struct view *view, size_t at)
{
	const char *text = view->text + at;
	size_t len = view->len - at;
	const char *next = memchr(text + 1, 1, len - 1);
	const char *end = memrchr(text, 2, next != NULL ? (size_t)(next - text) : len);

	/* A mark that never closes hides the rest of the line. */
	return end != NULL ? (size_t)(end - text) + 1 : len;
}

static size_t
put(char *out, size_t room, size_t n, const char *bytes, size_t len)
{
	if (len >= room - n)
		return 0;
	memcpy(out + n, bytes, len);
	return len;
}

size_t
ptah_scrub(const char *text, size_t len, bool unsafe, char *out, size_t room)
{
	struct view view = { text, len };
	char before = '\0';
	size_t n = 0;

	if (room == 0)
		return 0;
	for (size_t at = 0, step; at < len; at += step) {
		const char *bytes = text + at;
		size_t n_bytes, made;
		bool hide = false, bracket = false;

		step = 1;
		if (text[at] == '\1' && !unsafe) {
			step = match_private(&view, at);
			hide = true;
		} else if (text[at] == '\1' || (text[at] == '\2' && unsafe)) {
			continue;
		} else if (!unsafe) {
			size_t got = 0;

			if (text[at] == '[' && at + 1 < len) {
				got = match(&view, at + 1, '[');
				bracket = got > 0 && byte_at(&view, at + 1 + got) == ']';
			}
			got = bracket ? got + 2 : match(&view, at, before);
			hide = got > 0;
			if (hide)
				step = got;
		}
		if (hide) {
			bytes = blot;
			n_bytes = sizeof(blot) - 1;
		} else if (text[at] == '\2') {
			bytes = " "; /* a stray mark still divides words */
			n_bytes = 1;
		} else {
			n_bytes = ptah_text_utf8_len((const uint8_t *)bytes, len - at);
			if (n_bytes == 0 && *bytes == '\0') {
				n_bytes = 1;
			} else if (n_bytes == 0) {
				bytes = "\xef\xbf\xbd";
				n_bytes = 3;
			} else {
				step = n_bytes;
			}
		}
		made = put(out, room, n, bytes, n_bytes);
		if (made == 0)
			break;
		n += made;
		before = out[n - 1];
	}
	out[n] = '\0';
	return n;
}

size_t
ptah_scrub_cut(const char *text, size_t len)
{
	size_t n = len;

	while (n > 0 && len - n < ADDRESS_MAX &&
	    (is_word(text[n - 1]) || strchr(".:%[-", text[n - 1]) != NULL))
		n--;
	if (len - n == ADDRESS_MAX)
		n = len; /* one long word */
	return ptah_text_utf8_cut(text, len, n);
}
