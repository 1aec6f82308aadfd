// exp and log on the ranges that the losses need, inlined so that loops over rows vectorise: a call of the C library
// per row would cost more than the row itself where p is small, and gives other bits on other systems.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace skvr {

constexpr double log_2 = 0.69314718055994531;
constexpr double to_integer = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer in the last bits

// exp(x) for x <= 0, to 1 unit in the last place, and 0 below -708, where the results would be subnormal. Cody and
// Waite's reduction x = k log 2 + r with |r| <= log(2)/2, Taylor's polynomial of degree 13 in r, and 2^k by its bits.
inline double exp_of_nonpositive(double x) {
    constexpr double log2_e = 1.4426950408889634, high = 6.93147180369123816490e-01, low = 1.90821492927058770002e-10;
    const bool negligible = x < -708.0;
    x = std::max(x, -708.0);
    const double shifted = x * log2_e + to_integer, k = shifted - to_integer;
    const double r = (x - k * high) - k * low;
    const double r2 = r * r, r4 = r2 * r2, r8 = r4 * r4;
    const double p0 = (0.5 + 1.0 / 6 * r) + (1.0 / 24 + 1.0 / 120 * r) * r2;
    const double p4 = (1.0 / 720 + 1.0 / 5040 * r) + (1.0 / 40320 + 1.0 / 362880 * r) * r2;
    const double p8 = (1.0 / 3628800 + 1.0 / 39916800 * r) + (1.0 / 479001600 + 1.0 / 6227020800 * r) * r2;
    double p = 1.0 + (r + r2 * ((p0 + p4 * r4) + p8 * r8));
    uint64_t bits, exponent;
    std::memcpy(&exponent, &shifted, sizeof bits);
    std::memcpy(&bits, &p, sizeof bits);
    bits += exponent << 52;  // p is in [0.7, 1.5] and k >= -1022: the result is a normal number
    std::memcpy(&p, &bits, sizeof bits);
    return negligible ? 0.0 : p;
}

// exp(x), to 2 units in the last place where it is a normal number, 0 below -708 and infinite above 708
inline double exp_of_any(double x) { return x <= 0 ? exp_of_nonpositive(x) : 1 / exp_of_nonpositive(-x); }

// exp(a) of whole a, |a| <= largest, and exp(b / steps) of b < steps.
struct ExponentialTable {
    static constexpr int largest = 64, log2_steps = 7, steps = 1 << log2_steps;
    double whole[2 * largest + 1], part[steps];
    ExponentialTable() {
        for (int a = -largest; a <= largest; ++a) whole[largest + a] = exp_of_any(a);
        for (int b = 0; b < steps; ++b) part[b] = exp_of_any(double(b) / steps);
    }
};
inline const ExponentialTable exponential_table;

// exp(x) of a single x for which a stochastic step waits, to 4 units in the last place: ten operations one after the other
// in place of seventeen, but reads of a table, which do not vectorise. x = a + b / steps + d with |d| <= 1 / (2 steps),
// and exp(d) by Taylor's polynomial of degree 5. P. T. P. Tang (1989), "Table-driven implementation of the exponential
// function in IEEE floating-point arithmetic".
inline double single_exp(double x) {
    constexpr int largest = ExponentialTable::largest, steps = ExponentialTable::steps;
    if (!(std::fabs(x) < largest)) return exp_of_any(x);
    constexpr double to_step = to_integer / steps;  // adding it rounds to a multiple of 1 / steps
    const double shifted = x + to_step, d = x - (shifted - to_step), d2 = d * d;
    uint64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    const int32_t multiple = int32_t(uint32_t(bits));  // steps a + b
    const int32_t a = multiple >> ExponentialTable::log2_steps, b = multiple & (steps - 1);
    const double at = exponential_table.whole[largest + a] * exponential_table.part[b];
    return at + at * ((d + 0.5 * d2) + d2 * d * ((1.0 / 6 + 1.0 / 24 * d) + 1.0 / 120 * d2));
}

// -log(1 - c) for 0 <= c <= 1/2, to 2 units in the last place, small c included: 2 artanh(s) with s = c / (2 - c), or,
// from 1 - sqrt(1/2) on, log 2 + 2 artanh(s) with s = (2 c - 1) / (3 - 2 c). Its series has |s| < 0.172.
inline double minus_log_of_complement(double c) {
    const bool large = c > 0.29289321881345248;
    const double s = (large ? 2 * c - 1 : c) / (large ? 3 - 2 * c : 2 - c);
    const double t = s * s, t2 = t * t, t4 = t2 * t2;
    const double p0 = (1.0 / 3 + 1.0 / 5 * t) + (1.0 / 7 + 1.0 / 9 * t) * t2;
    const double p4 = (1.0 / 11 + 1.0 / 13 * t) + (1.0 / 15 + 1.0 / 17 * t) * t2;
    const double p8 = 1.0 / 19 + 1.0 / 21 * t;
    const double p = p0 + (p4 + p8 * t4) * t4;
    return (large ? log_2 : 0.0) + 2 * (s + s * t * p);
}

// -log(p) for a normal 0 < p <= 1, to some eps of the larger of itself and log 2: p = 2^(e - 1022) (1 - c), c <= 1/2.
inline double minus_log(double p) {
    uint64_t bits;
    std::memcpy(&bits, &p, sizeof bits);
    const double e = double(int32_t(bits >> 52));
    bits = (bits & 0x000fffffffffffff) | 0x3fe0000000000000;
    std::memcpy(&p, &bits, sizeof bits);
    return (1022 - e) * log_2 + minus_log_of_complement(1 - p);
}

}  // namespace skvr
