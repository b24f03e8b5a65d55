/* GNUstep's headers ask for this one where blocks are on. */
#ifndef SOFTMETAL_OBJC_BLOCKS_RUNTIME_H
#define SOFTMETAL_OBJC_BLOCKS_RUNTIME_H
#include <Block.h>
#endif
