"""Unit tests are run often: properties take a quarter of the usual examples here, the other stages take all.

How long it takes to draw them says something of the machine and nothing of the code: it is not judged."""

from hypothesis import HealthCheck, settings

settings.register_profile("unit", max_examples=25, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
