// Kernels in the style of array libraries: functors, complex numbers with constructors for every
// address space, limits as templates, reductions that carry their atomic form.
#include <metal_atomic>
#include <metal_math>
#include <metal_simdgroup>
#include <metal_stdlib>
#pragma METAL internals : enable

#define STEEL_CONST static constant constexpr const
#define STEEL_PRAGMA_UNROLL _Pragma("clang loop unroll(full)")
#define STEEL_PRAGMA_NO_UNROLL _Pragma("clang loop unroll(disable)")
#define MTL_CONST static constant constexpr const
#define instantiate_kernel(name, func, ...) \
  template [[host_name(name)]] [[kernel]] decltype(func<__VA_ARGS__>) func<__VA_ARGS__>;

using namespace metal;
typedef bfloat bfloat16_t;
typedef half float16_t;

struct complex64_t;
template <typename T> static constexpr constant bool can_convert_to_complex64 =
    !is_same_v<T, complex64_t> && is_convertible_v<T, float>;
template <typename T> static constexpr constant bool can_convert_from_complex64 =
    !is_same_v<T, complex64_t> && (is_convertible_v<float, T> || is_convertible_v<bfloat16_t, T>);

struct complex64_t {
  float real;
  float imag;
  constexpr complex64_t(float r, float i) : real(r), imag(i){};
  constexpr complex64_t() : real(0), imag(0){};
  constexpr complex64_t() threadgroup : real(0), imag(0){};
  template <typename T, typename = typename enable_if<can_convert_to_complex64<T>>::type>
  constexpr complex64_t(T x) thread : real(x), imag(0) {}
  template <typename T, typename = typename enable_if<can_convert_to_complex64<T>>::type>
  constexpr complex64_t(T x) threadgroup : real(x), imag(0) {}
  template <typename T, typename = typename enable_if<can_convert_to_complex64<T>>::type>
  constexpr complex64_t(T x) device : real(x), imag(0) {}
  template <typename T, typename = typename enable_if<can_convert_to_complex64<T>>::type>
  constexpr complex64_t(T x) constant : real(x), imag(0) {}
  template <typename T, typename = typename enable_if<can_convert_from_complex64<T>>::type>
  constexpr operator T() const thread {
    return static_cast<T>(real);
  }
  template <typename T, typename = typename enable_if<can_convert_from_complex64<T>>::type>
  constexpr operator T() const threadgroup {
    return static_cast<T>(real);
  }
  template <typename T, typename = typename enable_if<can_convert_from_complex64<T>>::type>
  constexpr operator T() const device {
    return static_cast<T>(real);
  }
  template <typename T, typename = typename enable_if<can_convert_from_complex64<T>>::type>
  constexpr operator T() const constant {
    return static_cast<T>(real);
  }
};
constexpr complex64_t operator-(complex64_t x) { return {-x.real, -x.imag}; }
constexpr bool operator>=(complex64_t a, complex64_t b) {
  return (a.real > b.real) || (a.real == b.real && a.imag >= b.imag);
}
constexpr bool operator==(complex64_t a, complex64_t b) {
  return a.real == b.real && a.imag == b.imag;
}
constexpr complex64_t operator+(complex64_t a, complex64_t b) {
  return {a.real + b.real, a.imag + b.imag};
}
constexpr thread complex64_t& operator+=(thread complex64_t& a, complex64_t b) {
  a.real += b.real;
  a.imag += b.imag;
  return a;
}
constexpr threadgroup complex64_t& operator+=(threadgroup complex64_t& a, complex64_t b) {
  a.real += b.real;
  a.imag += b.imag;
  return a;
}
constexpr device complex64_t& operator+=(device complex64_t& a, complex64_t b) {
  a.real += b.real;
  a.imag += b.imag;
  return a;
}
constexpr complex64_t operator+(float a, complex64_t b) { return {a + b.real, b.imag}; }
constexpr complex64_t operator*(complex64_t a, complex64_t b) {
  return {a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real};
}
constexpr complex64_t operator/(complex64_t a, complex64_t b) {
  auto denom = b.real * b.real + b.imag * b.imag;
  auto x = a.real * b.real + a.imag * b.imag;
  auto y = a.imag * b.real - a.real * b.imag;
  return {x / denom, y / denom};
}
constexpr complex64_t operator/(float a, complex64_t b) {
  auto denom = b.real * b.real + b.imag * b.imag;
  return {a * b.real / denom, -a * b.imag / denom};
}
constexpr complex64_t operator%(complex64_t a, complex64_t b) {
  auto real = a.real - (b.real * static_cast<int64_t>(a.real / b.real));
  auto imag = a.imag - (b.imag * static_cast<int64_t>(a.imag / b.imag));
  if (real != 0 && (real < 0 != b.real < 0)) { real += b.real; }
  return {real, imag};
}

template <typename U> struct Limits {
  static const constant U max = metal::numeric_limits<U>::max();
  static const constant U min = metal::numeric_limits<U>::min();
  static const constant U finite_max = metal::numeric_limits<U>::max();
};
#define instantiate_float_limit(type)                                               \
  template <> struct Limits<type> {                                                 \
    static constexpr constant type max = metal::numeric_limits<type>::infinity();   \
    static constexpr constant type min = -metal::numeric_limits<type>::infinity();  \
    static constexpr constant type finite_max = metal::numeric_limits<type>::max(); \
  };
instantiate_float_limit(half);
instantiate_float_limit(float);
instantiate_float_limit(bfloat16_t);
template <> struct Limits<complex64_t> {
  static constexpr constant complex64_t max = complex64_t(metal::numeric_limits<float>::infinity(),
                                                          metal::numeric_limits<float>::infinity());
};

// unary and binary functors
struct Sigmoid {
  template <typename T> T operator()(T x) {
    auto y = 1 / (1 + metal::exp(metal::abs(x)));
    return (x < 0) ? y : 1 - y;
  }
};
struct Divide {
  template <typename T> T operator()(T x, T y) { return x / y; }
};
struct Remainder {
  template <typename T>
  metal::enable_if_t<metal::is_integral_v<T> & !metal::is_signed_v<T>, T> operator()(T x, T y) {
    return x % y;
  }
  template <typename T>
  metal::enable_if_t<metal::is_integral_v<T> & metal::is_signed_v<T>, T> operator()(T x, T y) {
    auto r = x % y;
    if (r != 0 && (r < 0 != y < 0)) { r += y; }
    return r;
  }
  template <typename T> metal::enable_if_t<!metal::is_integral_v<T>, T> operator()(T x, T y) {
    T r = fmod(x, y);
    if (r != 0 && (r < 0 != y < 0)) { r += y; }
    return r;
  }
  template <> complex64_t operator()(complex64_t x, complex64_t y) { return x % y; }
};
struct LogAddExp {
  template <typename T> T operator()(T x, T y) {
    if (metal::isnan(x) || metal::isnan(y)) { return metal::numeric_limits<T>::quiet_NaN(); }
    constexpr T inf = metal::numeric_limits<T>::infinity();
    T maxval = metal::max(x, y);
    T minval = metal::min(x, y);
    return (minval == -inf || maxval == inf)
               ? maxval
               : (maxval + T(metal::precise::log(1.0f + metal::exp(float(minval - maxval)))));
  };
};
struct Power {
  template <typename T> metal::enable_if_t<!metal::is_integral_v<T>, T> operator()(T base, T exp) {
    return static_cast<T>(metal::pow(base, exp));
  }
  template <typename T> metal::enable_if_t<metal::is_integral_v<T>, T> operator()(T base, T exp) {
    T res = 1;
    while (exp) {
      if (exp & 1) { res *= base; }
      exp >>= 1;
      base *= base;
    }
    return res;
  }
};
struct Select {
  template <typename T> T operator()(bool condition, T x, T y) { return condition ? x : y; }
};

template <typename T, typename U, typename Op, int N = 4>
[[kernel]] void binary_vv(device const T* a, device const T* b, device U* c, constant uint& size,
                          uint index [[thread_position_in_grid]]) {
  index *= N;
  if (N > 1 && index + N > size) {
    for (int i = 0; index + i < size; ++i) { c[index + i] = Op()(a[index + i], b[index + i]); }
  } else {
    for (int i = 0; i < N; ++i) { c[index + i] = Op()(a[index + i], b[index + i]); }
  }
}
#define instantiate_binary(op, tname, type) \
  instantiate_kernel("vv_" #op #tname, binary_vv, type, type, op)
instantiate_binary(Divide, float32, float) instantiate_binary(Divide, bfloat16, bfloat16_t)
    instantiate_binary(Divide, complex64, complex64_t) instantiate_binary(Remainder, int32, int32_t)
        instantiate_binary(Remainder, uint8, uint8_t) instantiate_binary(Remainder, float16, half)
            instantiate_binary(Remainder, complex64, complex64_t)
                instantiate_binary(LogAddExp, float32, float)
                    instantiate_binary(LogAddExp, bfloat16, bfloat16_t)
                        instantiate_binary(Power, int64, int64_t)
                            instantiate_binary(Power, bfloat16, bfloat16_t)

                                template <typename T, typename AccT = T, int N_READS = 4>
                                [[kernel]] void softmax_single_row(
                                    const device T* in, device T* out, constant int& axis_size,
                                    uint gid [[threadgroup_position_in_grid]],
                                    uint _lid [[thread_position_in_threadgroup]],
                                    uint simd_lane_id [[thread_index_in_simdgroup]],
                                    uint simd_group_id [[simdgroup_index_in_threadgroup]]) {
  int lid = _lid;
  constexpr int SIMD_SIZE = 32;
  threadgroup AccT local_max[SIMD_SIZE];
  threadgroup AccT local_normalizer[SIMD_SIZE];
  AccT ld[N_READS];
  in += gid * size_t(axis_size) + lid * N_READS;
  if (lid * N_READS + N_READS <= axis_size) {
    for (int i = 0; i < N_READS; i++) { ld[i] = AccT(in[i]); }
  } else {
    for (int i = 0; i < N_READS; i++) {
      ld[i] = ((lid * N_READS + i) < axis_size) ? AccT(in[i]) : Limits<AccT>::min;
    }
  }
  if (simd_group_id == 0) {
    local_max[simd_lane_id] = Limits<AccT>::min;
    local_normalizer[simd_lane_id] = 0;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  AccT maxval = Limits<AccT>::finite_max * -1;
  for (int i = 0; i < N_READS; i++) { maxval = (maxval < ld[i]) ? ld[i] : maxval; }
  maxval = simd_max(maxval);
  if (simd_lane_id == 0) { local_max[simd_group_id] = maxval; }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (simd_group_id == 0) {
    maxval = simd_max(local_max[simd_lane_id]);
    if (simd_lane_id == 0) { local_max[0] = maxval; }
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  maxval = local_max[0];
  AccT normalizer = 0;
  for (int i = 0; i < N_READS; i++) {
    AccT exp_x = fast::exp(ld[i] - maxval);
    ld[i] = exp_x;
    normalizer += exp_x;
  }
  normalizer = simd_sum(normalizer);
  if (simd_lane_id == 0) { local_normalizer[simd_group_id] = normalizer; }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (simd_group_id == 0) {
    normalizer = simd_sum(local_normalizer[simd_lane_id]);
    if (simd_lane_id == 0) { local_normalizer[0] = normalizer; }
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  normalizer = 1 / local_normalizer[0];
  out += gid * size_t(axis_size) + lid * N_READS;
  for (int i = 0; i < N_READS; i++) {
    if ((lid * N_READS + i) < axis_size) { out[i] = T(ld[i] * normalizer); }
  }
}
#define instantiate_softmax(name, itype) \
  instantiate_kernel("block_softmax_" #name, softmax_single_row, itype)
#define instantiate_softmax_precise(name, itype) \
  instantiate_kernel("block_softmax_precise_" #name, softmax_single_row, itype, float)
instantiate_softmax(float32, float) instantiate_softmax_precise(float16, half)
    instantiate_softmax_precise(bfloat16, bfloat16_t)

// reductions with functors that carry atomic forms
#define DEFINE_SIMD_REDUCE()                                                                    \
  template <typename T, metal::enable_if_t<sizeof(T) < 8, bool> = true> T simd_reduce(T val) {  \
    return simd_reduce_impl(val);                                                               \
  }                                                                                             \
  template <typename T, metal::enable_if_t<sizeof(T) == 8, bool> = true> T simd_reduce(T val) { \
    for (short i = 16; i > 0; i /= 2) { val = operator()(val, simd_shuffle_down(val, i)); }     \
    return val;                                                                                 \
  }
        static constant constexpr const uint8_t simd_size = 32;
union bool4_or_uint {
  bool4 b;
  unsigned int i;
};
struct None {
  template <typename T> void atomic_update(device metal::atomic<T>* out, T val, size_t offset = 0) {
    atomic_store_explicit(out + offset, val, memory_order_relaxed);
  }
};
template <typename U = bool> struct And {
  DEFINE_SIMD_REDUCE()
  bool simd_reduce_impl(bool val) { return simd_all(val); }
  static constexpr constant bool init = true;
  void atomic_update(device metal::atomic<unsigned int>* out, bool val, int elem_idx,
                     size_t offset = 0) {
    if (!val) {
      bool4_or_uint update;
      update.b = {true, true, true, true};
      update.b[elem_idx] = false;
      metal::atomic_fetch_and_explicit(out + offset, update.i, metal::memory_order_relaxed);
    }
  }
  bool operator()(bool a, bool b) { return a && b; }
};
template <typename U> struct Sum {
  DEFINE_SIMD_REDUCE()
  template <typename T> T simd_reduce_impl(T val) { return simd_sum(val); }
  static constexpr constant U init = U(0);
  template <typename T> void atomic_update(device metal::atomic<T>* out, T val, size_t offset = 0) {
    atomic_fetch_add_explicit(out + offset, val, memory_order_relaxed);
  }
  U operator()(U a, U b) { return a + b; }
};
template <typename U> struct Max {
  DEFINE_SIMD_REDUCE()
  static constexpr constant U init = Limits<U>::min;
  template <typename T> metal::enable_if_t<metal::is_integral_v<T>, T> simd_reduce_impl(T val) {
    return simd_max(val);
  }
  template <typename T> metal::enable_if_t<!metal::is_integral_v<T>, T> simd_reduce_impl(T val) {
    if (simd_any(val != val)) { return static_cast<T>(NAN); }
    return simd_max(val);
  }
  U operator()(U a, U b) { return a > b ? a : b; }
};
template <typename T, typename U, typename Op, int N_READS = 4>
[[kernel]] void all_reduce(const device T* in [[buffer(0)]], device U* out [[buffer(1)]],
                           const constant size_t& in_size [[buffer(2)]],
                           uint3 lid [[thread_position_in_threadgroup]],
                           uint3 lsize [[threads_per_threadgroup]],
                           uint simd_per_group [[simdgroups_per_threadgroup]],
                           uint simd_lane_id [[thread_index_in_simdgroup]],
                           uint simd_group_id [[simdgroup_index_in_threadgroup]]) {
  Op op;
  threadgroup U shared_vals[simd_size];
  U total = Op::init;
  for (size_t r = lid.x; r < in_size; r += lsize.x) { total = op(static_cast<U>(in[r]), total); }
  total = op.simd_reduce(total);
  if (simd_per_group > 1) {
    if (simd_lane_id == 0) { shared_vals[simd_group_id] = total; }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    total = lid.x < simd_per_group ? shared_vals[lid.x] : Op::init;
    total = op.simd_reduce(total);
  }
  if (lid.x == 0) { out[0] = total; }
}
instantiate_kernel("all_reduce_sumfloat32", all_reduce, float, float, Sum<float>)
    instantiate_kernel("all_reduce_sumint64", all_reduce, int64_t, int64_t, Sum<int64_t>)
        instantiate_kernel("all_reduce_summbfloat16", all_reduce, bfloat16_t, float, Sum<float>)
            instantiate_kernel("all_reduce_andbool_", all_reduce, bool, bool, And<bool>)
                instantiate_kernel("all_reduce_maxfloat16", all_reduce, half, half, Max<half>)
                    instantiate_kernel("all_reduce_maxint64", all_reduce, int64_t, int64_t,
                                       Max<int64_t>)

    // element-wise strides with array refs, and a lambda free nested dispatch
    template <typename IdxT = int64_t>
    METAL_FUNC IdxT
    elem_to_loc(IdxT elem, constant const int* shape, constant const int64_t* strides, int ndim) {
  IdxT loc = 0;
  for (int i = ndim - 1; i >= 0 && elem > 0; --i) {
    loc += (elem % shape[i]) * IdxT(strides[i]);
    elem /= shape[i];
  }
  return loc;
}
template <int NDIM> METAL_FUNC ulong2 elem_to_loc_nd(uint3 elem, constant const int shape[NDIM],
                                                     constant const int64_t a_strides[NDIM]) {
  ulong2 loc = {elem.x * ulong(a_strides[NDIM - 1]), elem.y * ulong(a_strides[NDIM - 1])};
  for (int d = NDIM - 3; d >= 0; --d) {
    uint l = elem.z % shape[d];
    loc.x += l * a_strides[d];
    elem.z /= shape[d];
  }
  return loc;
}
template <typename T, int DIM>
[[kernel]] void copy_g_nd(device const T* src [[buffer(0)]], device T* dst [[buffer(1)]],
                          constant const int* src_shape [[buffer(2)]],
                          constant const int64_t* src_strides [[buffer(3)]],
                          uint3 index [[thread_position_in_grid]],
                          uint3 grid_dim [[threads_per_grid]]) {
  auto src_idx = elem_to_loc_nd<DIM>(index, src_shape, src_strides);
  int64_t dst_idx = index.x + (int64_t)grid_dim.x * (index.y + (int64_t)grid_dim.y * index.z);
  dst[dst_idx] = src[src_idx.x + elem_to_loc(int64_t(index.y), src_shape, src_strides, DIM)];
}
instantiate_kernel("copy_g_3float", copy_g_nd, float, 3)
