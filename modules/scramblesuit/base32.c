/* SPDX-License-Identifier: BSD-3-Clause */
#include "base32.h"

#include <errno.h>
#include <stdint.h>

/* What a character stands for, or -1.  Who copies a password by hand takes 1 for I and 0 for O. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	if (c == '1')
		return 'I' - 'A';
	return c == '0' ? 'O' - 'A' : -1;
}

void
scramble_base32_write(struct ptah_span bytes, char *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint64_t held = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		held = held << 8 | bytes.at[i];
		for (bits += 8; bits >= 5; bits -= 5)
			out[n++] = letters[held >> (bits - 5) & 31];
	}
	if (bits > 0)
		out[n++] = letters[held << (5 - bits) & 31];
	while (n % 8 != 0)
		out[n++] = '=';
	out[n] = '\0';
}

int
scramble_base32_read(const char *text, size_t len, struct ptah_room out)
{
	uint64_t held = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (unsigned i = 0; i < 6 && len > 0 && len % 8 == (8 - i) % 8 && text[len - 1] == '='; i++)
		len--;
	if (len != (out.len * 8 + 4) / 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return -EINVAL;
		held = held << 5 | (unsigned)value;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			out.at[n++] = (uint8_t)(held >> bits);
		}
	}
	return 0;
}
