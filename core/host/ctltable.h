/* SPDX-License-Identifier: BSD-3-Clause */
/** host/ctltable.h: answers of the control socket as tables for people. */
#ifndef PTAH_HOST_CTLTABLE_H
#define PTAH_HOST_CTLTABLE_H

#include "base/buf.h"
#include "base/json.h"

/** Each prints an answer that was "ok".  What a newer ptah says beside is not shown.  -ENOMEM. */
int ptah_ctltable_status(const struct ptah_json *answer, struct ptah_buf *out);
int ptah_ctltable_links(const struct ptah_json *answer, struct ptah_buf *out);
int ptah_ctltable_reload(const struct ptah_json *answer, struct ptah_buf *out);
int ptah_ctltable_upgrade(const struct ptah_json *answer, struct ptah_buf *out);
int ptah_ctltable_drain(const struct ptah_json *answer, struct ptah_buf *out);

#endif
