// The products of the columns of a few rows with each other, where BLAS, which is made for many columns, takes longer. A unit
// of its own, since those that hold CSR rows make no clones.
#pragma once

#include <cstddef>

namespace skvr {

using std::size_t;

// A tile of the sums is held in registers: 6 x 8 numbers are six of AVX-512 and twelve of AVX2's sixteen.
constexpr size_t tile_height = 6, tile_width = 8;

// Rows and columns that the tiles of q x q sums touch.
constexpr size_t padded_rows(size_t q) { return q + tile_height - 1; }
constexpr size_t padded_columns(size_t q) { return (padded_rows(q) + tile_width - 1) / tile_width * tile_width; }

// sums_ij += sum_s z_si z_sj for j <= i < q; other entries of `sums`, padded_rows(q) x stride, are of no use. z_s are m rows
// of stride = padded_columns(q) numbers.
void add_products(const double* z, size_t m, size_t q, size_t stride, double* sums);

}  // namespace skvr
