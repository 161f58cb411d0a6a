// Channel attention on currents (SECA, Eq. 9). `mean`, `score` and the sums are `[image, channel]`.

// The channel that tap `k` of channel `c` sees, or -1.
__device__ int seen(int k, int kernel, int c, int channels) {
    const int at = c + k - kernel / 2;
    return at >= 0 && at < channels ? at : -1;
}

extern "C" __global__ void seca_score(
    const real* weight, int kernel, const real* mean, int elements, int channels, real* score
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const int c = i % channels;
    real sum = 0;
    for (int k = 0; k < kernel; k++) {
        const int at = seen(k, kernel, c, channels);
        if (at >= 0) sum += weight[k] * sign_of(mean[i - c + at]);
    }
    score[i] = 1 / (1 + exp(-sum));
}

extern "C" __global__ void seca_scale(
    const real* x, const real* score, int positions, int channels, int elements, real* y
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < elements) y[i] = x[i] * score[i / channels / positions * channels + i % channels];
}

// dL/d(argument of the sigmoid).
extern "C" __global__ void seca_sums(
    const real* x, const real* upstream, const real* score, int positions, int channels, int elements, real* sums
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const size_t map = (size_t)(i / channels) * positions * channels + i % channels;
    real sum = 0;
    for (int at = 0; at < positions; at++) {
        const size_t element = map + (size_t)at * channels;
        sum += x[element] * upstream[element];
    }
    sums[i] = sum * (score[i] * (1 - score[i]));
}

// dL/dx through the signs of the means, which pass it in -1..=1, and through the means.
extern "C" __global__ void seca_through_mean(
    const real* weight, int kernel, const real* mean, const real* sums, int positions, int channels, int elements,
    real* through
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const int c = i % channels;
    const real share = (real)(1.0 / positions);
    real sum = 0;
    for (int k = 0; k < kernel; k++) {
        // Tap k of channel `from` sees this one.
        const int from = c - k + kernel / 2;
        if (from >= 0 && from < channels) sum += sums[i - c + from] * weight[k] * share;
    }
    through[i] = fabs(mean[i]) <= 1 ? sum : 0;
}

// A block for each tap, whose threads share the images' channels and add up in a fixed order.
extern "C" __global__ void seca_weight_gradient(
    const real* mean, const real* sums, int kernel, int channels, int elements, real* grad
) {
    __shared__ real lanes[256];
    real sum = 0;
    for (int i = threadIdx.x; i < elements; i += blockDim.x) {
        const int at = seen(blockIdx.x, kernel, i % channels, channels);
        if (at >= 0) sum += sums[i] * sign_of(mean[i - i % channels + at]);
    }
    lanes[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x != 0) return;
    real total = 0;
    for (int lane = 0; lane < blockDim.x; lane++) total += lanes[lane];
    grad[blockIdx.x] += total;
}

extern "C" __global__ void seca_backward(
    const real* upstream, const real* score, const real* through, int positions, int channels, int elements,
    real* grad, int accumulate
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    const int of_image = i / channels / positions * channels + i % channels;
    put(&grad[i], accumulate, upstream[i] * score[of_image] + through[of_image]);
}
