#!/usr/bin/env bash
# Makes the seeds of the fuzz targets anew: tests/fuzz/corpus. Needs build/make-hostile (make all).
# Seeds are few and small: a sound file of each kind, and what lies beside the sound ones.
set -euo pipefail
cd "$(dirname "$0")/../.."

BUILD=${BUILD:-build}
corpus=tests/fuzz/corpus
files=$(mktemp -d "${TMPDIR:-/tmp}/touchstone-corpus.XXXXXX")
trap 'rm -rf "$files"' EXIT
"$BUILD/make-hostile" "$files"
rm -rf "$corpus"
mkdir -p "$corpus/gguf" "$corpus/trace" "$corpus/tokenizer" "$corpus/messages" "$corpus/completion"

cp "$files"/sound-[0-2].gguf "$corpus/gguf/"
for name in alignment-0 array-count-wraps-u32 array-of-arrays array-string-wraps bytes-wrap-to-0 \
    dimensions-5 elements-wrap-to-small key-string-wraps keys-alike offset-wraps tensors-137-gb \
    tensors-alike tensors-overlap; do
    cp "$files/$name.gguf" "$corpus/gguf/"
done

cp "$files/sound.trace.gguf" "$files/sound.ops.gguf" "$corpus/trace/"
for name in intermediate-layer-wraps positions-more-than-tokens position-outside token-outside; do
    cp "$files/$name.trace.gguf" "$corpus/trace/"
done

seed() { # seed TARGET NAME PARTS...: a file of what printf makes of the parts, joined
    local file=$corpus/$1/$2 IFS=
    shift 2
    # shellcheck disable=SC2059
    printf "$*" >"$file"
}

# The first byte chooses: 0 plain text, 1 with added tokens, 2 lines of vectors.
seed tokenizer words '\000Hello, world! The quick brown fox.\n'
seed tokenizer numbers '\00012345 3.14159 1,000,000 0x7fff\n'
seed tokenizer han '\000\346\261\211\345\255\227\344\270\200\344\272\214\344\270\211 \343\201\223\n'
seed tokenizer code '\000int main(void)\r\n{\r\n\treturn 0;\r\n}\r\n\r\n    // end\n'
seed tokenizer bad-utf8 '\000\377\376\300\200\355\240\200\364\220\200\200\342\202'
seed tokenizer zeros '\000a\000\000b'
seed tokenizer added '\001<think>a</think><\357\275\234User\357\275\234>b<thin'
seed tokenizer vector '\002{"text": "a\\u0000b", "ids": [67, 0, 68]}\n{"text": 1}\n\n[[['

seed messages numbers \
    '[0, -0, 1.0, 1e-05, 1e16, 1E400, 123456789012345678901234567890, NaN, -Infinity]'
seed messages strings '["", "\\u00e9\\ud83d\\ude00\\n\\"\\\\\\/", "\303\251", {"a": {}, "b": []}]'
seed messages duplicate '{"a": 1, "b": 2, "a": 3}'
seed messages chat \
    '[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": ' \
    '"assistant", "reasoning_content": "r", "content": "c"}, {"role": "user", "content": ' \
    '[{"type": "text", "text": "t"}, {"type": "image"}]}]'
seed messages tools \
    '{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "", ' \
    '"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": ' \
    '"{\\"a\\": [1, \\"x\\"]}"}}]}, {"role": "tool", "tool_call_id": "1", "content": "9"}], ' \
    '"tools": [{"type": "function", "function": {"name": "f", "description": "d", ' \
    '"parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}}], "thinkin' \
    'g_mode": "chat", "reasoning_effort": "max", "drop_thinking": false, "response_format": ' \
    '{"type": "json_object"}}'
seed messages roles \
    '[{"role": "developer", "content": "d"}, {"role": "latest_reminder", "content": "l"}, ' \
    '{"role": "user", "content": "u", "task": "action"}, {"role": "assistant", "content": ' \
    'null, "wo_eos": true}]'

# The first byte: odd begins with reasoning; the rest is the length of pieces.
bar='\357\275\234'
dsml="$bar"'DSML'"$bar"
eos="<${bar}end\342\226\201of\342\226\201sentence$bar>"
call="\\n\\n<${dsml}tool_calls>"
call+="\\n<${dsml}invoke name=\"f\">"
call+="\\n<${dsml}parameter name=\"a\" string=\"true\">x</${dsml}parameter>"
call+="\\n<${dsml}parameter name=\"b\" string=\"false\">[1, {\"c\": 2.5}]</${dsml}parameter>"
call+="\\n</${dsml}invoke>"
call+="\\n</${dsml}tool_calls>"
seed completion content "\\000Just text.$eos"
seed completion reasoning "\\003thinking</think>answer$eos"
seed completion calls "\\004content$call$eos"
seed completion reasoning-calls "\\007r</think>$call$eos"
seed completion calls-cut "\\002$call"
seed completion unclosed "\\000<${dsml}tool_calls>\\n<${dsml}invoke name=\"f\">\\n$eos"
seed completion nested \
    "\\000\\n\\n<${dsml}tool_calls>\\n<${dsml}invoke name=\"f\">\\n<${dsml}invoke name=\"g\">" \
    "\\n"
seed completion after "\\000$call$eos more"
seed completion half-tag "\\000a <${bar}DSML <think> </thin"
