"""The names that ``import batchgen`` offers."""

import subprocess
import sys

import pytest

import batchgen


@pytest.mark.parametrize("name", batchgen.__all__)
def test_every_public_name_can_be_used(name: str):
    assert getattr(batchgen, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        batchgen.nothing  # noqa: B018


def test_importing_the_package_loads_no_heavy_library():
    code = "import batchgen, sys; print(sorted({'aiohttp', 'pydantic', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
