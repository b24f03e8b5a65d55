/* One file, whatever it says about being a part of several. */
#ifndef TS_ENGINE_GGUF_MAP_H
#define TS_ENGINE_GGUF_MAP_H

#include "engine/gguf/gguf.h"

/* As ts_gguf_open, without the other parts of a split model. */
struct ts_gguf *ts_gguf_open_part(const char *path, struct ts_error *error);

#endif
