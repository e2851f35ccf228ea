// Reads commands from standard input: they allocate, write and read memory, and run kernels and library functions. A fault ends the
// process, either with code 3 and a sentence, or with a sanitizer's report, or with the signal of a guard page. The test then fails,
// and all other tests continue.
//
// A launch states which bytes of memory belong to each argument, and whether the kernel may read or write them. The kernel gets a
// separate copy of each, with guards (`memory.h`). An access to another buffer of the same arena is therefore found, which a GPU
// would not report. Bytes that the kernel may not read hold a pattern, and bytes that it may not write must stay the same.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "library.h"
#include "memory.h"
#include "schedule.h"

namespace emulator {

namespace {

std::vector<std::vector<char>> memories;
Pool pool;
unsigned long seed = 0;

void take(void* to, size_t bytes) {
    if (bytes > 0 && fread(to, 1, bytes, stdin) != bytes) fail("a command ends in the middle");
}

template <class T> T take() {
    T value;
    take(&value, sizeof value);
    return value;
}

// A range of bytes in a memory.
struct Region {
    uint64_t memory, offset, bytes;
    bool read, written;
    char* start() const { return memories[memory].data() + offset; }
    uint64_t end() const { return offset + bytes; }
};

Region take_region() {
    Region region;
    region.memory = take<uint64_t>();
    region.offset = take<uint64_t>();
    region.bytes = take<uint64_t>();
    region.read = take<uint8_t>();
    region.written = take<uint8_t>();
    if (region.memory >= memories.size() || region.end() > memories[region.memory].size())
        fail("there are no bytes %lu to %lu in memory %lu", region.offset, region.end(), region.memory);
    return region;
}

// The bytes of one argument, or of several whose bytes overlap.
struct Piece {
    Region region;
    unsigned argument;  // the first of these arguments, for messages
    Guarded copy;
};

// The pieces of all arguments. Arguments that overlap share a piece.
std::vector<Piece> pieces(const std::vector<Region>& regions) {
    std::vector<Piece> all;
    for (unsigned i = 0; i < regions.size(); ++i) {
        Piece piece = {regions[i], i, {}};
        const auto overlaps = [&](const Piece& other) {
            return other.region.memory == piece.region.memory && other.region.offset < piece.region.end() &&
                   piece.region.offset < other.region.end();
        };
        for (auto other = all.begin(); other != all.end();) {
            if (!overlaps(*other)) {
                ++other;
                continue;
            }
            const uint64_t end = std::max(piece.region.end(), other->region.end());
            piece.region.offset = std::min(piece.region.offset, other->region.offset);
            piece.region.bytes = end - piece.region.offset;
            piece.region.read |= other->region.read;
            piece.region.written |= other->region.written;
            piece.argument = std::min(piece.argument, other->argument);
            all.erase(other);
            other = all.begin();
        }
        all.push_back(piece);
    }
    return all;
}

// The copy of a region.
char* find(const std::vector<Piece>& pieces, const Region& region) {
    for (const Piece& piece : pieces)
        if (piece.region.memory == region.memory && piece.region.offset <= region.offset && region.end() <= piece.region.end())
            return piece.copy.start + (region.offset - piece.region.offset);
    fail("an argument has no memory");
}

Guarded copy(const Region& region) {
    const Guarded copy = pool.take(region.bytes);
    if (region.read || !region.written)
        memcpy(copy.start, region.start(), region.bytes);
    else
        memset(copy.start, unset_byte(seed), region.bytes);
    return copy;
}

// Copies the stored words back. Where the kernel stored nothing, the memory keeps its content.
void copy_back(const Piece& piece) {
    char* to = piece.region.start();
    for (size_t i = 0; i < piece.region.bytes; i += 4) {
        const size_t bytes = std::min<size_t>(4, piece.region.bytes - i);
        const char* from = piece.copy.start + i;
        const char unset[4] = {char(unset_byte(seed)), char(unset_byte(seed)), char(unset_byte(seed)), char(unset_byte(seed))};
        if (piece.region.read || memcmp(from, unset, bytes) != 0) memcpy(to + i, from, bytes);
    }
}

void finish(const Piece& piece) {
    check(piece.copy, piece.argument);
    if (piece.region.written)
        copy_back(piece);
    else if (memcmp(piece.region.start(), piece.copy.start, piece.region.bytes) != 0)
        fail("it stored to argument %u, which it should only read", piece.argument);
    pool.give_back(piece.copy);
}

void take_launch() {
    std::string name(take<uint64_t>(), 0);
    take(name.data(), name.size());
    uint32_t sizes[7];
    take(sizes, sizeof sizes);
    std::vector<Argument> arguments(take<uint64_t>());
    std::vector<Region> regions;
    for (Argument& argument : arguments) {
        argument.pointer = take<uint8_t>() == 0;
        argument.value = argument.pointer ? regions.size() : take<uint64_t>();
        if (argument.pointer) regions.push_back(take_region());
    }
    std::vector<Piece> all = pieces(regions);
    for (Piece& piece : all) piece.copy = copy(piece.region);
    for (Argument& argument : arguments)
        if (argument.pointer) argument.value = reinterpret_cast<uintptr_t>(find(all, regions[argument.value]));
    launch(name.c_str(), {sizes[0], sizes[1], sizes[2]}, {sizes[3], sizes[4], sizes[5]}, sizes[6], arguments.data(),
           arguments.size(), seed, [&] { std::for_each(all.begin(), all.end(), finish); });
}

template <class T> Matrix<T> take_matrix() {
    const Region region = take_region();
    const auto offset = take<uint64_t>(), rows = take<uint64_t>(), columns = take<uint64_t>();
    return {reinterpret_cast<T*>(region.start()) + offset, rows, columns};
}

template <class In, class Out> void take_product() {
    const auto m = take<uint64_t>(), n = take<uint64_t>(), k = take<uint64_t>();
    const auto a = take_matrix<const In>(), b = take_matrix<const In>();
    const auto c = take_matrix<Out>();
    const Out* bias = take<uint8_t>() != 0 ? take_matrix<const Out>().at : nullptr;
    product<In, Out>(m, n, k, a, b, c, bias, take<uint8_t>() != 0);
}

template <class T> void take_convolution() {
    const auto pass = static_cast<Pass>(take<uint8_t>());
    uint64_t sizes[13];
    take(sizes, sizeof sizes);
    Convolution shape = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], {sizes[7], sizes[8]},
                         {sizes[9], sizes[10]}, {sizes[11], sizes[12]}, false};
    const Region a = take_region(), b = take_region(), c = take_region();
    const auto at = [](const Region& region) { return reinterpret_cast<T*>(region.start()); };
    const T* bias = take<uint8_t>() != 0 ? at(take_region()) : nullptr;
    shape.relu = take<uint8_t>() != 0;
    convolve<T>(pass, shape, at(a), at(b), at(c), bias);
}

void take_memory() { memories.emplace_back(take<uint64_t>(), static_cast<char>(unset_byte(seed))); }

void copy_in() {
    const Region region = take_region();
    take(region.start(), region.bytes);
}

void copy_out() {
    const Region region = take_region();
    if (region.bytes > 0) fwrite(region.start(), 1, region.bytes, stdout);
    fflush(stdout);
}

// Treats subnormal numbers as zero, as the options for NVIDIA's compiler do.
void flush_subnormals() {
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#elif defined(__aarch64__)
    asm volatile("msr fpcr, %0" ::"r"(uint64_t{1} << 24));
#endif
}

void take_command(int command) {
    // Operands of a library: 0 float, 1 double, 2 bfloat16, 3 bfloat16 with a bfloat16 result of products, too.
    const int kind = command == 'P' || command == 'C' ? take<uint8_t>() : 0;
    switch (command) {
        case 'S': seed = take<uint64_t>(); break;
        case 'M': take_memory(); break;
        case 'W': copy_in(); break;
        case 'R': copy_out(); break;
        case 'L': take_launch(); break;
        case 'P':
            switch (kind) {
                case 1: take_product<double, double>(); break;
                case 2: take_product<Half, float>(); break;
                case 3: take_product<Half, Half>(); break;
                default: take_product<float, float>();
            }
            break;
        case 'C':
            kind >= 2 ? take_convolution<Half>() : kind == 1 ? take_convolution<double>() : take_convolution<float>();
            break;
        default: fail("there is no command %d", command);
    }
}

}  // namespace

}  // namespace emulator

int main() {
    emulator::flush_subnormals();
    alarm(600);  // ends a kernel that never ends by itself
    for (int command = getchar(); command != EOF; command = getchar()) emulator::take_command(command);
    return 0;
}
