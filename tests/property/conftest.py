"""How properties are checked: without deadlines, since a busy machine is no finding."""

from hypothesis import HealthCheck, settings

settings.register_profile("segwire", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("segwire-long", settings.get_profile("segwire"), max_examples=5000)

# Another profile was asked for by name: --hypothesis-profile segwire-long.
if settings.get_current_profile_name() in {"default", "ci"}:
    settings.load_profile("segwire")
