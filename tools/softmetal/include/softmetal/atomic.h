// Atomics. Threads of one threadgroup take turns, but threadgroups run on several host threads.
#pragma once

#include "softmetal/sync.h"

namespace metal
{

template <class T> struct atomic {
    T s;
};
template <class T> using _atomic = atomic<T>;

using atomic_int = atomic<int>;
using atomic_uint = atomic<uint>;
using atomic_bool = atomic<bool>;
using atomic_float = atomic<float>;
using atomic_long = atomic<long>;
using atomic_ulong = atomic<ulong>;

template <class T, class V>
inline void atomic_store_explicit(volatile atomic<T> *a, V v, memory_order)
{
    T value = T(v);
    softmetal::note_access(a, sizeof(T), softmetal::access_write | softmetal::access_atomic);
    __atomic_store(&a->s, &value, __ATOMIC_SEQ_CST);
}
template <class T> inline T atomic_load_explicit(const volatile atomic<T> *a, memory_order)
{
    T value;
    softmetal::note_access(a, sizeof(T), softmetal::access_read | softmetal::access_atomic);
    __atomic_load(&a->s, &value, __ATOMIC_SEQ_CST);
    return value;
}
template <class T, class V>
inline T atomic_exchange_explicit(volatile atomic<T> *a, V v, memory_order)
{
    T value = T(v), old;
    softmetal::note_access(a, sizeof(T), softmetal::access_update);
    __atomic_exchange(&a->s, &value, &old, __ATOMIC_SEQ_CST);
    return old;
}
template <class T, class V>
inline bool atomic_compare_exchange_weak_explicit(volatile atomic<T> *a, T *expected, V desired,
                                                  memory_order, memory_order)
{
    T value = T(desired);
    softmetal::note_access(a, sizeof(T), softmetal::access_update);
    return __atomic_compare_exchange(&a->s, expected, &value, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
}

} // namespace metal

namespace softmetal
{

// Exchanges until nobody was between; works for every type and operation.
template <class T, class F> inline T atomic_update(volatile metal::atomic<T> *a, F f)
{
    T old, now;
    note_access(a, sizeof(T), access_update);
    __atomic_load(&a->s, &old, __ATOMIC_SEQ_CST);
    do {
        now = f(old);
    } while (
        !__atomic_compare_exchange(&a->s, &old, &now, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old;
}

} // namespace softmetal

namespace metal
{

#define SOFTMETAL_FETCH(name, expression)                                                          \
    template <class T, class V>                                                                    \
    inline T atomic_fetch_##name##_explicit(volatile atomic<T> *a, V v, memory_order)              \
    {                                                                                              \
        T b = T(v);                                                                                \
        return softmetal::atomic_update(a, [b](T a) { return T(expression); });                    \
    }
SOFTMETAL_FETCH(add, a + b)
SOFTMETAL_FETCH(sub, a - b)
SOFTMETAL_FETCH(and, a &b)
SOFTMETAL_FETCH(or, a | b)
SOFTMETAL_FETCH(xor, a ^ b)
SOFTMETAL_FETCH(min, b < a ? b : a)
SOFTMETAL_FETCH(max, a < b ? b : a)
#undef SOFTMETAL_FETCH

template <class T, class V>
inline void atomic_min_explicit(volatile atomic<T> *a, V v, memory_order o)
{
    atomic_fetch_min_explicit(a, v, o);
}
template <class T, class V>
inline void atomic_max_explicit(volatile atomic<T> *a, V v, memory_order o)
{
    atomic_fetch_max_explicit(a, v, o);
}

} // namespace metal
