#include "core/unit_product.hpp"

#include <cstdlib>
#include <memory>

#include "core/require.hpp"
#include "core/tiling.hpp"

#if defined(__AMX_BF16__) && defined(__AVX512F__) && !defined(PARTITA_DOUBLE) && !defined(PARTITA_CUDA) && \
    !defined(PARTITA_DEVICE_EMULATION)
#define PARTITA_MATRIX_UNIT
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace partita {

#if defined(PARTITA_MATRIX_UNIT)

namespace {

// A register of the matrix unit: 16 rows of 16 pairs of bfloat16 (factors), or of 16 floats (results). Both factors pair neighbours along
// the inner dimension: rows of a left factor hold 16 pairs of one row of A, rows of a right factor one pair of each of 16 columns of B.
constexpr Index side = 16, inner_block = 2 * side, words = side * side, all_parts = 3;

__m512i load(Real const* p) { return _mm512_loadu_si512(p); }

// The bfloat16 in the upper halves of a and b, b above a.
__m512i pair(__m512i a, __m512i b) { return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(a, 16), b); }

// Returns the leading 8 significant bits of x (a bfloat16 in the upper half of each word) and leaves the exact remainder in x.
__m512i split(__m512& x) {
  __m512i const part = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(int(0xffff0000u)));
  x = _mm512_sub_ps(x, _mm512_castsi512_ps(part));
  return part;
}

// Exchanges rows and columns: single entries between neighbouring rows, then pairs between rows two apart, and so on.
void transpose(__m512i (&row)[side]) {
  alignas(64) std::int32_t low[side], high[side];
#pragma GCC unroll 4
  for (int s = 1; s < side; s *= 2) {
    for (int l = 0; l < side; l++) {
      low[l] = std::int32_t(l & s ? side + l - s : l);
      high[l] = std::int32_t(l & s ? side + l : l + s);
    }
    __m512i const from_low = _mm512_load_si512(low), from_high = _mm512_load_si512(high);
    for (int i = 0; i < side; i++)
      if (!(i & s)) {
        __m512i const a = row[i], b = row[i + s];
        row[i] = _mm512_permutex2var_epi32(a, from_low, b);
        row[i + s] = _mm512_permutex2var_epi32(a, from_high, b);
      }
  }
}

// Up to 16 numbers of a row, padded with zeros; all zeros for rows past the end.
__m512 numbers(Factor const& f, Index row, Index rows, Index first, Index columns) {
  if (row >= rows || first >= columns) return _mm512_setzero_ps();
  Index const count = columns - first;
  __mmask16 const mask = count >= side ? __mmask16(0xffff) : static_cast<__mmask16>((1u << count) - 1);
  return _mm512_maskz_loadu_ps(mask, f.data + row * f.pitch + first);
}

// Registers of a matrix stored (rows, inner), whose pairs lie beside one another in a row: `count` parts of the block at (row, first), each
// `words` long. `transposed`: as a right factor, else as a left one.
void pack_along_rows(Factor const& f, Index rows, Index inner, Index row, Index first, Index count, bool transposed, std::uint32_t* to) {
  __m512i const even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  __m512 low[side], high[side];
  for (Index i = 0; i < side; i++) {
    low[i] = numbers(f, row + i, rows, first, inner);
    high[i] = numbers(f, row + i, rows, first + side, inner);
  }
  for (Index p = 0; p < count; p++) {
    __m512i out[side];
    for (Index i = 0; i < side; i++) {
      __m512i const a = split(low[i]), b = split(high[i]);
      out[i] = pair(_mm512_permutex2var_epi32(a, even, b), _mm512_permutex2var_epi32(a, odd, b));
    }
    if (transposed) transpose(out);
    for (Index i = 0; i < side; i++) _mm512_storeu_si512(to + p * words + i * side, out[i]);
  }
}

// The same of a matrix stored (inner, columns), whose pairs lie in neighbouring rows: as a right factor, or transposed as a left one.
void pack_across_rows(Factor const& f, Index inner, Index columns, Index first, Index column, Index count, bool transposed,
                      std::uint32_t* to) {
  __m512 upper[side], lower[side];
  for (Index r = 0; r < side; r++) {
    upper[r] = numbers(f, first + 2 * r, inner, column, columns);
    lower[r] = numbers(f, first + 2 * r + 1, inner, column, columns);
  }
  for (Index p = 0; p < count; p++) {
    __m512i out[side];
    for (Index r = 0; r < side; r++) {
      __m512i const a = split(upper[r]);
      out[r] = pair(a, split(lower[r]));
    }
    if (transposed) transpose(out);
    for (Index i = 0; i < side; i++) _mm512_storeu_si512(to + p * words + i * side, out[i]);
  }
}

// Whether bfloat16 holds all numbers of a matrix (rows, columns) exactly; columns is a multiple of 16.
bool are_units(Factor const& f, Index rows, Index columns) {
  __m512i lower_halves = _mm512_setzero_si512();
  for (Index i = 0; i < rows; i++)
    for (Index l = 0; l < columns; l += side) lower_halves = _mm512_or_si512(lower_halves, load(f.data + i * f.pitch + l));
  return _mm512_test_epi32_mask(lower_halves, _mm512_set1_epi32(0xffff)) == 0;
}

// All registers of 16 rows and 16 columns each.
struct alignas(64) Configuration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// The results of `m` x `n` blocks, two each at most, are in registers 0 to 3, left factors in 4 and 5, right ones in 6 and 7. The registers
// of results take turns, because an addition to one waits for the addition before it; a factor that is used with all parts of the other
// stays loaded. Strides: words between factors of neighbouring blocks. The results go to `out`, blocks one after the other.
template <int m, int n, int left_parts, int right_parts>
void multiply_blocks(std::uint32_t const* left, Index left_stride, std::uint32_t const* right, Index right_stride, Index inner_blocks,
                     float* out) {
  constexpr Index bytes = 64;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (Index k = 0; k < inner_blocks; k++)
    for (int p = 0; p < left_parts * right_parts; p++) {
      if (p == 0 || left_parts > 1) {
        std::uint32_t const* const from = left + (k * left_parts + p % left_parts) * words;
        _tile_loadd(4, from, bytes);
        if constexpr (m > 1) _tile_loadd(5, from + left_stride, bytes);
      }
      if (p == 0 || right_parts > 1) {
        std::uint32_t const* const from = right + (k * right_parts + p % right_parts) * words;
        _tile_loadd(6, from, bytes);
        if constexpr (n > 1) _tile_loadd(7, from + right_stride, bytes);
      }
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (n > 1) _tile_dpbf16ps(1, 4, 7);
      if constexpr (m > 1) _tile_dpbf16ps(2, 5, 6);
      if constexpr (m > 1 && n > 1) _tile_dpbf16ps(3, 5, 7);
    }
  _tile_stored(0, out, bytes);
  if constexpr (n > 1) _tile_stored(1, out + words, bytes);
  if constexpr (m > 1) _tile_stored(2, out + 2 * words, bytes);
  if constexpr (m > 1 && n > 1) _tile_stored(3, out + 3 * words, bytes);
}

// Writes one block of results to its place in C, as far as it lies inside C.
void put(float const* block, ProductShape const& s, Index row, Index column, Product const& c) {
  Index const rows = std::min(side, s.rows - row), columns = std::min(side, s.columns - column);
  __mmask16 const mask = static_cast<__mmask16>((1u << columns) - 1);
  bool const add = c.beta != 0;
  for (Index i = 0; i < rows; i++) {
    float* const to = c.data + (row + i) * c.pitch + column;
    __m512 const found = _mm512_load_ps(block + i * side);
    _mm512_mask_storeu_ps(to, mask, add ? _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), found) : found);
  }
}

template <int left_parts, int right_parts>
void multiply(ProductShape s, std::uint32_t const* left, std::uint32_t const* right, Product const& c) {
  Index const inner_blocks = divide_up(s.inner, inner_block), row_blocks = divide_up(s.rows, side),
              column_blocks = divide_up(s.columns, side);
  Index const left_stride = inner_blocks * left_parts * words, right_stride = inner_blocks * right_parts * words;
  alignas(64) float blocks[4 * words];
  static Configuration const configuration;
  _tile_loadconfig(&configuration);
  asm volatile("" ::: "memory");  // the compiler does not know that loads of tiles read what was packed
  for (Index i = 0; i < row_blocks; i += 2)
    for (Index j = 0; j < column_blocks; j += 2) {
      std::uint32_t const *const l = left + i * left_stride, *const r = right + j * right_stride;
      bool const two_rows = i + 1 < row_blocks, two_columns = j + 1 < column_blocks;
      auto const kernel =
          two_rows ? (two_columns ? multiply_blocks<2, 2, left_parts, right_parts> : multiply_blocks<2, 1, left_parts, right_parts>)
                   : (two_columns ? multiply_blocks<1, 2, left_parts, right_parts> : multiply_blocks<1, 1, left_parts, right_parts>);
      kernel(l, left_stride, r, right_stride, inner_blocks, blocks);
      put(blocks, s, i * side, j * side, c);
      if (two_columns) put(blocks + words, s, i * side, (j + 1) * side, c);
      if (two_rows) put(blocks + 2 * words, s, (i + 1) * side, j * side, c);
      if (two_rows && two_columns) put(blocks + 3 * words, s, (i + 1) * side, (j + 1) * side, c);
    }
  _tile_release();
  count_product(s);
}

// Memory in whole cache lines for packed factors, kept between calls.
std::uint32_t* packing_space(Index count) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  static thread_local std::unique_ptr<std::uint32_t, Free> space;
  static thread_local Index held = 0;
  if (held < count) {
    held = count;
    space.reset(static_cast<std::uint32_t*>(std::aligned_alloc(64, std::size_t(round_up(count, side)) * sizeof(std::uint32_t))));
    require(space != nullptr, ExitCode::internal, "no memory for {} packed numbers; use a smaller tile_width", count);
  }
  return space.get();
}

bool ask_for_matrix_unit() {
  constexpr long request_permission = 0x1023, matrix_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA of Linux
  return __builtin_cpu_supports("avx512f") && syscall(SYS_arch_prctl, request_permission, matrix_data) == 0;
}

}  // namespace

bool unit_products_available() {
  static bool const available = ask_for_matrix_unit();
  return available;
}

void SplitMatrix::reserve(Arrays arrays, Index rows, Index inner) {
  arrays.grow(parts_, "weights split for the matrix unit", divide_up(rows, side) * divide_up(inner, inner_block) * all_parts * words);
}

void SplitMatrix::assign(Factor source, Index rows, Index inner) {
  Index const row_blocks = divide_up(rows, side), inner_blocks = divide_up(inner, inner_block);
  reserve({}, rows, inner);
  for (Index b = 0; b < row_blocks; b++)
    for (Index k = 0; k < inner_blocks; k++) {
      std::uint32_t* const to = parts_.data() + (b * inner_blocks + k) * all_parts * words;
      if (source.form == Form::plain) pack_along_rows(source, rows, inner, b * side, k * inner_block, all_parts, false, to);
      else pack_across_rows(source, inner, rows, k * inner_block, b * side, all_parts, true, to);
    }
}

bool unit_product(ProductShape s, SplitMatrix const& a, Factor units, Product c) {
  if (!are_units(units, s.inner, s.columns)) return false;
  Index const inner_blocks = divide_up(s.inner, inner_block), column_blocks = divide_up(s.columns, side);
  std::uint32_t* const right = packing_space(column_blocks * inner_blocks * words);
  for (Index b = 0; b < column_blocks; b++)
    for (Index k = 0; k < inner_blocks; k++)
      pack_across_rows(units, s.inner, s.columns, k * inner_block, b * side, 1, false, right + (b * inner_blocks + k) * words);
  multiply<all_parts, 1>(s, a.parts(), right, c);
  return true;
}

bool unit_outer_product(ProductShape s, Factor units, Factor b, Product c) {
  if (!are_units(units, s.rows, s.inner)) return false;
  Index const inner_blocks = divide_up(s.inner, inner_block), row_blocks = divide_up(s.rows, side),
              column_blocks = divide_up(s.columns, side);
  Index const of_left = row_blocks * inner_blocks * words;
  std::uint32_t *const left = packing_space(of_left + column_blocks * inner_blocks * all_parts * words), *const right = left + of_left;
  for (Index i = 0; i < row_blocks; i++)
    for (Index k = 0; k < inner_blocks; k++)
      pack_along_rows(units, s.rows, s.inner, i * side, k * inner_block, 1, false, left + (i * inner_blocks + k) * words);
  for (Index j = 0; j < column_blocks; j++)
    for (Index k = 0; k < inner_blocks; k++)
      pack_along_rows(b, s.columns, s.inner, j * side, k * inner_block, all_parts, true,
                      right + (j * inner_blocks + k) * all_parts * words);
  multiply<1, all_parts>(s, left, right, c);
  return true;
}

#else

bool unit_products_available() { return false; }
void SplitMatrix::reserve(Arrays, Index, Index) {}
void SplitMatrix::assign(Factor, Index, Index) {}
bool unit_product(ProductShape, SplitMatrix const&, Factor, Product) { return false; }
bool unit_outer_product(ProductShape, Factor, Factor, Product) { return false; }

#endif

}  // namespace partita
