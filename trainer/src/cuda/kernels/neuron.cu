// EM-PF neurons (Eq. 3 to 6), and LIF neurons.

// m = lambda v[t-1] + I, v[t] = min(m, theta), s = m - v[t]. Without a lambda the leak is in the current already.
extern "C" __global__ void fire(
    Chunk chunk, Current current, const real* lambda, const real* theta, int width, const real* before, real* after,
    real* spikes
) {
    for_each(chunk, [&](int i, int c) {
        const real leak = lambda ? of_channel(lambda, width, c) : 0;
        const real threshold = of_channel(theta, width, c), m = leak * before[i] + current.at(i, c);
        const real v = m >= threshold ? threshold : m;
        spikes[i] = m - v;
        after[i] = v;
    });
}

// s = relu(I - theta).
extern "C" __global__ void fire_parallel(Chunk chunk, Current current, const real* theta, int width, real* spikes) {
    for_each(chunk, [&](int i, int c) {
        const real over = current.at(i, c) - of_channel(theta, width, c);
        spikes[i] = over > 0 ? over : 0;
    });
}

// m = lambda v[t-1] + I.
extern "C" __global__ void charge(
    Chunk chunk, Current current, const real* lambda, int width, const real* before, real* membrane
) {
    for_each(chunk, [&](int i, int c) {
        membrane[i] = of_channel(lambda, width, c) * before[i] + current.at(i, c);
    });
}

// Sums: dL/dtheta.
extern "C" __global__ void fire_parallel_backward(
    Chunk chunk, Current current, const real* theta, int width, const real* upstream, real* grad, int accumulate,
    real* parts
) {
    channel_sums<1>(chunk, parts, [&](int i, int c, real* sums) {
        const bool fires = current.at(i, c) - of_channel(theta, width, c) >= 0;
        const real d = fires ? upstream[i] : 0;
        put(&grad[i], accumulate, d);
        sums[0] -= d;
    });
}

// Version I online. A neuron fired exactly where v[t] is its threshold. Sums: dL/dtheta, dL/dlambda.
extern "C" __global__ void fire_backward(
    Chunk chunk, const real* theta, int width, const real* before, const real* after, const real* upstream,
    real* grad, int accumulate, real* parts
) {
    channel_sums<2>(chunk, parts, [&](int i, int c, real* sums) {
        const real d = after[i] >= of_channel(theta, width, c) ? upstream[i] : 0;
        put(&grad[i], accumulate, d);
        sums[0] -= d;
        sums[1] += d * before[i];
    });
}

// Turns `d` from dL/dv[t] into the gradient of what the threshold sees. Sums: dL/dtheta.
extern "C" __global__ void spike_backward(
    Chunk chunk, const real* theta, int width, const real* after, const real* upstream, real* d, real* parts
) {
    channel_sums<1>(chunk, parts, [&](int i, int c, real* sums) {
        const real through_spike = after[i] >= of_channel(theta, width, c) ? upstream[i] - d[i] : 0;
        d[i] += through_spike;
        sums[0] -= through_spike;
    });
}

// dL/dI[t] from `d`, the gradient of m[t]. Sums: dL/dlambda. Where lambda is given, `d` becomes dL/dv[t-1].
extern "C" __global__ void charge_backward(
    Chunk chunk, const real* lambda, int width, const real* before, real* d, real* grad, int accumulate, real* parts
) {
    channel_sums<1>(chunk, parts, [&](int i, int c, real* sums) {
        put(&grad[i], accumulate, d[i]);
        sums[0] += d[i] * before[i];
        if (lambda) d[i] *= of_channel(lambda, width, c);
    });
}

// m = leak v[t-1] + I, s = 1 where m >= threshold, v[t] = m - threshold s.
extern "C" __global__ void lif(
    Chunk chunk, Current current, real leak, real threshold, const real* before, real* after, real* spikes
) {
    for_each(chunk, [&](int i, int c) {
        const real m = leak * before[i] + current.at(i, c), s = m >= threshold ? 1 : 0;
        spikes[i] = s;
        after[i] = m - threshold * s;
    });
}

// Triangular surrogate gradient. Where `carry` is given, it is dL/dv[t] and becomes dL/dv[t-1].
extern "C" __global__ void lif_backward(
    Chunk chunk, Current current, real leak, real threshold, const real* before, const real* upstream, real* carry,
    real* grad, int accumulate
) {
    for_each(chunk, [&](int i, int c) {
        const real m = leak * before[i] + current.at(i, c), slope = 1 - fabs(m - threshold);
        const real surrogate = slope > 0 ? slope : 0;
        const real later = carry ? carry[i] : 0;
        const real d = later + (upstream[i] - threshold * later) * surrogate;
        put(&grad[i], accumulate, d);
        if (carry) carry[i] = leak * d;
    });
}
