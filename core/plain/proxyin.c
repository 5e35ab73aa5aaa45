/* SPDX-License-Identifier: BSD-3-Clause */
#include "plain/proxyin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"

static const uint8_t v1_begin[6] = { 'P', 'R', 'O', 'X', 'Y', ' ' };
static const uint8_t v2_signature[12] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

/* Version 2: what stands where, and what it means. */
#define AT_COMMAND 12
#define AT_FAMILY 13
#define AT_LENGTH 14
#define FIXED 16u
#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21
#define FAMILY_INET 1u
#define FAMILY_INET6 2u
#define FAMILY_UNIX 3u
#define PROTOCOL_MOST 2u /* datagrams */
#define FIELD_CRC32C 3u

static int
fail(struct ptah_proxyin *in, int rc, const char *why)
{
	in->why = why;
	return rc;
}

/* ---- version 1 ------------------------------------------------------------------ */

/* The next word of a line, which is cut there; NULL: there is none. */
static char *
next_word(char **at)
{
	char *word = *at, *end;

	if (word == NULL)
		return NULL;
	end = strchr(word, ' ');
	if (end != NULL)
		*end++ = '\0';
	*at = end;
	return word[0] != '\0' ? word : NULL;
}

/* Nothing but digits, and no 0 before others. */
static int
read_port(const char *word, uint16_t *port)
{
	uint64_t value;

	if (word == NULL || (word[0] == '0' && word[1] != '\0') || ptah_text_u64(word, 0, 65535, &value) != 0)
		return -EPROTO;
	*port = (uint16_t)value;
	return 0;
}

static int
read_host(const char *word, int family, struct ptah_addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->sa.sa_family = (sa_family_t)family;
	void *to = family == AF_INET ? (void *)&addr->v4.sin_addr : (void *)&addr->v6.sin6_addr;
	return word != NULL && inet_pton(family, word, to) == 1 ? 0 : -EPROTO;
}

/* 'line' is what stands behind "PROXY ", without its end. */
static int
read_line(struct ptah_proxyin *in, char *line)
{
	const char *protocol = next_word(&line);
	uint16_t from_port, to_port;
	int family = AF_INET;

	if (protocol != NULL && strcmp(protocol, "UNKNOWN") == 0)
		return PTAH_PROXYIN_DONE; /* whatever else it says */
	if (protocol != NULL && strcmp(protocol, "TCP6") == 0)
		family = AF_INET6;
	else if (protocol == NULL || strcmp(protocol, "TCP4") != 0)
		return fail(in, -EPROTO, "its line names no protocol that there is");
	if (read_host(next_word(&line), family, &in->from) != 0 || read_host(next_word(&line), family, &in->to) != 0)
		return fail(in, -EPROTO, "an address in its line is none");
	if (read_port(next_word(&line), &from_port) != 0 || read_port(next_word(&line), &to_port) != 0 || line != NULL)
		return fail(in, -EPROTO, "a port in its line is none");
	ptah_addr_set_port(&in->from, from_port);
	ptah_addr_set_port(&in->to, to_port);
	in->told = true;
	return PTAH_PROXYIN_DONE;
}

/* One more byte stands in 'head'. */
static int
step_v1(struct ptah_proxyin *in)
{
	uint8_t byte = in->head[in->n - 1];

	if (byte == '\0')
		return fail(in, -EPROTO, "its line has a byte that no text has");
	if (byte == '\n') {
		char line[PTAH_PROXYIN_LINE + 1];

		if (in->head[in->n - 2] != '\r')
			return fail(in, -EPROTO, "its line does not end with CR LF");
		size_t len = in->n - 2 - sizeof(v1_begin);
		memcpy(line, in->head + sizeof(v1_begin), len);
		line[len] = '\0';
		return read_line(in, line);
	}
	if (in->n == PTAH_PROXYIN_LINE)
		return fail(in, -EMSGSIZE, "its line is longer than any can be");
	return PTAH_PROXYIN_MORE;
}

/* ---- version 2 ------------------------------------------------------------------ */

/* CRC32C (Castagnoli), half a byte at a time: a header is short. */
static void
add_to_crc(struct ptah_proxyin *in, uint8_t byte)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	in->crc ^= byte;
	in->crc = in->crc >> 4 ^ table[in->crc & 15];
	in->crc = in->crc >> 4 ^ table[in->crc & 15];
}

/* How long the addresses of what the fixed part says are; 0: there are none that say anything. */
static size_t
addresses_len(const struct ptah_proxyin *in)
{
	unsigned family = in->head[AT_FAMILY] >> 4, protocol = in->head[AT_FAMILY] & 15u;

	if (in->head[AT_COMMAND] == COMMAND_LOCAL || protocol == 0)
		return 0;
	switch (family) {
	case FAMILY_INET:
		return 12;
	case FAMILY_INET6:
		return 36;
	case FAMILY_UNIX:
		return 216;
	default:
		return 0;
	}
}

static void
read_address(struct ptah_addr *addr, int family, const uint8_t *host, const uint8_t *port)
{
	memset(addr, 0, sizeof(*addr));
	addr->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		memcpy(&addr->v4.sin_addr, host, 4);
	else
		memcpy(&addr->v6.sin6_addr, host, 16);
	ptah_addr_set_port(addr, (uint16_t)(port[0] << 8 | port[1]));
}

static void
read_addresses(struct ptah_proxyin *in)
{
	const uint8_t *at = in->head + FIXED;

	in->told = true;
	if (in->n == FIXED + 12) {
		read_address(&in->from, AF_INET, at, at + 8);
		read_address(&in->to, AF_INET, at + 4, at + 10);
	} else if (in->n == FIXED + 36) {
		read_address(&in->from, AF_INET6, at, at + 32);
		read_address(&in->to, AF_INET6, at + 16, at + 34);
	}
}

static int
read_fixed(struct ptah_proxyin *in)
{
	uint8_t command = in->head[AT_COMMAND], family = in->head[AT_FAMILY];

	if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
		return fail(in, -EPROTO, "it has a version or a command that there is not");
	/* A proxy that speaks for itself may leave anything there. */
	if (command == COMMAND_PROXY && (family >> 4 > FAMILY_UNIX || (family & 15u) > PROTOCOL_MOST))
		return fail(in, -EPROTO, "it names a family or a protocol that there is not");
	in->left = (size_t)in->head[AT_LENGTH] << 8 | in->head[AT_LENGTH + 1];
	if (in->left > PTAH_PROXYIN_BODY)
		return fail(in, -EMSGSIZE, "it is longer than we take");
	if (in->left < addresses_len(in))
		return fail(in, -EPROTO, "its addresses do not fit into its length");
	/* Where there are no addresses, nobody says where fields would begin. */
	in->wants_fields = addresses_len(in) > 0;
	return PTAH_PROXYIN_MORE;
}

static int
begin_field(struct ptah_proxyin *in)
{
	in->field_left = (size_t)in->field[1] << 8 | in->field[2];
	if (in->field_left > in->left)
		return fail(in, -EPROTO, "one of its fields does not fit into its length");
	if (in->field[0] == FIELD_CRC32C) {
		if (in->field_left != sizeof(in->sum) || in->has_sum)
			return fail(in, -EPROTO, "its checksum is none");
		in->has_sum = true;
	}
	if (in->field_left == 0)
		in->n_field = 0;
	return PTAH_PROXYIN_MORE;
}

/* A byte behind the addresses; it is not counted in 'left' any more. */
static int
step_field(struct ptah_proxyin *in, uint8_t byte)
{
	bool is_sum = in->n_field == sizeof(in->field) && in->field[0] == FIELD_CRC32C;

	add_to_crc(in, is_sum ? 0 : byte); /* the sum is over a header with zeros in its place */
	if (in->n_field < sizeof(in->field)) {
		in->field[in->n_field++] = byte;
		return in->n_field == sizeof(in->field) ? begin_field(in) : PTAH_PROXYIN_MORE;
	}
	if (is_sum)
		in->sum[sizeof(in->sum) - in->field_left] = byte;
	if (--in->field_left == 0)
		in->n_field = 0;
	return PTAH_PROXYIN_MORE;
}

static int
end_v2(struct ptah_proxyin *in)
{
	uint32_t said = (uint32_t)in->sum[0] << 24 | (uint32_t)in->sum[1] << 16 | (uint32_t)in->sum[2] << 8 | in->sum[3];

	if (in->n_field > 0)
		return fail(in, -EPROTO, "one of its fields does not fit into its length");
	if (in->has_sum && said != (in->crc ^ 0xffffffffu))
		return fail(in, -EBADMSG, "its checksum is wrong");
	return PTAH_PROXYIN_DONE;
}

/* A byte behind the signature. */
static int
step_v2(struct ptah_proxyin *in, uint8_t byte)
{
	size_t head = in->n < FIXED ? FIXED : FIXED + addresses_len(in);
	int rc = PTAH_PROXYIN_MORE;

	if (in->n >= FIXED)
		in->left--;
	if (in->n < head) {
		in->head[in->n++] = byte;
		add_to_crc(in, byte);
		if (in->n == FIXED)
			rc = read_fixed(in);
		else if (in->n == head)
			read_addresses(in);
	} else if (in->wants_fields) {
		rc = step_field(in, byte);
	}
	return rc == PTAH_PROXYIN_MORE && in->n >= FIXED && in->left == 0 ? end_v2(in) : rc;
}

/* ---- both ------------------------------------------------------------------------ */

static int
step(struct ptah_proxyin *in, uint8_t byte)
{
	bool is_v2 = in->n > 0 ? in->head[0] == v2_signature[0] : byte == v2_signature[0];
	const uint8_t *begin = is_v2 ? v2_signature : v1_begin;
	size_t len = is_v2 ? sizeof(v2_signature) : sizeof(v1_begin);

	if (is_v2 && in->n >= len)
		return step_v2(in, byte);
	if (in->n < len && byte != begin[in->n])
		return fail(in, -EPROTO, "it does not begin as such a header does");
	in->head[in->n++] = byte;
	if (is_v2)
		add_to_crc(in, byte);
	return !is_v2 && in->n > len ? step_v1(in) : PTAH_PROXYIN_MORE;
}

void
ptah_proxyin_init(struct ptah_proxyin *in)
{
	memset(in, 0, sizeof(*in));
	in->crc = 0xffffffffu;
}

int
ptah_proxyin_feed(struct ptah_proxyin *in, struct ptah_span bytes, size_t *eaten)
{
	int rc = PTAH_PROXYIN_MORE;

	for (*eaten = 0; rc == PTAH_PROXYIN_MORE && *eaten < bytes.len; (*eaten)++)
		rc = step(in, bytes.at[*eaten]);
	return rc;
}
