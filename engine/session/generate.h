/* The generation loop: feed a prompt, draw tokens, feed each back, until something ends it. */
#ifndef TS_ENGINE_SESSION_GENERATE_H
#define TS_ENGINE_SESSION_GENERATE_H

#include "engine/session/sampler.h"
#include "engine/session/session.h"
#include "engine/tokenizer/tokenizer.h"

enum ts_finish {
    TS_FINISH_LENGTH,     /* as many tokens as were asked for */
    TS_FINISH_STOP,       /* the model ended its text */
    TS_FINISH_CONTEXT,    /* the session's context is full */
    TS_FINISH_INTERRUPTED /* the stop callback said so */
};

/* "length", "stop", "context" or "interrupted" */
const char *ts_finish_name(enum ts_finish finish);

/* Takes a token that was just drawn, and the logits [vocab] that it was drawn from (before any of
 * the sampler's filters). False ends the generation with *error. */
typedef bool ts_token_fn(void *context, int32_t id, const double *logits, struct ts_error *error);

struct ts_generate_options {
    uint64_t tokens;       /* most tokens to draw; 0: only feed the prompt */
    int32_t end;           /* drawing this id ends it (it counts as a token); -1: none does */
    bool feed_last;        /* feed the last token too: the next turn, or whoever wants its logits */
    ts_token_fn *token_fn; /* NULL: nobody listens */
    void *token_context;
    ts_stop_fn *stop_fn; /* asked between prefill chunks and between tokens; NULL: never stops */
    void *stop_context;
};

/* What was done. All times are of the steady clock. */
struct ts_generation {
    uint64_t prompt_tokens; /* fed; fewer than given only after an interruption or failure */
    uint64_t tokens;        /* drawn */
    uint64_t prefill_ns;    /* feeding the prompt */
    uint64_t first_ns;      /* from the start to the first token drawn; 0: there is none */
    uint64_t generation_ns; /* from the first token drawn to the last one */
    enum ts_finish finish;
};

/* Feeds `count` (at least one) tokens behind those of the session and draws the next ones. Draws no
 * token that the context has no room for. *done is valid also after a failure. Errors are those of
 * feeding, sampling and the callback; NaN logits are TS_ERR_CHECK, also when no token is drawn.
 * An interruption is no error: see done->finish. The session's stop callback is NULL afterwards. */
bool ts_generate(struct ts_session *session, struct ts_sampler *sampler, const int32_t *prompt,
                 uint64_t count, const struct ts_generate_options *options,
                 struct ts_generation *done, struct ts_error *error);

/* Tokens a second; 0 where nothing was measured. Generation leaves the first token out. */
double ts_generation_prefill_speed(const struct ts_generation *done);
double ts_generation_speed(const struct ts_generation *done);

/* The tokenizer in a model's own file. Refuses (TS_ERR_INPUT) a vocabulary that is not as large as
 * the model's: ids would have no text, or texts no logit. The caller closes it, before the model. */
struct ts_tokenizer *ts_model_tokenizer(const struct ts_model *model, struct ts_error *error);

#endif
