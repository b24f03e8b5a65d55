/* Pre-tokenization: three successive splits, each of which sees only the pieces that the one before
 * it left, so that the end of a piece is the end of the text for it: "a  1" becomes "a", two spaces
 * and "1", because the digit is no longer there when the spaces are split. A split is isolated:
 * matches and the gaps between them are both kept. */
#include "engine/tokenizer/internal.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>

/* Unicode White_Space, written out: PCRE2's own \s with UCP also takes U+180E, which is none. */
#define OTHER_SPACE                                                                                \
    "\\t\\x0B\\x0C\\x20\\x85\\xA0\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}" \
    "\\x{3000}"
#define SPACE "[" OTHER_SPACE "\\r\\n]"
#define NOT_SPACE "[^" OTHER_SPACE "\\r\\n]"

/* The model's own patterns (its tokenizer.json). The fourth alternative of the last one is
 * \s*[\r\n]+ there: the same language, here without stepping back over a long run of spaces. */
static const char *const patterns[] = {
    "\\p{N}{1,3}",
    "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+",
    "[!-/:-@\\[-`{-~][A-Za-z]+"
    "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "|\\x20?[\\p{P}\\p{S}]+[\\r\\n]*"
    "|(?:[" OTHER_SPACE "]*+[\\r\\n]++)++"
    "|" SPACE "+(?!" NOT_SPACE ")"
    "|" SPACE "+",
};

enum { STEPS = sizeof patterns / sizeof patterns[0] };

struct ts_splitter {
    pcre2_code *code[STEPS];
    pcre2_match_data *match;
    pcre2_match_context *context;
};

struct ts_splitter *ts_splitter_open(struct ts_error *error)
{
    struct ts_splitter *splitter = calloc(1, sizeof *splitter);
    if (!splitter) {
        ts_fail_memory(error, "the pre-tokenizer", sizeof *splitter);
        return NULL;
    }
    for (int i = 0; i < STEPS; i++) {
        int code = 0;
        PCRE2_SIZE offset = 0;
        splitter->code[i] = pcre2_compile((PCRE2_SPTR)patterns[i], PCRE2_ZERO_TERMINATED,
                                          PCRE2_UTF | PCRE2_UCP, &code, &offset, NULL);
        if (!splitter->code[i]) {
            ts_fail(error, TS_ERR_ENVIRONMENT,
                    "PCRE2 must be built with Unicode support, as Debian and Homebrew build it",
                    "PCRE2 refuses pattern %d of the pre-tokenizer (error %d at offset %zu)", i,
                    code, (size_t)offset);
            ts_splitter_close(splitter);
            return NULL;
        }
        /* where there is no JIT, pcre2_match interprets: slower, the same result */
        (void)pcre2_jit_compile(splitter->code[i], PCRE2_JIT_COMPLETE);
    }
    splitter->match = pcre2_match_data_create(1, NULL);
    splitter->context = pcre2_match_context_create(NULL);
    if (!splitter->match || !splitter->context) {
        ts_fail_memory(error, "the pre-tokenizer", sizeof *splitter);
        ts_splitter_close(splitter);
        return NULL;
    }
    /* the limits guard against patterns that explode; these are linear, texts may be long */
    pcre2_set_match_limit(splitter->context, UINT32_MAX);
    return splitter;
}

void ts_splitter_close(struct ts_splitter *splitter)
{
    if (!splitter) {
        return;
    }
    for (int i = 0; i < STEPS; i++) {
        pcre2_code_free(splitter->code[i]);
    }
    pcre2_match_data_free(splitter->match);
    pcre2_match_context_free(splitter->context);
    free(splitter);
}

struct sink {
    ts_piece_fn *fn;
    void *context;
    struct ts_error *error;
};

/* Splits one piece by pattern `step`, and what comes out by the patterns after it. */
static bool split(struct ts_splitter *splitter, int step, const uint8_t *text, size_t length,
                  const struct sink *sink)
{
    if (step == STEPS) {
        return sink->fn(sink->context, text, length, sink->error);
    }
    size_t done = 0;
    while (done < length) {
        int found = pcre2_match(splitter->code[step], text, length, done, PCRE2_NO_UTF_CHECK,
                                splitter->match, splitter->context);
        if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
            return ts_fail(sink->error, TS_ERR_ENVIRONMENT, NULL,
                           "PCRE2 failed with error %d in step %d of the pre-tokenizer", found,
                           step + 1);
        }
        /* copied, because the steps after this one use the same match data */
        const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(splitter->match);
        size_t start = found < 0 ? length : ovector[0];
        size_t end = found < 0 ? length : ovector[1];
        if (start > done && !split(splitter, step + 1, text + done, start - done, sink)) {
            return false;
        }
        if (end > start && !split(splitter, step + 1, text + start, end - start, sink)) {
            return false;
        }
        done = end;
    }
    return true;
}

bool ts_splitter_run(struct ts_splitter *splitter, const uint8_t *text, size_t length,
                     ts_piece_fn *fn, void *context, struct ts_error *error)
{
    struct sink sink = {fn, context, error};
    return split(splitter, 0, text, length, &sink);
}
