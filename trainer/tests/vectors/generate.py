"""Writes the test vectors of this folder: forward results and gradients in double precision.

    pip install torch numpy safetensors
    python generate.py [FOLDER]

Everything is written once more here, from the equations, with PyTorch's automatic derivatives; nothing is shared
with the trainer that `../vectors.rs` holds to these files. The seed is fixed, so the inputs are the same in every run;
results may differ in their last bits between versions of PyTorch.

A file's name starts with its kind. Tensors are called `in.*`, `out.*` and `grad.*`; images come as
`[image][channel][y][x]`, with the time-step in front where there is one.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

EPS = 1e-5


class Sign(torch.autograd.Function):
    """+1 where x >= 0, else -1; the gradient passes where |x| <= 1."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)


def sign_conv(x, weight, stride=1, padding=0):
    """Convolution with the signs of latent weights."""
    return torch.nn.functional.conv2d(x, Sign.apply(weight), stride=stride, padding=padding)


def channelwise(values):
    """A value a channel, beside `[image][channel][y][x]`."""
    return values.view(1, -1, 1, 1)


def normalise(x, gamma, b, mean=None, var=None):
    """Batch normalisation; without statistics, those of the batch (the biased variance)."""
    if mean is None:
        mean = x.mean(dim=(0, 2, 3))
        var = x.var(dim=(0, 2, 3), unbiased=False)
    scale = gamma / torch.sqrt(var + EPS)
    return channelwise(scale) * (x - channelwise(mean)) + channelwise(b)


def fire(m, theta):
    """Spike and what is left: s = relu(m - theta), v = m - s."""
    over = m - channelwise(theta)
    s = torch.where(over >= 0, over, torch.zeros_like(over))
    return s, m - s


def neuron_step(current, v, p, t, online):
    """One time-step of version I, II (where `p` has `alpha`) or III (where it has no `lambda_`)."""
    if "lambda_" not in p:
        return fire(current, p["theta"][t])
    m = channelwise(p["lambda_"][t]) * (v.detach() if online else v) + current
    if "alpha" in p:
        statistics = (p["mean"][t], p["var"][t]) if "mean" in p else (None, None)
        normalised = normalise(m, p["gamma"][t], p["b"][t], *statistics)
        m = channelwise(p["alpha"][t]) * m + channelwise(p["beta"][t]) * normalised
    return fire(m, p["theta"][t])


def seca(current, kernel):
    """Sigmoid(Conv1d(Sign(GAP(I)))) * I, the taps running over the channels."""
    signs = Sign.apply(current.mean(dim=(2, 3)))
    taps = torch.nn.functional.conv1d(signs[:, None], kernel[None, None], padding=len(kernel) // 2)
    return torch.sigmoid(taps[:, 0])[:, :, None, None] * current


class Vectors:
    """Random inputs and the files made of them."""

    def __init__(self, folder):
        self.folder = folder
        self.generator = torch.Generator().manual_seed(20250101)

    def normal(self, *shape, mean=0.0, sd=1.0):
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64) * sd + mean

    def uniform(self, *shape, low, high):
        return torch.rand(*shape, generator=self.generator, dtype=torch.float64) * (high - low) + low

    def save(self, name, inputs, outputs, loss, learned, **metadata):
        """Takes the gradients of `loss` by the inputs called `learned`, and writes all."""
        grads = torch.autograd.grad(loss, [inputs[k] for k in learned], allow_unused=True)
        tensors = {f"in.{k}": v for k, v in inputs.items()} | {f"out.{k}": v for k, v in outputs.items()}
        for key, grad in zip(learned, grads):
            tensors[f"grad.{key}"] = torch.zeros_like(inputs[key]) if grad is None else grad
        tensors = {k: v.detach().contiguous() for k, v in tensors.items()}
        texts = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in metadata.items()}
        save_file(tensors, self.folder / f"{name}.safetensors", metadata=texts)

    def conv(self, name, kernel, stride, padding):
        inputs = {
            "x": self.normal(2, 3, 7, 6).requires_grad_(),
            # Some latent weights lie beyond +-1, where no gradient passes.
            "weight": self.uniform(4, 3, kernel, kernel, low=-1.4, high=1.4).requires_grad_(),
        }
        y = sign_conv(inputs["x"], inputs["weight"], stride, padding)
        inputs["upstream"] = self.normal(*y.shape)
        loss = (y * inputs["upstream"]).sum()
        self.save(name, inputs, {"y": y}, loss, ["x", "weight"], kernel=kernel, stride=stride, padding=padding)

    def neuron(self, name, version="I", steps=4, online=True, training=True, theta=(0.2, 1.0), leak=(0.3, 1.1)):
        channels = 3
        each = (steps, channels)
        inputs = {
            "current": self.normal(steps, 2, channels, 3, 2, mean=0.5).requires_grad_(),
            "theta": self.uniform(*each, low=theta[0], high=theta[1]).requires_grad_(),
        }
        learned = ["current", "theta"]
        if version != "III":
            inputs["lambda_"] = self.uniform(*each, low=leak[0], high=leak[1]).requires_grad_()
            learned.append("lambda_")
        if version == "II":
            for key, low, high in [("alpha", 0.6, 1.2), ("beta", -0.5, 0.5), ("gamma", 0.5, 1.5), ("b", -0.5, 0.5)]:
                inputs[key] = self.uniform(*each, low=low, high=high).requires_grad_()
                learned.append(key)
            if not training:
                inputs["mean"] = self.normal(*each, sd=0.5)
                inputs["var"] = self.uniform(*each, low=0.4, high=2.0)
        inputs["upstream"] = self.normal(*inputs["current"].shape)

        v = torch.zeros_like(inputs["current"][0])
        spikes, residual = [], []
        for t in range(steps):
            s, v = neuron_step(inputs["current"][t], v, inputs, t, online)
            spikes.append(s)
            residual.append(v)
        outputs = {"spikes": torch.stack(spikes), "residual": torch.stack(residual)}
        if version == "II" and not training:
            outputs |= self.version_i(inputs)
        loss = (outputs["spikes"] * inputs["upstream"]).sum()
        self.save(
            name, inputs, outputs, loss, learned, T=steps, eps=EPS, online=online, training=training,
            parallel=version == "III", membrane_bn=version == "II",
        )

    def version_i(self, p):
        """Numbers of the version I neuron that equals a version II one; checked by running both."""
        scale = p["gamma"] / torch.sqrt(p["var"] + EPS)
        gain = p["alpha"] + p["beta"] * scale
        offset = p["beta"] * (scale * p["mean"] - p["b"])
        same = {"gain": gain, "lambda": gain * p["lambda_"], "theta": p["theta"] + offset, "offset": offset}
        v, w = (torch.zeros_like(p["current"][0]) for _ in range(2))
        for t, current in enumerate(p["current"]):
            s, v = neuron_step(current, v, p, t, online=False)
            m = channelwise(same["lambda"][t]) * w + channelwise(gain[t]) * current
            r, w = fire(m, same["theta"][t])
            w = w - channelwise(offset[t])
            assert torch.allclose(s, r, rtol=0, atol=1e-12)
        return {f"reparam_{k}": v for k, v in same.items()}

    def seca_i(self, name, taps):
        inputs = {
            "current": self.normal(2, 6, 3, 2).requires_grad_(),
            "kernel": self.normal(taps).requires_grad_(),
        }
        y = seca(inputs["current"], inputs["kernel"])
        inputs["upstream"] = self.normal(*y.shape)
        loss = (y * inputs["upstream"]).sum()
        self.save(name, inputs, {"y": y}, loss, ["current", "kernel"], variant=1, K=taps, eps=EPS)

    def seca_ii(self, name, taps):
        channels = 6
        inputs = {
            "current": self.normal(2, channels, 4, 3).requires_grad_(),
            "weight": self.uniform(channels, channels, 3, 3, low=-1.4, high=1.4).requires_grad_(),
            "gamma": self.uniform(channels, low=0.5, high=1.5).requires_grad_(),
            "b": self.normal(channels, sd=0.3).requires_grad_(),
            "kernel": self.normal(taps).requires_grad_(),
        }
        inner = sign_conv(inputs["current"], inputs["weight"], padding=1)
        y = seca(inputs["current"] + normalise(inner, inputs["gamma"], inputs["b"]), inputs["kernel"])
        learned = list(inputs)
        inputs["upstream"] = self.normal(*y.shape)
        loss = (y * inputs["upstream"]).sum()
        self.save(name, inputs, {"y": y}, loss, learned, variant=2, K=taps, eps=EPS)

    def net(self, mode, steps=3, random_step=1):
        images, channels, classes = 4, 5, 3
        inputs = {
            "x": self.normal(images, 2, 6, 5),
            "label": torch.tensor([0, 2, 1, 2]),
            "conv1": self.normal(channels, 2, 3, 3, sd=0.4),
            "conv2": self.uniform(channels, channels, 3, 3, low=-1.3, high=1.3),
            "fc": self.normal(classes, channels, sd=0.5),
            "fcb": self.normal(classes, sd=0.2),
        }
        for i in (1, 2):
            inputs[f"gamma{i}"] = self.uniform(channels, low=0.5, high=1.5)
            inputs[f"b{i}"] = self.normal(channels, mean=0.3, sd=0.3)
            inputs[f"theta{i}"] = self.uniform(steps, channels, low=0.1, high=0.6)
        inputs["lambda1"] = self.uniform(steps, channels, low=0.3, high=1.0)
        learned = [k for k in inputs if k not in ("x", "label")]
        for key in learned:
            inputs[key].requires_grad_()

        v = torch.zeros(images, channels, *inputs["x"].shape[2:], dtype=torch.float64)
        first = {"theta": inputs["theta1"], "lambda_": inputs["lambda1"]}
        logits = []
        for t in range(steps):
            y = torch.nn.functional.conv2d(inputs["x"], inputs["conv1"], padding=1)
            y = normalise(y, inputs["gamma1"], inputs["b1"])
            y, v = neuron_step(y, v, first, t, online=mode != "stbp")
            y = normalise(sign_conv(y, inputs["conv2"], padding=1), inputs["gamma2"], inputs["b2"])
            y, _ = neuron_step(y, None, {"theta": inputs["theta2"]}, t, online=True)
            logits.append(y.mean(dim=(2, 3)) @ inputs["fc"].T + inputs["fcb"])
        losses = [torch.nn.functional.cross_entropy(step, inputs["label"]) for step in logits]
        loss = losses[random_step] if mode == "random_bp" else sum(losses) / steps
        self.save(
            f"net_{mode}", inputs, {"logits": torch.stack(logits)}, loss, learned, T=steps, eps=EPS, mode=mode,
            random_step=random_step,
            graph="conv1(float,3x3,pad1) BN EMPF(I) conv2(sign,3x3,pad1) BN EMPF(III) GAP fc",
        )


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    v = Vectors(folder)
    v.conv("bconv_3x3_s1", kernel=3, stride=1, padding=1)
    v.conv("bconv_3x3_s2", kernel=3, stride=2, padding=1)
    v.conv("bconv_1x1_s2", kernel=1, stride=2, padding=0)
    v.neuron("neuron_i_online")
    v.neuron("neuron_i_stbp", online=False)
    v.neuron("neuron_i_T10", steps=10)
    # Where a neuron always fires, or never, the online gradient is the whole gradient (Theorem 4.2).
    v.neuron("neuron_i_always_fires_online", theta=(-60.0, -50.0), leak=(0.3, 0.6))
    v.neuron("neuron_i_never_fires_online", theta=(50.0, 60.0))
    v.neuron("neuron_ii_train", version="II")
    v.neuron("neuron_ii_eval", version="II", training=False)
    v.neuron("neuron_iii_parallel", version="III")
    v.seca_i("seca_i_k3", taps=3)
    v.seca_i("seca_i_k5", taps=5)
    v.seca_ii("seca_ii_k5", taps=5)
    for mode in ("online", "random_bp", "stbp"):
        v.net(mode)


if __name__ == "__main__":
    main()
