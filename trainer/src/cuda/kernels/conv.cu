// Convolutions as products of matrices whose elements are looked up where they lie: no window is copied.
//
// A block of THREADS makes TILE_M x TILE_N sums. The depth of a product is cut into parts, one for each block along z,
// which are added in order afterwards.

#define TILE_M 128
#define TILE_N 64
#define THREADS 256

// Exact quotients of 0 <= n < 2^31 by a multiplication (Granlund and Montgomery, 1994).
struct Division {
    unsigned factor, shift;

    __device__ int of(int n) const { return (__umulhi(n, factor) + (unsigned)n) >> shift; }
};

// What slides over `x`, and divisions by it. Weights are `[window, in, out]`.
struct Geometry : Sliding {
    Division by_height, by_width, by_channels;
    Division by_out_height, by_out_width, by_out_channels;
    Division by_kernel, by_stride;
};

// Which elements of a tile a thread loads: COUNT runs of WIDTH, along the depth or along the other axis. Here one by
// one, TILE_K of the depth at a time.
#define TILE_K 16

template <int RUNS>
struct AlongDepth {
    static const int COUNT = RUNS, WIDTH = 1;
    __device__ static int depth(int) { return threadIdx.x % TILE_K; }
    __device__ static int at(int i) { return threadIdx.x / TILE_K + i * (THREADS / TILE_K); }
};

template <int RUNS>
struct AcrossDepth {
    static const int COUNT = RUNS, WIDTH = 1, TILE = RUNS * THREADS / TILE_K;
    __device__ static int depth(int i) { return threadIdx.x / TILE + i * (THREADS / TILE); }
    __device__ static int at(int) { return threadIdx.x % TILE; }
};

// Reads a run, or zeros where it does not exist.
template <int WIDTH>
__device__ void read(const real* from, bool exists, real* values) {
    if (WIDTH == 4 && sizeof(real) == 4) {
        const float4 four = exists ? *(const float4*)from : float4{0, 0, 0, 0};
        values[0] = four.x, values[1] = four.y, values[2] = four.z, values[3] = four.w;
    } else {
        for (int i = 0; i < WIDTH; i++) values[i] = exists ? from[i] : 0;
    }
}

struct Position {
    int image, y, x;
};

__device__ Position position(int at, int height, Division by_height, int width, Division by_width) {
    const int row = by_width.of(at), image = by_height.of(row);
    return Position{image, row - image * height, at - row * width};
}

// Windows over `x`, a row for each position of `y`; depth: place in the window, channel.
template <class Runs>
struct Windows : Runs {
    const real* x;
    const Geometry& g;
    int image[Runs::COUNT], top[Runs::COUNT], left[Runs::COUNT];

    __device__ Windows(const real* x, const Geometry& g) : x(x), g(g) {
        for (int i = 0; i < Runs::COUNT; i++) {
            const int m = blockIdx.x * TILE_M + Runs::at(i);
            if (m < g.images * g.out_height * g.out_width) {
                const Position p = position(m, g.out_height, g.by_out_height, g.out_width, g.by_out_width);
                image[i] = p.image * g.height;
                top[i] = p.y * g.stride - g.padding;
                left[i] = p.x * g.stride - g.padding;
            } else {
                image[i] = 0, left[i] = 0, top[i] = -g.kernel;
            }
        }
    }

    __device__ void load(int from, int end, real* values) const {
        const int k = from + Runs::depth(0), place = g.by_channels.of(k), c = k - place * g.channels;
        const int ky = g.by_kernel.of(place), kx = place - ky * g.kernel;
        for (int i = 0; i < Runs::COUNT; i++) {
            const int row = top[i] + ky, column = left[i] + kx;
            const bool inside = k < end && (unsigned)row < g.height && (unsigned)column < g.width;
            const int at = ((image[i] + row) * g.width + column) * g.channels + c;
            read<Runs::WIDTH>(x + at, inside, values + i * Runs::WIDTH);
        }
    }
};

// Gradients of `y` that a position of `x` has a share in; depth: place in the window, channel of `y`.
template <class Runs>
struct Shares : Runs {
    const real* upstream;
    const Geometry& g;
    int image[Runs::COUNT], bottom[Runs::COUNT], right[Runs::COUNT];

    __device__ Shares(const real* upstream, const Geometry& g) : upstream(upstream), g(g) {
        for (int i = 0; i < Runs::COUNT; i++) {
            const int m = blockIdx.x * TILE_M + Runs::at(i);
            if (m < g.images * g.height * g.width) {
                const Position p = position(m, g.height, g.by_height, g.width, g.by_width);
                image[i] = p.image * g.out_height;
                bottom[i] = p.y + g.padding;
                right[i] = p.x + g.padding;
            } else {
                image[i] = 0, right[i] = 0, bottom[i] = -1;
            }
        }
    }

    __device__ void load(int from, int end, real* values) const {
        const int k = from + Runs::depth(0), place = g.by_out_channels.of(k), c = k - place * g.out_channels;
        const int ky = g.by_kernel.of(place), kx = place - ky * g.kernel;
        for (int i = 0; i < Runs::COUNT; i++) {
            const int down = bottom[i] - ky, across = right[i] - kx;
            const int row = g.by_stride.of(max(down, 0)), column = g.by_stride.of(max(across, 0));
            const bool on_grid = row * g.stride == down && column * g.stride == across;
            const bool inside = k < end && on_grid && row < g.out_height && column < g.out_width;
            const int at = ((image[i] + row) * g.out_width + column) * g.out_channels + c;
            read<Runs::WIDTH>(upstream + at, inside, values + i * Runs::WIDTH);
        }
    }
};

// Elements of `x` that a weight meets, a row for each place in the window and channel; depth: position of `y`.
template <class Runs>
struct Met : Runs {
    const real* x;
    const Geometry& g;

    __device__ Met(const real* x, const Geometry& g) : x(x), g(g) {}

    __device__ void load(int from, int end, real* values) const {
        for (int i = 0; i < Runs::COUNT; i++) {
            const int m = blockIdx.x * TILE_M + Runs::at(i), place = g.by_channels.of(m);
            const int ky = g.by_kernel.of(place), kx = place - ky * g.kernel;
            const int k = from + Runs::depth(i), y = g.by_out_width.of(k), image = g.by_out_height.of(y);
            const int row = (y - image * g.out_height) * g.stride + ky - g.padding;
            const int column = (k - y * g.out_width) * g.stride + kx - g.padding;
            const bool valid = ky < g.kernel && k < end;
            const bool inside = valid && (unsigned)row < g.height && (unsigned)column < g.width;
            const int at = ((image * g.height + row) * g.width + column) * g.channels + m - place * g.channels;
            read<Runs::WIDTH>(x + at, inside, values + i * Runs::WIDTH);
        }
    }
};

// Weights as they are, or their signs, which do not exist beyond the matrix.
template <bool SIGN>
__device__ void effective(bool exists, int count, real* values) {
    for (int i = 0; SIGN && exists && i < count; i++) values[i] = sign_of(values[i]);
}

// `matrix[depth, columns]` as it lies; SIGN: its signs.
template <class Runs, bool SIGN>
struct Plain : Runs {
    const real* matrix;
    int columns;

    __device__ Plain(const real* matrix, int columns) : matrix(matrix), columns(columns) {}

    __device__ void load(int from, int end, real* values) const {
        for (int i = 0; i < Runs::COUNT; i++) {
            const int k = from + Runs::depth(i), n = blockIdx.y * TILE_N + Runs::at(i);
            const bool exists = k < end && n < columns;
            read<Runs::WIDTH>(matrix + k * columns + n, exists, values + i * Runs::WIDTH);
            effective<SIGN>(exists, Runs::WIDTH, values + i * Runs::WIDTH);
        }
    }
};

// Weights with the channels exchanged; depth: place in the window, channel of `y`.
template <class Runs, bool SIGN>
struct Exchanged : Runs {
    const real* weights;
    const Geometry& g;

    __device__ Exchanged(const real* weights, const Geometry& g) : weights(weights), g(g) {}

    __device__ void load(int from, int end, real* values) const {
        const int k = from + Runs::depth(0), place = g.by_out_channels.of(k), o = k - place * g.out_channels;
        for (int i = 0; i < Runs::COUNT; i++) {
            const int n = blockIdx.y * TILE_N + Runs::at(i);
            const bool exists = k < end && n < g.channels;
            const int at = (place * g.channels + n) * g.out_channels + o;
            read<Runs::WIDTH>(weights + at, exists, values + i * Runs::WIDTH);
            effective<SIGN>(exists, Runs::WIDTH, values + i * Runs::WIDTH);
        }
    }
};

// A product and where its sums go: `parts[z][rows, columns]`, for part z of the `depth` terms.
struct Product {
    int rows, columns, depth, depth_per_part;
    bool accumulate;
    real* parts;

    __device__ int first() const { return blockIdx.z * depth_per_part; }
    __device__ int end() const { return min(depth, first() + depth_per_part); }

    // The sum of row `m` and column `n` of this block's tile.
    __device__ void put_sum(int m, int n, real sum) const {
        const int row = blockIdx.x * TILE_M + m, column = blockIdx.y * TILE_N + n;
        if (row >= rows || column >= columns) return;
        put(&parts[((size_t)blockIdx.z * rows + row) * columns + column], accumulate, sum);
    }
};

// Makes a tile of `left * right` with fused multiply-adds, 8 x 4 sums a thread.
struct Scalar {
    template <class Left, class Right>
    __device__ static void multiply(const Left& left, const Right& right, const Product& product) {
        __shared__ __align__(16) real a[TILE_K][TILE_M + 4];
        __shared__ __align__(16) real b[TILE_K][TILE_N + 4];
        const int m0 = threadIdx.x / 16 * 8, n0 = threadIdx.x % 16 * 4, end = product.end();
        real sums[8][4] = {}, next_a[8], next_b[4];
        left.load(product.first(), end, next_a);
        right.load(product.first(), end, next_b);
        for (int from = product.first(); from < end; from += TILE_K) {
            for (int i = 0; i < 8; i++) a[Left::depth(i)][Left::at(i)] = next_a[i];
            for (int i = 0; i < 4; i++) b[Right::depth(i)][Right::at(i)] = next_b[i];
            __syncthreads();
            left.load(from + TILE_K, end, next_a);
            right.load(from + TILE_K, end, next_b);
            #pragma unroll
            for (int k = 0; k < TILE_K; k++) {
                real as[8], bs[4];
                for (int i = 0; i < 8; i++) as[i] = a[k][m0 + i];
                for (int j = 0; j < 4; j++) bs[j] = b[k][n0 + j];
                for (int i = 0; i < 8; i++) {
                    for (int j = 0; j < 4; j++) sums[i][j] = fma(as[i], bs[j], sums[i][j]);
                }
            }
            __syncthreads();
        }
        for (int i = 0; i < 8; i++) {
            for (int j = 0; j < 4; j++) product.put_sum(m0 + i, n0 + j, sums[i][j]);
        }
    }

    typedef AlongDepth<8> LeftAlong;
    typedef AcrossDepth<8> LeftAcross;
    typedef AlongDepth<4> RightAlong;
    typedef AcrossDepth<4> RightAcross;
};

// `y = W x`. Unit: what multiplies.
template <class Unit, bool SIGN>
__device__ void forward(const Geometry& g, const real* weights, const real* x, real* parts, int depth_per_part) {
    const int rows = g.images * g.out_height * g.out_width, depth = g.kernel * g.kernel * g.channels;
    const Product product{rows, g.out_channels, depth, depth_per_part, false, parts};
    const Windows<typename Unit::LeftAlong> left(x, g);
    Unit::multiply(left, Plain<typename Unit::RightAcross, SIGN>(weights, g.out_channels), product);
}

// dL/dx.
template <class Unit, bool SIGN>
__device__ void input_gradient(
    const Geometry& g, const real* weights, const real* upstream, real* parts, int depth_per_part, bool accumulate
) {
    const int rows = g.images * g.height * g.width, depth = g.kernel * g.kernel * g.out_channels;
    const Product product{rows, g.channels, depth, depth_per_part, accumulate, parts};
    const Shares<typename Unit::LeftAlong> left(upstream, g);
    Unit::multiply(left, Exchanged<typename Unit::RightAlong, SIGN>(weights, g), product);
}

// dL/dW, before it is clipped.
template <class Unit>
__device__ void weight_gradient(
    const Geometry& g, const real* x, const real* upstream, real* parts, int depth_per_part
) {
    const int rows = g.kernel * g.kernel * g.channels, depth = g.images * g.out_height * g.out_width;
    const Product product{rows, g.out_channels, depth, depth_per_part, false, parts};
    const Met<typename Unit::LeftAcross> left(x, g);
    Unit::multiply(left, Plain<typename Unit::RightAcross, false>(upstream, g.out_channels), product);
}

// Kernels of a unit for float weights and of one for signs, with names that end in SUFFIX.
#define KERNELS(SUFFIX, UNIT, SIGN_UNIT)                                                                              \
    extern "C" __global__ void conv##SUFFIX(Geometry g, const real* w, const real* x, real* parts, int depth) {      \
        forward<UNIT, false>(g, w, x, parts, depth);                                                                  \
    }                                                                                                                 \
    extern "C" __global__ void sign_conv##SUFFIX(Geometry g, const real* w, const real* x, real* parts, int depth) { \
        forward<SIGN_UNIT, true>(g, w, x, parts, depth);                                                              \
    }                                                                                                                 \
    extern "C" __global__ void conv_input_gradient##SUFFIX(                                                           \
        Geometry g, const real* w, const real* upstream, real* parts, int depth, int accumulate                       \
    ) {                                                                                                               \
        input_gradient<UNIT, false>(g, w, upstream, parts, depth, accumulate);                                        \
    }                                                                                                                 \
    extern "C" __global__ void sign_conv_input_gradient##SUFFIX(                                                      \
        Geometry g, const real* w, const real* upstream, real* parts, int depth, int accumulate                       \
    ) {                                                                                                               \
        input_gradient<SIGN_UNIT, true>(g, w, upstream, parts, depth, accumulate);                                    \
    }                                                                                                                 \
    extern "C" __global__ void conv_weight_gradient##SUFFIX(                                                          \
        Geometry g, const real* x, const real* upstream, real* parts, int depth                                       \
    ) {                                                                                                               \
        weight_gradient<UNIT>(g, x, upstream, parts, depth);                                                          \
    }

KERNELS(, Scalar, Scalar)

extern "C" __global__ void sum_parts(const real* parts, int count, int elements, real* to, int accumulate) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    real sum = 0;
    for (int part = 0; part < count; part++) sum += parts[(size_t)part * elements + i];
    put(&to[i], accumulate, sum);
}

// As `sum_parts`, added to a gradient; of sign weights only those in -1..=1 get one.
extern "C" __global__ void sum_weight_parts(
    const real* parts, int count, int elements, const real* weights, int sign, real* grad
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements || (sign && fabs(weights[i]) > 1)) return;
    real sum = 0;
    for (int part = 0; part < count; part++) sum += parts[(size_t)part * elements + i];
    grad[i] += sum;
}

// A bias a channel, for maps of one position.
extern "C" __global__ void add_bias(const real* bias, int elements, int channels, real* y) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < elements) y[i] += bias[i % channels];
}

extern "C" __global__ void channel_totals(Chunk chunk, const real* upstream, real* parts) {
    channel_sums<1>(chunk, parts, [&](int i, int, real* sums) { sums[0] += upstream[i]; });
}
