"""The plain Transformers that HRM is measured against: of equal size, and of equal cost."""

import pytest

from training.baselines import of_architecture
from training.sizes import config_of_size


@pytest.mark.parametrize("size", ["nano", "mini", "medium", "L"])
def test_one_baseline_has_the_parameters_of_the_core_and_the_other_its_cost(size: str):
    core = config_of_size(size, 2048)
    equal = of_architecture(core, "transformer")
    assert equal.num_parameters == core.num_parameters
    assert (equal.H_cycles, equal.L_cycles) == (1, 0)
    deep = of_architecture(core, "transformer-deep")
    # Forward through every call, backward (twice a forward) through the last five; a Transformer does all three once.
    passes = core.num_layers_per_stack * (8 + 2 * 5)
    assert 3 * deep.num_layers_per_stack == pytest.approx(passes, abs=2)


def test_an_unknown_architecture_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown architecture 'gru': use one of hrm, transformer, transformer-deep"):
        of_architecture(config_of_size("nano", 400), "gru")
