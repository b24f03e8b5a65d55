// Project files are preprocessed with the macros alone; the library is compiled before them.
#pragma once
#include "softmetal/macros.h"
#ifndef SOFTMETAL_PREPROCESS
#include "softmetal/library.h"
#endif
