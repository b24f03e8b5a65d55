// Simdgroup functions, simdgroup matrices and matrices of columns, declared.
#pragma clang system_header

namespace metal
{

#define SOFTMETAL_LINT_LANES(prefix)                                                               \
    SOFTMETAL_LINT_SAME1(prefix##_sum)                                                             \
    SOFTMETAL_LINT_SAME1(prefix##_product)                                                         \
    SOFTMETAL_LINT_SAME1(prefix##_min)                                                             \
    SOFTMETAL_LINT_SAME1(prefix##_max)                                                             \
    SOFTMETAL_LINT_SAME1(prefix##_and)                                                             \
    SOFTMETAL_LINT_SAME1(prefix##_or)                                                              \
    SOFTMETAL_LINT_SAME1(prefix##_xor)                                                             \
    SOFTMETAL_LINT_SAME1(prefix##_prefix_inclusive_sum)                                            \
    SOFTMETAL_LINT_SAME1(prefix##_prefix_exclusive_sum)                                            \
    SOFTMETAL_LINT_SAME1(prefix##_prefix_inclusive_product)                                        \
    SOFTMETAL_LINT_SAME1(prefix##_prefix_exclusive_product)                                        \
    SOFTMETAL_LINT_SAME1(prefix##_broadcast_first)                                                 \
    template <class T> T prefix##_broadcast(T, ushort);                                            \
    template <class T> T prefix##_shuffle(T, ushort);                                              \
    template <class T> T prefix##_shuffle_xor(T, ushort);                                          \
    template <class T> T prefix##_shuffle_up(T, ushort);                                           \
    template <class T> T prefix##_shuffle_down(T, ushort);                                         \
    template <class T> T prefix##_shuffle_rotate_up(T, ushort);                                    \
    template <class T> T prefix##_shuffle_rotate_down(T, ushort);                                  \
    template <class T> T prefix##_shuffle_and_fill_up(T, T, ushort, ushort = 32);                  \
    template <class T> T prefix##_shuffle_and_fill_down(T, T, ushort, ushort = 32);                \
    bool prefix##_all(bool);                                                                       \
    bool prefix##_any(bool);                                                                       \
    bool prefix##_is_first();                                                                      \
    struct prefix##_vote {                                                                         \
        using vote_t = ulong;                                                                      \
        explicit prefix##_vote(vote_t);                                                            \
        explicit operator vote_t() const;                                                          \
        bool all() const;                                                                          \
        bool any() const;                                                                          \
    };                                                                                             \
    prefix##_vote prefix##_ballot(bool);                                                           \
    prefix##_vote prefix##_active_threads_mask();
SOFTMETAL_LINT_LANES(simd)
SOFTMETAL_LINT_LANES(quad)
bool simd_is_helper_thread();

template <class T, int Columns, int Rows> struct simdgroup_matrix {
    static_assert(Columns == 8 && Rows == 8, "a simdgroup_matrix is 8x8");
    vec<T, 2> elements;

    simdgroup_matrix() = default;
    explicit simdgroup_matrix(T);
    __private vec<T, 2> &thread_elements() const;
};
template <class T, int C = 8, int R = 8> simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T);
template <class T, int C = 8, int R = 8>
simdgroup_matrix<T, C, R> make_diagonal_simdgroup_matrix(T);

// A matrix is a thread's; what it is loaded from and stored to is device or threadgroup memory.
#define SOFTMETAL_LINT_TILE(space)                                                                 \
    template <class T>                                                                             \
    void simdgroup_load(__private simdgroup_matrix<T, 8, 8> &, const space T *, ulong = 8,         \
                        ulong2 = ulong2{}, bool = false);                                          \
    template <class T>                                                                             \
    void simdgroup_store(const __private simdgroup_matrix<T, 8, 8> &, space T *, ulong = 8,        \
                         ulong2 = ulong2{}, bool = false);
SOFTMETAL_LINT_TILE(__global)
SOFTMETAL_LINT_TILE(__local)
template <class D, class A, class B, class C>
void simdgroup_multiply_accumulate(__private simdgroup_matrix<D, 8, 8> &,
                                   const __private simdgroup_matrix<A, 8, 8> &,
                                   const __private simdgroup_matrix<B, 8, 8> &,
                                   const __private simdgroup_matrix<C, 8, 8> &);
template <class D, class A, class B>
void simdgroup_multiply(__private simdgroup_matrix<D, 8, 8> &,
                        const __private simdgroup_matrix<A, 8, 8> &,
                        const __private simdgroup_matrix<B, 8, 8> &);
template <class A, class B>
simdgroup_matrix<A, 8, 8> operator*(simdgroup_matrix<A, 8, 8>, simdgroup_matrix<B, 8, 8>);
typedef simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef simdgroup_matrix<half, 8, 8> simdgroup_half8x8;
typedef simdgroup_matrix<bfloat, 8, 8> simdgroup_bfloat8x8;

#define SOFTMETAL_LINT_COLUMN(space)                                                               \
    space vec<T, R> &operator[](int) space;                                                        \
    const space vec<T, R> &operator[](int) const space;
template <class T, int C, int R> struct matrix {
    vec<T, R> columns[C];

    matrix() = default;
    template <class... A> explicit constexpr matrix(A...)
    {
    }
    SOFTMETAL_LINT_COLUMN(__private)
    SOFTMETAL_LINT_COLUMN(__global)
    SOFTMETAL_LINT_COLUMN(__local)
    const __constant vec<T, R> &operator[](int) const __constant;
};
#undef SOFTMETAL_LINT_COLUMN
template <class T, int C, int R, class B> auto operator*(matrix<T, C, R>, B)
{
    return conditional_t<is_vector<B>::value, vec<T, R>, matrix<T, C, R>>();
}
template <class T, int C, int R> matrix<T, C, R> operator*(T, matrix<T, C, R>);
template <class T, int C, int R> matrix<T, C, R> operator+(matrix<T, C, R>, matrix<T, C, R>);
template <class T, int C, int R> matrix<T, C, R> operator-(matrix<T, C, R>, matrix<T, C, R>);
template <class T, int C, int R> matrix<T, R, C> transpose(matrix<T, C, R>);
template <class T, int N> T determinant(matrix<T, N, N>);
#define SOFTMETAL_LINT_MATRIX(T)                                                                   \
    typedef matrix<T, 2, 2> T##2x2;                                                                \
    typedef matrix<T, 2, 3> T##2x3;                                                                \
    typedef matrix<T, 2, 4> T##2x4;                                                                \
    typedef matrix<T, 3, 2> T##3x2;                                                                \
    typedef matrix<T, 3, 3> T##3x3;                                                                \
    typedef matrix<T, 3, 4> T##3x4;                                                                \
    typedef matrix<T, 4, 2> T##4x2;                                                                \
    typedef matrix<T, 4, 3> T##4x3;                                                                \
    typedef matrix<T, 4, 4> T##4x4;
SOFTMETAL_LINT_MATRIX(float)
SOFTMETAL_LINT_MATRIX(half)
SOFTMETAL_LINT_MATRIX(bfloat)

} // namespace metal
using metal::float2x2;
using metal::float3x3;
using metal::float4x4;
using metal::half2x2;
using metal::half3x3;
using metal::half4x4;
