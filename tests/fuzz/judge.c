/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options from a configuration file: what judges them beforehand, and says all
 * that is wrong, and what opens a transport, and stops at the first, have one
 * opinion.  The first byte says who asks for what, the rest is JSON.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ptah/module.h>

#include "base/json.h"
#include "config/faults.h"
#include "target.h"
#include "transport/judge.h"
#include "transport/registry.h"

struct conf {
	const char *text, *address, *nested, *secret;
	struct ptah_span hex, base64;
	int64_t number;
	uint64_t wait;
	uint8_t truth;
	uint32_t word;
	struct ptah_list numbers;
	struct ptah_file file;
};

struct args {
	const char *cert, *one, *other;
};

static const char *const words[] = { "auto", "send", "hold", NULL };
static const char *const aliases[] = { "txt", "t", NULL };

#define AT(field) .offset = offsetof(struct conf, field)
#define LINK(field) .offset = offsetof(struct args, field)

static const struct ptah_option upper_options[] = {
	{ .name = "text", .aliases = aliases, .type = PTAH_STRING, AT(text), .min = 1, .max = 5 },
	{ .name = "hex", .type = PTAH_HEX, AT(hex), .min = 2, .max = 2 },
	{ .name = "base64", .type = PTAH_BASE64, AT(base64) },
	{ .name = "number", .type = PTAH_INT, AT(number), .min = -3, .max = 9, .def = "7" },
	{ .name = "truth", .type = PTAH_BOOL, AT(truth) },
	{ .name = "address", .type = PTAH_ADDRESS, AT(address) },
	{ .name = "wait", .type = PTAH_DURATION, AT(wait), .max = 60 * (int64_t)1000000000 },
	{ .name = "word", .type = PTAH_WORD, AT(word), .words = words },
	{ .name = "nested", .type = PTAH_NESTED, AT(nested) },
	{ .name = "numbers", .type = PTAH_INT, .flags = PTAH_LIST, AT(numbers), .min = 0, .max = 2 },
	{ .name = "secret", .type = PTAH_STRING, .flags = PTAH_SECRET | PTAH_SERVER_ONLY | PTAH_REQUIRED, AT(secret) },
	{ .name = "file", .type = PTAH_FILE, AT(file), .min = 1, .max = 4096 },
	{ .name = "cert", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_REQUIRED | PTAH_CLIENT_ONLY, LINK(cert) },
	{ .name = NULL },
};

static const struct ptah_option lower_options[] = {
	{ .name = "one", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_EITHER, LINK(one) },
	{ .name = "other", .type = PTAH_STRING, .flags = PTAH_LINK | PTAH_EITHER, LINK(other) },
	{ .name = "number", .type = PTAH_INT, AT(number), .min = 0, .max = 3 },
	{ .name = NULL },
};

static int
open_link(void *link, const struct ptah_open *open, struct ptah_io *io)
{
	(void)link;
	(void)open;
	(void)io;
	return PTAH_PASS;
}

/* Options that are fine each by itself may not go together. */
static int
check_args(const void *conf, const void *given, uint32_t role, char *why, size_t room)
{
	const struct args *args = given;

	(void)conf;
	(void)role;
	if (!args->one || !args->other)
		return 0;
	strncpy(why, "one of the two", room);
	return -EINVAL;
}

#define ABILITIES (PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE)

static const struct ptah_module upper = {
	.head = PTAH_HEAD(1), .name = "upper", .version = "1", .summary = "for tests", .abilities = ABILITIES,
	.options = upper_options, .conf_size = sizeof(struct conf), .args_size = sizeof(struct args), .open = open_link,
};
static const struct ptah_module lower = {
	.head = PTAH_HEAD(0), .name = "lower", .version = "1", .summary = "for tests", .abilities = ABILITIES,
	.options = lower_options, .conf_size = sizeof(struct conf), .args_size = sizeof(struct args), .open = open_link,
	.args_check = check_args,
};

struct heard {
	size_t n_values, n_keys;
};

static void
on_fault(const struct ptah_judge_fault *fault, void *arg)
{
	struct heard *heard = arg;
	bool key = (fault->how & PTAH_FAULT_KEY) != 0;

	expect(fault->text[0] != '\0' && (fault->value || !key));
	expect(fault->about || (fault->how & (PTAH_FAULT_OPEN | PTAH_FAULT_CLOSED)) == 0);
	*(key ? &heard->n_keys : &heard->n_values) += 1;
}

static struct ptah_registry *
registry(void)
{
	static struct ptah_registry *made;
	char why[400];

	if (made)
		return made;
	made = ptah_registry_new(NULL, NULL);
	expect(made != NULL);
	expect(ptah_registry_link(made, &upper, why, sizeof(why)) == 0);
	expect(ptah_registry_link(made, &lower, why, sizeof(why)) == 0);
	return made;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const names[] = { "upper", "lower", "upper+lower", "lower+upper" };
	char why[1024];
	struct ptah_json *options;

	if (len == 0)
		return 0;
	options = ptah_json_parse((const char *)data + 1, len - 1, PTAH_JSON_BARE_KEYS, why, sizeof(why));
	if (!options || options->type != PTAH_JSON_OBJECT) {
		ptah_json_free(options);
		return 0;
	}

	const struct ptah_instance_wish wish = {
		.name = names[data[0] & 3], .role = (data[0] & 4) != 0 ? PTAH_CLIENT : PTAH_SERVER, .options = options,
		.alone = (data[0] & 8) != 0, .datagrams = (data[0] & 16) != 0, .has_proxy = (data[0] & 32) != 0,
	};
	struct heard heard = { 0 };
	struct ptah_judged judged;
	struct ptah_tried tried;
	int judges = ptah_judge(registry(), &wish, on_fault, &heard, &judged);
	int opens = ptah_instance_try(registry(), &wish, &tried, why, sizeof(why));

	expect(judges == (heard.n_values + heard.n_keys > 0));
	if (opens == 0)
		expect(heard.n_values == (wish.alone && tried.homeless));
	else
		expect(heard.n_values > 0);
	ptah_judged_clear(&judged);
	ptah_json_free(options);
	return 0;
}
