/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/kv.h: the k=v texts of PT 1: SOCKS arguments, server transport
 * options, SMETHOD ARGS.
 *
 * Pairs keep their order; a repeated key keeps all its values.
 */
#ifndef PTAH_BASE_KV_H
#define PTAH_BASE_KV_H

#include <stddef.h>

struct ptah_kv_pair {
	char *name; /* transport, in server options only; else NULL */
	char *key, *value;
};

/** {0} is an empty one. */
struct ptah_kv {
	struct ptah_kv_pair *pairs;
	size_t n;
};

void ptah_kv_clear(struct ptah_kv *kv);
/** First value of 'key', or NULL. */
const char *ptah_kv_get(const struct ptah_kv *kv, const char *key);
int ptah_kv_add(struct ptah_kv *kv, const char *name, const char *key, const char *value);

/** Decode "k=v;k=v" as SOCKS arguments (ipc.md 4.3).  -EINVAL (also a NUL inside), -ENOMEM; kv is then empty. */
int ptah_kv_parse_socks(struct ptah_kv *kv, const char *text, size_t len);

/** Decode "name:k=v;name:k=v" as server options (ipc.md 2.5).  'why' says where it is wrong. */
int ptah_kv_parse_options(struct ptah_kv *kv, const char *text, char *why, size_t why_room);

/**
 * Write "k=v,k=v", keys sorted bytewise, escaped (ipc.md 3.7).
 * Gives: text for free() in *out.
 * Fails: -EINVAL if a byte may not stand in one word of a protocol line; -ENOMEM.
 */
int ptah_kv_format_args(const struct ptah_kv *kv, char **out);

#endif
