from pathlib import Path

import pytest
import yaml

from lmi.activations import Activations, LanguageModel
from lmi.settings import SettingsError, build

CONF = Path(__file__).parents[2] / "conf"


def read(path):
    return yaml.safe_load((CONF / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "model"), [("tiny", "tiny"), ("gpt2", "openai-community/gpt2")])
def test_models(name, model):
    assert build(read(f"model/{name}.yaml"), "model") == LanguageModel(model)


def test_the_settings_shown_are_the_defaults():
    shown = {**read("activations/text.yaml"), "model": read("model/tiny.yaml")}
    assert build(shown, "activations") == Activations()


def test_mistakes_are_named():
    with pytest.raises(SettingsError, match=r"activations.wat.*did you mean 'what'"):
        build({**read("activations/text.yaml"), "model": read("model/tiny.yaml"), "wat": "mlp"}, "activations")
