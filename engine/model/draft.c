#include "engine/model/draft.h"

#include <string.h>

static const char PREDICTED[] = "deepseek4.nextn_predict_layers";

static bool begins(struct ts_text text, const char *with)
{
    size_t length = strlen(with);
    return text.length >= length && memcmp(text.data, with, length) == 0;
}

/* The number in "blk.N.", with what follows it in *rest. False for other names, and for numbers that no
 * block has. */
static bool block_of(struct ts_text name, uint32_t *block, struct ts_text *rest)
{
    size_t at = strlen("blk.");
    uint32_t number = 0;
    if (!begins(name, "blk.")) {
        return false;
    }
    size_t first = at;
    for (; at < name.length && name.data[at] >= '0' && name.data[at] <= '9'; at++) {
        number = 10 * number + (uint32_t)(name.data[at] - '0');
        if (number > TS_MOST_BLOCKS) {
            return false;
        }
    }
    if (at == first || at >= name.length || name.data[at] != '.') {
        return false;
    }
    *block = number;
    *rest = (struct ts_text){name.data + at + 1, name.length - at - 1};
    return true;
}

/* The blocks that have tensors blk.N.nextn.*; returns the least, or `none`. The first such tensor in the
 * file is put into *example. */
static uint32_t find_drafts(const struct ts_gguf *gguf, bool has[TS_MOST_BLOCKS + 1], uint32_t none,
                            const struct ts_gguf_tensor **example)
{
    uint32_t least = none;
    *example = NULL;
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        uint32_t block;
        struct ts_text rest;
        if (!block_of(gguf->tensors[i].name, &block, &rest) || !begins(rest, "nextn.")) {
            continue;
        }
        *example = *example ? *example : &gguf->tensors[i];
        has[block] = true;
        least = block < least ? block : least;
    }
    return least;
}

/* What the tensors must be: every draft block has nextn tensors, and no other block has any. */
static bool check_drafts(const struct ts_gguf *gguf, const bool has[TS_MOST_BLOCKS + 1],
                         uint32_t blocks, uint32_t layers, uint32_t drafts, struct ts_error *error)
{
    for (uint32_t block = 0; block <= TS_MOST_BLOCKS; block++) {
        bool expected = block >= layers && block < layers + drafts;
        if (has[block] != expected) {
            return ts_fail(error, TS_ERR_INPUT, NULL,
                           "%.300s: blk.%u has %s tensors (nextn), but by block_count %u and "
                           "nextn_predict_layers %u the draft blocks are blk.%u to blk.%u",
                           gguf->path, block, has[block] ? "a draft block's" : "no draft block's",
                           blocks, drafts, layers, layers + drafts - 1);
        }
    }
    return true;
}

bool ts_draft_split(const struct ts_gguf *gguf, uint32_t blocks, uint32_t *layers, uint32_t *drafts,
                    struct ts_error *error)
{
    bool has[TS_MOST_BLOCKS + 1] = {false};
    const struct ts_gguf_tensor *example;
    uint64_t predicted = 0;
    bool said = ts_gguf_find_key(gguf, PREDICTED) != NULL;
    *layers = blocks;
    *drafts = 0;
    if (said && !ts_gguf_get_u64(gguf, PREDICTED, &predicted, error)) {
        return false;
    }
    if (predicted >= blocks) {
        return ts_gguf_refuse_key(gguf, PREDICTED, error,
                                  "is %llu, expected less than block_count, %u",
                                  (unsigned long long)predicted, blocks);
    }
    uint32_t least = find_drafts(gguf, has, TS_MOST_BLOCKS + 1, &example);
    if (!example) {
        return true;
    }
    if (predicted == 0) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "%.300s: tensor %s is of a draft (MTP) block, but key %s %s", gguf->path,
                       ts_text_show(example->name).text, PREDICTED, said ? "is 0" : "is missing");
    }
    *drafts = (uint32_t)predicted;
    *layers = least < blocks ? blocks - *drafts : blocks;
    return check_drafts(gguf, has, blocks, *layers, *drafts, error);
}

bool ts_draft_owns(uint32_t layers, uint32_t drafts, struct ts_text name)
{
    uint32_t block;
    struct ts_text rest;
    return begins(name, "mtp.") ||
           (block_of(name, &block, &rest) && block >= layers && block < layers + drafts);
}
