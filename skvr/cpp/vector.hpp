// Sums and updates of contiguous vectors, written so that every instruction set gives the same bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

// One portable build that runs at the speed of the machine: the compiler clones the function for wider vector units and
// the loader picks. `flatten` pulls the callees into each clone. Only x86-64 with glibc has the loader's part; elsewhere
// there is one function.
#if !defined(__GNUC__) || defined(SKVR_NO_CLONES)
#define SKVR_CLONES
#elif defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__INTEL_COMPILER) && \
    !defined(__NVCOMPILER)
#define SKVR_CLONES __attribute__((flatten, target_clones("avx512f", "avx2", "default")))
#else
#define SKVR_CLONES __attribute__((flatten))
#endif

// For loops over rows. Those over CSR rows go from place to place in memory and have no use for wider vectors: a unit that
// holds CSR rows compiles them once, apart from their callers, which would take registers from them.
#if defined(SKVR_SPARSE_ROWS) && defined(__GNUC__)
#define SKVR_ROW_CLONES __attribute__((flatten, noinline))
#else
#define SKVR_ROW_CLONES SKVR_CLONES
#endif

// A promise that the vectors written do not overlap, without which their loop is not vectorised.
#if defined(__GNUC__)
#define SKVR_RESTRICT __restrict__
#else
#define SKVR_RESTRICT
#endif

namespace skvr {

using std::size_t;

// Asks for the cache line of an address that is read soon; a hint, and nothing where the compiler has none.
template <int locality>
inline void prefetch_line([[maybe_unused]] const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address, 0, locality);
    asm volatile("");  // or GCC takes a function that only prefetches for one without effect, and drops its calls
#endif
}

// A loop of which GCC makes vectors, whatever stands around it.
template <class Body>
inline void for_each(size_t n, const Body& body) {
#pragma omp simd
    for (size_t t = 0; t < n; ++t) body(t);
}

constexpr size_t lanes = 16;  // partial sums of `sum_of`

// Asks for the lines of n values, to L1. A long row is asked for like this, bit by bit while others are worked on: all at
// once its lines would fill the queue of those on their way, and the loads behind them wait.
template <size_t n, class T>
inline void ask_for(const T* x) {
    for (size_t l = 0; l < n; l += 64 / sizeof(T)) prefetch_line<3>(x + l);
}

// The sum of n numbers, n a power of two: halved again and again. Every width has an array of its own, and no branch
// comes between, so that the compiler keeps them in registers: from memory they would come a dozen cycles late.
template <size_t n>
inline double folded(const double* of) {
    if constexpr (n == 1) {
        return of[0];
    } else {
        constexpr size_t width = n / 2;
        double half[width];
#pragma omp simd
        for (size_t l = 0; l < width; ++l) half[l] = of[l] + of[l + width];
        return folded<width>(half);
    }
}

// The sum of term(j) for the rest of fewer than 2 width j: as many as `width` if it has them, of its half, and so on.
template <size_t width, class Term>
inline double sum_of_rest(const Term& term, size_t j, size_t rest) {
    double sum = 0;
    if (rest & width) {
        double of[width];
#pragma omp simd
        for (size_t l = 0; l < width; ++l) of[l] = term(j + l);
        sum = folded<width>(of);
    }
    if constexpr (width > 1) sum += sum_of_rest<width / 2>(term, j + (rest & width), rest % width);
    return sum;
}

// The sum of term(j) for j < n, as sixteen partial sums whatever the vector width, added in a fixed order: SSE2, AVX2 and
// AVX-512 agree bit for bit (the build forbids contraction to fused multiply-add). `backward`: from the last sixteen to the
// first, and then the rest. Meanwhile it asks for the lines of `ahead`, for as many as `asked` of sixteen values. The loops
// are marked for vectors: GCC unrolls one of sixteen rounds before it thinks of vectors, and what it then makes of it
// depends on the lines around.
template <size_t asked = 0, class Term, class T = double>
inline double sum_of(size_t n, const Term& term, [[maybe_unused]] const T* ahead = nullptr, bool backward = false) {
    static_assert(asked == 0 || asked == lanes / 2 || asked == lanes);
    double of[lanes];
#pragma omp simd
    for (size_t l = 0; l < lanes; ++l) of[l] = 0;
    const size_t whole = n - n % lanes, stride = backward ? size_t(0) - lanes : lanes;
    for (size_t j = backward ? whole - lanes : 0; j < whole; j += stride) {  // what is below 0 wraps around
        if constexpr (asked > 0) ask_for<asked>(ahead + j / (lanes / asked));
#pragma omp simd
        for (size_t l = 0; l < lanes; ++l) of[l] += term(j + l);
    }
    if constexpr (asked > 0) prefetch_line<3>(ahead + n / (lanes / asked) - 1);
    return folded<lanes>(of) + sum_of_rest<lanes / 2>(term, whole, n - whole);
}

template <size_t asked = 0, class T>
inline double dot(const T* x, const double* w, size_t n, const T* ahead = nullptr) {
    return sum_of<asked>(n, [=](size_t j) { return double(x[j]) * w[j]; }, ahead);
}

constexpr size_t cache_line = 64 / sizeof(double);

// The first place in `storage`, of cache_line - 1 numbers too many, where a cache line begins.
inline double* at_cache_line(double* storage) {
    const size_t past = reinterpret_cast<std::uintptr_t>(storage) / sizeof(double) % cache_line;
    return storage + (cache_line - past) % cache_line;
}

// An array of n numbers (null: none) for a loop over dense rows, which reads or writes it at every row: a copy that begins
// at a cache line. NumPy's arrays begin at any sixteenth byte, and most vectors of AVX-512 are then read from two lines.
// Larger arrays stay as they are: they come from farther away, and a slice of rows is too few of them to pay for a copy.
template <class Number>
class AtCacheLine {
    static constexpr size_t largest = size_t(1) << 14;
    Number* given;
    size_t n;
    std::unique_ptr<double[]> storage;

public:
    Number* data;

    AtCacheLine(Number* given, size_t n, bool copies) : given(given), n(n), data(given) {
        if (!given || !copies || n > largest) return;
        storage.reset(new double[n + cache_line - 1]);
        data = std::copy_n(given, n, at_cache_line(storage.get())) - n;
    }
    void put_back() const {
        if (storage) std::copy_n(data, n, given);
    }
};

template <class T>
inline void add_multiple(double a, const T* x, double* out, size_t n) {
    for (size_t j = 0; j < n; ++j) out[j] += a * double(x[j]);
}

// The same bits as `abreast` calls of add_multiple, but out is read and written once for all of them. If it `asks`, then
// for the lines of the two rows `ahead`.
constexpr size_t abreast = 4;

template <bool asks = false, class T>
inline void add_multiples(const double (&a)[abreast], const T* const* x, double* out, size_t n,
                          [[maybe_unused]] const T* const* ahead = nullptr) {
    const auto add = [=, &a, x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3]](size_t j) {
        out[j] = out[j] + a[0] * double(x0[j]) + a[1] * double(x1[j]) + a[2] * double(x2[j]) + a[3] * double(x3[j]);
    };
    size_t j = 0;
    if constexpr (asks)
        for (const T *y0 = ahead[0], *y1 = ahead[1]; j + lanes <= n; j += lanes) {
            ask_for<lanes>(y0 + j), ask_for<lanes>(y1 + j);
            for_each(lanes, [=](size_t l) { add(j + l); });
        }
    for_each(n - j, [=](size_t l) { add(j + l); });
}

// Asks for every second cache line of x, the even or the odd ones: x may be long, and the queue of lines on their way
// is not. A few lines go to L1 (locality 3), more to L2 (2), for the queue of L1 is short and holds up the loads behind
// it. Beyond 16 KB the hardware has seen a stream and runs ahead by itself. Where x has at most 128 bytes all lines are
// asked for with the even ones, two or three: a loop over them would end where nothing could foresee it.
template <class T>
inline void prefetch(const T* x, size_t n, size_t odd) {
    constexpr size_t line = 64 / sizeof(T), few = 8 * line, longest = 256 * line;
    if (n <= 2 * line) {
        if (odd == 1) return;
        prefetch_line<3>(x);
        prefetch_line<3>(x + n / 2);
        prefetch_line<3>(x + (n > 0 ? n - 1 : 0));
    } else if (n <= few) {
        for (size_t j = odd * line; j < n; j += 2 * line) prefetch_line<3>(x + j);
        if (odd == 1) prefetch_line<3>(x + n - 1);
    } else {
        for (size_t j = odd * line; j < std::min(n, longest); j += 2 * line) prefetch_line<2>(x + j);
    }
}

}  // namespace skvr
