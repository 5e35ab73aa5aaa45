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
ptah_jsontree_wipe(yajl_val object)
{
	for (size_t i = 0; YAJL_IS_OBJECT(object) && i < YAJL_GET_OBJECT(object)->len; i++) {
		char *text = YAJL_GET_STRING(YAJL_GET_OBJECT(object)->values[i]);

		if (text != NULL)
			explicit_bzero(text, strlen(text));
	}
}

/** Wipe the texts of an object, and of objects that are in it, and free it.  NULL is fine. */
static inline void
ptah_jsontree_free(yajl_val tree)
{
	for (size_t i = 0; YAJL_IS_OBJECT(tree) && i < YAJL_GET_OBJECT(tree)->len; i++)
		ptah_jsontree_wipe(YAJL_GET_OBJECT(tree)->values[i]);
	ptah_jsontree_wipe(tree);
	yajl_tree_free(tree);
}

#endif
