"""Box pictures to calibrated readings; the only user of onnxruntime."""
