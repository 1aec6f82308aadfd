// The rows of an epoch in random order, or drawn independently: where rows have few values, NumPy's draws cost as much as
// half a pass over them. Functions of their seed, which Python draws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace skvr {

// xoshiro256++ of D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators", 2021: 64 random bits a
// call. The seed must not be all zeros, where it would stay.
class RandomBits {
public:
    explicit RandomBits(const uint64_t* seed) : s{seed[0], seed[1], seed[2], seed[3]} {}

    uint64_t operator()() {
        const uint64_t bits = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotate(s[3], 45);
        return bits;
    }

private:
    static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

    uint64_t s[4];
};

// a b = high 2^64 + low
struct Product {
    uint64_t high, low;
};

inline Product full_product(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide(a) * b;
    return {uint64_t(product >> 64), uint64_t(product)};
#else
    constexpr uint64_t half = 0xffffffff;
    const uint64_t al = a & half, ah = a >> 32, bl = b & half, bh = b >> 32;
    const uint64_t cross = ah * bl + (al * bl >> 32), middle = al * bh + (cross & half);
    return {ah * bh + (cross >> 32) + (middle >> 32), a * b};
#endif
}

// A number below `bound`, all alike: floor(x bound / 2^64) for 64 random bits x. Of the 2^64 values of x some of these
// numbers get one more than others; x is drawn again where the product is among the first 2^64 mod bound of its number.
// D. Lemire, "Fast random integer generation in an interval", 2019, algorithm 5: no division but in one of 2^64 / bound
// cases.
inline uint64_t random_below(uint64_t bound, RandomBits& bits) {
    Product x = full_product(bits(), bound);
    if (x.low < bound) {
        const uint64_t excess = (0 - bound) % bound;  // 2^64 mod bound
        while (x.low < excess) x = full_product(bits(), bound);
    }
    return x.high;
}

// Every order of the n rows with the same probability: R. A. Fisher and F. Yates's shuffle, in the form of D. E. Knuth,
// "The Art of Computer Programming", volume 2, algorithm P.
inline void shuffle(int64_t* rows, size_t n, const uint64_t* seed) {
    RandomBits bits(seed);
    for (size_t left = n; left > 1; --left) std::swap(rows[left - 1], rows[random_below(left, bits)]);
}

// Independent draws, each of n rows with the same probability.
inline void draw(int64_t* rows, size_t n_draws, size_t n, const uint64_t* seed) {
    RandomBits bits(seed);
    for (size_t s = 0; s < n_draws; ++s) rows[s] = int64_t(random_below(n, bits));
}

}  // namespace skvr
