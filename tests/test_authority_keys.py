"""The key of an authority in an encrypted file; TPM and token are in system/test_authority_tokens.py."""

from __future__ import annotations

import pytest

from tests.authority_contract import AuthorityContract


class TestFile(AuthorityContract):
    @pytest.fixture
    def way(self) -> list[str]:
        return []
