// The adversary's arithmetic: a function of fast mathematics may err by what the MSL specification
// grants it (its table for single precision with fast math), so in checking mode it does, at random.
// The precise ones stay as they are.
#pragma once

#include "softmetal/check.h"

#if defined(SOFTMETAL_CHECK)

namespace softmetal
{

// Off by at most so many units in the last place, or `absolute` if that is more.
inline float perturbed(float value, float ulps, float absolute)
{
    float size = __builtin_fabsf(value);
    if (!hooks.adversarial || !(size < __builtin_inff())) {
        return value;
    }
    float unit = size < 0x1p-126f ? 0.0f : __builtin_nextafterf(size, __builtin_inff()) - size;
    float most = __builtin_fmaxf((ulps - 0.5f) * unit, absolute);
    float part = float(int32_t(hooks.random() >> 32)) * 0x1p-31f;
    return value + most * part;
}

inline float ulps_of_exp(float x)
{
    return 3.0f + __builtin_floorf(__builtin_fabsf(2.0f * x));
}
inline float error_of_log(float x)
{
    return x >= 0.5f && x <= 2.0f ? 0x1p-21f : 0.0f;
}

} // namespace softmetal

#define SOFTMETAL_LOOSE(name, f, ulps, absolute)                                                   \
    namespace metal                                                                                \
    {                                                                                              \
    inline float loose_##name(float x)                                                             \
    {                                                                                              \
        return softmetal::perturbed(f(x), ulps, absolute);                                         \
    }                                                                                              \
    namespace precise                                                                              \
    {                                                                                              \
    inline float loose_##name(float x)                                                             \
    {                                                                                              \
        return f(x);                                                                               \
    }                                                                                              \
    }                                                                                              \
    }
SOFTMETAL_LOOSE(cos, __builtin_cosf, 1.0f, 0x1p-13f)
SOFTMETAL_LOOSE(sin, __builtin_sinf, 1.0f, 0x1p-13f)
SOFTMETAL_LOOSE(exp, __builtin_expf, softmetal::ulps_of_exp(x), 0.0f)
SOFTMETAL_LOOSE(exp2, __builtin_exp2f, softmetal::ulps_of_exp(x), 0.0f)
SOFTMETAL_LOOSE(log, __builtin_logf, 3.0f, softmetal::error_of_log(x))
SOFTMETAL_LOOSE(log2, __builtin_log2f, 3.0f, softmetal::error_of_log(x))
SOFTMETAL_LOOSE(rsqrt, softmetal::rsqrt, 2.0f, 0.0f)
#undef SOFTMETAL_LOOSE

#define SOFTMETAL_FAST(name, f) loose_##name

#else

#define SOFTMETAL_FAST(name, f) f

#endif
