"""Unit tests are run often: properties take a quarter of the usual examples here, the other stages take all."""

from hypothesis import settings

settings.register_profile("unit", parent=settings.get_profile("untimed"), max_examples=25)
settings.load_profile("unit")
