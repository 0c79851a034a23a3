"""Filled forms on paper and their photographs, made from the layouts alone: nothing here shows a real form.

pen: handwriting; fill: a page filled in by one writer; photograph: the camera's view of it; sets: whole TPS.
Everything is deterministic by seed.
"""
