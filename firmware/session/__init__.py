"""The count of one contest: what lies under the camera, the pictures of a press, its pages, its review, its record."""
