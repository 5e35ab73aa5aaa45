/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * config/key.h: every key of a configuration file, as one table.
 *
 * Reader, ptah-conf(5) and the JSON Schema are made of it.  Where a flag of
 * config/flag.h is the same thing, a row takes from it what it says not itself.
 */
#ifndef PTAH_CONFIG_KEY_H
#define PTAH_CONFIG_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

/* What stands behind a key. */
#define PTAH_KIND_SWITCH 0    /* true or false */
#define PTAH_KIND_NUMBER 1
#define PTAH_KIND_WORD 2
#define PTAH_KIND_TEXT 3
#define PTAH_KIND_SECRET 4    /* a text that no message repeats */
#define PTAH_KIND_PATH 5      /* an absolute one */
#define PTAH_KIND_PATHS 6
#define PTAH_KIND_ADDR 7      /* IP:PORT */
#define PTAH_KIND_DEST 8      /* HOST:PORT */
#define PTAH_KIND_IPV4 9
#define PTAH_KIND_IPV6 10
#define PTAH_KIND_STACK 11    /* a transport, or several with '+' */
#define PTAH_KIND_LISTEN 12   /* IP:PORT or fd:NAME, or an array of them */
#define PTAH_KIND_PREFIXES 13
#define PTAH_KIND_OPTIONS 14  /* an object that is not for us */
#define PTAH_KIND_SECTION 15  /* an object with the keys of 'of' */
#define PTAH_KIND_LAYERS 16   /* an array of such */
#define PTAH_KIND_SERVICES 17 /* an object of such, by label */
#define PTAH_KIND_METRICS 18  /* a path, or an IP:PORT of this machine */

#define PTAH_KEY_REQUIRED 1u
#define PTAH_KEY_UDP 2u    /* means nothing but in the UDP modes */
#define PTAH_KEY_IGNORED 4u /* for others */

struct ptah_keyreader;
struct ptah_key;

/** Put a value of the right kind to where it belongs, or say what is wrong with it. */
typedef void ptah_key_fn(struct ptah_keyreader *reader, const struct ptah_key *key, const struct ptah_json *value,
    void *to);

/** A table of these ends with one that has no name. */
struct ptah_key {
	const char *name;
	const char *value;  /* what to call the value */
	const char *help;
	const char *def;    /* the default as a text; NULL: none */
	const char *const *words;
	uint64_t min, max;  /* of a NUMBER; of a TEXT or SECRET 'max' is the most bytes, 0: any number */
	int kind;
	int roles;          /* PTAH_ROLE_...; 0: both */
	unsigned marks;
	int flag;           /* row of ptah_flags, plus 1; 0: none */
	const struct ptah_key *of;
	ptah_key_fn *read;  /* NULL: whoever reads the section looks at it by itself */
	size_t offset;      /* of the member that 'read' is for, in the struct of its section */
};

extern const struct ptah_key ptah_keys_file[];    /* struct ptah_runfile */
extern const struct ptah_key ptah_keys_service[]; /* struct ptah_plan */
extern const struct ptah_key ptah_keys_limits[];  /* struct ptah_plan */
extern const struct ptah_key ptah_keys_layer[];   /* of a stack; nothing is read */

/** A row with all that its flag says in its place. */
struct ptah_key ptah_key_whole(const struct ptah_key *row);

/** The row of this name in a section, or NULL. */
const struct ptah_key *ptah_key_find(const struct ptah_key *section, const char *name);

/** Longest label of a service. */
#define PTAH_LABEL_MAX 64
/** A label: [A-Za-z0-9][A-Za-z0-9_.-]*. */
int ptah_label_check(const char *label);

/** What a value of this row must be: "a whole number from 1 to 64". */
struct ptah_buf;
int ptah_key_expect(const struct ptah_key *key, struct ptah_buf *out);

#endif
