"""Made scenes, and the camera that photographs them and other radiance maps."""

from hdr_jax.synthetic._camera import Camera, meter, photograph, seeded_by_name
from hdr_jax.synthetic._render import render_scene

__all__ = ["Camera", "meter", "photograph", "render_scene", "seeded_by_name"]
