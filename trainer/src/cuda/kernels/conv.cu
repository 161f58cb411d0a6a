// Convolutions as products of matrices whose elements are looked up where they lie: no window is copied.
//
// A block makes TILE_M x TILE_N sums, a thread 8 x 4 of them. The depth of a product is cut into parts, one for each
// block along z, which are added in order afterwards.

#define TILE_M 128
#define TILE_N 64
#define TILE_K 16
#define THREADS 256

// Exact quotients of 0 <= n < 2^31 by a multiplication (Granlund and Montgomery, 1994).
struct Division {
    unsigned factor, shift;

    __device__ int of(int n) const { return (__umulhi(n, factor) + (unsigned)n) >> shift; }
};

// Extents of `x` and `y`, channels last, and the window between them. Weights are `[window, in, out]`.
struct Geometry {
    int images, height, width, channels;
    int out_height, out_width, out_channels;
    int kernel, stride, padding;
    Division by_height, by_width, by_channels;
    Division by_out_height, by_out_width, by_out_channels;
    Division by_kernel, by_stride;
};

// Elements of a tile that a thread loads: consecutive threads follow the depth, or the tile's other axis.
struct AlongDepth {
    __device__ static int depth(int) { return threadIdx.x % TILE_K; }
    __device__ static int at(int i) { return threadIdx.x / TILE_K + i * (THREADS / TILE_K); }
};

template <int TILE>
struct AlongTile {
    __device__ static int depth(int i) { return threadIdx.x / TILE + i * (THREADS / TILE); }
    __device__ static int at(int) { return threadIdx.x % TILE; }
};

struct Position {
    int image, y, x;
};

__device__ Position position(int at, int height, Division by_height, int width, Division by_width) {
    const int row = by_width.of(at), image = by_height.of(row);
    return Position{image, row - image * height, at - row * width};
}

// Windows over `x`, a row for each position of `y`; depth: place in the window, channel.
struct Windows : AlongDepth {
    const real* x;
    const Geometry& g;
    int image[8], top[8], left[8];

    __device__ Windows(const real* x, const Geometry& g) : x(x), g(g) {
        for (int i = 0; i < 8; i++) {
            const int m = blockIdx.x * TILE_M + at(i);
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

    __device__ void load(int from, int end, real (&values)[8]) const {
        const int k = from + depth(0), place = g.by_channels.of(k), c = k - place * g.channels;
        const int ky = g.by_kernel.of(place), kx = place - ky * g.kernel;
        for (int i = 0; i < 8; i++) {
            const int row = top[i] + ky, column = left[i] + kx;
            const bool inside = k < end && (unsigned)row < g.height && (unsigned)column < g.width;
            values[i] = inside ? x[((image[i] + row) * g.width + column) * g.channels + c] : 0;
        }
    }
};

// Gradients of `y` that a position of `x` has a share in; depth: place in the window, channel of `y`.
struct Shares : AlongDepth {
    const real* upstream;
    const Geometry& g;
    int image[8], bottom[8], right[8];

    __device__ Shares(const real* upstream, const Geometry& g) : upstream(upstream), g(g) {
        for (int i = 0; i < 8; i++) {
            const int m = blockIdx.x * TILE_M + at(i);
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

    __device__ void load(int from, int end, real (&values)[8]) const {
        const int k = from + depth(0), place = g.by_out_channels.of(k), c = k - place * g.out_channels;
        const int ky = g.by_kernel.of(place), kx = place - ky * g.kernel;
        for (int i = 0; i < 8; i++) {
            const int down = bottom[i] - ky, across = right[i] - kx;
            values[i] = 0;
            if (k >= end || down < 0 || across < 0) continue;
            const int row = g.by_stride.of(down), column = g.by_stride.of(across);
            const bool on_grid = row * g.stride == down && column * g.stride == across;
            if (on_grid && row < g.out_height && column < g.out_width) {
                values[i] = upstream[((image[i] + row) * g.out_width + column) * g.out_channels + c];
            }
        }
    }
};

// Elements of `x` that a weight meets, a row for each place in the window and channel; depth: position of `y`.
struct Met : AlongTile<TILE_M> {
    const real* x;
    const Geometry& g;
    int c, ky, kx;
    bool valid;

    __device__ Met(const real* x, const Geometry& g) : x(x), g(g) {
        const int m = blockIdx.x * TILE_M + at(0), place = g.by_channels.of(m);
        valid = m < g.kernel * g.kernel * g.channels;
        c = m - place * g.channels;
        ky = g.by_kernel.of(place) - g.padding;
        kx = place - g.by_kernel.of(place) * g.kernel - g.padding;
    }

    __device__ void load(int from, int end, real (&values)[8]) const {
        for (int i = 0; i < 8; i++) {
            const int k = from + depth(i);
            const int y = g.by_out_width.of(k), image = g.by_out_height.of(y);
            const int row = (y - image * g.out_height) * g.stride + ky;
            const int column = (k - y * g.out_width) * g.stride + kx;
            const bool inside = valid && k < end && (unsigned)row < g.height && (unsigned)column < g.width;
            values[i] = inside ? x[((image * g.height + row) * g.width + column) * g.channels + c] : 0;
        }
    }
};

// `matrix[depth, columns]` as it lies; SIGN: its signs.
template <bool SIGN>
struct Plain : AlongTile<TILE_N> {
    const real* matrix;
    int columns;

    __device__ Plain(const real* matrix, int columns) : matrix(matrix), columns(columns) {}

    __device__ void load(int from, int end, real (&values)[4]) const {
        const int n = blockIdx.y * TILE_N + at(0);
        for (int i = 0; i < 4; i++) {
            const int k = from + depth(i);
            const real value = k < end && n < columns ? matrix[k * columns + n] : 0;
            values[i] = SIGN && k < end && n < columns ? (value >= 0 ? 1 : -1) : value;
        }
    }
};

// Weights with the channels exchanged; depth: place in the window, channel of `y`.
template <bool SIGN>
struct Exchanged : AlongDepth {
    const real* weights;
    const Geometry& g;

    __device__ Exchanged(const real* weights, const Geometry& g) : weights(weights), g(g) {}

    __device__ void load(int from, int end, real (&values)[4]) const {
        const int k = from + depth(0), place = g.by_out_channels.of(k), o = k - place * g.out_channels;
        for (int i = 0; i < 4; i++) {
            const int n = blockIdx.y * TILE_N + at(i);
            const bool inside = k < end && n < g.channels;
            const real value = inside ? weights[(place * g.channels + n) * g.out_channels + o] : 0;
            values[i] = SIGN && inside ? (value >= 0 ? 1 : -1) : value;
        }
    }
};

// Writes this block's part of `left * right`, `[rows, columns]`, whose sums have `depth` terms.
template <class Left, class Right>
__device__ void product(
    const Left& left, const Right& right, int rows, int columns, int depth, int depth_per_part, real* parts,
    bool accumulate
) {
    __shared__ __align__(16) real a[TILE_K][TILE_M + 4];
    __shared__ __align__(16) real b[TILE_K][TILE_N + 4];
    const int m0 = threadIdx.x / 16 * 8, n0 = threadIdx.x % 16 * 4;
    const int first = blockIdx.z * depth_per_part, end = min(depth, first + depth_per_part);
    real sums[8][4] = {}, next_a[8], next_b[4];
    left.load(first, end, next_a);
    right.load(first, end, next_b);
    for (int from = first; from < end; from += TILE_K) {
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
    real* part = parts + (size_t)blockIdx.z * rows * columns;
    for (int i = 0; i < 8; i++) {
        const int m = blockIdx.x * TILE_M + m0 + i;
        for (int j = 0; j < 4; j++) {
            const int n = blockIdx.y * TILE_N + n0 + j;
            if (m < rows && n < columns) put(&part[(size_t)m * columns + n], accumulate, sums[i][j]);
        }
    }
}

template <bool SIGN>
__device__ void forward(const Geometry& g, const real* weights, const real* x, real* parts, int depth_per_part) {
    const int rows = g.images * g.out_height * g.out_width, depth = g.kernel * g.kernel * g.channels;
    product(Windows(x, g), Plain<SIGN>(weights, g.out_channels), rows, g.out_channels, depth, depth_per_part, parts, false);
}

extern "C" __global__ void conv(Geometry g, const real* w, const real* x, real* parts, int depth_per_part) {
    forward<false>(g, w, x, parts, depth_per_part);
}

extern "C" __global__ void sign_conv(Geometry g, const real* w, const real* x, real* parts, int depth_per_part) {
    forward<true>(g, w, x, parts, depth_per_part);
}

template <bool SIGN>
__device__ void input_gradient(
    const Geometry& g, const real* weights, const real* upstream, real* parts, int depth_per_part, bool accumulate
) {
    const int rows = g.images * g.height * g.width, depth = g.kernel * g.kernel * g.out_channels;
    product(Shares(upstream, g), Exchanged<SIGN>(weights, g), rows, g.channels, depth, depth_per_part, parts, accumulate);
}

extern "C" __global__ void conv_input_gradient(
    Geometry g, const real* w, const real* upstream, real* parts, int depth_per_part, int accumulate
) {
    input_gradient<false>(g, w, upstream, parts, depth_per_part, accumulate);
}

extern "C" __global__ void sign_conv_input_gradient(
    Geometry g, const real* w, const real* upstream, real* parts, int depth_per_part, int accumulate
) {
    input_gradient<true>(g, w, upstream, parts, depth_per_part, accumulate);
}

extern "C" __global__ void conv_weight_gradient(
    Geometry g, const real* x, const real* upstream, real* parts, int depth_per_part
) {
    const int rows = g.kernel * g.kernel * g.channels, depth = g.images * g.out_height * g.out_width;
    product(Met(x, g), Plain<false>(upstream, g.out_channels), rows, g.out_channels, depth, depth_per_part, parts, false);
}

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
