"""`python -m fastsam3d`."""

from .cli import main

main()
