#include "engine/session/generate.h"

#include "base/clock.h"

const char *ts_finish_name(enum ts_finish finish)
{
    switch (finish) {
    case TS_FINISH_LENGTH: return "length";
    case TS_FINISH_STOP: return "stop";
    case TS_FINISH_CONTEXT: return "context";
    case TS_FINISH_INTERRUPTED: return "interrupted";
    }
    return "unknown";
}

static bool stopped(const struct ts_generate_options *options)
{
    return options->stop_fn && options->stop_fn(options->stop_context);
}

static bool prefill(struct ts_session *session, const int32_t *prompt, uint64_t count,
                    const struct ts_generate_options *options, struct ts_generation *done,
                    struct ts_error *error)
{
    uint64_t start = ts_clock_ns(), length = ts_session_length(session);
    ts_session_set_stop_fn(session, options->stop_fn, options->stop_context);
    bool ok = ts_session_feed(session, prompt, count, error);
    ts_session_set_stop_fn(session, NULL, NULL);
    done->prefill_ns = ts_clock_ns() - start;
    done->prompt_tokens = ts_session_length(session) - length;
    return ok;
}

/* Why no further token may be drawn; false: none of these reasons. */
static bool finished(const struct ts_session *session, const struct ts_generate_options *options,
                     struct ts_generation *done)
{
    /* a token that was drawn and not fed yet needs its place too */
    uint64_t room = ts_session_context(session) - ts_session_length(session);
    if (done->tokens == options->tokens) {
        done->finish = TS_FINISH_LENGTH;
    } else if (room <= (done->tokens > 0)) {
        done->finish = TS_FINISH_CONTEXT;
    } else if (stopped(options)) {
        done->finish = TS_FINISH_INTERRUPTED;
    } else {
        return false;
    }
    return true;
}

static bool draw(struct ts_session *session, struct ts_sampler *sampler, uint64_t start,
                 const struct ts_generate_options *options, struct ts_generation *done, int32_t *id,
                 struct ts_error *error)
{
    const double *logits = ts_session_logits(session);
    if (!ts_sampler_next(sampler, logits, id, error)) {
        return false;
    }
    uint64_t elapsed = ts_clock_ns() - start;
    done->tokens++;
    if (done->tokens == 1) {
        done->first_ns = elapsed;
    }
    done->generation_ns = elapsed - done->first_ns;
    return !options->token_fn || options->token_fn(options->token_context, *id, logits, error);
}

bool ts_generate(struct ts_session *session, struct ts_sampler *sampler, const int32_t *prompt,
                 uint64_t count, const struct ts_generate_options *options,
                 struct ts_generation *done, struct ts_error *error)
{
    struct ts_error reason = {.code = TS_OK};
    uint64_t start = ts_clock_ns();
    int32_t id = -1;
    *done = (struct ts_generation){.finish = TS_FINISH_LENGTH};
    if (!prefill(session, prompt, count, options, done, &reason)) {
        if (reason.code == TS_ERR_INTERRUPTED) {
            done->finish = TS_FINISH_INTERRUPTED;
            return true;
        }
        if (error) {
            *error = reason;
        }
        return false;
    }
    if (options->tokens == 0) { /* nobody takes this one: it is drawn to refuse NaN logits */
        return ts_sampler_next(sampler, ts_session_logits(session), &id, error);
    }
    while (!finished(session, options, done)) {
        if (done->tokens > 0 && !ts_session_feed(session, &id, 1, error)) {
            return false;
        }
        if (!draw(session, sampler, start, options, done, &id, error)) {
            return false;
        }
        if (id == options->end) {
            done->finish = TS_FINISH_STOP;
            break;
        }
    }
    return done->tokens == 0 || !options->feed_last || ts_session_feed(session, &id, 1, error);
}

static double speed(uint64_t tokens, uint64_t nanoseconds)
{
    return nanoseconds == 0 ? 0 : (double)tokens * 1e9 / (double)nanoseconds;
}

double ts_generation_prefill_speed(const struct ts_generation *done)
{
    return speed(done->prompt_tokens, done->prefill_ns);
}

double ts_generation_speed(const struct ts_generation *done)
{
    return done->tokens < 2 ? 0 : speed(done->tokens - 1, done->generation_ns);
}

struct ts_tokenizer *ts_model_tokenizer(const struct ts_model *model, struct ts_error *error)
{
    struct ts_tokenizer *tokenizer = ts_tokenizer_open(model->gguf, error);
    if (tokenizer && ts_tokenizer_vocab(tokenizer) != model->config.vocab) {
        ts_fail(error, TS_ERR_INPUT, "the vocabulary and the weights are of different models",
                "%.300s: offset %llu: key tokenizer.ggml.tokens has %u tokens, expected %u, the "
                "model's vocabulary",
                model->gguf->path,
                (unsigned long long)ts_gguf_key_offset(model->gguf, "tokenizer.ggml.tokens"),
                ts_tokenizer_vocab(tokenizer), model->config.vocab);
        ts_tokenizer_close(tokenizer);
        return NULL;
    }
    return tokenizer;
}
