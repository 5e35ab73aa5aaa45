/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of an instance's options nobody needs any more once it is ready.
 *
 * A client's link options stay: those of a connection are laid over their text.
 */
#include <stdlib.h>
#include <string.h>

#include "transport/instance.h"
#include "transport/options.h"

static bool
is_read_once(const struct ptah_option *option, uint32_t role)
{
	return ptah_option_hides(option) && (role == PTAH_SERVER || (option->flags & PTAH_LINK) == 0);
}

/* 'options' are of this layer, and in "over" those of the layers below. */
static void
forget_texts(const struct ptah_instance *instance, struct ptah_json *options)
{
	for (size_t i = 0; options->type == PTAH_JSON_OBJECT && i < options->n; i++) {
		const struct ptah_option *option = ptah_options_find(instance->module, instance->role, options->keys[i]);

		if (option != NULL && is_read_once(option, instance->role))
			ptah_json_forget(options->items[i]);
		else if (strcmp(options->keys[i], PTAH_KEY_OVER) == 0 && instance->below != NULL)
			forget_texts(instance->below, options->items[i]);
	}
}

/* Links read it while they live, so it is something in any case. */
static void
write_settings_again(struct ptah_instance *instance)
{
	char *text;

	if (instance->settings == NULL)
		return;
	text = ptah_json_text(instance->options);
	explicit_bzero(instance->settings, strlen(instance->settings));
	if (text == NULL) {
		memcpy(instance->settings, "{}", sizeof("{}")); /* it was an object, so there is the room */
		return;
	}
	free(instance->settings);
	instance->settings = text;
}

/* What the module said that its home has taken. */
static void
forget_value(const struct ptah_option *option, char *conf)
{
	struct ptah_span *bytes = (void *)(conf + option->offset);
	struct ptah_file *file = (void *)(conf + option->offset);
	const char **text = (void *)(conf + option->offset);

	switch (option->type) {
	case PTAH_HEX:
	case PTAH_BASE64:
	case PTAH_BASE32:
		if (bytes->len > 0)
			explicit_bzero((uint8_t *)(uintptr_t)bytes->at, bytes->len);
		*bytes = (struct ptah_span){ NULL, 0 };
		break;
	case PTAH_FILE:
		if (file->bytes.len > 0)
			explicit_bzero((uint8_t *)(uintptr_t)file->bytes.at, file->bytes.len);
		file->bytes = (struct ptah_span){ NULL, 0 };
		break;
	case PTAH_STRING:
	case PTAH_NESTED:
		if (*text != NULL)
			explicit_bzero((char *)(uintptr_t)*text, strlen(*text));
		*text = NULL;
		break;
	default:
		break;
	}
}

void
ptah_instance_forget_secrets(struct ptah_instance *top)
{
	for (struct ptah_instance *layer = top; layer != NULL; layer = layer->below) {
		const struct ptah_option *option = layer->module->options;

		forget_texts(layer, layer->options);
		write_settings_again(layer);
		for (; option != NULL && option->name != NULL; option++)
			if ((option->flags & PTAH_ONCE) != 0 && ptah_option_is_for(option, layer->role))
				forget_value(option, layer->conf);
	}
}
