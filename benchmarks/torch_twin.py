"""The three networks of one direction in PyTorch, layer by layer those of `models.networks`.

For comparisons of speed only; needs `torch`. Feature maps are [b, c, h, w], images in [-1, 1].
`load` gives a network the parameters of ours, so that outputs can be compared; at the released
widths the parameter counts are 98,918,403, 6,188,815 and 11,007,971.
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from flax.traverse_util import flatten_dict
from torch import nn

swish = F.silu


def conv(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


class Norm(nn.Module):
    """Instance norm with an affine map per entry; a single one where `entries` is None."""

    def __init__(self, channels: int, entries: int | None):
        super().__init__()
        shape = (channels,) if entries is None else (entries, channels)
        self.entries = entries
        self.scale, self.bias = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))

    def forward(self, x, entry):
        pick = (lambda p: p) if self.entries is None else (lambda p: p[entry])
        return F.instance_norm(x, weight=pick(self.scale), bias=pick(self.bias))


class ConvGRU(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.update, self.reset, self.candidate = (conv(2 * channels, channels) for _ in range(3))

    def forward(self, h, x):
        joined = torch.cat([x, h], 1)
        update, reset = self.update(joined).sigmoid(), self.reset(joined).sigmoid()
        candidate = self.candidate(torch.cat([x, reset * h], 1)).tanh()
        return (1 - update) * h + update * candidate


class UNet(nn.Module):
    """What the three have in common; layers carry the names of ours."""

    channels: int  # of the inputs, side by side
    skip_norm, memory, size, head_channels = False, True, 1, 3
    pool = staticmethod(partial(F.avg_pool2d, kernel_size=2))
    double = staticmethod(
        partial(F.interpolate, scale_factor=2, mode="bilinear", align_corners=False)
    )

    def __init__(self, width: int, levels: int, entries: int = 6):
        super().__init__()
        self.levels, self.deepest = levels, width * 2**levels
        layers = {"stem": conv(self.channels, width)}
        for level in range(levels):
            low, high = width * 2**level, width * 2 ** (level + 1)
            layers[f"down{level}_conv1"] = conv(low, high)
            layers[f"down{level}_conv2"] = conv(high, high)
            if self.skip_norm:
                layers[f"down{level}_norm"] = Norm(high, entries)
            layers[f"up{level}_conv1"] = conv(2 * high, low, self.size)
            layers[f"up{level}_conv2"] = conv(low, low)
            layers[f"up{level}_norm"] = Norm(low, entries if self.memory else None)
        if self.memory:
            layers["gru"] = ConvGRU(self.deepest)
        names = ("bottleneck_conv1", "bottleneck_conv2") if self.memory else ("bottleneck",)
        layers |= {name: conv(self.deepest, self.deepest) for name in names}
        self.bottleneck = names
        self.layers = nn.ModuleDict(layers | self.head(width, entries))

    def head(self, width: int, entries: int) -> dict[str, nn.Module]:
        return {"head": conv(2 * width, 3)}

    def body(self, state, x, entry):
        """(state, x behind the last level up, stem)."""
        layers = self.layers
        stem = x = swish(layers["stem"](x))
        skips = []
        for level in range(self.levels):
            x = layers[f"down{level}_conv2"](swish(layers[f"down{level}_conv1"](x)))
            if self.skip_norm:
                x = layers[f"down{level}_norm"](x, entry)
            skips.append(x := self.pool(swish(x)))
        if self.memory:
            state = x = layers["gru"](state, x)
        for name in self.bottleneck:
            x = swish(layers[name](x))
        for level in reversed(range(self.levels)):
            first = layers[f"up{level}_conv1"]
            x = torch.cat([x, skips[level]], 1)
            x = self.double(first(x)) if self.size == 1 else first(self.double(x))
            x = layers[f"up{level}_conv2"](swish(x))
            x = swish(layers[f"up{level}_norm"](x, entry))
        return state, x, stem


class Global(UNet):
    channels = 3

    def forward(self, state, image, entry, last_entry=0):
        state, x, stem = self.body(state, image, entry)
        return state, (self.layers["head"](torch.cat([x, stem], 1)).tanh() + image) / 2


class Local(UNet):
    channels, skip_norm = 2, True
    pool = staticmethod(partial(F.max_pool2d, kernel_size=2))
    double = staticmethod(partial(F.interpolate, scale_factor=2, mode="nearest"))

    def head(self, width, entries):
        return {
            "merge": conv(2 * width, 2),
            "merge_norm": Norm(2, entries),
            "head": conv(4, 1),
        }

    def forward(self, state, image, edges, entry, last_entry=0):
        given = [image.mean(1, keepdim=True), edges]
        state, x, stem = self.body(state, torch.cat(given, 1), entry)
        x = self.layers["merge"](torch.cat([x, stem], 1))
        x = swish(self.layers["merge_norm"](x, last_entry))
        return state, self.layers["head"](torch.cat([x, *given], 1)).sigmoid()


class Refinement(UNet):
    channels, memory, size = 7, False, 3

    def forward(self, image, tone, edges):
        _, x, stem = self.body(None, torch.cat([image, tone, edges], 1), 0)
        return (self.layers["head"](torch.cat([x, stem], 1)).tanh() + tone) / 2


def load(network: UNet, params: dict) -> UNet:
    """The network with our parameters of it, all of which it must have."""
    wanted = dict(network.layers.named_parameters())
    for path, value in flatten_dict(params).items():
        value = np.array(value)
        name = ".".join(path)
        if path[-1] == "kernel":
            name, value = name.removesuffix("kernel") + "weight", value.transpose(3, 2, 0, 1)
        wanted.pop(name).data = torch.from_numpy(np.ascontiguousarray(value))
    if wanted:
        raise ValueError(f"no values for {sorted(wanted)}")
    return network


class Step(nn.Module):
    """One up step: global, local and refinement networks on the last exposure."""

    def __init__(self, networks: dict[str, UNet]):
        super().__init__()
        self.nets = nn.ModuleDict({f"{name}_net": net for name, net in networks.items()})

    def forward(self, states, image, edges, entry):
        tone_state, tone = self.nets["global_net"](states[0], image, entry)
        edge_state, edges = self.nets["local_net"](states[1], image, edges, entry)
        return (tone_state, edge_state), self.nets["refinement_net"](image, tone, edges), edges

    def start(self, image):
        """Empty memories."""
        b, _, h, w = image.shape

        def zeros(net):
            return torch.zeros(b, net.deepest, h // 2**net.levels, w // 2**net.levels)

        return zeros(self.nets["global_net"]), zeros(self.nets["local_net"])

    def walk(self, image, edges, steps: int):
        """All exposures up from `image`, [steps, b, 3, h, w]."""
        states, made = self.start(image), []
        for entry in range(steps):
            states, image, edges = self(states, image, edges, entry)
            made.append(image)
        return torch.stack(made)
