"""Adam-atan2 (arXiv 2407.05872, section 4.3) with decoupled weight decay, and the weights' moving average."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


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
        """Move every parameter that has a gradient, and drop the gradients."""
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

    def state(self) -> dict[str, Any]:
        """Return the moments by parameter order, for safetensors."""
        moments = {f"first.{i}": m for i, m in enumerate(self.first)}
        return moments | {f"second.{i}": v for i, v in enumerate(self.second)}

    def load_state(self, tensors: dict[str, Tensor], num_steps: int) -> None:
        self.num_steps = num_steps
        for i in range(len(self.parameters)):
            self.first[i].copy_(tensors[f"first.{i}"])
            self.second[i].copy_(tensors[f"second.{i}"])


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
