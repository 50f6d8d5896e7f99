"""What all contract tests share."""

import pytest

pytest.register_assert_rewrite("tests.contract.ims")
