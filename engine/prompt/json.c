#include "engine/prompt/json.h"

#include <stdlib.h>
#include <string.h>

/* Below this, comparing all pairs is cheaper than sorting. */
enum { FEW = 16 };

static bool same(struct ts_text a, struct ts_text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* By key, equal ones in the order of the text. */
static int compare_members(const void *left, const void *right)
{
    const struct ts_json *a = *(const struct ts_json *const *)left;
    const struct ts_json *b = *(const struct ts_json *const *)right;
    int order = a->key.length != b->key.length ? (a->key.length < b->key.length ? -1 : 1)
                : a->key.length == 0           ? 0
                                               : memcmp(a->key.data, b->key.data, a->key.length);
    return order != 0 ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

static const struct ts_json *find_by_pairs(const struct ts_json *object)
{
    for (const struct ts_json *m = object->as.list.first; m; m = m->next) {
        for (const struct ts_json *before = object->as.list.first; before != m;
             before = before->next) {
            if (same(before->key, m->key)) {
                return m;
            }
        }
    }
    return NULL;
}

const struct ts_json *ts_json_duplicate(const struct ts_json *object, bool *memory)
{
    *memory = true;
    if (object->kind != TS_JSON_OBJECT || object->as.list.count <= FEW) {
        return object->kind == TS_JSON_OBJECT ? find_by_pairs(object) : NULL;
    }
    size_t count = 0;
    const struct ts_json **members = malloc(object->as.list.count * sizeof *members);
    if (!members) {
        *memory = false;
        return NULL;
    }
    for (const struct ts_json *m = object->as.list.first; m; m = m->next) {
        members[count++] = m;
    }
    qsort(members, count, sizeof *members, compare_members);
    const struct ts_json *first = NULL;
    for (size_t i = 1; i < count; i++) {
        if (same(members[i - 1]->key, members[i]->key) &&
            (!first || members[i]->offset < first->offset)) {
            first = members[i];
        }
    }
    free(members);
    return first;
}

const struct ts_json *ts_json_find(const struct ts_json *object, const char *key)
{
    const struct ts_json *member = object && object->kind == TS_JSON_OBJECT //
                                       ? object->as.list.first
                                       : NULL;
    while (member && !ts_text_equals(member->key, key)) {
        member = member->next;
    }
    return member;
}

bool ts_json_truth(const struct ts_json *value)
{
    switch (value ? value->kind : TS_JSON_NULL) {
    case TS_JSON_NULL:
    case TS_JSON_FALSE: return false;
    case TS_JSON_TRUE: return true;
    case TS_JSON_INTEGER: return !ts_text_equals(value->as.text, "0");
    case TS_JSON_FLOAT: return value->as.number != 0;
    case TS_JSON_STRING: return value->as.text.length > 0;
    case TS_JSON_ARRAY:
    case TS_JSON_OBJECT: return value->as.list.count > 0;
    }
    return false;
}

const char *ts_json_kind_name(const struct ts_json *value)
{
    if (!value) {
        return "missing";
    }
    switch (value->kind) {
    case TS_JSON_NULL: return "null";
    case TS_JSON_FALSE:
    case TS_JSON_TRUE: return "a boolean";
    case TS_JSON_INTEGER:
    case TS_JSON_FLOAT: return "a number";
    case TS_JSON_STRING: return "a string";
    case TS_JSON_ARRAY: return "an array";
    case TS_JSON_OBJECT: return "an object";
    }
    return "missing";
}
