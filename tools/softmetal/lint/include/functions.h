// The functions of MSL, declared: by value, so that an argument may come from any address space,
// and with pointers where Metal's own have an address space.
#pragma clang system_header

#define SOFTMETAL_LINT_F1(name) template <class A> constexpr real_t<A> name(A);
#define SOFTMETAL_LINT_F2(name)                                                                    \
    template <class A, class B> constexpr common_t<real_t<A>, real_t<B>> name(A, B);
#define SOFTMETAL_LINT_F3(name)                                                                    \
    template <class A, class B, class C>                                                           \
    constexpr common_t<common_t<real_t<A>, real_t<B>>, real_t<C>> name(A, B, C);
// clang-format off
#define SOFTMETAL_LINT_MATH                                                                        \
    SOFTMETAL_LINT_F1(acos) SOFTMETAL_LINT_F1(acosh) SOFTMETAL_LINT_F1(asin)                       \
    SOFTMETAL_LINT_F1(asinh) SOFTMETAL_LINT_F1(atan) SOFTMETAL_LINT_F1(atanh)                      \
    SOFTMETAL_LINT_F1(ceil) SOFTMETAL_LINT_F1(cos) SOFTMETAL_LINT_F1(cosh)                         \
    SOFTMETAL_LINT_F1(cospi) SOFTMETAL_LINT_F1(exp) SOFTMETAL_LINT_F1(exp2)                        \
    SOFTMETAL_LINT_F1(exp10) SOFTMETAL_LINT_F1(fabs) SOFTMETAL_LINT_F1(floor)                      \
    SOFTMETAL_LINT_F1(fract) SOFTMETAL_LINT_F1(log) SOFTMETAL_LINT_F1(log2)                        \
    SOFTMETAL_LINT_F1(log10) SOFTMETAL_LINT_F1(rint) SOFTMETAL_LINT_F1(round)                      \
    SOFTMETAL_LINT_F1(rsqrt) SOFTMETAL_LINT_F1(saturate) SOFTMETAL_LINT_F1(sign)                   \
    SOFTMETAL_LINT_F1(sin) SOFTMETAL_LINT_F1(sinh) SOFTMETAL_LINT_F1(sinpi)                        \
    SOFTMETAL_LINT_F1(sqrt) SOFTMETAL_LINT_F1(tan) SOFTMETAL_LINT_F1(tanh)                         \
    SOFTMETAL_LINT_F1(tanpi) SOFTMETAL_LINT_F1(trunc) SOFTMETAL_LINT_F1(normalize)                 \
    SOFTMETAL_LINT_F2(atan2) SOFTMETAL_LINT_F2(copysign) SOFTMETAL_LINT_F2(divide)                 \
    SOFTMETAL_LINT_F2(fdim) SOFTMETAL_LINT_F2(fmax) SOFTMETAL_LINT_F2(fmin)                        \
    SOFTMETAL_LINT_F2(fmod) SOFTMETAL_LINT_F2(nextafter) SOFTMETAL_LINT_F2(pow)                    \
    SOFTMETAL_LINT_F2(powr) SOFTMETAL_LINT_F2(step) SOFTMETAL_LINT_F3(fma)                         \
    SOFTMETAL_LINT_F3(mix) SOFTMETAL_LINT_F3(smoothstep) SOFTMETAL_LINT_F3(fmin3)                  \
    SOFTMETAL_LINT_F3(fmax3) SOFTMETAL_LINT_F3(fmedian3)                                           \
    template <class A> constexpr A abs(A);                                                         \
    template <class A, class B> constexpr common_t<A, B> min(A, B);                                \
    template <class A, class B> constexpr common_t<A, B> max(A, B);                                \
    template <class A, class B, class C> constexpr common_t<common_t<A, B>, C> clamp(A, B, C);     \
    template <class A> A ldexp(A, int);                                                            \
    template <class A> A frexp(A, __private int &);                                                \
    template <class A> A modf(A, __private A &);                                                   \
    template <class A> A sincos(A, __private A &);                                                 \
    template <class A> bool isnan(A);                                                              \
    template <class A> bool isinf(A);                                                              \
    template <class A> bool isfinite(A);                                                           \
    template <class A> bool isnormal(A);                                                           \
    template <class A> bool signbit(A);                                                            \
    template <class A> int ilogb(A);
// clang-format on

namespace metal
{

SOFTMETAL_LINT_MATH
namespace fast
{
SOFTMETAL_LINT_MATH
}
namespace precise
{
SOFTMETAL_LINT_MATH
}

#define SOFTMETAL_LINT_SAME1(name) template <class A> constexpr A name(A);
#define SOFTMETAL_LINT_SAME2(name) template <class A, class B> constexpr common_t<A, B> name(A, B);
#define SOFTMETAL_LINT_SAME3(name)                                                                 \
    template <class A, class B, class C> constexpr common_t<common_t<A, B>, C> name(A, B, C);
SOFTMETAL_LINT_SAME1(clz)
SOFTMETAL_LINT_SAME1(ctz)
SOFTMETAL_LINT_SAME1(popcount)
SOFTMETAL_LINT_SAME1(reverse_bits)
SOFTMETAL_LINT_SAME2(absdiff)
SOFTMETAL_LINT_SAME2(mulhi)
SOFTMETAL_LINT_SAME2(addsat)
SOFTMETAL_LINT_SAME2(subsat)
SOFTMETAL_LINT_SAME2(hadd)
SOFTMETAL_LINT_SAME2(rhadd)
SOFTMETAL_LINT_SAME2(rotate)
SOFTMETAL_LINT_SAME2(mul24)
SOFTMETAL_LINT_SAME3(mad24)
SOFTMETAL_LINT_SAME3(madhi)
SOFTMETAL_LINT_SAME3(min3)
SOFTMETAL_LINT_SAME3(max3)
SOFTMETAL_LINT_SAME3(median3)
SOFTMETAL_LINT_SAME2(cross)
SOFTMETAL_LINT_SAME2(reflect)
SOFTMETAL_LINT_SAME3(refract)
template <class A> bool all(A);
template <class A> bool any(A);
template <class A, class B, class C> constexpr common_t<A, B> select(A, B, C);
template <class A> A extract_bits(A, uint, uint);
template <class A> A insert_bits(A, A, uint, uint);
template <class A, class B> typename is_vector<A>::element dot(A, B);
template <class A> typename is_vector<A>::element length(A);
template <class A> typename is_vector<A>::element length_squared(A);
template <class A, class B> typename is_vector<A>::element distance(A, B);
template <class A, class B> typename is_vector<A>::element distance_squared(A, B);
template <class T> void swap(__private T &, __private T &);
float4 unpack_unorm4x8_to_float(uint);
float4 unpack_snorm4x8_to_float(uint);
half4 unpack_unorm4x8_to_half(uint);
uint pack_float_to_unorm4x8(float4);
uint pack_float_to_snorm4x8(float4);
template <class T> bool is_function_constant_defined(const __constant T &);
template <class T> bool is_null_buffer(T);

template <class T> struct numeric_limits {
    static constexpr __constant bool is_specialized = true;
    static constexpr __constant bool is_integer = __is_integral(T);
    static constexpr __constant bool is_signed = __is_signed(T);
    static constexpr __constant bool has_infinity = __is_floating_point(T);
    static constexpr __constant int digits = 8 * sizeof(T);
    static constexpr T max()
    {
        return T(1);
    }
    static constexpr T min()
    {
        return T(0);
    }
    static constexpr T lowest()
    {
        return T(0);
    }
    static constexpr T epsilon()
    {
        return T(0);
    }
    static constexpr T denorm_min()
    {
        return T(0);
    }
    static constexpr T infinity()
    {
        return T(1);
    }
    static constexpr T quiet_NaN()
    {
        return T(1);
    }
};

// ---- barriers and atomics ------------------------------------------------------------------------

enum class mem_flags {
    mem_none = 0,
    mem_device = 1,
    mem_threadgroup = 2,
    mem_texture = 4,
    mem_threadgroup_imageblock = 8,
    mem_object_data = 16,
    mem_device_and_threadgroup = 3,
};
constexpr mem_flags operator|(mem_flags a, mem_flags)
{
    return a;
}
enum memory_order {
    memory_order_relaxed,
    memory_order_acquire,
    memory_order_release,
    memory_order_acq_rel,
    memory_order_seq_cst,
};
enum thread_scope {
    thread_scope_thread,
    thread_scope_simdgroup,
    thread_scope_threadgroup,
    thread_scope_device,
    thread_scope_system,
};
void threadgroup_barrier(mem_flags);
void simdgroup_barrier(mem_flags);
void atomic_thread_fence(mem_flags, memory_order, thread_scope = thread_scope_device);

template <class T> struct atomic {
    T s;
};
template <class T> using _atomic = atomic<T>;
// OpenCL has types of these names: the lint writes a _ after those of the code.
typedef atomic<int> atomic_int_;
typedef atomic<uint> atomic_uint_;
typedef atomic<bool> atomic_bool;
typedef atomic<float> atomic_float_;
typedef atomic<long> atomic_long_;
typedef atomic<ulong> atomic_ulong_;

// Atomics live in device or threadgroup memory alone.
#define SOFTMETAL_LINT_ATOMIC(space)                                                               \
    template <class T, class V>                                                                    \
    void atomic_store_explicit(volatile space atomic<T> *, V, memory_order);                       \
    template <class T> T atomic_load_explicit(const volatile space atomic<T> *, memory_order);     \
    template <class T, class V>                                                                    \
    T atomic_exchange_explicit(volatile space atomic<T> *, V, memory_order);                       \
    template <class T, class V>                                                                    \
    bool atomic_compare_exchange_weak_explicit(volatile space atomic<T> *, __private T *, V,       \
                                               memory_order, memory_order);                        \
    SOFTMETAL_LINT_FETCH(space, atomic_fetch_add_explicit)                                         \
    SOFTMETAL_LINT_FETCH(space, atomic_fetch_sub_explicit)                                         \
    SOFTMETAL_LINT_FETCH(space, atomic_fetch_and_explicit)                                         \
    SOFTMETAL_LINT_FETCH(space, atomic_fetch_or_explicit)                                          \
    SOFTMETAL_LINT_FETCH(space, atomic_fetch_xor_explicit)                                         \
    SOFTMETAL_LINT_FETCH(space, atomic_fetch_min_explicit)                                         \
    SOFTMETAL_LINT_FETCH(space, atomic_fetch_max_explicit)                                         \
    SOFTMETAL_LINT_FETCH(space, atomic_min_explicit)                                               \
    SOFTMETAL_LINT_FETCH(space, atomic_max_explicit)
#define SOFTMETAL_LINT_FETCH(space, name)                                                          \
    template <class T, class V> T name(volatile space atomic<T> *, V, memory_order);
SOFTMETAL_LINT_ATOMIC(__global)
SOFTMETAL_LINT_ATOMIC(__local)

} // namespace metal
