"""The optimisers and the weights' moving average.

Adam-atan2 (arXiv 2407.05872, section 4.3) is the published choice. Muon (torch's, arXiv 2502.16982) moves the matrices
inside the stacks by an orthogonal step and leaves embedding and projection to Adam-atan2.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from reasoning_core.model import HrmTextCore

OPTIMISERS = ("adam-atan2", "muon")
# Muon's step, matched to the RMS of AdamW's, against Adam-atan2's at the same learning rate (DECISIONS.md).
_MUON_RATE = 4.0


class Optimiser(Protocol):
    """What the trainer needs: a step at a given learning rate, and a state that can be saved."""

    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient, and drop the gradients."""

    def state(self) -> dict[str, Tensor]:
        """Return the moments themselves, by name."""

    def resume(self, num_steps: int) -> None:
        """Go on behind `num_steps` steps, after the tensors of `state` were filled."""


class AdamAtan2:
    """Adam whose step is `lr * atan2(m, sqrt(v))`: bounded, scale-free, and without an epsilon to tune.

    Masters, moments and arithmetic are float32. Matrices decay, vectors do not.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, betas: tuple[float, float] = (0.9, 0.95), weight_decay: float = 0.1
    ) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.betas, self.weight_decay = betas, weight_decay
        self.first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.second = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.num_steps = 0

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        self.num_steps += 1
        beta1, beta2 = self.betas
        correction1, correction2 = 1 - beta1**self.num_steps, 1 - beta2**self.num_steps
        active = [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None]
        weights = [self.parameters[i] for i in active]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        first, second = [self.first[i] for i in active], [self.second[i] for i in active]
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        if matrices := [weight for weight in weights if weight.ndim > 1]:
            torch._foreach_mul_(matrices, 1 - learning_rate * self.weight_decay)
        for weight, m, v in zip(weights, first, second, strict=True):
            weight.sub_(torch.atan2(m / correction1, (v / correction2).sqrt_()), alpha=learning_rate)
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        moments = {f"first.{i}": m for i, m in enumerate(self.first)}
        return moments | {f"second.{i}": v for i, v in enumerate(self.second)}

    def resume(self, num_steps: int) -> None:
        self.num_steps = num_steps


class MuonWithAtan2:
    """Muon for the matrices inside the stacks, Adam-atan2 for all other parameters."""

    def __init__(self, matrices: Sequence[Tensor], others: Sequence[Tensor], *, weight_decay: float) -> None:
        self._others = AdamAtan2(others, weight_decay=weight_decay)
        self._muon = torch.optim.Muon(
            matrices, lr=0.0, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw", momentum=0.95
        )
        self._matrices = list(matrices)
        for matrix in matrices:
            # Muon makes its momentum at the first step; a resumed run needs it before.
            self._muon.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)

    def step(self, learning_rate: float) -> None:
        self._muon.param_groups[0]["lr"] = learning_rate * _MUON_RATE
        self._muon.step()  # type: ignore[no-untyped-call]
        self._muon.zero_grad(set_to_none=True)
        self._others.step(learning_rate)

    def state(self) -> dict[str, Tensor]:
        momenta = {f"momentum.{i}": self._muon.state[m]["momentum_buffer"] for i, m in enumerate(self._matrices)}
        return momenta | self._others.state()

    def resume(self, num_steps: int) -> None:
        self._others.resume(num_steps)


def new_optimiser(name: str, core: HrmTextCore, weight_decay: float) -> Optimiser:
    """Return an optimiser of the parameters of a core.

    Raises:
        ValueError: no such optimiser.
    """
    trained = {key: parameter for key, parameter in core.named_parameters() if parameter.requires_grad}
    if name == "adam-atan2":
        return AdamAtan2(trained.values(), weight_decay=weight_decay)
    if name == "muon":
        matrices = [parameter for key, parameter in trained.items() if ".layers." in key]
        others = [parameter for key, parameter in trained.items() if ".layers." not in key]
        return MuonWithAtan2(matrices, others, weight_decay=weight_decay)
    raise ValueError(f"unknown optimiser {name!r}: use one of {', '.join(OPTIMISERS)}")


class MovingAverage:
    """Exponential moving average of weights; what is evaluated and shipped.

    The decay is capped early at (1 + n) / (10 + n), so that a short run is not held back by its first weights.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self.parameters = list(parameters)
        self.decay = decay
        self.averages = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def update(self, num_steps: int) -> None:
        decay = min(self.decay, (1 + num_steps) / (10 + num_steps))
        torch._foreach_lerp_(self.averages, [parameter.detach() for parameter in self.parameters], 1 - decay)
