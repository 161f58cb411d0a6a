"""Online training of an EM-PF network in PyTorch, on random images; prints images a second and peak memory.

The network: conv 3->64, bconv 64->64, pool, bconv 64->128, bconv 128->128, pool, bconv 128->256, global average
pooling, linear; 3x3 windows, 32x32 images, version I neurons, BN with the statistics of each time-step.

Whatever helps PyTorch is done: signs are taken once a batch, the first convolution of a static image is computed
once a batch, gradients of the signs are clipped once a batch, and nothing is kept from one time-step to the next.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F

LAYERS = [(3, 64), (64, 64), "pool", (64, 128), (128, 128), "pool", (128, 256)]
CLASSES = 10


class Block:
    """Convolution, BN and neuron."""

    def __init__(self, inputs, outputs, time_steps, binary, memory_format, device):
        def parameter(*shape, value):
            return torch.full(shape, value, device=device).requires_grad_()

        weight = torch.empty(outputs, inputs, 3, 3, device=device).uniform_(-0.1, 0.1)
        self.weight = weight.contiguous(memory_format=memory_format).requires_grad_()
        self.binary = binary
        self.gamma, self.bias = parameter(outputs, value=1.0), parameter(outputs, value=0.0)
        self.leak = parameter(time_steps, outputs, value=0.5)
        self.threshold = parameter(time_steps, outputs, value=0.25)
        self.mean = torch.zeros(time_steps, outputs, device=device)
        self.var = torch.ones(time_steps, outputs, device=device)

    def parameters(self):
        return [self.weight, self.gamma, self.bias, self.leak, self.threshold]

    def begin(self):
        """Takes the signs; their gradients are collected over the time-steps."""
        self.potential = None
        weight = self.weight.detach()
        self.used = torch.where(weight >= 0, 1.0, -1.0) if self.binary else weight.clone()
        self.used.requires_grad_()

    def current(self, x):
        return F.conv2d(x, self.used, padding=1)

    def fire(self, current, t):
        current = F.batch_norm(current, self.mean[t], self.var[t], self.gamma, self.bias, training=True)
        leak, threshold = self.leak[t].view(1, -1, 1, 1), self.threshold[t].view(1, -1, 1, 1)
        potential = current if self.potential is None else leak * self.potential + current
        spike = F.relu(potential - threshold)
        self.potential = (potential - spike).detach()
        return spike

    def end(self):
        """Clipped straight-through estimator."""
        gradient = self.used.grad
        self.weight.grad = gradient * (self.weight.detach().abs() <= 1) if self.binary else gradient


class Model:
    def __init__(self, time_steps, memory_format, device):
        self.time_steps, self.device = time_steps, device
        self.layers = [
            "pool" if layer == "pool" else Block(*layer, time_steps, index > 0, memory_format, device)
            for index, layer in enumerate(LAYERS)
        ]
        self.blocks = [layer for layer in self.layers if layer != "pool"]
        self.linear = torch.nn.Linear(LAYERS[-1][1], CLASSES, device=device)

    def parameters(self):
        return [p for block in self.blocks for p in block.parameters()] + list(self.linear.parameters())

    def step(self, current, t):
        x = None
        for layer in self.layers:
            if layer == "pool":
                x = F.avg_pool2d(x, 2)
            else:
                x = layer.fire(current if x is None else layer.current(x), t)
        return self.linear(x.mean(dim=(2, 3)))

    def train_batch(self, images, labels, optimizer, steps, autocast):
        """`steps` are the time-steps that pass back."""
        optimizer.zero_grad(set_to_none=True)
        for block in self.blocks:
            block.begin()
        with torch.autocast(self.device, torch.bfloat16, enabled=autocast):
            first = self.blocks[0].current(images)
            current = first.detach().requires_grad_()
            for t in range(self.time_steps):
                if t in steps:
                    loss = F.cross_entropy(self.step(current, t).float(), labels) / len(steps)
                    loss.backward()
                else:
                    with torch.no_grad():
                        self.step(current, t)
            first.backward(current.grad)
        for block in self.blocks:
            block.end()
        optimizer.step()


def bf16_products():
    """Multiplications and additions a second of the faster of two sizes of bf16 matrix products."""
    rates = []
    for size in [1024, 2048]:
        a, b = torch.rand(2, size, size).bfloat16()
        for _ in range(4):
            start = time.perf_counter()
            torch.matmul(a, b)
            rates.append(size**3 / (time.perf_counter() - start))
    return max(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    modes = ["nchw", "channels_last", "tf32", "bf16", "products"]
    parser.add_argument("--mode", choices=modes, default="channels_last")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rule", choices=["online", "random-bp"], default="online")
    parser.add_argument("--time-steps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.mode == "products":
        return print(json.dumps({"products_per_s": bf16_products()}))
    memory_format = torch.contiguous_format if args.mode == "nchw" else torch.channels_last
    torch.backends.cudnn.allow_tf32 = args.mode == "tf32"
    torch.backends.cudnn.benchmark = True
    model = Model(args.time_steps, memory_format, args.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    images = torch.rand(args.batch, 3, 32, 32, device=args.device).contiguous(memory_format=memory_format)
    labels = torch.randint(CLASSES, (args.batch,), device=args.device)
    seconds = []
    for batch in range(args.batches + 1):
        start = time.perf_counter()
        chosen = range(args.time_steps) if args.rule == "online" else [batch % args.time_steps]
        model.train_batch(images, labels, optimizer, list(chosen), args.mode == "bf16")
        if args.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    rate = args.batch / statistics.median(seconds[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"torch": torch.__version__, "mode": args.mode, "images_per_s": rate, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
