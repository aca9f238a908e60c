"""How fast the shipped model trains, beside the same network in PyTorch.

  PYTHONPATH=. python benchmarks/highlight_step.py [--batch 2] [--repeats 5] [--threads 2]

Needs `torch` (pip install torch). The gradient of the masked L1 of the gain with respect to all
parameters, for photographs of 256 x 192. Both sides have the same parameters, which is checked by
their outputs, and take turns in one process, which keeps its memory as a training does; printed are
medians in milliseconds. "bfloat16" is PyTorch's autocast: processors with matrix units for it
(Intel's AMX) are several times as fast.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from merge import alternating
from torch import nn
from torch_twin import conv

from hdr_jax import weights
from hdr_jax.models import _convolution
from hdr_jax.models._gain import BUMP, CHROMA, GROUPS, PATCH, GainNetwork
from hdr_jax.models._highlights import features_of
from hdr_jax.programs._memory import keep_memory


def norm(channels: int) -> nn.GroupNorm:
    """Flax's default epsilon."""
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)


class Block(nn.Module):
    """hdr_jax.models._gain.Block."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = norm(channels)
        self.conv1, self.conv2 = conv(channels, channels, 3), conv(channels, channels, 3)

    def forward(self, x):
        return x + self.conv2(F.silu(self.conv1(F.silu(self.norm(x)))))


class Twin(nn.Module):
    """hdr_jax.models._gain.GainNetwork, its layers under the same names."""

    def __init__(self, params: dict, widths: tuple[int, ...], depths: tuple[int, ...]):
        super().__init__()
        self.widths, self.depths, self.layers = widths, depths, nn.ModuleDict()
        for name, values in params.items():
            self.layers[name] = (
                Block(values["norm"]["scale"].shape[0])
                if "norm" in values
                else (
                    norm(values["scale"].shape[0])
                    if "scale" in values
                    else _layer(values["kernel"])
                )
            )
        for name, values in params.items():
            for part, leaves in values.items() if "norm" in values else [("", values)]:
                module = getattr(self.layers[name], part) if part else self.layers[name]
                _set(module, leaves)

    def activated(self, name: str, x):
        return F.silu(self.layers[name](x))

    def forward(self, features):
        layer, deepest = self.layers, len(self.widths) - 1
        x, skips = layer["stem"](_patches(features)), []
        for level in range(deepest + 1):
            if level:
                x = layer[f"down{level}"](F.avg_pool2d(x, 2))
            x = self._blocks(x, level, "encode")
            skips.append(x)
        y = self.activated("global_norm", x)
        summary = F.silu(layer["global1"](torch.cat([y.mean((2, 3)), y.amax((2, 3))], -1)))
        x = x + layer["global2"](summary)[:, :, None, None]
        bias, slope = layer["global3"](summary)[:, :, None, None].split(1, 1)
        for level in range(deepest, -1, -1):
            if level < deepest:
                x = layer[f"up{level}"](self.activated(f"up{level}_norm", x))
                x = skips[level] + F.interpolate(x, scale_factor=2, mode="nearest")
            x = self._blocks(x, level, "decode")
        spread = _pixels(layer["spread"](self.activated("spread_norm", x)))
        head = layer["head1"](torch.cat([spread, features.to(spread.dtype)], 1))
        head = layer["head2"](F.silu(head)).float()
        luminance = head[:, :1] + bias + (slope + BUMP) * features[:, 9:]
        return luminance + CHROMA * head[:, 1:]

    def _blocks(self, x, level: int, side: str):
        for i in range(self.depths[level]):
            x = self.layers[f"{side}{level}_{i}"](x)
        return x


def _layer(kernel) -> nn.Module:
    """A convolution or a dense layer of the kernel's shape."""
    if kernel.ndim == 2:
        return nn.Linear(*kernel.shape)
    return conv(kernel.shape[2], kernel.shape[3], kernel.shape[0])


def _set(module: nn.Module, values: dict) -> None:
    """The values of a Flax layer: HWIO and IO become OIHW and OI."""
    kernel = torch.from_numpy(np.array(values.get("kernel", values.get("scale"))))
    order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[kernel.ndim]
    with torch.no_grad():
        module.weight.copy_(kernel.permute(order))
        module.bias.copy_(torch.from_numpy(np.array(values["bias"])))


def _patches(x):
    """hdr_jax.models._gain.to_patches of [b, c, h, w]."""
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // PATCH, PATCH, w // PATCH, PATCH).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(b, -1, h // PATCH, w // PATCH).contiguous(memory_format=torch.channels_last)


def _pixels(x):
    """The inverse of `_patches`."""
    b, c, h, w = x.shape
    x = x.reshape(b, PATCH, PATCH, c // PATCH**2, h, w).permute(0, 3, 4, 1, 5, 2)
    x = x.reshape(b, -1, h * PATCH, w * PATCH)
    return x.contiguous(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    keep_memory()
    torch.set_num_threads(args.threads)
    model, params = weights.load()
    shape = tuple(model.widths), tuple(model.depths)
    ours = GainNetwork(*shape, _convolution.choose("auto"))
    twin = Twin(params, *shape).to(memory_format=torch.channels_last)
    rng = np.random.default_rng(0)
    image, rim = (rng.random((args.batch, 192, 256, 3), np.float32) * k for k in (1, 20))
    features = features_of(*(jnp.asarray(x) for x in (image, image, rim)))
    theirs = torch.from_numpy(np.asarray(features).transpose(0, 3, 1, 2).copy())
    theirs = theirs.contiguous(memory_format=torch.channels_last)
    apply = jax.jit(lambda p: sum(ours.apply({"params": p}, features)))
    with torch.no_grad():
        distance = np.abs(np.asarray(apply(params)).transpose(0, 3, 1, 2) - twin(theirs).numpy())
    gradient = jax.jit(jax.grad(lambda p: jnp.abs(sum(ours.apply({"params": p}, features))).mean()))
    parameters = list(twin.parameters())

    def step(half: bool):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = twin(theirs).abs().mean()
        torch.autograd.grad(loss, parameters)

    functions = {
        "ours": lambda: gradient(params),
        "PyTorch": lambda: step(False),
        "PyTorch, bfloat16": lambda: step(True),
    }
    taken = alternating(functions, args.repeats)
    count = sum(p.numel() for p in parameters)
    print(f"{count:,} parameters, outputs differ by {distance.max():.1e} at most")
    for name, value in taken.items():
        print(f"  {name:18s}{value:8.0f} ms   PyTorch's time / its: {taken['PyTorch'] / value:.2f}")


if __name__ == "__main__":
    main()
