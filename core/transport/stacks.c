/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport/stacks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transport/loader.h"
#include "transport/merge.h"
#include "transport/options.h"

#define BOTH (PTAH_CAN_CLIENT | PTAH_CAN_SERVER)

/* ---- which layers there are ------------------------------------------------- */

/* What it stands on, by its options: 1, and *name and *options, for free() and ptah_json_free(); 0: nothing. */
static int
next_layer(const struct ptah_module *module, const struct ptah_json *whole, char **name, struct ptah_json **options,
    char *why, size_t why_room)
{
	const struct ptah_json *over = ptah_json_get(whole, PTAH_KEY_OVER);
	struct ptah_json *own = NULL;
	const char *text;
	int rc;

	if (over == NULL || over->type == PTAH_JSON_NULL)
		return 0;
	rc = ptah_merge_split(over, &text, &own);
	if (rc == 0) {
		*name = strdup(text);
		*options = ptah_merge_below(module, whole, own);
		rc = *name != NULL && *options != NULL ? 1 : -ENOMEM;
	} else if (rc == -EINVAL) {
		snprintf(why, why_room, "option \"over\" names no transport");
	}
	ptah_json_free(own);
	return rc;
}

/* Add the layer 'name'.  Takes: name, options; they become those of the layer below it.  1: there is one. */
static int
add_layer(struct ptah_stack *out, struct ptah_registry *registry, char **name, struct ptah_json **options,
    char *why, size_t why_room)
{
	struct ptah_found found;
	struct ptah_json *whole;
	int rc;

	out->name[out->n] = *name;
	*name = NULL;
	rc = ptah_registry_find(registry, out->name[out->n], &found, why, why_room);
	memcpy(out->about, found.about, sizeof(out->about));
	if (rc < 0)
		return rc;
	out->module[out->n] = &found.loaded->module;
	whole = ptah_merge_definition(found.options, *options);
	ptah_json_free(found.options);
	ptah_json_free(*options);
	*options = NULL;
	out->options[out->n] = whole;
	return whole != NULL ? next_layer(out->module[out->n], whole, name, options, why, why_room) : -ENOMEM;
}

int
ptah_stack_find(struct ptah_stack *out, struct ptah_registry *registry, const char *names,
    const struct ptah_json *asked, const char **nobody, char *why, size_t why_room)
{
	const char *plus = strchr(names, '+');
	char *name = plus != NULL ? strndup(names, (size_t)(plus - names)) : strdup(names);
	struct ptah_json *options = asked != NULL ? ptah_json_copy(asked) : ptah_json_new(PTAH_JSON_OBJECT);
	int rc = name != NULL && options != NULL ? 1 : -ENOMEM;

	memset(out, 0, sizeof(*out));
	*nobody = names;
	if (rc == 1 && !ptah_text_is_stack(names, strlen(names)))
		rc = -ENOENT;
	if (rc == 1 && plus != NULL && ptah_merge_stack(options, plus + 1) < 0)
		rc = -ENOMEM;
	while (rc == 1 && out->n < PTAH_LAYERS_MAX) {
		rc = add_layer(out, registry, &name, &options, why, why_room);
		if (rc >= 0)
			out->n++;
		else
			*nobody = out->name[out->n];
	}
	if (rc == 1) {
		snprintf(why, why_room, "the stack is too high: %d transports at most", PTAH_LAYERS_MAX);
		rc = -E2BIG;
	}
	if (rc == -ENOMEM)
		snprintf(why, why_room, "out of memory");
	free(name);
	ptah_json_free(options);
	return rc;
}

void
ptah_stack_clear(struct ptah_stack *stack)
{
	for (unsigned i = 0; i < PTAH_LAYERS_MAX; i++) {
		free(stack->name[i]);
		ptah_json_free(stack->options[i]);
	}
	memset(stack, 0, sizeof(*stack));
}

/* ---- whether they go together -------------------------------------------------- */

static bool
keeps_messages(const struct ptah_module *module)
{
	return (module->abilities & PTAH_CAN_MESSAGE) != 0 && (module->abilities & PTAH_IS_CARRIER) == 0;
}

static void
problem(struct ptah_stack_can *can, enum ptah_stack_problem what, unsigned one, unsigned two)
{
	if (can->problem != PTAH_STACK_FINE)
		return;
	can->problem = what;
	can->one = one;
	can->two = two;
}

/* Two layers of one stack, 'two' somewhere below 'one'. */
static void
judge_two(struct ptah_stack_can *can, const struct ptah_module *const *modules, unsigned one, unsigned two)
{
	uint32_t upper = modules[one]->abilities, lower = modules[two]->abilities;

	if ((upper & PTAH_IS_CARRIER) != 0)
		problem(can, PTAH_STACK_CARRIER, one, two);
	if ((upper & lower & BOTH) == 0)
		problem(can, PTAH_STACK_ROLES, one, two);
	if ((upper & PTAH_CAN_STREAM) == 0 && !keeps_messages(modules[two]))
		problem(can, PTAH_STACK_MESSAGES, one, two);
	if ((lower & PTAH_CAN_STREAM) == 0 && !keeps_messages(modules[one]))
		problem(can, PTAH_STACK_MESSAGES, two, one);
}

struct ptah_stack_can
ptah_stack_judge(const struct ptah_stack *top, const struct ptah_stack *below)
{
	struct ptah_stack_can can = { .roles = BOTH, .stream = true, .messages = true };
	const struct ptah_module *modules[2 * PTAH_LAYERS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < top->n; i++)
		modules[n++] = top->module[i];
	for (unsigned i = 0; i < below->n; i++)
		modules[n++] = below->module[i];
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = i + 1; j < n; j++)
			judge_two(&can, modules, i, j);
		can.roles &= modules[i]->abilities;
		can.stream = can.stream && (modules[i]->abilities & PTAH_CAN_STREAM) != 0;
		can.messages = can.messages && keeps_messages(modules[i]);
		can.asked = can.asked || (modules[i]->abilities & PTAH_MESSAGES_ASKED) != 0;
	}
	if (n > PTAH_LAYERS_MAX)
		problem(&can, PTAH_STACK_HIGH, 0, n - 1);
	return can;
}

void
ptah_stack_say(const struct ptah_stack *stack, const struct ptah_stack_can *can, char *why, size_t why_room)
{
	const char *one = stack->name[can->one], *two = stack->name[can->two];

	switch (can->problem) {
	case PTAH_STACK_FINE:
		snprintf(why, why_room, "it can be");
		return;
	case PTAH_STACK_HIGH:
		snprintf(why, why_room, "the stack is too high: %d transports at most", PTAH_LAYERS_MAX);
		return;
	case PTAH_STACK_CARRIER:
		snprintf(why, why_room, "%s " PTAH_STACK_OWN_STREAMS, one);
		return;
	case PTAH_STACK_ROLES:
		snprintf(why, why_room, "of %s and %s one is for clients only, the other for servers", one, two);
		return;
	case PTAH_STACK_MESSAGES:
		snprintf(why, why_room, "%s carries messages only, and %s cannot", one, two);
		return;
	}
}
