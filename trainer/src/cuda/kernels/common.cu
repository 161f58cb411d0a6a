// Maps are `[rows, channels]`, a row for each position of each image. `real` is the trainer's own type.

// Threads of a block along the channels and along the rows.
#define LANES 32
#define ROWS 8

// Where a block's chunk of the rows ends, and the channel of a thread.
struct Chunk {
    int rows, channels, rows_per_chunk;

    __device__ int first() const { return blockIdx.x * rows_per_chunk; }
    __device__ int end() const { return min(rows, first() + rows_per_chunk); }
    __device__ int channel() const { return blockIdx.y * LANES + threadIdx.x; }
};

// Extents of maps `x` and `y`, channels last, and the window between them.
struct Sliding {
    int images, height, width, channels;
    int out_height, out_width, out_channels;
    int kernel, stride, padding;
};

// `body(element, channel)` for the chunk's elements.
template <class Body>
__device__ void for_each(const Chunk& chunk, Body body) {
    const int c = chunk.channel();
    if (c >= chunk.channels) return;
    for (int row = chunk.first() + threadIdx.y; row < chunk.end(); row += ROWS) {
        body(row * chunk.channels + c, c);
    }
}

// Sum of the block's threads that have this thread's channel, in a fixed order, for all of them.
template <class T>
__device__ T sum_of_rows(T value) {
    __shared__ T lanes[ROWS][LANES];
    lanes[threadIdx.y][threadIdx.x] = value;
    __syncthreads();
    T sum = 0;
    for (int row = 0; row < ROWS; row++) sum += lanes[row][threadIdx.x];
    __syncthreads();
    return sum;
}

// `body(element, channel, sums)` for the chunk's elements; `parts` gets the chunk's sums, `[chunk, sum, channel]`.
template <int SUMS, class Body>
__device__ void channel_sums(const Chunk& chunk, real* parts, Body body) {
    real sums[SUMS] = {};
    for_each(chunk, [&](int i, int c) { body(i, c, sums); });
    for (int s = 0; s < SUMS; s++) {
        const real sum = sum_of_rows(sums[s]);
        if (threadIdx.y == 0 && chunk.channel() < chunk.channels) {
            parts[(blockIdx.x * SUMS + s) * chunk.channels + chunk.channel()] = sum;
        }
    }
}

// Parameter of channel `c`; a width of 1 is one for all channels.
__device__ real of_channel(const real* param, int width, int c) {
    return param[width == 1 ? 0 : c];
}

// Sign(0) = +1.
__device__ real sign_of(real x) {
    return x >= 0 ? 1 : -1;
}

__device__ void put(real* to, bool accumulate, real value) {
    *to = accumulate ? *to + value : value;
}

// Currents in memory, or what they are normalised from.
struct Current {
    const real* x;
    // Null: the current is `x`.
    const real* scale;
    const real* shift;

    __device__ real at(int i, int c) const {
        return scale ? x[i] * scale[c] + shift[c] : x[i];
    }
};

// Sums of each column over the chunks, in order.
extern "C" __global__ void total(const real* parts, int chunks, int columns, double* totals) {
    const int column = blockIdx.x * LANES + threadIdx.x;
    double sum = 0;
    if (column < columns) {
        for (int chunk = threadIdx.y; chunk < chunks; chunk += ROWS) sum += parts[chunk * columns + column];
    }
    sum = sum_of_rows(sum);
    if (threadIdx.y == 0 && column < columns) totals[column] = sum;
}

// Adds a sum a channel to the gradient of a parameter at a time-step.
extern "C" __global__ void add_to_gradient(const double* totals, int channels, int width, real* grad) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (width > 1 && c < channels) grad[c] += (real)totals[c];
    if (width == 1 && c == 0) {
        for (int i = 0; i < channels; i++) grad[0] += (real)totals[i];
    }
}

extern "C" __global__ void add(const real* x, const real* other, int elements, real* y) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < elements) y[i] = x[i] + other[i];
}

extern "C" __global__ void pass_on(const real* upstream, int elements, real* grad, int accumulate) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < elements) put(&grad[i], accumulate, upstream[i]);
}

// Spikes and means of A bits.
extern "C" __global__ void round_to_codes(real* values, int elements, real step, real inverse, real limit) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const real nearest = floor(values[i] * inverse + (real)0.5) * step;
    values[i] = nearest < limit ? nearest : limit;
}

extern "C" __global__ void clip_gradient(const real* values, int elements, real limit, real* grad) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < elements && values[i] >= limit) grad[i] = 0;
}
