/* SPDX-License-Identifier: BSD-3-Clause */
#include "hourmark.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define SKEW_MOST 24

/* Begin the MAC of 'bytes'; the hour follows by of_hour(). */
static int
begin(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes)
{
	int rc = ptah_hmac_start(hmac, key);

	return rc == 0 ? ptah_hmac_add(hmac, bytes) : rc;
}

static int
of_hour(struct ptah_hmac *hmac, uint64_t hour, uint8_t mac[static PTAH_HMAC_LEN])
{
	char epoch[PTAH_EPOCH_MAX];
	size_t len = ptah_epoch_text(epoch, hour);

	return ptah_hmac_peek(hmac, (struct ptah_span){ (const uint8_t *)epoch, len }, mac);
}

/* 1 if 'mac' is the one for this hour, 0 if not. */
static int
is_of_hour(struct ptah_hmac *hmac, uint64_t hour, const uint8_t *mac)
{
	uint8_t ours[PTAH_HMAC_LEN];
	int rc = of_hour(hmac, hour, ours);

	return rc < 0 ? rc : sodium_memcmp(ours, mac, PTAH_MARK_LEN) == 0;
}

int
ptah_mark_make(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span first, uint8_t mark[static PTAH_MARK_LEN])
{
	uint8_t mac[PTAH_HMAC_LEN];
	int rc = ptah_hmac_once(hmac, key, first, mac);

	if (rc == 0)
		memcpy(mark, mac, PTAH_MARK_LEN);
	return rc;
}

int
ptah_mark_mac(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes, uint64_t hour,
    uint8_t mac[static PTAH_MARK_LEN])
{
	uint8_t whole[PTAH_HMAC_LEN];
	int rc = begin(hmac, key, bytes);

	if (rc == 0)
		rc = of_hour(hmac, hour, whole);
	if (rc == 0)
		memcpy(mac, whole, PTAH_MARK_LEN);
	return rc;
}

int
ptah_mark_is(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes, uint64_t hour, const uint8_t *mac)
{
	int rc = begin(hmac, key, bytes);

	return rc == 0 ? is_of_hour(hmac, hour, mac) : rc;
}

int
ptah_mark_hour(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes, const uint8_t *mac,
    uint64_t hour, uint64_t *found)
{
	const uint64_t hours[] = { hour, hour - 1, hour + 1 };
	int rc = begin(hmac, key, bytes), any = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(hours) / sizeof(hours[0]); i++) {
		int is = is_of_hour(hmac, hours[i], mac);

		if (is < 0)
			rc = is;
		if (is > 0 && !any) {
			any = 1;
			*found = hours[i];
		}
	}
	return rc < 0 ? rc : any;
}

int
ptah_mark_skew(struct ptah_hmac *hmac, struct ptah_span key, struct ptah_span bytes, const uint8_t *mac, uint64_t hour)
{
	if (begin(hmac, key, bytes) < 0)
		return 0;
	for (int skew = 2; skew <= SKEW_MOST; skew++) {
		if (is_of_hour(hmac, hour + (uint64_t)skew, mac) > 0)
			return skew;
		if (is_of_hour(hmac, hour - (uint64_t)skew, mac) > 0)
			return -skew;
	}
	return 0;
}

void
ptah_mark_log_skew(const struct ptah_host *host, struct ptah_self *self, const char *protocol, int skew)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "a client's clock is %d hours %s ours, and one is the most that %s forgives: "
	    "see that this machine's clock is right (NTP); the client's may be wrong too",
	    abs(skew), skew > 0 ? "ahead of" : "behind", protocol);

	host->log(self, PTAH_LOG_LEVEL_WARN, text, (size_t)n);
}
