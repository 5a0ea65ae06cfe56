"""The parts of the Slicer module. None of them imports `qt`, and none imports torch at its top."""
