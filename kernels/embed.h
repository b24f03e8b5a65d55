/* Token embedding, copied into every residual stream (spec 2.2). */
#ifndef TS_KERNELS_EMBED_H
#define TS_KERNELS_EMBED_H

#include "kernels/abi.h"

/* streams[t, s, :] = table[tokens[t], :] for every stream s. tokens [tokens], below vocab;
 * table [vocab, width]; streams [tokens, streams, width]. */
struct ts_embed_args {
    uint32_t tokens;
    uint32_t width;   /* hidden size */
    uint32_t streams; /* copies of the row, one a residual stream */
    uint32_t vocab;
};
TS_ABI_SIZE(ts_embed_args, 16);
TS_ABI_FIELD(ts_embed_args, tokens, 0);
TS_ABI_FIELD(ts_embed_args, width, 4);
TS_ABI_FIELD(ts_embed_args, streams, 8);
TS_ABI_FIELD(ts_embed_args, vocab, 12);

#endif
