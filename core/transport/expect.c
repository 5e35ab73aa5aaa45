/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/expect.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "transport/namedfile.h"

/* "N bytes", "at least N bytes" ... after 'what'. */
static void
with_length(const struct ptah_option *option, const char *what, char *out, size_t room)
{
	if (option->min == 0 && option->max == 0)
		snprintf(out, room, "%s", what);
	else if (option->min == option->max)
		snprintf(out, room, "%s of %" PRId64 " bytes", what, option->max);
	else if (option->max == INT64_MAX)
		snprintf(out, room, "%s of at least %" PRId64 " bytes", what, option->min);
	else
		snprintf(out, room, "%s of %" PRId64 " to %" PRId64 " bytes", what, option->min, option->max);
}

static void
with_range(const struct ptah_option *option, char *out, size_t room)
{
	if (option->min == 0 && option->max == 0)
		snprintf(out, room, "a whole number");
	else if (option->max == INT64_MAX)
		snprintf(out, room, "a whole number of at least %" PRId64, option->min);
	else
		snprintf(out, room, "a whole number from %" PRId64 " to %" PRId64, option->min, option->max);
}

static void
one_time(uint64_t ns, char *out, size_t room)
{
	if (ns % PTAH_NS_PER_S == 0)
		snprintf(out, room, "%" PRIu64 "s", ns / PTAH_NS_PER_S);
	else
		snprintf(out, room, "%" PRIu64 "ms", ns / PTAH_NS_PER_MS);
}

static void
with_times(const struct ptah_option *option, char *out, size_t room)
{
	char least[32], most[32];

	one_time((uint64_t)option->min, least, sizeof(least));
	one_time((uint64_t)option->max, most, sizeof(most));
	if (option->min == 0 && option->max == 0)
		snprintf(out, room, "a time such as 250ms, 30s or 5m");
	else if (option->max == INT64_MAX)
		snprintf(out, room, "a time of at least %s", least);
	else
		snprintf(out, room, "a time from %s to %s", least, most);
}

static void
list_words(const struct ptah_option *option, char *out, size_t room)
{
	size_t used = (size_t)snprintf(out, room, "one of ");

	for (size_t i = 0; option->words[i] != NULL && used < room; i++) {
		int n = snprintf(out + used, room - used, "%s%s", i > 0 ? ", " : "", option->words[i]);

		used += n > 0 ? (size_t)n : 0;
	}
}

void
ptah_expect_text(const struct ptah_option *option, char *out, size_t room)
{
	switch (option->type) {
	case PTAH_STRING:
		with_length(option, "text", out, room);
		break;
	case PTAH_HEX:
		with_length(option, "hex", out, room);
		break;
	case PTAH_BASE64:
		with_length(option, "base64", out, room);
		break;
	case PTAH_BASE32:
		with_length(option, "base32", out, room);
		break;
	case PTAH_INT:
		with_range(option, out, room);
		break;
	case PTAH_BOOL:
		snprintf(out, room, "true or false");
		break;
	case PTAH_ADDRESS:
		snprintf(out, room, "an address, host:port");
		break;
	case PTAH_DURATION:
		with_times(option, out, room);
		break;
	case PTAH_WORD:
		list_words(option, out, room);
		break;
	case PTAH_FILE: {
		size_t min, max;

		ptah_namedfile_bounds(option, &min, &max);
		snprintf(out, room, "the absolute path of a file of %zu to %zu bytes", min, max);
		break;
	}
	default:
		snprintf(out, room, "JSON");
		break;
	}
}
