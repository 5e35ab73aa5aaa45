/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * control/web.h: figures for programs and browsers: /metrics, /status.json, and
 * a page that shows them at /.  HTTP/1.1, GET and HEAD, one request a connection.
 *
 * It shows and never does; what does something is for the control socket.
 *
 * Threads: the worker's own.
 */
#ifndef PTAH_CONTROL_WEB_H
#define PTAH_CONTROL_WEB_H

#include <stdbool.h>

struct ptah_figures;
struct ptah_web;
struct ptah_worker;

/** Fill it in, for ptah_figures_clear().  -errno. */
typedef int ptah_figures_fn(struct ptah_figures *out, void *arg);

/**
 * Begin to serve.
 * 'is_port': it is not a socket of the file system, so a browser can reach it, and only names of this machine are served.
 * Takes: fd, listening and non-blocking, also on failure.
 * Gives: a server for ptah_web_close().
 * Fails: NULL and errno.
 */
struct ptah_web *ptah_web_open(struct ptah_worker *worker, int fd, bool is_port, ptah_figures_fn *figures, void *arg);
/** NULL is fine. */
void ptah_web_close(struct ptah_web *web);

#endif
