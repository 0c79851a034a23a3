"""Filled forms on paper and their photographs, made from the layouts alone: nothing here shows a real form.

pen: handwriting; faults: what people do wrong, planned by seed; boxes, turus, fill: a page filled in as planned;
level: how bad a photograph may be; sheet, table, light, photograph: the camera's view of it; sets: whole TPS.
Everything is deterministic by seed.
"""
