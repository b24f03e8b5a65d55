// The types of MSL for clang's OpenCL C++ front end, in which an address space is part of a type.
// Only what a declaration needs: nothing here is ever run. Vectors are the compiler's own, as in
// Apple's compiler; bfloat is any arithmetic type that is neither half nor float.
#pragma clang system_header
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#pragma OPENCL EXTENSION __cl_clang_function_pointers : enable
#pragma OPENCL EXTENSION __cl_clang_variadic_functions : enable

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef double bfloat;
using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long;
using uint64_t = unsigned long;
using size_t = __SIZE_TYPE__;
using ptrdiff_t = __PTRDIFF_TYPE__;
using uintptr_t = unsigned long;
using intptr_t = long;

namespace metal
{

template <class T, int N> using vec = T __attribute__((ext_vector_type(N)));
template <class T, int N> using packed_vec = T __attribute__((ext_vector_type(N)));

template <bool B, class T = void> struct enable_if {
};
template <class T> struct enable_if<true, T> {
    using type = T;
};
template <bool B, class T = void> using enable_if_t = typename enable_if<B, T>::type;
template <bool B, class T, class F> struct conditional {
    using type = T;
};
template <class T, class F> struct conditional<false, T, F> {
    using type = F;
};
template <bool B, class T, class F> using conditional_t = typename conditional<B, T, F>::type;
template <class...> using void_t = void;
template <class T, T V> struct integral_constant {
    static constexpr __constant T value = V;
    using value_type = T;
    using type = integral_constant;
    constexpr operator T() const
    {
        return V;
    }
    constexpr T operator()() const
    {
        return V;
    }
};
template <bool B> using bool_constant = integral_constant<bool, B>;
using true_type = bool_constant<true>;
using false_type = bool_constant<false>;
template <class...> struct conjunction : true_type {
};
template <class A, class... R>
struct conjunction<A, R...> : conditional_t<bool(A::value), conjunction<R...>, false_type> {
};
template <class...> struct disjunction : false_type {
};
template <class A, class... R>
struct disjunction<A, R...> : conditional_t<bool(A::value), true_type, disjunction<R...>> {
};
template <class A> struct negation : bool_constant<!bool(A::value)> {
};
template <class... A> using _conjunction = conjunction<A...>;
template <class... A> using _disjunction = disjunction<A...>;
template <class A> using _negation = negation<A>;

template <class T> struct plain {
    using type = __remove_cv(T);
};
template <class T> struct plain<__global T> : plain<T> {
};
template <class T> struct plain<__local T> : plain<T> {
};
template <class T> struct plain<__private T> : plain<T> {
};
template <class T> struct plain<__constant T> : plain<T> {
};
template <class T> using remove_addrspace_t = typename plain<T>::type;
#define SOFTMETAL_LINT_TRAIT(name, builtin)                                                        \
    template <class T> struct name {                                                               \
        using type = builtin(T);                                                                   \
    };                                                                                             \
    template <class T> using name##_t = builtin(T);
SOFTMETAL_LINT_TRAIT(remove_reference, __remove_reference_t)
SOFTMETAL_LINT_TRAIT(remove_cv, __remove_cv)
SOFTMETAL_LINT_TRAIT(remove_const, __remove_const)
SOFTMETAL_LINT_TRAIT(remove_volatile, __remove_volatile)
SOFTMETAL_LINT_TRAIT(remove_pointer, __remove_pointer)
SOFTMETAL_LINT_TRAIT(remove_extent, __remove_extent)
SOFTMETAL_LINT_TRAIT(decay, __decay)
SOFTMETAL_LINT_TRAIT(make_signed, __make_signed)
SOFTMETAL_LINT_TRAIT(make_unsigned, __make_unsigned)
SOFTMETAL_LINT_TRAIT(underlying_type, __underlying_type)
#undef SOFTMETAL_LINT_TRAIT
template <class T> struct add_const {
    using type = const T;
};
template <class T> using add_const_t = const T;

#define SOFTMETAL_LINT_IS1(name, builtin)                                                          \
    template <class T> struct name : bool_constant<builtin(T)> {                                   \
    };                                                                                             \
    template <class T> constexpr __constant bool name##_v = builtin(T);
SOFTMETAL_LINT_IS1(is_integral, __is_integral)
SOFTMETAL_LINT_IS1(is_floating_point, __is_floating_point)
SOFTMETAL_LINT_IS1(is_arithmetic, __is_arithmetic)
SOFTMETAL_LINT_IS1(is_scalar, __is_scalar)
SOFTMETAL_LINT_IS1(is_signed, __is_signed)
SOFTMETAL_LINT_IS1(is_unsigned, __is_unsigned)
SOFTMETAL_LINT_IS1(is_const, __is_const)
SOFTMETAL_LINT_IS1(is_void, __is_void)
SOFTMETAL_LINT_IS1(is_pointer, __is_pointer)
SOFTMETAL_LINT_IS1(is_array, __is_array)
SOFTMETAL_LINT_IS1(is_reference, __is_reference)
SOFTMETAL_LINT_IS1(is_enum, __is_enum)
SOFTMETAL_LINT_IS1(is_class, __is_class)
SOFTMETAL_LINT_IS1(is_union, __is_union)
SOFTMETAL_LINT_IS1(is_empty, __is_empty)
SOFTMETAL_LINT_IS1(is_trivially_copyable, __is_trivially_copyable)
#undef SOFTMETAL_LINT_IS1
#define SOFTMETAL_LINT_IS2(name, builtin)                                                          \
    template <class A, class B> struct name : bool_constant<builtin(A, B)> {                       \
    };                                                                                             \
    template <class A, class B> constexpr __constant bool name##_v = builtin(A, B);
SOFTMETAL_LINT_IS2(is_same, __is_same)
SOFTMETAL_LINT_IS2(is_base_of, __is_base_of)
SOFTMETAL_LINT_IS2(is_convertible, __is_convertible)
#undef SOFTMETAL_LINT_IS2

template <class T> struct is_vector : false_type {
    using element = T;
};
template <class T, int N> struct is_vector<T __attribute__((ext_vector_type(N)))> : true_type {
    using element = T;
};

// The type of an operation on both: a vector wins, otherwise what the operator gives.
template <class A, class B, bool = is_vector<A>::value, bool = is_vector<B>::value> struct common {
    using type = decltype(A() + B());
};
template <class A> struct common<A, A, false, false> {
    using type = A;
};
template <class A, class B, bool Any> struct common<A, B, true, Any> {
    using type = A;
};
template <class A, class B> struct common<A, B, false, true> {
    using type = B;
};
template <class A, class B> using common_t = typename common<A, B>::type;
template <class A, class B> struct common_type : common<A, B> {
};
template <class A, class B> using common_type_t = common_t<A, B>;
template <class A> using real_t = conditional_t<__is_integral(A), float, A>;

template <class T> T &&declval();
template <class T> constexpr remove_reference_t<T> &&move(T &&value);
template <class T> constexpr T &&forward(remove_reference_t<T> &value);
template <class To, class From> constexpr To as_type(From);

#define SOFTMETAL_LINT_NAMES(T)                                                                    \
    typedef vec<T, 2> T##2;                                                                        \
    typedef vec<T, 3> T##3;                                                                        \
    typedef vec<T, 4> T##4;                                                                        \
    typedef vec<T, 2> packed_##T##2;                                                               \
    typedef vec<T, 3> packed_##T##3;                                                               \
    typedef vec<T, 4> packed_##T##4;                                                               \
    typedef vec<T, 2> vector_##T##2;                                                               \
    typedef vec<T, 3> vector_##T##3;                                                               \
    typedef vec<T, 4> vector_##T##4;
#define SOFTMETAL_LINT_ALL(M)                                                                      \
    M(char) M(uchar) M(short) M(ushort) M(int) M(uint) M(long) M(ulong) M(half) M(float) M(bfloat)
SOFTMETAL_LINT_ALL(SOFTMETAL_LINT_NAMES)
typedef int2 bool2;
typedef int3 bool3;
typedef int4 bool4;

template <class T, size_t N> struct array {
    T data_[N > 0 ? N : 1];

    constexpr T operator[](size_t i) const __constant;
    __global T &operator[](size_t i) __global;
    const __global T &operator[](size_t i) const __global;
    __local T &operator[](size_t i) __local;
    const __local T &operator[](size_t i) const __local;
    constexpr __private T &operator[](size_t i) __private
    {
        return data_[i];
    }
    constexpr const __private T &operator[](size_t i) const __private
    {
        return data_[i];
    }
    constexpr size_t size() const
    {
        return N;
    }
};

} // namespace metal

#define SOFTMETAL_LINT_USING(T)                                                                    \
    using metal::T##2;                                                                             \
    using metal::T##3;                                                                             \
    using metal::T##4;                                                                             \
    using metal::packed_##T##2;                                                                    \
    using metal::packed_##T##3;                                                                    \
    using metal::packed_##T##4;                                                                    \
    using metal::vector_##T##2;                                                                    \
    using metal::vector_##T##3;                                                                    \
    using metal::vector_##T##4;
SOFTMETAL_LINT_ALL(SOFTMETAL_LINT_USING)
using metal::bool2;
using metal::bool3;
using metal::bool4;
namespace metal
{
#define SOFTMETAL_LINT_INNER(T) using ::T;
SOFTMETAL_LINT_INNER(uchar)
SOFTMETAL_LINT_INNER(ushort)
SOFTMETAL_LINT_INNER(uint)
SOFTMETAL_LINT_INNER(ulong)
SOFTMETAL_LINT_INNER(bfloat)
SOFTMETAL_LINT_INNER(int8_t)
SOFTMETAL_LINT_INNER(uint8_t)
SOFTMETAL_LINT_INNER(int16_t)
SOFTMETAL_LINT_INNER(uint16_t)
SOFTMETAL_LINT_INNER(int32_t)
SOFTMETAL_LINT_INNER(uint32_t)
SOFTMETAL_LINT_INNER(int64_t)
SOFTMETAL_LINT_INNER(uint64_t)
SOFTMETAL_LINT_INNER(size_t)
SOFTMETAL_LINT_INNER(ptrdiff_t)
SOFTMETAL_LINT_INNER(uintptr_t)
SOFTMETAL_LINT_INNER(intptr_t)
} // namespace metal
namespace simd
{
using namespace metal;
}

// What the lint writes for `float4(...)` and `(float4)x`, which the front end does not know.
template <class V, class... A>
constexpr metal::enable_if_t<metal::is_vector<V>::value, V> softmetal_make(A...)
{
    return V{};
}
template <class V, class... A>
constexpr metal::enable_if_t<!metal::is_vector<V>::value, V> softmetal_make(A... a)
{
    return V(a...);
}
template <class V> struct softmetal_cast {
    softmetal_cast operator-() const;
    softmetal_cast operator!() const;
    softmetal_cast operator~() const;
};
template <class V, class A>
metal::enable_if_t<metal::is_vector<V>::value, V> operator->*(softmetal_cast<V>, A);
template <class V, class A>
metal::enable_if_t<!metal::is_vector<V>::value, V> operator->*(softmetal_cast<V>, A a)
{
    return (V)a;
}
template <class V, class W> softmetal_cast<V> operator->*(softmetal_cast<V>, softmetal_cast<W>);

// What a threadgroup variable of a function refers to.
struct softmetal_memory {
    template <class T> operator T &() const;
};
