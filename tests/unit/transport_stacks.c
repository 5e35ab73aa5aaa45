/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which transports can stand on which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "transport/stacks.h"

#define BOTH (PTAH_CAN_CLIENT | PTAH_CAN_SERVER)

static const struct ptah_module
    codec = { .abilities = BOTH | PTAH_CAN_STREAM },
    keeper = { .abilities = BOTH | PTAH_CAN_STREAM | PTAH_CAN_MESSAGE | PTAH_MESSAGES_ASKED },
    mail = { .abilities = BOTH | PTAH_CAN_MESSAGE },
    carrier = { .abilities = BOTH | PTAH_CAN_STREAM | PTAH_IS_CARRIER },
    odd_carrier = { .abilities = BOTH | PTAH_CAN_STREAM | PTAH_CAN_MESSAGE | PTAH_IS_CARRIER },
    client = { .abilities = PTAH_CAN_CLIENT | PTAH_CAN_STREAM },
    server = { .abilities = PTAH_CAN_SERVER | PTAH_CAN_STREAM };

static struct ptah_stack
stack_of(const struct ptah_module *one, const struct ptah_module *two, const struct ptah_module *three)
{
	const struct ptah_module *const all[] = { one, two, three };
	struct ptah_stack stack = { .n = 0 };

	for (size_t i = 0; i < 3 && all[i] != NULL; i++)
		stack.module[stack.n++] = all[i];
	return stack;
}

static void
judges_pairs_by_their_abilities(void **state)
{
	static const struct {
		const struct ptah_module *top, *below;
		enum ptah_stack_problem problem;
		uint32_t roles;
		bool stream, messages;
	} cases[] = {
		{ &codec, &codec, PTAH_STACK_FINE, BOTH, true, false },
		{ &codec, &carrier, PTAH_STACK_FINE, BOTH, true, false },
		{ &carrier, &codec, PTAH_STACK_CARRIER, BOTH, true, false },
		{ &carrier, &carrier, PTAH_STACK_CARRIER, BOTH, true, false },
		{ &keeper, &keeper, PTAH_STACK_FINE, BOTH, true, true },
		{ &keeper, &codec, PTAH_STACK_FINE, BOTH, true, false },
		{ &mail, &keeper, PTAH_STACK_FINE, BOTH, false, true },
		{ &keeper, &mail, PTAH_STACK_FINE, BOTH, false, true },
		{ &mail, &codec, PTAH_STACK_MESSAGES, BOTH, false, false },
		{ &codec, &mail, PTAH_STACK_MESSAGES, BOTH, false, false },
		{ &mail, &carrier, PTAH_STACK_MESSAGES, BOTH, false, false },
		{ &mail, &odd_carrier, PTAH_STACK_MESSAGES, BOTH, false, false }, /* a carrier's messages are streams */
		{ &keeper, &odd_carrier, PTAH_STACK_FINE, BOTH, true, false },
		{ &codec, &client, PTAH_STACK_FINE, PTAH_CAN_CLIENT, true, false },
		{ &server, &codec, PTAH_STACK_FINE, PTAH_CAN_SERVER, true, false },
		{ &client, &server, PTAH_STACK_ROLES, 0, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ptah_stack top = stack_of(cases[i].top, NULL, NULL), below = stack_of(cases[i].below, NULL, NULL);
		struct ptah_stack_can can = ptah_stack_judge(&top, &below);

		print_message("case %zu\n", i);
		assert_int_equal(can.problem, cases[i].problem);
		assert_int_equal(can.roles, cases[i].roles);
		assert_int_equal(can.stream, cases[i].stream);
		assert_int_equal(can.messages, cases[i].messages);
	}
}

static void
looks_at_layers_that_do_not_touch(void **state)
{
	struct ptah_stack none = { .n = 0 }, whole = stack_of(&mail, &keeper, &codec);
	struct ptah_stack_can can = ptah_stack_judge(&whole, &none);
	char names[3][8] = { "mail", "keeper", "codec" }, why[200];

	(void)state;
	assert_int_equal(can.problem, PTAH_STACK_MESSAGES);
	for (unsigned i = 0; i < 3; i++)
		whole.name[i] = names[i];
	ptah_stack_say(&whole, &can, why, sizeof(why));
	assert_string_equal(why, "mail carries messages only, and codec cannot");
	whole = stack_of(&client, &codec, &server);
	can = ptah_stack_judge(&whole, &none);
	assert_int_equal(can.problem, PTAH_STACK_ROLES);
	assert_int_equal(can.roles, 0);
}

static void
counts_the_layers_of_both(void **state)
{
	struct ptah_stack top = stack_of(&codec, &codec, &codec), below = { .n = PTAH_LAYERS_MAX - 3 };

	(void)state;
	for (unsigned i = 0; i < PTAH_LAYERS_MAX; i++)
		below.module[i] = &codec;
	assert_int_equal(ptah_stack_judge(&top, &below).problem, PTAH_STACK_FINE);
	below.n++;
	assert_int_equal(ptah_stack_judge(&top, &below).problem, PTAH_STACK_HIGH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_pairs_by_their_abilities),
		cmocka_unit_test(looks_at_layers_that_do_not_touch),
		cmocka_unit_test(counts_the_layers_of_both),
	};

	return cmocka_run_group_tests_name("transport/stacks", tests, NULL, NULL);
}
