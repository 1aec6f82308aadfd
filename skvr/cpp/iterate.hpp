// The iterate w of the linear methods (sgd, minibatch, sag, saga, svrg), all of which step as
//
//     d += change x_i',    w -= eta (alpha w + share d + centre_share e + sum_i a_i x_i'),
//
// with d and e dense directions (d: the sum of SAG's table, SVRG's full gradient; e: what SAG's centred table subtracts;
// either may be absent) and one or more rows i. Intercepts step alike with x = 1, alpha = 0. If asked for, `total` takes
// the sum of the iterates, total += w after every step.
#pragma once

#include <algorithm>
#include <vector>

#include "dense_step.hpp"
#include "finite_sum.hpp"

namespace skvr {

// What both layouts share: the arrays (null: absent), and the K intercepts.
template <class Data>
struct IterateState {
    const Data& data;
    double* theta;
    double* total;
    double* direction;
    const double* centre;

    void step_intercept(size_t m, const double* eta, const double* a, const double* change, double share,
                        double centre_share) {
        const size_t K = data.n_outputs(), first = data.n_coefficients();
        if (data.fit_intercept) {
            double* b = theta + first;
            for (size_t k = 0; k < K; ++k) {
                double sum = 0;
                for (size_t t = 0; t < m; ++t) sum += a[t * K + k];
                b[k] -= eta[k] * sum;
            }
            // Loops of their own: within the first, AVX would read what is absent under a mask, hundreds of cycles long.
            const auto step_along = [=](const double* values, double multiple) {
                for (size_t k = 0; k < K; ++k) b[k] -= eta[k] * multiple * values[k];
            };
            if (change) add_multiple(1.0, change, direction + first, K);
            if (direction) step_along(direction + first, share);
            if (centre) step_along(centre + first, centre_share);
        }
        if (total) add_multiple(1.0, theta + first, total + first, K);
    }
};

// `batched`: whether steps are along the gradients of batches, not along single rows.
template <class Data, bool batched, class Rows = typename Data::Rows>
class Iterate;

// Dense rows: the formula as it stands. A step along one row waits for the next prediction, and the two go over w
// together: the lines of both rows, and of those asked for, are then on their way at the same time.
template <class Data, bool batched, class T>
class Iterate<Data, batched, DenseRows<T>> : IterateState<Data> {
    using State = IterateState<Data>;
    using State::data, State::theta, State::total, State::direction, State::centre;

public:
    Iterate(const Data& data, double* theta, double* total, double* direction = nullptr, const double* centre = nullptr)
        : State{data, nullptr, nullptr, nullptr, nullptr}, w(for_rows(data, theta)), sum(for_rows(data, total)),
          d(for_rows(data, direction)), e(for_rows(data, centre)),
          turns(touched(data, total, direction, centre) > nearest_cache), g(batched ? data.n_coefficients() : 0) {
        State::theta = w.data, State::total = sum.data, State::direction = d.data, State::centre = e.data;
    }

    void predict(size_t i, double* z, Ahead ahead) {
        if (batched || !waiting.x) return data.predict(i, theta, z, ahead);
        const T* x = data.rows.row(i);
        const bool asks = ahead.row != no_row && data.rows.asks_by_line();
        for (size_t k = 0; k < data.n_outputs(); ++k) {
            const T* asked = asks && k == 0 ? data.rows.row(ahead.row) : x;
            z[k] = theta[data.n_coefficients() + k];
            z[k] += take_and_dot(waiting_step(k), data.rows.n_features, x, asked, backward);
            backward = turns && !backward;
        }
        waiting.x = nullptr;
    }

    // g += sum_t a_t x_t' over a group of a batch's rows, while they are in cache.
    void collect(const int64_t* rows, size_t m, const double* a, const size_t* ahead) {
        data.rows.add(rows, m, a, data.n_outputs(), g.data(), ahead);
    }

    // `change` (of single rows only) may be null. The arrays are read until the next prediction.
    void step(const int64_t* rows, size_t m, const double* eta, const double* a, const double* change = nullptr,
              double share = 1, double centre_share = 0) {
        const size_t p = data.rows.n_features;
        if (batched) {
            for (size_t k = 0; k < data.n_outputs(); ++k)
                take(of_output(k, &g[k * p], eta[k], 1.0, nullptr, share, centre_share), p);
            std::fill(g.begin(), g.end(), 0.0);
        } else {
            waiting = {data.rows.row(size_t(rows[0])), eta, a, change, share, centre_share};
        }
        State::step_intercept(m, eta, a, change, share, centre_share);
    }

    void finish() {
        for (size_t k = 0; waiting.x && k < data.n_outputs(); ++k) take(waiting_step(k), data.rows.n_features);
        w.put_back(), sum.put_back(), d.put_back();
    }

private:
    // A step along the row x, unless that is null.
    struct Step {
        const T* x = nullptr;
        const double *eta = nullptr, *a = nullptr, *change = nullptr;
        double share = 1, centre_share = 0;
    };

    DenseStep<T> waiting_step(size_t k) const {
        const Step& s = waiting;
        return of_output(k, s.x, s.eta[k], s.a[k], s.change ? s.change + k : nullptr, s.share, s.centre_share);
    }

    // The step in the coefficients of output k along x, which may be a batch's gradient.
    template <class X>
    DenseStep<X> of_output(size_t k, const X* x, double eta, double a, const double* change, double share,
                           double centre_share) const {
        const auto part = [at = k * data.rows.n_features](auto* values) { return values ? values + at : nullptr; };
        return {x, part(theta), part(direction), part(total), part(centre),
                1 - eta * data.alpha[k], eta * a, eta * share, eta * centre_share, change};
    }

    // The bytes of one output that a step touches: two rows, and w with whatever goes with it.
    static size_t touched(const Data& data, const double* total, const double* direction, const double* centre) {
        const size_t vectors = 1 + (total != nullptr) + (direction != nullptr) + (centre != nullptr);
        return data.rows.n_features * (2 * sizeof(T) + vectors * sizeof(double));
    }

    const AtCacheLine<double> w, sum, d;
    const AtCacheLine<const double> e;
    // Where what a step touches is more than the nearest cache holds, every other loop over w goes backward and begins with
    // what the last has just touched: if all went forward, whatever one needs would have left the cache before. The first
    // of a call goes forward. Less than 48 KB, the cache where this was measured; turning in one that holds all costs 1.3.
    static constexpr size_t nearest_cache = 44 * 1024;
    const bool turns;
    bool backward = false;
    Step waiting;
    std::vector<double> g;  // the loss gradient of a batch
};

// CSR rows: only the row's non-zeros are touched, and the result is exactly the dense one. A coordinate that the row
// does not touch moves by w -> rho w - eta share d with rho = 1 - eta alpha and d constant; it is stored as u, with
//
//     w = P (u - Q d),    P = product of the rho since the last flush,    Q = sum of eta share / P,
//
// and a step changes P and Q only (one pair an output); e has a Q of its own. This is the just-in-time update of Schmidt,
// Le Roux and Bach (2017), section 4.1, with the geometric sums carried along instead of recomputed. Rounding errors are
// of the size of P Q |d|, how far an untouched coordinate has gone since the last flush; so all coordinates are flushed
// every few hundred steps, as often as costs less than the steps themselves.
//
// The sum of the iterates of an untouched coordinate is A u - B d with A = sum of P, B = sum of P Q. `total` holds the
// rest: where u or d change, it takes back what A and B count of the change before it was made. W. Xu (2011), "Towards
// optimal one pass large scale learning with averaged stochastic gradient descent", does so for SGD. A u with u = w / P
// cancels where P has become small, so with a total the flush comes as early as P < 1/100: two digits are lost at most.
template <class Data, bool batched, class T, class Index>
class Iterate<Data, batched, CsrRows<T, Index>> : IterateState<Data> {
    using State = IterateState<Data>;
    using State::data, State::theta, State::total, State::direction, State::centre;

public:
    Iterate(const Data& data, double* theta, double* total, double* direction = nullptr, const double* centre = nullptr)
        : State{data, theta, total, direction, centre}, P(data.n_outputs(), 1.0), A(P.size(), 0.0), rho(P.size()),
          eta_over_P(P.size()), c(P.size()), smallest_product(total ? 1e-2 : tiny) {
        if (direction) lazy.push_back({direction, A, A});
        if (centre) lazy.push_back({centre, A, A});
        const double nonzeros_per_row = double(data.rows.n_nonzeros) / double(data.rows.n_rows) + 1;
        flush_interval = 128 + size_t(4 * double(data.rows.n_features) / nonzeros_per_row);
    }

    void predict(size_t i, double* z, Ahead) const {
        const size_t K = data.n_outputs();
        for (size_t k = 0; k < K; ++k) z[k] = theta[data.n_coefficients() + k];
        with_values([&](auto value) { data.rows.predict_from(value, i, K, z); });
    }

    void collect(const int64_t*, size_t, const double*, const size_t*) {}  // theta waits for the step

    void step(const int64_t* rows, size_t m, const double* eta, const double* a, const double* change = nullptr,
              double share = 1, double centre_share = 0) {
        const size_t K = data.n_outputs();
        const double shares[] = {share, centre_share};
        bool underflow = false, dense = false;
        for (size_t k = 0; k < K; ++k) {
            eta_over_P[k] = eta[k];
            rho[k] = 1 - eta[k] * data.alpha[k];
            dense |= rho[k] < tiny;
            underflow |= P[k] * rho[k] < smallest_product;
        }
        if (underflow || ++steps_since_flush == flush_interval) flush();
        if (dense)  // rho <= 0: a step beyond 1 / alpha, which no product can carry
            step_every_coordinate(eta, shares);
        else
            for (size_t k = 0; k < K; ++k) {
                P[k] *= rho[k];
                eta_over_P[k] /= P[k];
                for (size_t l = 0; l < lazy.size(); ++l) lazy[l].Q[k] += shares[l] * eta_over_P[k];
            }
        const double* a_t = a;
        for (size_t t = 0; t < m; ++t, a_t += K) add(size_t(rows[t]), a_t, change, share);
        if (total)
            for (size_t k = 0; k < K; ++k) {
                A[k] += P[k];
                for (Lazy& d : lazy) d.B[k] += P[k] * d.Q[k];
            }
        State::step_intercept(m, eta, a, change, share, centre_share);
    }

    void finish() { flush(); }

private:
    static constexpr double tiny = 1e-50;

    // A dense direction, and Q and B for it.
    struct Lazy {
        const double* values;
        PerOutput<Data> Q, B;
    };

    // use(value) with value(j, k) = w: a function of its own for each number of directions
    template <class Use>
    void with_values(Use&& use) const {
        const size_t K = data.n_outputs();
        if (lazy.empty())
            use([this, K](size_t j, size_t k) { return P[k] * theta[j * K + k]; });
        else if (lazy.size() == 1)
            use([this, K, &d = lazy[0]](size_t j, size_t k) {
                const size_t q = j * K + k;
                return P[k] * (theta[q] - d.Q[k] * d.values[q]);
            });
        else
            use([this, K, &d = lazy[0], &e = lazy[1]](size_t j, size_t k) {
                const size_t q = j * K + k;
                return P[k] * (theta[q] - d.Q[k] * d.values[q] - e.Q[k] * e.values[q]);
            });
    }

    // d += change x_i', w -= eta (a + share change) x_i', after P and Q have taken the step along the old d: that is
    // u += c x_i' with c = change Q - (a + share change) eta / P. The sum of the iterates so far stays what it is.
    void add(size_t i, const double* a, const double* change, double share) {
        for (size_t k = 0; k < c.size(); ++k) {
            c[k] = -a[k] * eta_over_P[k];
            if (change) c[k] += change[k] * (lazy[0].Q[k] - share * eta_over_P[k]);
        }
        if (change)
            add(i, change, direction, theta);
        else
            add(i, theta);
        if (!total) return;
        for (size_t k = 0; k < c.size(); ++k) c[k] = (change ? change[k] * lazy[0].B[k] : 0.0) - A[k] * c[k];
        add(i, total);
    }

    // u += c x_i'. One number c is read once: the compiler cannot know that u does not hold it.
    void add(size_t i, double* u) const {
        if constexpr (Data::Loss::single) {
            data.rows.for_each_nonzero(i, [u, c = c[0]](size_t j, double x) { u[j] += c * x; });
        } else {
            const size_t K = data.n_outputs();
            data.rows.for_each_nonzero(i, [&](size_t j, double x) {
                for (size_t k = 0; k < K; ++k) u[j * K + k] += c[k] * x;
            });
        }
    }

    // d += change x_i', u += c x_i'
    void add(size_t i, const double* change, double* d, double* u) const {
        if constexpr (Data::Loss::single) {
            data.rows.for_each_nonzero(i, [d, u, change = change[0], c = c[0]](size_t j, double x) {
                d[j] += change * x;
                u[j] += c * x;
            });
        } else {
            const size_t K = data.n_outputs();
            data.rows.for_each_nonzero(i, [&](size_t j, double x) {
                for (size_t k = 0; k < K; ++k) {
                    d[j * K + k] += change[k] * x;
                    u[j * K + k] += c[k] * x;
                }
            });
        }
    }

    // The formula as it stands, after a flush.
    void step_every_coordinate(const double* eta, const double* shares) {
        const size_t K = data.n_outputs();
        for (size_t j = 0; j < data.rows.n_features; ++j)
            for (size_t k = 0; k < K; ++k) {
                const size_t q = j * K + k;
                double sum = data.alpha[k] * theta[q];
                for (size_t l = 0; l < lazy.size(); ++l) sum += shares[l] * lazy[l].values[q];
                theta[q] -= eta[k] * sum;
            }
    }

    void flush() {
        const size_t K = data.n_outputs(), p = data.rows.n_features;
        if (total)
            for (size_t j = 0; j < p; ++j)
                for (size_t k = 0; k < K; ++k) {
                    const size_t q = j * K + k;
                    total[q] += A[k] * theta[q];
                    for (const Lazy& d : lazy) total[q] -= d.B[k] * d.values[q];
                }
        with_values([&](auto value) {
            for (size_t j = 0; j < p; ++j)
                for (size_t k = 0; k < K; ++k) theta[j * K + k] = value(j, k);
        });
        std::fill(P.begin(), P.end(), 1.0);
        std::fill(A.begin(), A.end(), 0.0);
        for (Lazy& d : lazy) {
            std::fill(d.Q.begin(), d.Q.end(), 0.0);
            std::fill(d.B.begin(), d.B.end(), 0.0);
        }
        steps_since_flush = 0;
    }

    PerOutput<Data> P, A, rho, eta_over_P, c;
    std::vector<Lazy> lazy;  // d and e, those that there are
    double smallest_product;
    size_t steps_since_flush = 0, flush_interval;
};

}  // namespace skvr
