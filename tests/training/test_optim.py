"""Adam-atan2 and the moving average against their formulas written out."""

import math

import pytest
import torch

from reasoning_core.model import HrmTextCore
from training.optim import AdamAtan2, MovingAverage, MuonWithAtan2, new_optimiser
from training.sizes import config_of_size


def test_adam_atan2_follows_its_formula_element_by_element():
    generator = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(3, 4, generator=generator, dtype=torch.float64))
    expected, m, v = weight.detach().clone(), torch.zeros(3, 4).double(), torch.zeros(3, 4).double()
    optimiser = AdamAtan2([weight], betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(1, 6):
        gradient = torch.randn(3, 4, generator=generator, dtype=torch.float64)
        weight.grad = gradient.clone()
        optimiser.step(0.01)
        m = 0.9 * m + 0.1 * gradient
        v = 0.95 * v + 0.05 * gradient**2
        expected = expected * (1 - 0.01 * 0.1)
        for i in range(3):
            for j in range(4):
                m_hat, v_hat = m[i, j] / (1 - 0.9**step), v[i, j] / (1 - 0.95**step)
                expected[i, j] -= 0.01 * math.atan2(m_hat, math.sqrt(v_hat))
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-12, atol=1e-12)


def test_vectors_do_not_decay_and_a_parameter_without_gradient_stands_still():
    bias = torch.nn.Parameter(torch.ones(4))
    idle = torch.nn.Parameter(torch.ones(2, 2))
    optimiser = AdamAtan2([bias, idle], weight_decay=0.5)
    bias.grad = torch.zeros(4)
    optimiser.step(0.1)
    assert torch.equal(bias.detach(), torch.ones(4))
    assert torch.equal(idle.detach(), torch.ones(2, 2))


def test_a_step_is_bounded_whatever_the_scale_of_the_gradient():
    weight = torch.nn.Parameter(torch.zeros(1, 2))
    optimiser = AdamAtan2([weight], weight_decay=0.0)
    weight.grad = torch.tensor([[1e15, -1e-15]])
    optimiser.step(0.01)
    torch.testing.assert_close(weight.detach(), torch.tensor([[-1.0, 1.0]]) * 0.01 * math.pi / 4)


def test_the_average_follows_quickly_at_first_and_slowly_later():
    weight = torch.nn.Parameter(torch.zeros(1))
    average = MovingAverage([weight], decay=0.999)
    weight.data.fill_(1.0)
    average.update(1)
    assert math.isclose(float(average.averages[0]), 1 - 2 / 11, rel_tol=1e-5)
    weight.data.fill_(0.0)
    before = float(average.averages[0])
    average.update(10**6)
    assert math.isclose(float(average.averages[0]), before * 0.999, rel_tol=1e-5)


def test_muon_turns_matrices_by_an_almost_orthogonal_step_and_leaves_the_rest_to_adam_atan2():
    generator = torch.Generator().manual_seed(0)
    matrix, embedding = (torch.nn.Parameter(torch.zeros(12, 8)) for _ in range(2))
    optimiser = MuonWithAtan2([matrix], [embedding], weight_decay=0.0)
    matrix.grad, embedding.grad = (torch.randn(12, 8, generator=generator) for _ in range(2))
    expected = -0.01 * math.pi / 4 * embedding.grad.sign()
    optimiser.step(0.01)
    singular = torch.linalg.svdvals(matrix.detach())
    assert float(singular.min() / singular.max()) > 0.5
    torch.testing.assert_close(embedding.detach(), expected)
    assert matrix.grad is None


def test_an_unknown_optimiser_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown optimiser 'sgd': use one of adam-atan2, muon"):
        new_optimiser("sgd", HrmTextCore(config_of_size("nano", 320)), 0.1)
