// The whole MSL library, compiled once and put before every kernel file.
#pragma once

#include "softmetal/cpu/kernel.h"
#include "softmetal/sync.h"
#include "softmetal/quadgroup.h"
#include "softmetal/simdgroup_matrix.h"
#include "softmetal/atomic.h"
#include "softmetal/math.h"
#include "softmetal/common.h"
#include "softmetal/geometry.h"
#include "softmetal/utility.h"
#include "softmetal/internal.h"
