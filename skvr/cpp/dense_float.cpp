#include "kernels.hpp"

void skvr::bind_dense_float_rows(nb::module_& m) { bind_dense<float>(m); }
