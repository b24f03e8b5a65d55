/* From text to ids: added tokens first, then valid and invalid UTF-8 apart, then the splitter and
 * BPE. */
#include "engine/tokenizer/internal.h"

#include <stdlib.h>
#include <string.h>

struct encoding {
    struct ts_tokenizer *tokenizer;
    struct ts_ids *ids;
};

static bool encode_piece(void *context, const uint8_t *piece, size_t length, struct ts_error *error)
{
    struct encoding *encoding = context;
    return ts_bpe_encode(encoding->tokenizer->bpe, piece, length, encoding->ids, error);
}

/* The length of the valid UTF-8 at the start of bytes. */
static size_t valid_prefix(const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        uint64_t eight = 0x80;
        if (length - at >= sizeof eight) {
            memcpy(&eight, bytes + at, sizeof eight);
        }
        if ((eight & 0x8080808080808080u) == 0) {
            at += sizeof eight;
            continue;
        }
        int sequence = ts_utf8_sequence(bytes + at, length - at);
        if (sequence <= 0) {
            break;
        }
        at += (size_t)sequence;
    }
    return at;
}

/* Text between added tokens. A byte that is not part of valid UTF-8 is a token of its own, and ends
 * the text for what stands before it. */
static bool encode_run(struct encoding *encoding, const uint8_t *text, size_t length,
                       struct ts_error *error)
{
    while (length > 0) {
        size_t valid = valid_prefix(text, length);
        if (valid > 0 && !ts_splitter_run(encoding->tokenizer->splitter, text, valid, encode_piece,
                                          encoding, error)) {
            return false;
        }
        text += valid;
        length -= valid;
        if (length > 0) {
            if (!ts_ids_append(encoding->ids, encoding->tokenizer->byte_ids[text[0]], error)) {
                return false;
            }
            text++;
            length--;
        }
    }
    return true;
}

/* The first entry in [low, high) of the sorted list whose byte `at` is not less than `byte`; all
 * of them are equal before that byte, and a text that ends there comes first. */
static uint32_t lower_bound(const struct ts_tokenizer *tokenizer, uint32_t low, uint32_t high,
                            size_t at, unsigned byte)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct ts_text text = tokenizer->tokens[tokenizer->added[middle]].text;
        if (text.length <= at || (uint8_t)text.data[at] < byte) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The longest added token at the start of text, or -1: narrows the range of the sorted list that
 * agrees with the text, byte by byte. */
static int32_t match_added(const struct ts_tokenizer *tokenizer, const uint8_t *text, size_t length)
{
    uint32_t low = tokenizer->added_first[text[0]];
    uint32_t high = tokenizer->added_first[text[0] + 1u];
    int32_t best = -1;
    for (size_t at = 1; low < high; at++) {
        if (tokenizer->tokens[tokenizer->added[low]].text.length == at) {
            best = tokenizer->added[low];
        }
        if (at == length) {
            break;
        }
        low = lower_bound(tokenizer, low, high, at, text[at]);
        high = lower_bound(tokenizer, low, high, at, text[at] + 1u);
    }
    return best;
}

bool ts_tokenizer_encode_around(struct ts_tokenizer *tokenizer, struct ts_text text,
                                const struct ts_span *spans, size_t span_count, struct ts_ids *ids,
                                struct ts_error *error)
{
    if (text.length > INT32_MAX) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "the text has %zu bytes, more than the %d that can be tokenized at once",
                       text.length, INT32_MAX);
    }
    struct encoding encoding = {tokenizer, ids};
    const uint8_t *bytes = (const uint8_t *)text.data;
    size_t done = 0, span = 0;
    for (size_t at = 0; at < text.length;) {
        if (span < span_count && at >= spans[span].begin) {
            at = spans[span].end > at ? spans[span].end : at;
            span++;
            continue;
        }
        size_t end = span < span_count ? spans[span].begin : text.length;
        int32_t id = match_added(tokenizer, bytes + at, end - at);
        if (id < 0) {
            at++;
            continue;
        }
        if (!encode_run(&encoding, bytes + done, at - done, error) ||
            !ts_ids_append(ids, id, error)) {
            return false;
        }
        at += tokenizer->tokens[id].text.length;
        done = at;
    }
    return encode_run(&encoding, bytes + done, text.length - done, error);
}

bool ts_tokenizer_encode(struct ts_tokenizer *tokenizer, const char *text, size_t length,
                         bool specials, struct ts_ids *ids, struct ts_error *error)
{
    const struct ts_span all = {0, length};
    return ts_tokenizer_encode_around(tokenizer, (struct ts_text){text, length}, &all, !specials,
                                      ids, error);
}

uint64_t ts_tokenizer_work(const struct ts_tokenizer *tokenizer)
{
    return ts_bpe_work(tokenizer->bpe);
}
