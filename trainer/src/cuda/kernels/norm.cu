// Batch normalisation of currents, and of potentials (version II, Eq. 6).

// Parameters of a normalisation.
struct Gains {
    const real* gamma;
    const real* bias;
    int width;
    double eps;
};

// A normalisation at a time-step, a value a channel each.
struct Norm {
    real* mean;
    real* inv_std;
    real* scale;
    real* shift;

    __device__ void set(int c, double mean_of, double var, const Gains& gains) const {
        const double inverse = 1 / sqrt(var + gains.eps);
        const double gain = of_channel(gains.gamma, gains.width, c) * inverse;
        mean[c] = mean_of;
        inv_std[c] = inverse;
        scale[c] = gain;
        shift[c] = of_channel(gains.bias, gains.width, c) - mean_of * gain;
    }
};

// Mean of the chunk's rows and sum of the squared distances from it: `[chunk, 2, channel]`.
extern "C" __global__ void moments(Chunk chunk, const real* x, real* parts) {
    real sum = 0, squares = 0;
    for_each(chunk, [&](int i, int) { sum += x[i]; });
    const real mean = sum_of_rows(sum) / (chunk.end() - chunk.first());
    for_each(chunk, [&](int i, int) { squares += (x[i] - mean) * (x[i] - mean); });
    squares = sum_of_rows(squares);
    if (threadIdx.y == 0 && chunk.channel() < chunk.channels) {
        parts[blockIdx.x * 2 * chunk.channels + chunk.channel()] = mean;
        parts[(blockIdx.x * 2 + 1) * chunk.channels + chunk.channel()] = squares;
    }
}

// The normalisation by the moments of all chunks, which enter the running ones of `steps` time-steps.
extern "C" __global__ void normalise(
    const real* parts, Chunk chunk, int chunks, Gains gains, double momentum, int steps, real* running_mean,
    real* running_var, Norm norm
) {
    const int c = blockIdx.x * LANES + threadIdx.x, channels = chunk.channels;
    const bool valid = c < channels;
    double sum = 0, squares = 0;
    for (int i = threadIdx.y; valid && i < chunks; i += ROWS) {
        const int rows = min(chunk.rows - i * chunk.rows_per_chunk, chunk.rows_per_chunk);
        sum += (double)rows * parts[i * 2 * channels + c];
    }
    const double mean = sum_of_rows(sum) / chunk.rows;
    for (int i = threadIdx.y; valid && i < chunks; i += ROWS) {
        const int rows = min(chunk.rows - i * chunk.rows_per_chunk, chunk.rows_per_chunk);
        const double between = parts[i * 2 * channels + c] - mean;
        squares += parts[(i * 2 + 1) * channels + c] + rows * between * between;
    }
    const double var = sum_of_rows(squares) / chunk.rows;
    if (!valid || threadIdx.y != 0) return;
    const double unbiased = var * chunk.rows / max(chunk.rows - 1, 1);
    for (int t = 0; t < steps; t++) {
        real* m = &running_mean[t * channels + c];
        real* v = &running_var[t * channels + c];
        *m += (real)(momentum * (mean - *m));
        *v += (real)(momentum * (unbiased - *v));
    }
    norm.set(c, mean, var, gains);
}

// The normalisation by running moments.
extern "C" __global__ void recall(
    const real* running_mean, const real* running_var, int channels, Gains gains, Norm norm
) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    norm.set(c, running_mean[c], running_var[c], gains);
}

extern "C" __global__ void apply_norm(Chunk chunk, Current current, real* y) {
    for_each(chunk, [&](int i, int c) { y[i] = current.at(i, c); });
}

// Sums: g, g (x - mean).
extern "C" __global__ void norm_sums(
    Chunk chunk, const real* x, const real* upstream, const real* mean, real* parts
) {
    channel_sums<2>(chunk, parts, [&](int i, int c, real* sums) {
        sums[0] += upstream[i];
        sums[1] += upstream[i] * (x[i] - mean[c]);
    });
}

// `(slope, offset)` with `dL/dx = scale g + slope (x - mean) + offset`, and `gain = dL/dgamma`, from the sums of `g`
// and of `g (x - mean)`; `share` is one over the rows where the moments are the batch's, else 0.
extern "C" __global__ void slopes(
    const double* sum_g, const double* sum_gx, int channels, double share, Norm norm, real* slope, real* offset,
    double* gain
) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    const double scale = norm.scale[c], inverse = norm.inv_std[c];
    slope[c] = -scale * inverse * inverse * sum_gx[c] * share;
    offset[c] = -scale * sum_g[c] * share;
    gain[c] = sum_gx[c] * inverse;
}

extern "C" __global__ void norm_backward(
    Chunk chunk, const real* x, const real* upstream, Norm norm, const real* slope, const real* offset, real* grad,
    int accumulate
) {
    for_each(chunk, [&](int i, int c) {
        const real centred = x[i] - norm.mean[c];
        put(&grad[i], accumulate, norm.scale[c] * upstream[i] + slope[c] * centred + offset[c]);
    });
}

// `(gain, shift)` with `mh = gain m + shift = alpha m + beta BN(m)`.
extern "C" __global__ void membrane_affine(
    const real* alpha, const real* beta, int width, int channels, Norm norm, real* gain, real* shift
) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    const real share = of_channel(beta, width, c);
    gain[c] = of_channel(alpha, width, c) + share * norm.scale[c];
    shift[c] = share * norm.shift[c];
}

// From `d = dL/dmh`. Sums: dL/dalpha, dL/dbeta, dL/db, and of g (m - mean) for g = dL/dBN(m).
extern "C" __global__ void membrane_sums(
    Chunk chunk, const real* m, const real* d, const real* beta, int width, Norm norm, real* parts
) {
    channel_sums<4>(chunk, parts, [&](int i, int c, real* sums) {
        const real g = d[i] * of_channel(beta, width, c);
        sums[0] += d[i] * m[i];
        sums[1] += d[i] * (m[i] * norm.scale[c] + norm.shift[c]);
        sums[2] += g;
        sums[3] += g * (m[i] - norm.mean[c]);
    });
}

// Turns `d` from dL/dmh into dL/dm.
extern "C" __global__ void membrane_backward(
    Chunk chunk, const real* m, const real* alpha, const real* beta, int width, Norm norm, const real* slope,
    const real* offset, real* d
) {
    for_each(chunk, [&](int i, int c) {
        const real g = d[i] * of_channel(beta, width, c), centred = m[i] - norm.mean[c];
        d[i] = d[i] * of_channel(alpha, width, c) + (norm.scale[c] * g + slope[c] * centred + offset[c]);
    });
}
