/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a transport can stand on, and what can stand on it, among those that
 * are there: in groups, those of one kind in one line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transport/describe.h"
#include "transport/stacks.h"

#define MARGIN 16
#define WIDTH 100
#define BOTH (PTAH_CAN_CLIENT | PTAH_CAN_SERVER)

/* Another transport, and the two together. */
struct other {
	const char *name;
	struct ptah_stack_can can;
};

struct listing {
	struct other *others;
	size_t n;
};

/* ---- a group --------------------------------------------------------------- */

/* Of one group are those that would be described in the same words. */
static bool
are_alike(const struct other *one, const struct other *two)
{
	if (one->can.problem != PTAH_STACK_FINE || two->can.problem != PTAH_STACK_FINE)
		return one->can.problem == two->can.problem;
	return one->can.roles == two->can.roles && one->can.stream == two->can.stream;
}

static bool
is_first(const struct listing *all, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (are_alike(&all->others[j], &all->others[i]))
			return false;
	return true;
}

/* The names of those like others[i], in lines that are not too long; 'col' is where the first begins. */
static void
add_names(struct ptah_buf *out, const struct listing *all, size_t i, size_t col)
{
	bool any = false;

	for (size_t j = i; j < all->n; j++) {
		const char *name = all->others[j].name;

		if (!are_alike(&all->others[j], &all->others[i]))
			continue;
		if (any && col + strlen(name) + 2 > WIDTH) {
			ptah_buf_printf(out, ",\n%*s", MARGIN, "");
			col = MARGIN;
		} else if (any) {
			ptah_buf_puts(out, ", ");
			col += 2;
		}
		ptah_buf_puts(out, name);
		col += strlen(name);
		any = true;
	}
}

static const char *
kind_of(const struct ptah_stack_can *can)
{
	if (can->stream)
		return can->roles == BOTH ? "" : can->roles == PTAH_CAN_CLIENT ? "as a client: " : "as a server: ";
	return can->roles == BOTH ? "in the UDP modes: " :
	    can->roles == PTAH_CAN_CLIENT ? "in the UDP modes, as a client: " : "in the UDP modes, as a server: ";
}

static const char *
reason_of(enum ptah_stack_problem problem)
{
	switch (problem) {
	case PTAH_STACK_FINE:
		break;
	case PTAH_STACK_HIGH:
		return "the stack would be too high";
	case PTAH_STACK_CARRIER:
		return "what makes its own streams stands on nothing";
	case PTAH_STACK_ROLES:
		return "one is for clients only, the other for servers";
	case PTAH_STACK_MESSAGES:
		return "one carries messages only, the other none";
	}
	return "";
}

static void
add_group(struct ptah_buf *out, const struct listing *all, size_t i, bool first, const char *title)
{
	const struct ptah_stack_can *can = &all->others[i].can;
	const char *label = can->problem == PTAH_STACK_FINE ? kind_of(can) : "not ";

	ptah_buf_printf(out, "  %-*s%s", MARGIN - 2, first ? title : "", label);
	add_names(out, all, i, MARGIN + strlen(label));
	if (can->problem != PTAH_STACK_FINE)
		ptah_buf_printf(out, ": %s", reason_of(can->problem));
	ptah_buf_puts(out, "\n");
}

/* First those that can be. */
static void
add_listing(struct ptah_buf *out, const struct listing *all, const char *title)
{
	bool first = true;

	for (int fine = 1; fine >= 0; fine--)
		for (size_t i = 0; i < all->n; i++)
			if ((all->others[i].can.problem == PTAH_STACK_FINE) == (fine == 1) && is_first(all, i)) {
				add_group(out, all, i, first, title);
				first = false;
			}
}

/* ---- all of them -------------------------------------------------------------- */

static bool
is_carrier(const struct ptah_stack *stack)
{
	return (stack->module[stack->n - 1]->abilities & PTAH_IS_CARRIER) != 0;
}

static int
fill(struct listing *on, struct listing *under, struct ptah_registry *registry, const struct ptah_stack *stack,
    const struct ptah_registry_row *rows, size_t n)
{
	on->others = calloc(n + 1, sizeof(*on->others));
	under->others = calloc(n + 1, sizeof(*under->others));
	if (on->others == NULL || under->others == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct ptah_stack other;
		char why[1024];
		const char *nobody;
		int rc = rows[i].module != NULL ? ptah_stack_find(&other, registry, rows[i].name, NULL, &nobody, why, sizeof(why)) : 1;

		if (rc == 0) {
			on->others[on->n++] = (struct other){ rows[i].name, ptah_stack_judge(stack, &other) };
			under->others[under->n++] = (struct other){ rows[i].name, ptah_stack_judge(&other, stack) };
		}
		if (rc <= 0)
			ptah_stack_clear(&other);
		if (rc == -ENOMEM)
			return rc;
	}
	return 0;
}

int
ptah_describe_standing(struct ptah_registry *registry, const struct ptah_stack *stack, struct ptah_buf *out)
{
	struct listing on = { NULL, 0 }, under = { NULL, 0 };
	struct ptah_registry_row *rows;
	size_t n;
	int rc = ptah_registry_list(registry, &rows, &n);

	if (rc < 0)
		return rc;
	rc = fill(&on, &under, registry, stack, rows, n);
	if (rc == 0) {
		ptah_buf_puts(out, "\nstacks (UPPER+LOWER, or option over of the upper one):\n");
		if (is_carrier(stack))
			ptah_buf_printf(out, "  %-*snothing: it makes its own streams\n", MARGIN - 2, "stands on");
		else
			add_listing(out, &on, "stands on");
		add_listing(out, &under, "stands below");
		rc = out->rc;
	}
	free(on.others);
	free(under.others);
	ptah_registry_rows_free(rows, n);
	return rc;
}
