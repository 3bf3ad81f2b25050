"""The real SDK as a fixture; tests that ask for it skip, saying why, where it cannot be had."""

import pytest

from conformance.libraries import LibrariesMissingError, find_libraries
from conformance.sdk import Sdk


@pytest.fixture(scope="session")
def sdk() -> Sdk:
    """Microsoft's libk4a and libk4arecord."""
    try:
        return Sdk(find_libraries())
    except LibrariesMissingError as error:
        pytest.skip(str(error))
    except OSError as error:
        pytest.skip(f"Microsoft's libraries do not load here: {error}")
