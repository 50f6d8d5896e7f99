"""What tests of rights stand on: backends that can be written to, and requests with a body."""

from tests.o2ims.conftest import send, served

__all__ = ["send", "served"]
