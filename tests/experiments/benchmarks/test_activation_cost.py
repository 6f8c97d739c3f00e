from lmi.experiments.benchmarks.activation_cost import ActivationCost
from lmi.types import Context


def test_each_length_is_measured_twice():
    result = ActivationCost(num_tokens=(150, 300), window=64).run(Context())
    assert [row["tokens"] for row in result.tables["cost"]] == [150, 300]
    assert all(0 < row["second_seconds"] < row["first_seconds"] for row in result.tables["cost"])
