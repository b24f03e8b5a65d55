// Kernels in the style of tiled matrix libraries: loaders and tiles as class templates, integral
// constants, elements of a lane reinterpreted, names glued together by macros.
#include <metal_atomic>
#include <metal_math>
#include <metal_simdgroup>
#include <metal_simdgroup_matrix>
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

namespace steel {
template <typename T, T v> struct my_integral_constant {
  static constexpr constant T value = v;
  using value_type = T;
  METAL_FUNC constexpr operator value_type() const noexcept { return value; }
};
template <int val> using Int = my_integral_constant<int, val>;
template <typename T> struct is_integral_c : bool_constant<metal::is_integral<T>::value> {};
template <typename T, T v> struct is_integral_c<my_integral_constant<T, v>> : bool_constant<true> {
};
template <typename T> constexpr constant bool is_integral_c_v = is_integral_c<T>::value;

#define integral_const_binop(__op__, __operator__)                                      \
  template <typename T, T tv, typename U, U uv> METAL_FUNC constexpr auto __operator__( \
      my_integral_constant<T, tv>, my_integral_constant<U, uv>) {                       \
    constexpr auto res = tv __op__ uv;                                                  \
    return my_integral_constant<decltype(res), res>{};                                  \
  }
integral_const_binop(+, operator+) integral_const_binop(*, operator*)
    integral_const_binop(/, operator/) integral_const_binop(<, operator<)

        template <typename T>
        METAL_FUNC constexpr T sum(T x) {
  return x;
}
template <typename T, typename... Us> METAL_FUNC constexpr auto sum(T x, Us... us) {
  return x + sum(us...);
}

template <typename T, typename = metal::enable_if_t<!is_integral_c_v<T>>>
METAL_FUNC T plain_of(T x) {
  return x;
}

template <typename RInt, typename U = float> struct pointer_element {};
template <typename T> struct pointer_element<thread T*> { using type = remove_cv_t<T>; };
template <typename T> struct pointer_element<device T*, int> { using type = remove_cv_t<T>; };
}  // namespace steel

template <typename T, short BROWS, short BCOLS, short dst_ld, short reduction_dim, short tgp_size,
          short alignment = 1, short n_reads = (BCOLS * BROWS) / (tgp_size),
          short TCOLS = BCOLS / n_reads, short TROWS = tgp_size / TCOLS>
struct BlockLoader {
  STEEL_CONST short n_rows = (BROWS + TROWS - 1) / TROWS;
  STEEL_CONST short vec_size = n_reads;
  const int src_ld;
  const int tile_stride;
  const short thread_idx;
  const short bi;
  const short bj;
  threadgroup T* dst;
  const device T* src;
  struct alignas(alignment * sizeof(T)) ReadVector {
    uint8_t v[sizeof(T) * vec_size];
  };
  METAL_FUNC BlockLoader(const device T* src_, const int src_ld_, threadgroup T* dst_,
                         ushort simd_group_id [[simdgroup_index_in_threadgroup]],
                         ushort simd_lane_id [[thread_index_in_simdgroup]])
      : src_ld(src_ld_),
        tile_stride(reduction_dim ? BCOLS : BROWS * src_ld),
        thread_idx(simd_group_id * 32 + simd_lane_id),
        bi(thread_idx / TCOLS),
        bj(vec_size * (thread_idx % TCOLS)),
        dst(dst_ + bi * dst_ld + bj),
        src(src_ + bi * src_ld + bj) {}
  template <typename UnaryOp> METAL_FUNC void apply_inplace_op(thread const UnaryOp& op) const {
    STEEL_PRAGMA_UNROLL
    for (short i = 0; i < BROWS; i += TROWS) {
      STEEL_PRAGMA_UNROLL
      for (short j = 0; j < vec_size; j++) { dst[i * dst_ld + j] = op.apply(dst[i * dst_ld + j]); }
    }
  }
  METAL_FUNC void load_unsafe() const {
    STEEL_PRAGMA_UNROLL
    for (short i = 0; i < BROWS; i += TROWS) {
      *((threadgroup ReadVector*)(&dst[i * dst_ld])) =
          *((const device ReadVector*)(&src[i * src_ld]));
    }
  }
  METAL_FUNC void load_safe(short2 src_tile_dim) const {
    src_tile_dim = src_tile_dim - short2(bj, bi);
    if (src_tile_dim.x <= 0 || src_tile_dim.y <= 0) {
      STEEL_PRAGMA_UNROLL
      for (short i = 0; i < BROWS; i += TROWS) {
        STEEL_PRAGMA_UNROLL
        for (short j = 0; j < vec_size; j++) { dst[i * dst_ld + j] = T(0); }
      }
      return;
    }
    bool tmp_idx[vec_size];
    T tmp_val[vec_size];
    STEEL_PRAGMA_UNROLL
    for (short i = 0; i < BROWS; i += TROWS) {
      STEEL_PRAGMA_UNROLL
      for (short j = 0; j < vec_size; j++) {
        tmp_idx[j] = (i < src_tile_dim.y) && (j < src_tile_dim.x);
      }
      STEEL_PRAGMA_UNROLL
      for (short j = 0; j < vec_size; j++) { tmp_val[j] = src[(tmp_idx[j] ? i * src_ld + j : 0)]; }
      STEEL_PRAGMA_UNROLL
      for (short j = 0; j < vec_size; j++) { dst[i * dst_ld + j] = tmp_idx[j] ? tmp_val[j] : T(0); }
    }
  }
  METAL_FUNC void next() { src += tile_stride; }
};

template <typename OutT, typename InT> struct TransformNone {
  static METAL_FUNC OutT apply(InT x) { return static_cast<OutT>(x); }
  static METAL_FUNC OutT apply(InT x, OutT) { return static_cast<OutT>(x); }
};
template <typename OutT, typename InT> struct TransformAxpby {
  const float alpha;
  const float beta;
  TransformAxpby(const float alpha_, const float beta_) : alpha(alpha_), beta(beta_) {}
  METAL_FUNC OutT apply(InT x) const { return static_cast<OutT>(x); }
  METAL_FUNC OutT apply(InT x, OutT c) const {
    return static_cast<OutT>(x * static_cast<InT>(alpha) + (static_cast<OutT>(beta) * c));
  }
};
template <typename T> struct AccumHelper { typedef float accum_type; };

template <typename T, int kFragRows_, int kFragCols_> struct BaseMMAFrag {
  static_assert(kFragRows_ == 8, "Only 8 x 8 fragment matrices are currently supported");
  static_assert(kFragCols_ == 8, "Only 8 x 8 fragment matrices are currently supported");
};
template <typename T> struct BaseMMAFrag<T, 8, 8> {
  STEEL_CONST int kFragRows = 8;
  STEEL_CONST int kFragCols = 8;
  STEEL_CONST int kElemsPerFrag = (kFragRows * kFragCols) / 32;
  STEEL_CONST int kElemRows = 1;
  STEEL_CONST int kElemCols = 2;
  static_assert(kElemRows * kElemCols == kElemsPerFrag, "MMAFrag shape is not consistent");
  typedef metal::simdgroup_matrix<T, kFragRows, kFragCols> mat_type;
  typedef metal::vec<T, kElemsPerFrag> frag_type;
  METAL_FUNC static constexpr short2 get_coord(ushort simd_lane_id [[thread_index_in_simdgroup]]) {
    const short qid = simd_lane_id / 4;
    const short fm = (qid & 4) + ((simd_lane_id / 2) % 4);
    const short fn = (qid & 2) * 2 + (simd_lane_id % 2) * 2;
    return short2{fn, fm};
  }
  template <typename SrcPtrType, typename StrX, typename StrY>
  METAL_FUNC static constexpr void load(thread frag_type& dst, SrcPtrType src, StrX str_x,
                                        StrY str_y) {
    STEEL_PRAGMA_UNROLL
    for (short i = 0; i < kElemRows; i++) {
      STEEL_PRAGMA_UNROLL
      for (short j = 0; j < kElemCols; j++) {
        dst[i * kElemCols + j] = static_cast<T>(src[i * str_x + j * str_y]);
      }
    }
  }
  METAL_FUNC static constexpr void mma(thread frag_type& D, thread frag_type& A,
                                       thread frag_type& B, thread frag_type& C) {
    mat_type D_mat;
    mat_type A_mat;
    mat_type B_mat;
    mat_type C_mat;
    reinterpret_cast<thread frag_type&>(A_mat.thread_elements()) = A;
    reinterpret_cast<thread frag_type&>(B_mat.thread_elements()) = B;
    reinterpret_cast<thread frag_type&>(C_mat.thread_elements()) = C;
    mma(D_mat, A_mat, B_mat, C_mat);
    D = reinterpret_cast<thread frag_type&>(D_mat.thread_elements());
  }
  METAL_FUNC static constexpr void mma(thread mat_type& D, thread mat_type& A, thread mat_type& B,
                                       thread mat_type& C) {
    simdgroup_multiply_accumulate(D, A, B, C);
  }
};

template <typename T, int kTileRows_, int kTileCols_, class MMAFrag_ = BaseMMAFrag<T, 8, 8>>
struct MMATile {
  using MMAFrag_t = MMAFrag_;
  using elem_type = T;
  STEEL_CONST int kTileRows = kTileRows_;
  STEEL_CONST int kTileCols = kTileCols_;
  STEEL_CONST int kNumFrags = kTileRows * kTileCols;
  typedef typename MMAFrag_t::frag_type frag_type;
  frag_type val_frags[kNumFrags] = {frag_type(0)};
  METAL_FUNC MMATile() thread {}
  METAL_FUNC constexpr void clear() {
    STEEL_PRAGMA_UNROLL
    for (short i = 0; i < kNumFrags; ++i) { val_frags[i] = frag_type(0); }
  }
  METAL_FUNC constexpr thread frag_type& frag_at(const short i, const short j) {
    return val_frags[i * kTileCols + j];
  }
  METAL_FUNC constexpr const thread frag_type& frag_at(const short i, const short j) const {
    return val_frags[i * kTileCols + j];
  }
  METAL_FUNC thread elem_type* elems() { return reinterpret_cast<thread elem_type*>(val_frags); }
  template <typename U, int w_x, int w_y, int str_x, int str_y>
  METAL_FUNC void load(const threadgroup U* src) {
    STEEL_PRAGMA_UNROLL
    for (short i = 0; i < kTileRows; ++i) {
      STEEL_PRAGMA_UNROLL
      for (short j = 0; j < kTileCols; ++j) {
        MMAFrag_t::load(frag_at(i, j), &(src[(i * 8) * w_x * str_x + (j * 8) * w_y * str_y]),
                        steel::Int<str_x>{}, steel::Int<str_y>{});
      }
    }
  }
  template <typename U, int w_x, int w_y> METAL_FUNC void store(device U* dst, const int ld) const {
    STEEL_PRAGMA_UNROLL
    for (short i = 0; i < kTileRows; ++i) {
      STEEL_PRAGMA_UNROLL
      for (short j = 0; j < kTileCols; ++j) {
        thread const auto& f = frag_at(i, j);
        dst[(i * 8) * w_x * ld + (j * 8) * w_y] = static_cast<U>(f[0]);
        dst[(i * 8) * w_x * ld + (j * 8) * w_y + 1] = static_cast<U>(f[1]);
      }
    }
  }
};
template <typename T, typename U, int M, int N, int K>
METAL_FUNC void tile_matmad(thread MMATile<T, M, N>& D, thread MMATile<U, M, K>& A,
                            thread MMATile<U, K, N>& B, thread MMATile<T, M, N>& C) {
  STEEL_PRAGMA_UNROLL
  for (short m = 0; m < M; ++m) {
    STEEL_PRAGMA_UNROLL
    for (short n = 0; n < N; ++n) {
      short n_serp = (m % 2) ? (N - 1 - n) : n;
      STEEL_PRAGMA_UNROLL
      for (short k = 0; k < K; ++k) {
        MMATile<T, M, N>::MMAFrag_t::mma(D.frag_at(m, n_serp), A.frag_at(m, k),
                                         B.frag_at(k, n_serp), C.frag_at(m, n_serp));
      }
    }
  }
}

struct GEMMParams {
  const int M;
  const int N;
  const int K;
  const int lda;
  const int ldb;
  const int ldd;
  const int tiles_n;
  const int64_t batch_stride_a;
};

constant bool has_batch [[function_constant(10)]];
constant bool use_out_source [[function_constant(100)]];
constant bool align_M [[function_constant(200)]];

template <typename T, int BM, int BN, int BK, int WM, int WN>
[[kernel, max_total_threads_per_threadgroup(WM* WN * 32)]] void steel_gemm(
    const device T* A [[buffer(0)]], const device T* B [[buffer(1)]],
    const device T* C [[buffer(2), function_constant(use_out_source)]], device T* D [[buffer(3)]],
    const constant GEMMParams* params [[buffer(4)]],
    const constant int* batch_shape [[buffer(6), function_constant(has_batch)]],
    uint simd_lane_id [[thread_index_in_simdgroup]],
    uint simd_group_id [[simdgroup_index_in_threadgroup]],
    uint3 tid [[threadgroup_position_in_grid]], uint3 lid [[thread_position_in_threadgroup]]) {
  (void)lid;
  constexpr short tgp_padding = 16 / sizeof(T);
  constexpr short lds = BK + tgp_padding, ldsb = BN + tgp_padding;
  using loader_a = BlockLoader<T, BM, BK, lds, 1, WM * WN * 32>;
  using loader_b = BlockLoader<T, BK, BN, ldsb, 0, WM * WN * 32>;
  using Acc = typename AccumHelper<T>::accum_type;
  threadgroup T As[BM * lds];
  threadgroup T Bs[BK * ldsb];
  if (has_batch) { A += params->batch_stride_a * batch_shape[0]; }
  A += tid.y * BM * params->lda;
  B += tid.x * BN;
  D += tid.y * BM * params->ldd + tid.x * BN;
  thread loader_a la(A, params->lda, As, simd_group_id, simd_lane_id);
  thread loader_b lb(B, params->ldb, Bs, simd_group_id, simd_lane_id);
  constexpr int TM = BM / (8 * WM), TN = BN / (8 * WN);
  MMATile<Acc, TM, 1> At;
  MMATile<Acc, 1, TN> Bt;
  MMATile<Acc, TM, TN> Ct;
  short tm = 8 * (simd_group_id / WN), tn = 8 * (simd_group_id % WN);
  short2 c = BaseMMAFrag<Acc, 8, 8>::get_coord(simd_lane_id);
  for (int k = 0; k < params->K / BK; k++) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (align_M) {
      la.load_unsafe();
    } else {
      la.load_safe(short2(BK, BM));
    }
    lb.load_unsafe();
    threadgroup_barrier(mem_flags::mem_threadgroup);
    STEEL_PRAGMA_UNROLL
    for (short kk = 0; kk < BK; kk += 8) {
      simdgroup_barrier(mem_flags::mem_none);
      At.template load<T, WM, 1, lds, 1>(As + (tm + c.y) * lds + kk + c.x);
      Bt.template load<T, 1, WN, ldsb, 1>(Bs + (kk + c.y) * ldsb + tn + c.x);
      tile_matmad(Ct, At, Bt, Ct);
    }
    la.next();
    lb.next();
  }
  if (use_out_source) {
    TransformAxpby<T, float> t(1.0f, 2.0f);
    STEEL_PRAGMA_UNROLL
    for (short i = 0; i < decltype(Ct)::kNumFrags * 2; i++) {
      Ct.elems()[i] = t.apply(Ct.elems()[i], C[0]);
    }
  }
  Ct.template store<T, WM, WN>(D + (tm + c.y) * params->ldd + tn + c.x, params->ldd);
}
#define instantiate_gemm(tname, type, bm, bn, bk, wm, wn)                                    \
  instantiate_kernel("steel_gemm_" #tname "_bm" #bm "_bn" #bn "_bk" #bk "_wm" #wm "_wn" #wn, \
                     steel_gemm, type, bm, bn, bk, wm, wn)
instantiate_gemm(float32, float, 32, 32, 16, 2, 2) instantiate_gemm(float16, half, 32, 32, 16, 2, 2)
    instantiate_gemm(bfloat16, bfloat16_t, 32, 32, 16, 2, 2)
