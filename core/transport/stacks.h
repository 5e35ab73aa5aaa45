/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * transport/stacks.h: which transports can stand on which.
 *
 * Threads: the main thread.
 */
#ifndef PTAH_TRANSPORT_STACKS_H
#define PTAH_TRANSPORT_STACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "loop/worker.h" /* PTAH_LAYERS_MAX */
#include "transport/registry.h"

/** The layers that a name, or a+b, stands for; the top is first.  {0} has none. */
struct ptah_stack {
	unsigned n;
	const struct ptah_module *module[PTAH_LAYERS_MAX]; /* the registry's */
	char *name[PTAH_LAYERS_MAX];
	struct ptah_json *options[PTAH_LAYERS_MAX]; /* of each, and of those below it what it passes down; maybe NULL on failure */
	char about[PATH_MAX]; /* of a failure: as struct ptah_found has it */
};

/** Why one cannot be. */
enum ptah_stack_problem {
	PTAH_STACK_FINE,
	PTAH_STACK_HIGH,     /* more layers than a link can have */
	PTAH_STACK_CARRIER,  /* what makes its own streams is not the lowest */
	PTAH_STACK_ROLES,    /* no role that all have */
	PTAH_STACK_MESSAGES, /* of one that carries messages only, and one that carries none */
};

/** What a stack can do. */
struct ptah_stack_can {
	enum ptah_stack_problem problem;
	uint32_t roles;     /* PTAH_CAN_CLIENT, PTAH_CAN_SERVER: what all layers can be */
	bool stream;        /* false: for the UDP modes only */
	bool messages;      /* each datagram as it is */
	bool asked;         /* ... where the option "messages" says so */
	unsigned one, two;  /* of a problem: the layers that it is about; CARRIER: the first only */
};

#define PTAH_STACK_OWN_STREAMS "makes its own streams, so it cannot stand over another transport"

/**
 * Find the layers of "NAME" or "a+b", those that a NAME.json has among them, and those that 'options' (or NULL) name in "over".
 * Gives: *out for ptah_stack_clear(), also on failure.
 * Fails: -ENOENT, and *nobody (lent by 'out') is the name that no folder has; -E2BIG: there are more layers than a link
 * can have; or as ptah_registry_find().  'why' says each but the first in words.
 */
int ptah_stack_find(struct ptah_stack *out, struct ptah_registry *registry, const char *names,
    const struct ptah_json *options, const char **nobody, char *why, size_t why_room);
void ptah_stack_clear(struct ptah_stack *stack);

/** Can 'top' stand on 'below'?  Either may have no layers. */
struct ptah_stack_can ptah_stack_judge(const struct ptah_stack *top, const struct ptah_stack *below);

/** Why 'stack' cannot be, in words. */
void ptah_stack_say(const struct ptah_stack *stack, const struct ptah_stack_can *can, char *why, size_t why_room);

#endif
