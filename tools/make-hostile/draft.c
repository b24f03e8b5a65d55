#include "tools/make-hostile/make_hostile.h"

#include <stdlib.h>
#include <string.h>

void draft_free(struct draft *draft)
{
    for (unsigned i = 0; i < draft->key_count; i++) {
        bytes_free(&draft->keys[i].value);
    }
    for (unsigned i = 0; i < draft->tensor_count; i++) {
        bytes_free(&draft->tensors[i].data);
    }
}

static struct draft_key *find_key(struct draft *draft, const char *name)
{
    for (unsigned i = 0; i < draft->key_count; i++) {
        if (strcmp(draft->keys[i].name, name) == 0) {
            return &draft->keys[i];
        }
    }
    return NULL;
}

static struct draft_tensor *find_tensor(struct draft *draft, const char *name)
{
    for (unsigned i = 0; i < draft->tensor_count; i++) {
        if (strcmp(draft->tensors[i].name, name) == 0) {
            return &draft->tensors[i];
        }
    }
    return NULL;
}

static void full(const char *name)
{
    fprintf(stderr, "make-hostile: no room for '%s'\n", name);
    exit(2);
}

static struct draft_key *new_key(struct draft *draft, const char *name)
{
    if (draft->key_count == MOST_KEYS) {
        full(name);
    }
    struct draft_key *key = &draft->keys[draft->key_count++];
    *key = (struct draft_key){.name = ""};
    snprintf(key->name, sizeof key->name, "%s", name);
    return key;
}

void draft_key(struct draft *draft, const char *name, const char *words)
{
    struct draft_key *key = find_key(draft, name);
    key = key ? key : new_key(draft, name);
    bytes_free(&key->value);
    bytes_words(&key->value, words);
}

struct draft_tensor *draft_tensor(struct draft *draft, const char *name, uint32_t type,
                                  uint32_t dimensions, const uint64_t *shape)
{
    if (draft->tensor_count == MOST_TENSORS) {
        full(name);
    }
    struct draft_tensor *tensor = &draft->tensors[draft->tensor_count++];
    *tensor = (struct draft_tensor){.type = type, .dimensions = dimensions};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    memcpy(tensor->shape, shape, dimensions * sizeof *shape);
    return tensor;
}

static void again(struct draft *draft, const struct draft_key *key,
                  const struct draft_tensor *tensor)
{
    if (key) {
        struct draft_key *copy = new_key(draft, key->name);
        bytes_add(&copy->value, key->value.data, key->value.length);
    } else {
        struct draft_tensor *copy =
            draft_tensor(draft, tensor->name, tensor->type, tensor->dimensions, tensor->shape);
        bytes_add(&copy->data, tensor->data.data, tensor->data.length);
    }
}

static void drop(struct draft *draft, struct draft_key *key, struct draft_tensor *tensor)
{
    if (key) {
        bytes_free(&key->value);
        size_t behind = (size_t)(draft->keys + draft->key_count - key - 1);
        memmove(key, key + 1, behind * sizeof *key);
        draft->key_count--;
    } else {
        bytes_free(&tensor->data);
        size_t behind = (size_t)(draft->tensors + draft->tensor_count - tensor - 1);
        memmove(tensor, tensor + 1, behind * sizeof *tensor);
        draft->tensor_count--;
    }
}

static void set_data(struct draft_tensor *tensor, const char *rest)
{
    char *words = NULL;
    size_t offset = strtoull(rest, &words, 0);
    struct bytes bytes = {NULL, 0, 0};
    bytes_words(&bytes, words);
    if (offset + bytes.length > tensor->data.length) {
        full(tensor->name);
    }
    memcpy(tensor->data.data + offset, bytes.data, bytes.length);
    bytes_free(&bytes);
}

static void set_shape(struct draft_tensor *tensor, const char *rest)
{
    tensor->dimensions = 0;
    for (char *end = NULL; *rest && tensor->dimensions < MOST_DIMENSIONS; rest = end) {
        tensor->shape[tensor->dimensions++] = strtoull(rest, &end, 0);
    }
}

static void edit_one(struct draft *draft, const char *verb, const char *name, const char *rest)
{
    struct draft_key *key = find_key(draft, name);
    struct draft_tensor *tensor = find_tensor(draft, name);
    if (strcmp(verb, "key") == 0) {
        draft_key(draft, name, rest);
    } else if (!key && !tensor) {
        fprintf(stderr, "make-hostile: there is no '%s'\n", name);
        exit(2);
    } else if (strcmp(verb, "drop") == 0) {
        drop(draft, key, tensor);
    } else if (strcmp(verb, "again") == 0) {
        again(draft, key, tensor);
    } else if (strcmp(verb, "name") == 0) {
        snprintf(key ? key->name : tensor->name, sizeof key->name, "%s", rest);
    } else if (tensor && strcmp(verb, "dims") == 0) {
        tensor->dimensions = (uint32_t)strtoul(rest, NULL, 0);
    } else if (tensor && strcmp(verb, "shape") == 0) {
        set_shape(tensor, rest);
    } else if (tensor && strcmp(verb, "type") == 0) {
        tensor->type = (uint32_t)strtoul(rest, NULL, 0);
    } else if (tensor && strcmp(verb, "at") == 0) {
        tensor->offset = strtoull(rest, NULL, 0);
        tensor->placed = true;
    } else if (tensor && strcmp(verb, "data") == 0) {
        set_data(tensor, rest);
    } else {
        fprintf(stderr, "make-hostile: '%s %s' is unknown\n", verb, name);
        exit(2);
    }
}

void draft_edit(struct draft *draft, const char *edit)
{
    char *copy = strdup(edit), *state = NULL;
    for (char *one = copy ? strtok_r(copy, ";", &state) : NULL; one;
         one = strtok_r(NULL, ";", &state)) {
        char *inner = NULL;
        char *verb = strtok_r(one, " ", &inner);
        char *name = strtok_r(NULL, " ", &inner);
        edit_one(draft, verb, name ? name : "", inner ? inner : "");
    }
    free(copy);
}

static uint64_t padded(uint64_t length, uint64_t alignment)
{
    return (length + alignment - 1) / alignment * alignment;
}

struct bytes draft_write(const struct draft *draft)
{
    struct bytes bytes = {NULL, 0, 0};
    bytes_add(&bytes, "GGUF", 4);
    bytes_number(&bytes, draft->version, 4);
    bytes_number(&bytes, draft->tensor_count, 8);
    bytes_number(&bytes, draft->key_count, 8);
    for (unsigned i = 0; i < draft->key_count; i++) {
        bytes_text(&bytes, draft->keys[i].name);
        bytes_add(&bytes, draft->keys[i].value.data, draft->keys[i].value.length);
    }
    uint64_t offset = 0;
    for (unsigned i = 0; i < draft->tensor_count; i++) {
        const struct draft_tensor *tensor = &draft->tensors[i];
        bytes_text(&bytes, tensor->name);
        bytes_number(&bytes, tensor->dimensions, 4);
        for (uint32_t d = 0; d < tensor->dimensions && d < MOST_DIMENSIONS; d++) {
            bytes_number(&bytes, tensor->shape[d], 8);
        }
        bytes_number(&bytes, tensor->type, 4);
        bytes_number(&bytes, tensor->placed ? tensor->offset : offset, 8);
        offset = padded(offset + tensor->data.length, draft->alignment);
    }
    for (unsigned i = 0; i < draft->tensor_count; i++) {
        bytes_zeros(&bytes, padded(bytes.length, draft->alignment) - bytes.length);
        bytes_add(&bytes, draft->tensors[i].data.data, draft->tensors[i].data.length);
    }
    return bytes;
}
