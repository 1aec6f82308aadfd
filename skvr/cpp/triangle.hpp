// A symmetric matrix as its lower triangle in LAPACK's rectangular full packed format (see solvers/triangle.py).
#pragma once

#include <cstddef>

namespace skvr {

struct Triangle {
    double* values;  // n (n + 1) / 2
    size_t n;

    size_t half() const { return (n + 1) / 2; }
    size_t height() const { return n % 2 ? n : n + 1; }

    // Entry (i, j) for j <= i and j < half() is column(j)[i].
    double* column(size_t j) const { return values + j * height() + (n % 2 ? 0 : 1); }
    // Entry (i, j) for half() <= j <= i is row(i)[j - half()].
    double* row(size_t i) const { return values + (i - half() + n % 2) * height(); }

    double& at(size_t i, size_t j) const { return j < half() ? column(j)[i] : row(i)[j - half()]; }
};

}  // namespace skvr
