/* Which neighbouring parameters of a function have like types: swapped, their arguments still compile. */
#include "tools/mutate/c/c.h"

#include "tools/mutate/finder.h"

#include <stdio.h>
#include <string.h>

/* The type of the parameter in the tokens [begin, end): integers are alike, and so are floats. */
static void type_of(const struct mu_source *s, size_t begin, size_t end, char *text,
                    size_t capacity)
{
    static const char *const integers[] = {"int",      "unsigned", "long",    "short",   "size_t",
                                           "uint32_t", "uint64_t", "int32_t", "int64_t", "uint16_t",
                                           "int16_t",  "uint8_t",  "int8_t",  NULL};
    static const char *const floats[] = {"float", "double", NULL};
    bool pointer = false;
    size_t used = 0, last = end;
    for (size_t i = begin; i < end; i++) {
        pointer = pointer || mu_is(s, i, "*") || mu_is(s, i, "[") || mu_is(s, i, "(");
        last = s->tokens[i].kind == MU_WORD ? i : last;
    }
    text[0] = '\0';
    for (size_t i = begin; i < end && !mu_is(s, i, "["); i++) {
        const struct mu_token *t = &s->tokens[i];
        if (i == last || (!pointer && mu_is(s, i, "const"))) {
            continue; /* the name */
        }
        if (!pointer && (mu_is_any(s, i, integers) || mu_is_any(s, i, floats))) {
            snprintf(text, capacity, "%s", mu_is_any(s, i, floats) ? "float" : "integer");
            return;
        }
        int written = snprintf(text + used, capacity - used, "%.*s ", (int)(t->end - t->begin),
                               s->code + t->begin);
        used = used + (size_t)written < capacity ? used + (size_t)written : capacity - 1;
    }
    if (pointer && !strchr(text, '*')) {
        snprintf(text + used, capacity - used, "*"); /* an array */
    }
}

static void add(struct mc_signatures *list, const struct mu_source *s, size_t name)
{
    char type[128], next[128];
    struct mc_signature signature = {.source = s, .name = name};
    size_t close = s->tokens[name + 1].partner, begin = name + 2;
    for (unsigned k = 0; begin < close && k < 32; k++) {
        size_t end = mu_argument_end(s, begin), behind;
        if (!mu_is(s, end, ",")) {
            break;
        }
        behind = mu_argument_end(s, end + 1);
        type_of(s, begin, end, type, sizeof type);
        type_of(s, end + 1, behind, next, sizeof next);
        signature.like_next |= type[0] && strcmp(type, next) == 0 ? 1u << k : 0;
        begin = end + 1;
    }
    list->list = mu_grow(list->list, list->count, sizeof *list->list);
    list->list[list->count++] = signature;
}

void mc_signatures_add(struct mc_signatures *list, const struct mu_source *s)
{
    for (size_t i = 1; i + 1 < s->token_count; i++) {
        if (mu_is(s, i, "{")) {
            i = s->tokens[i].partner > i ? s->tokens[i].partner : i;
            continue;
        }
        size_t close = s->tokens[i + 1].partner;
        bool head = s->tokens[i].kind == MU_WORD && mu_is(s, i + 1, "(") && close > i + 1 &&
                    (s->tokens[i - 1].kind == MU_WORD || mu_is(s, i - 1, "*"));
        if (head && !mu_is(s, i, "__attribute__")) {
            add(list, s, i);
            i = close;
        }
    }
}

const struct mc_signature *mc_signatures_find(const struct mc_signatures *list,
                                              const struct mu_source *s, size_t token)
{
    const struct mc_signature *found = NULL;
    const struct mu_token *t = &s->tokens[token];
    for (size_t i = 0; i < list->count; i++) {
        const struct mc_signature *g = &list->list[i];
        const struct mu_token *name = &g->source->tokens[g->name];
        if (name->end - name->begin == t->end - t->begin &&
            strncmp(g->source->code + name->begin, s->code + t->begin, t->end - t->begin) == 0) {
            found = !found || g->source == s ? g : found;
        }
    }
    return found;
}
