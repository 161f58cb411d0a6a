// Pooling over windows and over whole maps.

// An element of a map, `[images, height, width, channels]`.
struct Element {
    int image, y, x, c;

    __device__ Element(int i, int height, int width, int channels) {
        c = i % channels;
        x = i / channels % width;
        y = i / channels / width % height;
        image = i / channels / width / height;
    }
};

__device__ int index(const Sliding& p, int image, int y, int x, int c) {
    return ((image * p.height + y) * p.width + x) * p.channels + c;
}

__device__ int out_index(const Sliding& p, int image, int y, int x, int c) {
    return ((image * p.out_height + y) * p.out_width + x) * p.channels + c;
}

// First window along an axis that sees `at`; those up to `at + padding` over the stride follow.
__device__ int first_window(const Sliding& p, int at) {
    return max(at + p.padding - p.kernel + p.stride, 0) / p.stride;
}

extern "C" __global__ void average(Sliding p, const real* x, int elements, real* y) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const Element at(i, p.out_height, p.out_width, p.channels);
    const real share = (real)(1.0 / (p.kernel * p.kernel));
    real sum = 0;
    for (int ky = 0; ky < p.kernel; ky++) {
        for (int kx = 0; kx < p.kernel; kx++) {
            sum += x[index(p, at.image, at.y * p.stride + ky, at.x * p.stride + kx, at.c)] * share;
        }
    }
    y[i] = sum;
}

extern "C" __global__ void average_backward(
    Sliding p, const real*, const real* upstream, int elements, real* grad, int accumulate
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const Element at(i, p.height, p.width, p.channels);
    const real share = (real)(1.0 / (p.kernel * p.kernel));
    real sum = 0;
    for (int y = first_window(p, at.y); y < p.out_height && y * p.stride <= at.y; y++) {
        for (int x = first_window(p, at.x); x < p.out_width && x * p.stride <= at.x; x++) {
            sum += upstream[out_index(p, at.image, y, x, at.c)] * share;
        }
    }
    put(&grad[i], accumulate, sum);
}

// Mean of each channel over the positions of an image.
extern "C" __global__ void map_means(const real* x, int positions, int channels, int elements, real* means) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const real* map = x + (size_t)(i / channels) * positions * channels + i % channels;
    real sum = 0;
    for (int at = 0; at < positions; at++) sum += map[(size_t)at * channels];
    means[i] = sum * (real)(1.0 / positions);
}

extern "C" __global__ void map_means_backward(
    const real* upstream, int positions, int channels, int elements, real* grad, int accumulate
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const int image = i / channels / positions;
    put(&grad[i], accumulate, upstream[image * channels + i % channels] * (real)(1.0 / positions));
}

// Index of a window's first largest element; a border never wins, and no window sees a border alone.
__device__ int largest(const Sliding& p, const real* values, int image, int y, int x, int c) {
    int best = -1;
    for (int ky = 0; ky < p.kernel; ky++) {
        const int row = y * p.stride + ky - p.padding;
        for (int kx = 0; kx < p.kernel; kx++) {
            const int column = x * p.stride + kx - p.padding;
            if ((unsigned)row >= p.height || (unsigned)column >= p.width) continue;
            const int i = index(p, image, row, column, c);
            if (best < 0 || values[i] > values[best]) best = i;
        }
    }
    return best;
}

extern "C" __global__ void maximum(Sliding p, const real* x, int elements, real* y) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const Element at(i, p.out_height, p.out_width, p.channels);
    y[i] = x[largest(p, x, at.image, at.y, at.x, at.c)];
}

extern "C" __global__ void maximum_backward(
    Sliding p, const real* x, const real* upstream, int elements, real* grad, int accumulate
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const Element at(i, p.height, p.width, p.channels);
    real sum = 0;
    for (int oy = first_window(p, at.y); oy < p.out_height && oy * p.stride <= at.y + p.padding; oy++) {
        for (int ox = first_window(p, at.x); ox < p.out_width && ox * p.stride <= at.x + p.padding; ox++) {
            if (largest(p, x, at.image, oy, ox, at.c) == i) sum += upstream[out_index(p, at.image, oy, ox, at.c)];
        }
    }
    put(&grad[i], accumulate, sum);
}
