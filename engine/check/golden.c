#include "engine/check/golden_internal.h"

#include <stdio.h>
#include <string.h>

/* The tensors that may stand in a file, by group; NULL ends a list. quant.* is handled apart. */
struct group {
    const char *prefix; /* of the tensors' names */
    const char *members[12];
    bool (*check)(const struct ts_golden *golden);
};

static bool rope_plain(const struct ts_golden *golden)
{
    return ts_golden_rope(golden, "plain");
}

static bool rope_yarn(const struct ts_golden *golden)
{
    return ts_golden_rope(golden, "yarn");
}

static const struct group groups[] = {
    {"rope.plain.", {"in", "out", "inverse"}, rope_plain},
    {"rope.yarn.", {"in", "out", "inverse"}, rope_yarn},
    {"fp8.", {"in", "out"}, ts_golden_fp8},
    {"fp4.", {"in", "out"}, ts_golden_fp4},
    {"hadamard.", {"in", "out"}, ts_golden_hadamard},
    {"hc.",
     {"fn", "base", "scale", "streams", "mixes", "pre", "post", "comb", "reduced", "sublayer",
      "expanded"},
     ts_golden_hyper},
    {"router.", {"logits", "bias", "scores", "ids", "weights"}, ts_golden_router},
    {"attention.", {"q", "kv", "sink", "rows", "out"}, ts_golden_attention},
};

enum { GROUP_COUNT = sizeof groups / sizeof groups[0] };

/* The group that a tensor belongs to, or -1. */
static int group_of(struct ts_text name)
{
    for (int g = 0; g < GROUP_COUNT; g++) {
        for (int m = 0; groups[g].members[m]; m++) {
            char full[64];
            snprintf(full, sizeof full, "%s%s", groups[g].prefix, groups[g].members[m]);
            if (ts_text_equals(name, full)) {
                return g;
            }
        }
    }
    return -1;
}

/* Takes FORMAT out of quant.FORMAT.{blocks,values,source}; false where the name is no such. */
static bool quant_format(struct ts_text name, char *format, size_t size)
{
    static const char *const members[] = {".blocks", ".values", ".source"};
    const char *prefix = "quant.";
    size_t start = strlen(prefix);
    if (name.length <= start || memcmp(name.data, prefix, start) != 0) {
        return false;
    }
    for (int m = 0; m < 3; m++) {
        size_t end = strlen(members[m]);
        if (name.length <= start + end || name.length - start - end >= size ||
            memcmp(name.data + name.length - end, members[m], end) != 0) {
            continue;
        }
        memcpy(format, name.data + start, name.length - start - end);
        format[name.length - start - end] = '\0';
        return true;
    }
    return false;
}

static bool check_file(const struct ts_golden *golden)
{
    bool present[GROUP_COUNT] = {false};
    const struct ts_gguf *gguf = golden->gguf;
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        struct ts_text name = gguf->tensors[i].name;
        char format[16], blocks[48];
        int group = group_of(name);
        if (group >= 0) {
            present[group] = true;
        } else if (quant_format(name, format, sizeof format)) {
            /* each format once: at its blocks, or at whatever stands there without them */
            snprintf(blocks, sizeof blocks, "quant.%s.blocks", format);
            if ((ts_text_equals(name, blocks) || !ts_gguf_find_tensor(gguf, blocks)) &&
                !ts_golden_quant(golden, format)) {
                return false;
            }
        } else if (!ts_text_equals(name, "rope.positions")) {
            return ts_fail(golden->error, TS_ERR_DATA, NULL,
                           "%.300s: offset %llu: tensor %s belongs to no group of operation "
                           "vectors that is known",
                           gguf->path, (unsigned long long)gguf->tensors[i].offset,
                           ts_text_show(name).text);
        }
    }
    for (int g = 0; g < GROUP_COUNT; g++) {
        if (present[g] && !groups[g].check(golden)) {
            return false;
        }
    }
    return true;
}

bool ts_golden_check_gguf(const struct ts_gguf *gguf, struct ts_golden_result *result,
                          struct ts_error *error)
{
    memset(result, 0, sizeof *result);
    result->pass = true;
    struct ts_golden golden = {.gguf = gguf, .result = result, .error = error};
    bool ok = check_file(&golden);
    if (!ok && error && error->code == TS_ERR_INPUT) {
        error->code = TS_ERR_DATA; /* an operation's refusal of the file's numbers */
    }
    result->pass = result->pass && result->elements > 0;
    return ok;
}

bool ts_golden_check(const char *path, struct ts_golden_result *result, struct ts_error *error)
{
    struct ts_gguf *gguf = ts_gguf_open(path, error);
    if (!gguf) {
        memset(result, 0, sizeof *result);
        if (error && error->code == TS_ERR_INPUT) {
            error->code = TS_ERR_DATA; /* the reader's refusals, of a file that is no model */
        }
        return false;
    }
    bool ok = ts_golden_check_gguf(gguf, result, error);
    ts_gguf_close(gguf);
    return ok;
}
