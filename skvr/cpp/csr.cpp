#define SKVR_SPARSE_ROWS

#include "kernels.hpp"

void skvr::bind_csr_rows(nb::module_& m) {
    bind_csr<float, int32_t>(m);
    bind_csr<double, int32_t>(m);
}
