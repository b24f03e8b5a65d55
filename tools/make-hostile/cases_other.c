/* Traces, operation vectors, lists of ids, tokenizer vectors, records of runs. */
#include "tools/make-hostile/make_hostile.h"

#define T(name, edit, expect)                                                                      \
    {                                                                                              \
        name ".trace.gguf", BASE_TRACE, edit, 'c', expect                                          \
    }
#define G(name, edit, expect)                                                                      \
    {                                                                                              \
        name ".ops.gguf", BASE_GOLDEN, edit, 'g', expect                                           \
    }
#define D(name, text, expect)                                                                      \
    {                                                                                              \
        name ".ids", BASE_TEXT, text, 'd', expect                                                  \
    }
#define V(name, text, expect)                                                                      \
    {                                                                                              \
        name ".jsonl", BASE_TEXT, text, 'v', expect                                                \
    }
#define R(name, text, expect)                                                                      \
    {                                                                                              \
        name, BASE_RUNS, text, 'p', expect                                                         \
    }
#define E(name, text, expect)                                                                      \
    {                                                                                              \
        name, BASE_ENVIRONMENT, text, 'p', expect                                                  \
    }
#define NESTED_100                                                                                 \
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" \
    "[[[[[[[["
#define NESTED_2000                                                                                \
    NESTED_100 NESTED_100 NESTED_100 NESTED_100 NESTED_100 NESTED_100 NESTED_100 NESTED_100        \
        NESTED_100 NESTED_100 NESTED_100 NESTED_100 NESTED_100 NESTED_100 NESTED_100 NESTED_100    \
            NESTED_100 NESTED_100 NESTED_100 NESTED_100

const struct hostile_case other_cases[] = {
    T("token-outside", "data tokens 4 d260", "token 1 has id 260, expected 0 to 259"),
    T("token-negative", "data tokens 0 d-1", "token 0 has id -1, expected 0 to 259"),
    T("tokens-of-floats", "type tokens 0", "tensor tokens is F32"),
    T("tokens-in-two-dimensions", "shape tokens 2 2", "tensor tokens is I32 [2, 2"),
    T("tokens-missing", "drop tokens", "tensor tokens is missing"),
    T("logits-missing", "drop logits", "tensor logits is missing"),
    T("logits-of-another-vocabulary", "shape logits 130 8", "expected F32 [260, 4]"),
    T("logits-of-fewer-tokens", "shape logits 260 3", "expected F32 [260, 4]"),
    T("logits-of-integers", "type logits 26", "expected F32 [260, 4]"),
    T("class-other", "key golden.class d8 sprecise", "expected exact, rounding or selection"),
    T("class-missing", "drop golden.class", "golden.class' is missing"),
    T("rounding-a-number", "key golden.kv_rounding d4 d1", "expected a bool"),
    T("position-twice", "key golden.positions d9 d4 q2 d3 d3", "entry 1 to be a position"),
    T("position-outside", "key golden.positions d9 d4 q1 d4", "entry 0 to be a position below 4"),
    T("position-negative", "key golden.positions d9 d5 q1 d-1", "entry 0 to be a position below 4"),
    T("positions-of-strings", "key golden.positions d9 d8 q1 s1", "entry 0 to be a position"),
    T("positions-more-than-tokens", "key golden.positions d9 d4 q5 d0 d1 d2 d3 d4",
      "no more positions than tokens"),
    T("positions-one-number", "key golden.positions d4 d1", "expected an array"),
    T("intermediate-unknown", "again tokens;name tokens blk.0.nothing", "expected an intermediate"),
    T("intermediate-of-no-layer", "again tokens;name tokens blk.9.attn.q",
      "expected an intermediate"),
    T("intermediate-layer-wraps", "again tokens;name tokens blk.4294967296.attn.q",
      "expected an intermediate"),
    T("intermediate-layer-signed", "again tokens;name tokens blk.+0.attn.q",
      "expected an intermediate"),
    T("intermediate-layer-zeros", "again tokens;name tokens blk.00.attn.q",
      "expected an intermediate"),
    T("trace-tensor-cut", "shape logits 260 4000", "the file is cut short"),

    G("group-unknown", "name hadamard.in hadamard.inn", "belongs to no group"),
    G("member-missing", "drop hadamard.in", "tensor hadamard.in: missing"),
    G("member-of-integers", "type hadamard.out 26", "expected F32 [64, 2]"),
    G("member-of-another-shape", "shape hadamard.out 2 64", "expected F32 [64, 2]"),
    G("format-unknown", "name hadamard.in quant.Q9_9.blocks;drop hadamard.out",
      "the format is unknown"),
    G("blocks-of-floats", "name hadamard.in quant.Q8_0.blocks;drop hadamard.out", "expected I8"),
    G("width-not-power-of-two", "shape hadamard.in 48 2;shape hadamard.out 48 2", "hadamard"),
    G("nothing-to-compare", "drop hadamard.in;drop hadamard.out", "FAIL"),

    D("id-outside", "65 260", "260"),
    D("id-negative", "65 -1", "'-1' is not a whole number from 0"),
    D("id-2-to-32", "4294967296", "'4294967296' is not a whole number from 0"),
    D("id-2-to-64", "18446744073709551616", "is not a whole number from 0"),
    D("id-30-digits", "100000000000000000000000000000", "is not a whole number from 0"),
    D("id-trailing-letter", "65x", "'65x' is not a whole number from 0"),
    D("id-hexadecimal", "0x41", "'0x41' is not a whole number from 0"),
    D("id-plus", "+65", "'+65' is not a whole number from 0"),
    D("id-fraction", "65.0", "'65.0' is not a whole number from 0"),
    D("id-exponent", "1e1", "'1e1' is not a whole number from 0"),
    D("id-words", "sixty five", "'sixty' is not a whole number from 0"),
    D("id-form-feed", "65\f66", "is not a whole number from 0"),
    D("id-control-characters", "\x1b[2J", "'?[2J' is not a whole number"),
    D("ids-of-all-whitespace", " \t\r\n65\n", NULL),

    V("vectors-empty", "", "no vector was read"),
    V("vectors-blank", "\n \n\r\n", "no vector was read"),
    V("vector-no-json", "{\"text\":\"a\"", "lines are damaged"),
    V("vector-trailing-garbage", "{\"text\":\"a\",\"ids\":[97]} x", "lines are damaged"),
    V("vector-an-array", "[1]", "lines are damaged"),
    V("vector-text-a-number", "{\"text\":1,\"ids\":[97]}", "lines are damaged"),
    V("vector-ids-a-string", "{\"text\":\"a\",\"ids\":\"97\"}", "lines are damaged"),
    V("vector-id-negative", "{\"text\":\"a\",\"ids\":[-97]}", "lines are damaged"),
    V("vector-id-fraction", "{\"text\":\"a\",\"ids\":[97.5]}", "lines are damaged"),
    V("vector-id-huge", "{\"text\":\"a\",\"ids\":[1e400]}", "lines are damaged"),
    V("vector-id-2-to-32", "{\"text\":\"a\",\"ids\":[4294967393]}", "lines are damaged"),
    V("vector-id-outside", "{\"text\":\"a\",\"ids\":[260]}", "1 of 1 vectors differ"),
    V("vector-half-a-surrogate", "{\"text\":\"\\ud800\",\"ids\":[97]}", "lines are damaged"),
    V("vector-nested-deeply", NESTED_2000, "lines are damaged"),

    E("environment-empty", "", "not a JSON object"),
    E("environment-an-array", "[]", "not a JSON object"),
    E("environment-cut", "{\"schema\":1", "not a JSON object"),
    E("environment-trailing-garbage", "{}x", "not a JSON object"),
    E("environment-nested-deeply", NESTED_2000, "not a JSON object"),
    R("runs-no-json", "x\n", "line 1: no JSON at column 1"),
    R("runs-an-array", "[1]\n", "line 1: not a JSON object"),
    R("runs-without-schema", "{}\n", "\"schema\" must be 1"),
    R("runs-schema-a-string", "{\"schema\":\"1\"}\n", "\"schema\" must be 1"),
    R("runs-schema-huge", "{\"schema\":1e999}\n", "\"schema\" must be 1"),
    R("runs-kind-missing", "{\"schema\":1}\n", "\"kind\" must be a text"),
    R("runs-status-unknown", "{\"schema\":1,\"kind\":\"sweep\",\"status\":\"good\"}\n",
      "\"status\" must be"),
    R("runs-without-axes", "{\"schema\":1,\"kind\":\"sweep\",\"status\":\"pass\"}\n",
      "\"axes\" must be an object"),
    R("runs-prompt-negative",
      "{\"schema\":1,\"kind\":\"sweep\",\"status\":\"pass\",\"axes\":{\"model\":\"m\","
      "\"phase\":\"prefill\",\"prompt\":-1,\"tokens\":1}}\n",
      "\"prompt\" must be a positive whole number"),
    R("runs-prompt-huge",
      "{\"schema\":1,\"kind\":\"sweep\",\"status\":\"pass\",\"axes\":{\"model\":\"m\","
      "\"phase\":\"prefill\",\"prompt\":1e300,\"tokens\":1}}\n",
      "\"prompt\" must be a positive whole number"),
    R("runs-sample-zero",
      "{\"schema\":1,\"kind\":\"sweep\",\"status\":\"pass\",\"axes\":{\"model\":\"m\","
      "\"phase\":\"prefill\",\"prompt\":1,\"tokens\":1},\"samples_ns\":[0]}\n",
      "\"samples_ns\" must be a list of positive numbers"),
    R("runs-without-stats",
      "{\"schema\":1,\"kind\":\"sweep\",\"status\":\"pass\",\"axes\":{\"model\":\"m\","
      "\"phase\":\"prefill\",\"prompt\":1,\"tokens\":1},\"samples_ns\":[1]}\n",
      "\"stats\" must be an object"),
    R("runs-percentiles-swapped",
      "{\"schema\":1,\"kind\":\"sweep\",\"status\":\"pass\",\"axes\":{\"model\":\"m\","
      "\"phase\":\"prefill\",\"prompt\":1,\"tokens\":1},\"samples_ns\":[1],\"stats\":{"
      "\"median\":1,\"p5\":2,\"p95\":1,\"n\":1}}\n",
      "\"stats\" must be of durations above zero, p5 <= p95"),
    R("runs-nested-deeply", NESTED_2000 "\n", "line 1: no JSON"),
};

const unsigned other_count = sizeof other_cases / sizeof other_cases[0];
