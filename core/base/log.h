/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * base/log.h: one event, one line.
 *
 * The sink is the only global state of the program.  It scrubs: in every line
 * an IP address becomes [scrubbed] (its port stays), and so does whatever a
 * caller has put between PTAH_PRIVATE_FMT's marks (host names), unless the operator asked for unsafe logging.
 *
 * Threads: any.  A line is formatted by the caller's thread and handed whole to each output under one lock.
 */
#ifndef PTAH_BASE_LOG_H
#define PTAH_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#define PTAH_LOG_NONE 0
#define PTAH_LOG_ERROR 1
#define PTAH_LOG_WARN 2
#define PTAH_LOG_NOTICE 3 /* printed as INFO where there is no notice */
#define PTAH_LOG_INFO 4
#define PTAH_LOG_DEBUG 5

#define AREA_HOST "host"
#define AREA_CONFIG "config"
#define AREA_LOOP "loop"
#define AREA_WIRE "wire"
#define AREA_MODULE "module"
#define AREA_LINK "link"
#define AREA_SOCKS "socks"
#define AREA_ORPORT "orport"
#define AREA_IPC "ipc"

/** Print a text that only unsafe logging may show: ptah_info(AREA_SOCKS, "dial " PTAH_PRIVATE_FMT, name). */
#define PTAH_PRIVATE_FMT "\x01%s\x02"

void ptah_log(int level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** The same with ": <reason>" of the negative errno 'rc' at the end. */
void ptah_log_rc(int level, const char *area, int rc, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/**
 * A line that machines wait for: 'event' names what happened, in words of [a-z-] that stay the same from one version to
 * the next; 'service' is the label of the service that it happened to.  Either may be NULL.
 */
void ptah_event(int level, const char *area, const char *event, const char *service, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** Would anything hear this level?  Ask before work that only the log needs. */
bool ptah_log_hears(int level);

#define ptah_error(area, ...) ptah_log(PTAH_LOG_ERROR, area, __VA_ARGS__)
#define ptah_warn(area, ...) ptah_log(PTAH_LOG_WARN, area, __VA_ARGS__)
#define ptah_notice(area, ...) ptah_log(PTAH_LOG_NOTICE, area, __VA_ARGS__)
#define ptah_info(area, ...) ptah_log(PTAH_LOG_INFO, area, __VA_ARGS__)
#define ptah_debug(area, ...) \
	do { \
		if (ptah_log_hears(PTAH_LOG_DEBUG)) \
			ptah_log(PTAH_LOG_DEBUG, area, __VA_ARGS__); \
	} while (0)
#define ptah_warn_rc(area, rc, ...) ptah_log_rc(PTAH_LOG_WARN, area, rc, __VA_ARGS__)
#define ptah_error_rc(area, rc, ...) ptah_log_rc(PTAH_LOG_ERROR, area, rc, __VA_ARGS__)

/**
 * Say it at a slowing pace (1st, 10 s, 100 s ...) with the count of those left out: for what a peer or an application
 * can make happen again and again.  One of these for each kind of line; {0} to begin.
 */
struct ptah_often {
	unsigned long n, said;
	unsigned long long next_ns;
};
void ptah_log_often(int level, struct ptah_often *often, const char *area, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define ptah_warn_often(often, area, ...) ptah_log_often(PTAH_LOG_WARN, often, area, __VA_ARGS__)
#define ptah_error_often(often, area, ...) ptah_log_often(PTAH_LOG_ERROR, often, area, __VA_ARGS__)

/** An output: gets the scrubbed line without a line end.  'text' has no control bytes but what UTF-8 needs; LF, CR, NUL are spaces. */
typedef void ptah_log_output_fn(int level, const char *area, const char *text, size_t len, void *arg);

/**
 * Or this to the level of an output that maps control bytes itself: it gets
 * them as they were (PT 1 wants '?' where others want a space).
 */
#define PTAH_LOG_AS_IS 0x100

/** Add an output for 'level' and worse (at most 4 in all); -ENOSPC.  An output cannot log. */
int ptah_log_add(int level, ptah_log_output_fn *output, void *arg);
/** Remove it again; no call of it runs after. */
void ptah_log_remove(ptah_log_output_fn *output, void *arg);
void ptah_log_unsafe(bool show_addresses);

/** For an output, while it runs: what its line is about (ptah_event()); NULL: nobody said. */
const char *ptah_log_event(void);
const char *ptah_log_service(void);

/* Outputs of our own. */

/** "ptah: text" on stderr. */
ptah_log_output_fn ptah_log_to_stderr;
/** "<4>area: text" on stderr: the priority is for journald and others that read it (sd-daemon(3)). */
ptah_log_output_fn ptah_log_to_journal;
/** One JSON object on stderr: time, level, area, event ("log" where the line has none), service, text. */
ptah_log_output_fn ptah_log_to_json;

/** A file with time stamps, mode 0600. */
int ptah_log_file_open(const char *path, int level);
void ptah_log_file_close(void);

/** Level of a word (NONE ERROR WARN INFO DEBUG, any case), or -EINVAL. */
int ptah_log_level_parse(const char *word);

/** Ends the process with a line on stderr when our own code is wrong; never for what a peer did. */
#define ptah_assert(truth) ((truth) ? (void)0 : ptah_assert_failed(#truth, __FILE__, __LINE__))
_Noreturn void ptah_assert_failed(const char *truth, const char *file, int line);

#endif
