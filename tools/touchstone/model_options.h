/* Options that verbs which run a model share. */
#ifndef TS_TOOLS_TOUCHSTONE_MODEL_OPTIONS_H
#define TS_TOOLS_TOUCHSTONE_MODEL_OPTIONS_H

#include "engine/session/sampler.h"
#include "engine/session/session.h"
#include "tools/touchstone/options.h"

enum { TS_MOST_THREADS = 1024 };
/* Whether memory and model hold as many is asked when the session opens. */
#define TS_MOST_CONTEXT (UINT64_C(1) << 32)

/* --device, --threads, --ctx, --chunk, --kv-rounding and --unfused. */
void ts_options_add_session(struct ts_options *options, struct ts_session_options *session);

/* --temp, --top-k, --top-p, --min-p and --seed; sets the defaults. */
void ts_options_add_sampling(struct ts_options *options, struct ts_sampling *sampling);

#endif
