/* Files of prompts that are known to be right. */
#ifndef TS_ENGINE_PROMPT_CASES_H
#define TS_ENGINE_PROMPT_CASES_H

#include "engine/prompt/request.h"

#include <stdint.h>
#include <stdio.h>

struct ts_case_counts {
    uint64_t passed;
    uint64_t failed;
};

/* Checks a JSONL text of requests (request.h) that also have a "prompt". Each must render to it,
 * byte for byte. If a conversation ends with an assistant's turn, the text of that turn must also
 * parse back to its content, calls and reasoning; unless these spell protocol tokens, which makes
 * it ambiguous. A line counts once; a damaged one is a failure, a blank one is skipped. Each failure
 * is one line in `report`, beginning with name:line. Returns true if lines were read and all
 * passed; else TS_ERR_DATA if any was damaged or none was read, and TS_ERR_CHECK otherwise. */
bool ts_prompt_check_cases(const char *name, const char *data, size_t length, FILE *report,
                           struct ts_case_counts *counts, struct ts_error *error);

/* Parses the text of the last turn of `prompt` and compares with the assistant's message. False
 * with *error (TS_ERR_CHECK) if it does not come back. `split`: bytes fed at once; 0: all. */
bool ts_prompt_check_reply(const struct ts_prompt *prompt, const struct ts_message *message,
                           size_t split, struct ts_error *error);

#endif
