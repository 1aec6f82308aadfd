#define SKVR_SPARSE_ROWS

#include "kernels.hpp"

void skvr::bind_csr_rows_64(nb::module_& m) {
    bind_csr<float, int64_t>(m);
    bind_csr<double, int64_t>(m);
}
