// Cross entropy of `softmax(logits)` against a distribution, a thread an image; `share` is the weight of an image.
extern "C" __global__ void cross_entropy(
    const real* logits, const real* targets, int images, int classes, double share, real* grad, double* losses
) {
    const int image = blockIdx.x * blockDim.x + threadIdx.x;
    if (image >= images) return;
    const real* row = logits + image * classes;
    double top = row[0], sum = 0, loss = 0;
    for (int c = 1; c < classes; c++) top = max(top, (double)row[c]);
    for (int c = 0; c < classes; c++) sum += exp(row[c] - top);
    for (int c = 0; c < classes; c++) {
        const double target = targets[image * classes + c];
        loss -= target * (row[c] - top - log(sum));
        grad[image * classes + c] = (real)(share * (exp(row[c] - top) / sum - target));
    }
    losses[image] = share * loss;
}
