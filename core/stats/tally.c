/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void
tally_free(struct ptah_tally *tally)
{
	free(tally->label);
	free(tally->transport);
	free(tally->blocks);
	free(tally);
}

static struct ptah_tally *
tally_new(const char *label, const char *transport, uint32_t role, unsigned n_workers)
{
	struct ptah_tally *tally = calloc(1, sizeof(*tally));
	size_t room = (n_workers + 1) * sizeof(*tally->blocks);

	if (tally == NULL)
		return NULL;
	*tally = (struct ptah_tally){ .role = role, .n_workers = n_workers };
	tally->label = strdup(label);
	tally->transport = strdup(transport);
	tally->blocks = aligned_alloc(_Alignof(struct ptah_tally_block), room);
	if (tally->label != NULL && tally->transport != NULL && tally->blocks != NULL) {
		memset((void *)tally->blocks, 0, room);
		return tally;
	}
	tally_free(tally);
	return NULL;
}

/* Does nobody write to it any more? */
static bool
is_over(const struct ptah_tally *tally)
{
	for (unsigned i = 0; i <= tally->n_workers; i++)
		if (!ptah_stats_is_still(&tally->blocks[i].stats))
			return false;
	return tally->refs == 0;
}

/* What is over need not be kept apart. */
static void
sweep(struct ptah_tallies *tallies)
{
	struct ptah_tally **at = &tallies->first;

	while (*at != NULL) {
		struct ptah_tally *tally = *at;

		if (!is_over(tally)) {
			at = &tally->next;
			continue;
		}
		ptah_tally_sum(tally, &tallies->past);
		*at = tally->next;
		tally_free(tally);
	}
}

struct ptah_tally *
ptah_tally_open(struct ptah_tallies *tallies, const char *label, const char *transport, uint32_t role)
{
	struct ptah_tally **at = &tallies->first;

	while (*at != NULL && ((*at)->role != role || strcmp((*at)->label, label) != 0 || strcmp((*at)->transport, transport) != 0))
		at = &(*at)->next;
	if (*at == NULL)
		*at = tally_new(label, transport, role, tallies->n_workers);
	if (*at == NULL) {
		errno = ENOMEM;
		return NULL;
	}

	struct ptah_tally *tally = *at;

	tally->refs++;
	sweep(tallies);
	return tally;
}

void
ptah_tally_close(struct ptah_tally *tally)
{
	if (tally != NULL)
		tally->refs--;
}

void
ptah_tally_sum(const struct ptah_tally *tally, struct ptah_stats *sum)
{
	for (unsigned i = 0; i <= tally->n_workers; i++)
		ptah_stats_sum(sum, &tally->blocks[i].stats);
}

void
ptah_tallies_sum(const struct ptah_tallies *tallies, struct ptah_stats *sum)
{
	ptah_stats_sum(sum, &tallies->past);
	for (const struct ptah_tally *tally = tallies->first; tally != NULL; tally = tally->next)
		ptah_tally_sum(tally, sum);
}

void
ptah_tallies_clear(struct ptah_tallies *tallies)
{
	while (tallies->first != NULL) {
		struct ptah_tally *tally = tallies->first;

		tallies->first = tally->next;
		tally_free(tally);
	}
}
