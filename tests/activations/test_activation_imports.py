import subprocess
import sys

import pytest


@pytest.mark.slow
def test_importing_activations_loads_neither_transformers_nor_lightning():
    code = (
        "import sys, lmi.activations; heavy = ('transformers', 'huggingface_hub', 'lightning', 'tokenizers'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
