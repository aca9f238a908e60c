"""How fast the networks run, beside the same layers in PyTorch.

  PYTHONPATH=. python benchmarks/networks.py [--configs released small] [--repeats 5]

Needs `torch` (pip install torch). Per configuration: one up step through the three networks, and
six of them one after the other, forward and with the gradient with respect to all parameters, of
the sum of squares of what they make. Both sides have the same parameters, which is checked by
their outputs, and take turns in one process; printed are medians in milliseconds and PyTorch's time
over ours. Ours walks by the program's own scan, whose six steps read the parameters of both
directions.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
from merge import alternating
from torch_twin import Global, Local, Refinement, Step, load

from configs import small
from hdr_jax.models import ExposureStackModel, initial_parameters

# Name: (fields of the model, pictures, their side).
CONFIGS = {
    "released": ({}, 1, 256),
    "small": (dict(small.get_config().model), 4, 128),
}
TWINS = {"global": Global, "local": Local, "refinement": Refinement}


def sides(fields: dict, batch: int, size: int):
    """({name: a call of ours or theirs}, largest difference of the outputs, parameters)."""
    model = ExposureStackModel(**fields)
    params = jax.device_get(initial_parameters(model, jax.random.key(0)))
    networks = model.networks()
    twins = {
        name: load(TWINS[name](network.width, network.levels), params["up"][name])
        for name, network in networks.items()
    }
    step = Step(twins)
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (batch, size, size, 3)).astype(np.float32)
    edges = rng.uniform(0, 1, (batch, size, size, 1)).astype(np.float32)
    theirs = [torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in (image, edges)]
    parameters = list(step.parameters())

    def one(up):
        states = model.initial_states(batch, size, size)
        (image_, edges_, _), _ = model.step(up, (image, edges, states), (0, 0))
        return image_, edges_

    def six(params):
        # The first exposure is the reference: all steps go up.
        return model.apply({"params": params}, (image + 1) / 2, edges, reference_index=0).stack

    def squares(function):
        return lambda p: sum(jnp.sum(jnp.square(x)) for x in jax.tree.leaves(function(p)))

    def torch_one():
        _, made, edges = step(step.start(theirs[0]), *theirs, 0)
        return made, edges

    def torch_six():
        return (step.walk(*theirs, 6),)

    def with_gradient(function):
        loss = sum((x**2).sum() for x in function())
        return torch.autograd.grad(loss, parameters)

    def untaped(function):
        with torch.no_grad():
            return function()

    calls = {}
    for name, ours, p, twin in (
        ("one step", one, params["up"], torch_one),
        ("six steps", six, params, torch_six),
    ):
        p = jax.device_put(p)
        forward, gradient = jax.jit(ours), jax.jit(jax.grad(squares(ours)))
        calls[f"{name}, forward"] = (lambda f=forward, p=p: f(p)), (lambda t=twin: untaped(t))
        calls[f"{name}, gradient"] = (
            (lambda f=gradient, p=p: f(p)),
            (lambda t=twin: with_gradient(t)),
        )
    made = np.asarray(jax.jit(one)(params["up"])[0])
    twin_made = untaped(torch_one)[0].numpy().transpose(0, 2, 3, 1)
    counts = [sum(p.numel() for p in twin.parameters()) for twin in twins.values()]
    return calls, float(np.abs(made - twin_made).max()), counts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configs", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    print(f"jax {jax.__version__}, torch {torch.__version__} on {torch.get_num_threads()} threads")
    for config in args.configs:
        start = time.perf_counter()
        calls, difference, counts = sides(*CONFIGS[config])
        print(f"{config}: parameters {counts}, outputs differ by at most {difference:.1e}")
        for name, (ours, theirs) in calls.items():
            median = alternating({"ours": ours, "PyTorch": theirs}, args.repeats)
            ratio = median["PyTorch"] / median["ours"]
            print(
                f"  {name:<20} ours {median['ours']:8.1f} ms  PyTorch {median['PyTorch']:8.1f} ms  "
                f"ratio {ratio:.2f}",
                flush=True,
            )
        print(f"  ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
