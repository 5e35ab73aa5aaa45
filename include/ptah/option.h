/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * ptah/option.h: a module's options, as data.
 *
 * The host reads them from k=v texts and from JSON alike, checks them, prints
 * help, schema and completions from them, and puts the values at 'offset' of a
 * zeroed struct of the module's.  What a value points to is the host's: valid
 * as long as the struct.
 *
 *   type            at 'offset' stands                min and max bound
 *   PTAH_STRING     const char * (NULL when absent)    its length
 *   PTAH_HEX        struct ptah_span, decoded          its decoded length
 *   PTAH_BASE64     the same
 *   PTAH_BASE32     the same
 *   PTAH_INT        int64_t                            the value
 *   PTAH_BOOL       uint8_t, 0 or 1                    -
 *   PTAH_ADDRESS    const char *, "host:port"          -
 *   PTAH_DURATION   uint64_t, nanoseconds              the value, in ns
 *   PTAH_WORD       uint32_t, index into 'words'       -
 *   PTAH_NESTED     const char *, compact JSON text    -
 *   PTAH_FILE       struct ptah_file                   the file's length
 *   any | PTAH_LIST struct ptah_list of these          each item
 *
 * min and max of 0 both mean "no bound"; of a PTAH_FILE 1 byte to 1 MiB.
 *
 * A PTAH_FILE is named by its absolute path.  The host reads it, whole, when it
 * makes the instance, so no module has to: it may wait for no disk, and in a
 * process of its own it could find none.  Its content is a part of the options: a
 * file that has changed makes new links of a new instance, and old ones keep
 * what they were born with.  It goes with the instance only (no PTAH_LINK), or a bridge
 * line could name files of ours.  With PTAH_SECRET the bytes are the secret, and
 * not the path: nobody but owner and group may have rights on the file, or it is
 * refused.  It needs PTAH_HEAD(1).
 *
 * The host has options of its own that every transport takes: serverAddress,
 * half-close and over.  A module that must know one lists it too, as a
 * PTAH_WORD with the same words or a PTAH_ADDRESS: both then read it.
 */
#ifndef PTAH_OPTION_H
#define PTAH_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include <ptah/span.h>

#define PTAH_STRING 1u
#define PTAH_HEX 2u
#define PTAH_BASE64 3u
#define PTAH_BASE32 4u
#define PTAH_INT 5u
#define PTAH_BOOL 6u
#define PTAH_ADDRESS 7u
#define PTAH_DURATION 8u
#define PTAH_WORD 9u
#define PTAH_NESTED 10u
#define PTAH_FILE 11u /* since 1.1 */

#define PTAH_FILE_USUAL 1048576 /* longest PTAH_FILE where no bound is said */
#define PTAH_FILE_MOST 16777216 /* the highest max of one */

/* Flags.  Without PTAH_LINK an option belongs to the instance ('conf'): read
 * once.  With it, to the link ('args'): the global value, overlaid by the
 * per-connection one; PTAH_REQUIRED is then judged when the link is made. */
#define PTAH_LINK 0x01u
#define PTAH_REQUIRED 0x02u
#define PTAH_SECRET 0x04u      /* never shown; its text is wiped; of an instance it lies in locked memory, and its
                                * text is null in 'settings' once the instance is ready */
#define PTAH_STATIC_ONLY 0x08u /* of a link, but never from a bridge line */
#define PTAH_LIST 0x10u
#define PTAH_CLIENT_ONLY 0x20u
#define PTAH_SERVER_ONLY 0x40u
#define PTAH_ONCE 0x80u        /* a secret of the instance that home_open() reads, and nobody after it: once the
                                * instance is ready it is gone from 'conf'.  What the home keeps lies best in locked memory */
#define PTAH_EITHER 0x100u     /* one of those with this flag is required; both at once is the module's to judge */

struct ptah_list {
	const void *items; /* an array of what the table above says */
	size_t n;
};

/** What PTAH_FILE reads: {0} when absent.  A NUL that does not count stands behind the bytes. */
struct ptah_file {
	const char *path;
	struct ptah_span bytes;
};

/** A table of these ends with one whose name is NULL. */
struct ptah_option {
	const char *name;
	const char *const *aliases; /* NULL, or names with NULL at the end */
	uint32_t type, flags;
	size_t offset;
	int64_t min, max;
	const char *const *words; /* of PTAH_WORD, NULL at the end */
	const char *def;          /* text of the default, NULL: none */
	const char *help;         /* one line */
};

#endif
