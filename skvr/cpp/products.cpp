#include "products.hpp"

#include "vector.hpp"

namespace skvr {
namespace {

inline void add_tile(const double* z, size_t m, size_t stride, size_t i, size_t j, double* sums) {
    double tile[tile_height][tile_width] = {};
    for (size_t s = 0; s < m; ++s, z += stride)
        for (size_t a = 0; a < tile_height; ++a)
            for_each(tile_width, [&](size_t b) { tile[a][b] += z[i + a] * z[j + b]; });
    for (size_t a = 0; a < tile_height; ++a)
        for_each(tile_width, [&](size_t b) { sums[(i + a) * stride + j + b] += tile[a][b]; });
}

}  // namespace

SKVR_CLONES void add_products(const double* z, size_t m, size_t q, size_t stride, double* sums) {
    for (size_t j = 0; j < q; j += tile_width)
        for (size_t i = j; i < q; i += tile_height) add_tile(z, m, stride, i, j, sums);
}

}  // namespace skvr
