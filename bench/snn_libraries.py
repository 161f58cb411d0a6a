"""Training of a spiking network in snnTorch or SpikingJelly, on random images; prints images a second and peak memory.

The layers have the sizes of those in pytorch_online.py: five 3x3 convolutions with batch normalisation and leaky
integrate-and-fire neurons, two average poolings, global average pooling, linear; 32x32 images. Weights are floats, as
neither library has +-1 ones, and the gradient flows back through time, as both do by default. SpikingJelly runs its
layers over all time-steps at once (multi-step mode), which it recommends for speed.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn as nn

LAYERS = [(3, 64), (64, 64), "pool", (64, 128), (128, 128), "pool", (128, 256)]
CLASSES = 10


class SnnTorch(nn.Module):
    """Layers in a loop over time-steps."""

    def __init__(self, time_steps):
        super().__init__()
        import snntorch
        from snntorch import surrogate

        def synapses(inputs, outputs):
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))

        self.time_steps = time_steps
        self.layers = nn.ModuleList(nn.AvgPool2d(2) if l == "pool" else synapses(*l) for l in LAYERS)
        self.neuron = snntorch.Leaky(beta=0.5, spike_grad=surrogate.fast_sigmoid())
        self.linear = nn.Linear(LAYERS[-1][1], CLASSES)

    def forward(self, images):
        potentials = [self.neuron.init_leaky() for _ in self.layers]
        logits = 0
        for _ in range(self.time_steps):
            x = images
            for i, layer in enumerate(self.layers):
                x = layer(x)
                if not isinstance(layer, nn.AvgPool2d):
                    x, potentials[i] = self.neuron(x, potentials[i])
            logits = logits + self.linear(x.mean(dim=(2, 3)))
        return logits / self.time_steps


class SpikingJelly(nn.Module):
    """Layers over all time-steps at once."""

    def __init__(self, time_steps):
        super().__init__()
        from spikingjelly.activation_based import functional, layer, neuron, surrogate

        def block(inputs, outputs):
            return [
                layer.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                layer.BatchNorm2d(outputs),
                neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
            ]

        layers = [module for l in LAYERS for module in ([layer.AvgPool2d(2)] if l == "pool" else block(*l))]
        self.layers = nn.Sequential(*layers)
        functional.set_step_mode(self.layers, "m")
        self.reset = lambda: functional.reset_net(self.layers)
        self.time_steps = time_steps
        self.linear = nn.Linear(LAYERS[-1][1], CLASSES)

    def forward(self, images):
        self.reset()
        spikes = self.layers(images.unsqueeze(0).repeat(self.time_steps, 1, 1, 1, 1))
        return self.linear(spikes.mean(dim=(3, 4))).mean(dim=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=["snntorch", "spikingjelly"], required=True)
    parser.add_argument("--time-steps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = {"snntorch": SnnTorch, "spikingjelly": SpikingJelly}[args.mode](args.time_steps)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    images = torch.rand(args.batch, 3, 32, 32)
    labels = torch.randint(CLASSES, (args.batch,))
    seconds = []
    for _ in range(args.batches + 1):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    rate = args.batch / statistics.median(seconds[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"torch": torch.__version__, "mode": args.mode, "images_per_s": rate, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
