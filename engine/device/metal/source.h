/* The Metal source of the kernels, as text in the program (tools/embed-kernels.sh writes it). */
#ifndef TS_ENGINE_DEVICE_METAL_SOURCE_H
#define TS_ENGINE_DEVICE_METAL_SOURCE_H

struct ts_kernel_source {
    const char *family;
    const char *text; /* includes put in place */
};

extern const struct ts_kernel_source ts_kernel_sources[]; /* ended by a family of NULL */

#endif
