// Scalar types of MSL and the type traits of <metal_type_traits>.
#pragma once

#include "softmetal/cpu/abi.h"

// Before loops over the components of a vector: instrumented objects are compiled without unrolling,
// and each component shall be seen at a place of its own.
#define SOFTMETAL_UNROLL _Pragma("clang loop unroll(full)")

using uchar = unsigned char;
using ushort = unsigned short;
using uint = unsigned int;
using ulong = unsigned long;
using half = _Float16;

namespace softmetal
{
template <bool> struct requirement {
};
template <> struct requirement<true> {
    using type = int;
};
template <bool B> using require = typename requirement<B>::type;
} // namespace softmetal

// Storage of 16 bits, arithmetic of float rounded to nearest even after every operation. Converts as
// MSL says: to float, to bool and from integers by itself, otherwise only when told. The operators are
// templates so that no second conversion can follow, or `c ? x : 0` would be ambiguous.
struct bfloat {
    uint16_t bits;

    bfloat() = default;
    template <class T, softmetal::require<__is_integral(T) || __is_enum(T)> = 0>
    constexpr bfloat(T value) : bits(from(float(value)))
    {
    }
    template <class T, softmetal::require<!__is_integral(T) && !__is_enum(T)> = 0,
              class = decltype(float(T()))>
    constexpr explicit bfloat(T value) : bits(from(float(value)))
    {
    }
    template <class T, softmetal::require<__is_same(T, float) || __is_same(T, bool)> = 0>
    constexpr operator T() const
    {
        return T(__builtin_bit_cast(float, uint32_t(bits) << 16));
    }
    template <class T, softmetal::require<!__is_same(T, float) && !__is_same(T, bool) &&
                                          (__is_arithmetic(T) || __is_enum(T))> = 0>
    constexpr explicit operator T() const
    {
        return T(__builtin_bit_cast(float, uint32_t(bits) << 16));
    }
    // A class that converts to a number does so first; to a built-in type both would happen by itself.
    template <class T, softmetal::require<__is_class(T) && !__is_same(T, bfloat) &&
                                          __is_convertible(const T &, float)> = 0>
    constexpr bfloat &operator=(const T &value)
    {
        bits = from(float(value));
        return *this;
    }
    static constexpr bfloat of_bits(uint16_t bits)
    {
        bfloat b(0);
        b.bits = bits;
        return b;
    }

  private:
    static constexpr uint16_t from(float value)
    {
        uint32_t u = __builtin_bit_cast(uint32_t, value);
        return (u & 0x7fffffffu) > 0x7f800000u ? uint16_t((u >> 16) | 0x40u)
                                               : uint16_t((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
};

namespace metal
{

using ::bfloat;
using ::half;
using ::int16_t;
using ::int32_t;
using ::int64_t;
using ::int8_t;
using ::intptr_t;
using ::ptrdiff_t;
using ::size_t;
using ::uchar;
using ::uint;
using ::uint16_t;
using ::uint32_t;
using ::uint64_t;
using ::uint8_t;
using ::uintptr_t;
using ::ulong;
using ::ushort;

template <class T, T V> struct integral_constant {
    static constexpr T value = V;
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

template <class T> struct remove_reference {
    using type = __remove_reference_t(T);
};
template <class T> using remove_reference_t = __remove_reference_t(T);
template <class T> struct remove_cv {
    using type = __remove_cv(T);
};
template <class T> using remove_cv_t = __remove_cv(T);
template <class T> struct remove_const {
    using type = __remove_const(T);
};
template <class T> using remove_const_t = __remove_const(T);
template <class T> struct remove_volatile {
    using type = __remove_volatile(T);
};
template <class T> using remove_volatile_t = __remove_volatile(T);
template <class T> struct remove_pointer {
    using type = __remove_pointer(T);
};
template <class T> using remove_pointer_t = __remove_pointer(T);
template <class T> struct remove_extent {
    using type = __remove_extent(T);
};
template <class T> using remove_extent_t = __remove_extent(T);
template <class T> struct decay {
    using type = __decay(T);
};
template <class T> using decay_t = __decay(T);
template <class T> struct add_const {
    using type = const T;
};
template <class T> using add_const_t = const T;
template <class T> struct make_signed {
    using type = __make_signed(T);
};
template <class T> using make_signed_t = __make_signed(T);
template <class T> struct make_unsigned {
    using type = __make_unsigned(T);
};
template <class T> using make_unsigned_t = __make_unsigned(T);
template <class T> struct underlying_type {
    using type = __underlying_type(T);
};
template <class T> using underlying_type_t = __underlying_type(T);
// MSL code names the address space of a reference; here there is one space.
template <class T> using remove_addrspace_t = T;

template <class A, class B> struct is_same : bool_constant<__is_same(A, B)> {
};
template <class A, class B> constexpr bool is_same_v = __is_same(A, B);
template <class A, class B> struct is_base_of : bool_constant<__is_base_of(A, B)> {
};
template <class A, class B> constexpr bool is_base_of_v = __is_base_of(A, B);
template <class A, class B> struct is_convertible : bool_constant<__is_convertible(A, B)> {
};
template <class A, class B> constexpr bool is_convertible_v = __is_convertible(A, B);

template <class T> constexpr bool is_bfloat_v = __is_same(__remove_cv(T), bfloat);

#define SOFTMETAL_TRAIT(name, condition)                                                           \
    template <class T> struct name : bool_constant<(condition)> {                                  \
    };                                                                                             \
    template <class T> constexpr bool name##_v = (condition);
SOFTMETAL_TRAIT(is_integral, __is_integral(T))
SOFTMETAL_TRAIT(is_floating_point, __is_floating_point(T) || is_bfloat_v<T>)
SOFTMETAL_TRAIT(is_arithmetic, __is_arithmetic(T) || is_bfloat_v<T>)
SOFTMETAL_TRAIT(is_scalar, __is_scalar(T) || is_bfloat_v<T>)
SOFTMETAL_TRAIT(is_fundamental, __is_fundamental(T) || is_bfloat_v<T>)
SOFTMETAL_TRAIT(is_unsigned, __is_integral(T) && T(-1) > T(0))
SOFTMETAL_TRAIT(is_signed, is_arithmetic_v<T> && !is_unsigned_v<T>)
SOFTMETAL_TRAIT(is_const, __is_const(T))
SOFTMETAL_TRAIT(is_volatile, __is_volatile(T))
SOFTMETAL_TRAIT(is_void, __is_void(T))
SOFTMETAL_TRAIT(is_pointer, __is_pointer(T))
SOFTMETAL_TRAIT(is_array, __is_array(T))
SOFTMETAL_TRAIT(is_reference, __is_reference(T))
SOFTMETAL_TRAIT(is_enum, __is_enum(T))
SOFTMETAL_TRAIT(is_class, __is_class(T))
SOFTMETAL_TRAIT(is_union, __is_union(T))
SOFTMETAL_TRAIT(is_trivially_copyable, __is_trivially_copyable(T))
#undef SOFTMETAL_TRAIT

template <class T> constexpr remove_reference_t<T> &&move(T &&value)
{
    return static_cast<remove_reference_t<T> &&>(value);
}
template <class T> T &&declval();
template <class A, class B> struct common_type {
    using type = decltype(true ? declval<A>() : declval<B>());
};
template <class A, class B> using common_type_t = decay_t<typename common_type<A, B>::type>;

template <class T> void swap(T &a, T &b)
{
    T old = a;
    a = b;
    b = old;
}

template <class To, class From> constexpr To as_type(const From &value)
{
    static_assert(sizeof(To) == sizeof(From), "as_type needs types of one size");
    return __builtin_bit_cast(To, value);
}

} // namespace metal

// bfloat with bfloat or an integer stays bfloat, with half or float becomes float.
namespace softmetal
{
template <class T>
using with_bfloat =
    metal::enable_if_t<__is_arithmetic(T), metal::conditional_t<__is_integral(T), bfloat, float>>;
}
#define SOFTMETAL_BFLOAT(op)                                                                       \
    constexpr bfloat operator op(bfloat a, bfloat b)                                               \
    {                                                                                              \
        return bfloat(float(a) op float(b));                                                       \
    }                                                                                              \
    template <class T> constexpr softmetal::with_bfloat<T> operator op(bfloat a, T b)              \
    {                                                                                              \
        using R = softmetal::with_bfloat<T>;                                                       \
        return R(float(a) op float(R(b)));                                                         \
    }                                                                                              \
    template <class T> constexpr softmetal::with_bfloat<T> operator op(T a, bfloat b)              \
    {                                                                                              \
        using R = softmetal::with_bfloat<T>;                                                       \
        return R(float(R(a)) op float(b));                                                         \
    }                                                                                              \
    template <class T, class = softmetal::with_bfloat<T>>                                          \
    constexpr bfloat &operator op##=(bfloat &a, T b)                                               \
    {                                                                                              \
        return a = bfloat(a op b);                                                                 \
    }                                                                                              \
    constexpr bfloat &operator op##=(bfloat &a, bfloat b)                                          \
    {                                                                                              \
        return a = a op b;                                                                         \
    }
SOFTMETAL_BFLOAT(+)
SOFTMETAL_BFLOAT(-)
SOFTMETAL_BFLOAT(*)
SOFTMETAL_BFLOAT(/)
#undef SOFTMETAL_BFLOAT

constexpr bfloat operator-(bfloat a)
{
    return bfloat::of_bits(uint16_t(a.bits ^ 0x8000u));
}
constexpr bfloat &operator++(bfloat &a)
{
    return a = a + bfloat(1);
}
constexpr bfloat &operator--(bfloat &a)
{
    return a = a - bfloat(1);
}

// Everything that a comparison of two floats gives, without ambiguous conversions.
#define SOFTMETAL_BFLOAT(op)                                                                       \
    constexpr bool operator op(bfloat a, bfloat b)                                                 \
    {                                                                                              \
        return float(a) op float(b);                                                               \
    }                                                                                              \
    template <class T, class = softmetal::with_bfloat<T>>                                          \
    constexpr bool operator op(bfloat a, T b)                                                      \
    {                                                                                              \
        return float(a) op float(b);                                                               \
    }                                                                                              \
    template <class T, class = softmetal::with_bfloat<T>>                                          \
    constexpr bool operator op(T a, bfloat b)                                                      \
    {                                                                                              \
        return float(a) op float(b);                                                               \
    }
SOFTMETAL_BFLOAT(<)
SOFTMETAL_BFLOAT(>)
SOFTMETAL_BFLOAT(<=)
SOFTMETAL_BFLOAT(>=)
SOFTMETAL_BFLOAT(==)
SOFTMETAL_BFLOAT(!=)
#undef SOFTMETAL_BFLOAT
