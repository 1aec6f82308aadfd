#include "kernels.hpp"

void skvr::bind_dense_rows(nb::module_& m) { bind_dense<double>(m); }
