// Threads that share the work of one kernel call: they start with it and end with it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace skvr {

// A thread takes a task when it is free, so none waits for a thread that the operating system has put aside before it
// took one; and the tasks, not the threads, decide what is computed: results do not depend on how many threads there
// are, or came.
class Team {
public:
    // n_threads: with the calling one. Fewer where the system gives no more.
    explicit Team(size_t n_threads) {
        try {
            while (threads.size() + 1 < n_threads) threads.emplace_back([this] { work(); });
        } catch (const std::system_error&) {
        }
    }
    ~Team() {
        stop.store(true, std::memory_order_relaxed);
        for (std::thread& thread : threads) thread.join();
    }
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    // task(0), ..., task(n - 1), each once, in any order and on any thread; they must not throw.
    template <class Task>
    void run(size_t n, const Task& task) {
        if (threads.empty() || n < 2) {
            for (size_t t = 0; t < n; ++t) task(t);
            return;
        }
        call.store([](const void* task, size_t t) { (*static_cast<const Task*>(task))(t); }, std::memory_order_relaxed);
        argument.store(&task, std::memory_order_relaxed);
        done.store(0, std::memory_order_relaxed);
        round += 1;
        ticket.store(round << 32 | n, std::memory_order_release);
        while (take()) {
        }
        for (size_t spins = 0; done.load(std::memory_order_acquire) < n; ++spins) wait(spins);
    }

private:
    // Takes a task, if there is one. While one is left the round cannot end, so what was read of it still holds when
    // the exchange succeeds.
    bool take() {
        uint64_t seen = ticket.load(std::memory_order_acquire);
        while (uint32_t(seen) > 0) {
            const auto function = call.load(std::memory_order_relaxed);
            const void* task = argument.load(std::memory_order_relaxed);
            if (ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
                function(task, uint32_t(seen) - 1);
                done.fetch_add(1, std::memory_order_release);
                return true;
            }
        }
        return false;
    }

    void work() {
        for (size_t spins = 0; !stop.load(std::memory_order_relaxed); ++spins) {
            if (take())
                spins = 0;
            else
                wait(spins);
        }
    }

    // A short wait costs no call of the system; a long one leaves the core to others.
    static void wait(size_t spins) {
        if (spins > 5000) {
            std::this_thread::yield();
            return;
        }
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
        __builtin_ia32_pause();
#elif defined(__GNUC__) && defined(__aarch64__)
        asm volatile("yield");
#endif
    }

    alignas(64) std::atomic<uint64_t> ticket{0};  // the number of the round, and how many of its tasks are left
    alignas(64) std::atomic<size_t> done{0};
    alignas(64) std::atomic<void (*)(const void*, size_t)> call{nullptr};
    std::atomic<const void*> argument{nullptr};
    std::atomic<bool> stop{false};
    uint64_t round = 0;
    std::vector<std::thread> threads;
};

}  // namespace skvr
