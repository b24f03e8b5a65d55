/* The inner part of IQ2_XXS, the one format that needs a table of points. */
#ifndef TS_REFERENCE_QUANT_IQ2_H
#define TS_REFERENCE_QUANT_IQ2_H

#include <stdint.h>

/* Decodes 32 values from the 8 bytes of a group: four grid indices, then a little-endian word of
 * four sign indices (7 bits each) and the group's scale (4 bits). d is the block's scale. */
void ts_decode_iq2_xxs_group(double d, const uint8_t *group, double *values);

#endif
