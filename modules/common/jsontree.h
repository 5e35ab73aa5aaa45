/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * jsontree.h: free what yajl has parsed, when there are secrets in it: yajl
 * frees texts as they are.
 */
#ifndef PTAH_COMMON_JSONTREE_H
#define PTAH_COMMON_JSONTREE_H

#include <string.h>

#include <yajl/yajl_tree.h>

static inline void
ptah_jsontree_wipe(yajl_val val)
{
	char *text = YAJL_IS_NUMBER(val) ? YAJL_GET_NUMBER(val) : YAJL_GET_STRING(val);

	if (text != NULL)
		explicit_bzero(text, strlen(text));
	for (size_t i = 0; YAJL_IS_OBJECT(val) && i < YAJL_GET_OBJECT(val)->len; i++)
		ptah_jsontree_wipe(YAJL_GET_OBJECT(val)->values[i]);
	for (size_t i = 0; YAJL_IS_ARRAY(val) && i < YAJL_GET_ARRAY(val)->len; i++)
		ptah_jsontree_wipe(YAJL_GET_ARRAY(val)->values[i]);
}

/** Wipe all texts that are values in it, and free it.  NULL is fine. */
static inline void
ptah_jsontree_free(yajl_val tree)
{
	ptah_jsontree_wipe(tree);
	yajl_tree_free(tree);
}

#endif
